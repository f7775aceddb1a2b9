# Stands in for MicroPython's `onewire`: the bus master, on the device that `world.current` has at the pin.

import world


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        self.pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        here = world.current
        self._device = here.ds18b20 if pin.number == here.pins.get("onewire") else None

    def reset(self, required=False):
        present = self._device is not None and self._device.reset()
        if required and not present:
            raise OneWireError
        return present

    def readbit(self):
        return self._device.read_bit() if self._device else 1

    def readbyte(self):
        return self._device.read_byte() if self._device else 0xFF

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def writebit(self, value):
        if self._device:
            self._device.write_bit(1 if value else 0)

    def writebyte(self, value):
        if self._device:
            self._device.write_byte(value)

    def write(self, buf):
        for value in buf:
            self.writebyte(value)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def crc8(self, data):
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc

    def scan(self):
        """Returns the ROM codes on the bus; one branch is enough for one device."""
        if not self.reset():
            return []
        self.writebyte(self.SEARCH_ROM)
        rom = bytearray(8)
        for n in range(64):
            bit, complement = self.readbit(), self.readbit()
            if bit and complement:
                return []
            self.writebit(bit)
            rom[n >> 3] |= bit << (n & 7)
        return [rom]
