"""A board that exists in software only: MicroPython's VM, a flash chip in a file and a serial port that real tools
take for an ESP32's. It never speaks to hardware.
"""
