"""What an ESP32's flash holds at start: chip facts, firmware images, partition tables. Reads and makes bytes only."""
