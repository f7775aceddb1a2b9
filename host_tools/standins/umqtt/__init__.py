# Stand-in for the `umqtt` that stock ESP32 firmware has frozen in; see simple.py.
