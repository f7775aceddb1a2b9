# Maxim DS18B20 (19-7487 rev 6), one device on its bus: ROM and function commands, scratchpad with CRC, conversion
# time by resolution, power-on value. Bits travel least significant first.

from models.inputs import div_nearest

SEARCH_ROM, READ_ROM, MATCH_ROM, SKIP_ROM = 0xF0, 0x33, 0x55, 0xCC
CONVERT, READ_SCRATCHPAD, WRITE_SCRATCHPAD = 0x44, 0xBE, 0x4E
COPY_SCRATCHPAD, RECALL, READ_POWER = 0x48, 0xB8, 0xB4
CONVERSION_MS = (94, 188, 375, 750)  # table 2, 9 to 12 bits
POWER_ON = b"\x50\x05\x4b\x46\x7f\xff\x0c\x10"  # figure 9
NOISE_MILLI = 25


class Ds18b20:
    def __init__(self, world):
        self._world = world
        self._temperature = world.quantity("probe_temperature", 21000)
        self._noise = world.noise(2)
        serial = bytes.fromhex(world.spec.get("ds18b20_serial", "3c01d6075b9e"))
        self._rom = with_crc(b"\x28" + serial)
        self._pad = bytearray(POWER_ON)
        self._eeprom = bytes(POWER_ON[2:5])
        self._done_ms = 0
        self._pending = None
        self._idle()

    def reset(self):
        """A reset pulse; returns True for a presence pulse."""
        self._settle()
        self._idle()
        present = self._world.fault("ds18b20") != "absent"
        self._state = "rom" if present else "deaf"
        return present

    def write_byte(self, value):
        if self._state == "search" or self._in_bits:
            for bit in range(8):
                self.write_bit(value >> bit & 1)
        else:
            self._byte(value)

    def write_bit(self, bit):
        if self._state == "search":
            # The master chose a branch; who is not on it falls silent until the next reset.
            if bit != bit_of(self._rom, self._search_bit):
                self._state = "deaf"
            self._search_bit += 1
            self._search_turn = 0
            if self._search_bit == 64 and self._state == "search":
                self._state = "function"
            return
        self._in_byte |= bit << self._in_bits
        self._in_bits += 1
        if self._in_bits == 8:
            value, self._in_byte, self._in_bits = self._in_byte, 0, 0
            self._byte(value)

    def read_byte(self):
        out = self._out
        if out is not None and self._out_bit & 7 == 0 and self._out_bit < len(out) * 8:
            self._out_bit += 8
            return out[self._out_bit // 8 - 1]
        value = 0
        for bit in range(8):
            value |= self.read_bit() << bit
        return value

    def read_bit(self):
        if self._state == "search":
            self._search_turn += 1
            return bit_of(self._rom, self._search_bit) ^ (self._search_turn == 2)
        if self._out is None:
            # Function commands: a busy device holds the line low in read slots; an idle line is pulled up.
            return 0 if self._state != "deaf" and self._busy() else 1
        if self._out_bit < len(self._out) * 8:
            self._out_bit += 1
            return bit_of(self._out, self._out_bit - 1)
        return 1

    def _idle(self):
        self._state = "deaf"
        self._in_byte = self._in_bits = 0
        self._out = None
        self._out_bit = 0
        self._search_bit = self._search_turn = 0
        self._collected = bytearray()

    def _byte(self, value):
        if self._state == "rom":
            self._rom_command(value)
        elif self._state == "match":
            self._collected.append(value)
            if len(self._collected) == 8:
                self._state = "function" if self._collected == self._rom else "deaf"
        elif self._state == "function":
            self._settle()
            self._function(value)
        elif self._state == "write":
            self._collected.append(value)
            if len(self._collected) == 3:
                # The register's fixed bits do not take what is written (figure 10).
                self._pad[2:4] = self._collected[:2]
                self._pad[4] = self._collected[2] & 0x60 | 0x1F
                self._state = "deaf"

    def _rom_command(self, value):
        states = {SEARCH_ROM: "search", MATCH_ROM: "match", SKIP_ROM: "function", READ_ROM: "function"}
        self._state = states.get(value, "deaf")
        if value == READ_ROM:
            self._out = self._rom

    def _function(self, value):
        self._out = None
        if value == CONVERT:
            # The noise is drawn here, the value taken here; the scratchpad has it once the time has passed.
            milli = self._temperature.at(self._world.elapsed_ms // 1000) + self._noise.next(NOISE_MILLI)
            self._pending = milli
            self._done_ms = self._world.elapsed_ms + CONVERSION_MS[self._pad[4] >> 5]
        elif value == READ_SCRATCHPAD:
            self._out = with_crc(self._pad)
            self._out_bit = 0
            if self._world.fault("ds18b20") == "crc":
                self._out[0] ^= 0x04
        elif value == WRITE_SCRATCHPAD:
            self._collected = bytearray()
            self._state = "write"
        elif value == COPY_SCRATCHPAD:
            self._eeprom = bytes(self._pad[2:5])
        elif value == RECALL:
            self._pad[2:5] = self._eeprom
        elif value == READ_POWER:
            self._out = b"\xff"
            self._out_bit = 0

    def _busy(self):
        self._settle()
        return self._pending is not None

    def _settle(self):
        # A "timeout" fault is a probe whose conversion never ends.
        if self._pending is None or self._world.elapsed_ms < self._done_ms:
            return
        if self._world.fault("ds18b20") == "timeout":
            return
        shift = 3 - (self._pad[4] >> 5)
        raw = div_nearest(self._pending * 16, 1000) >> shift << shift
        raw = min(max(raw, -55 * 16), 125 * 16)
        self._pad[0], self._pad[1] = raw & 0xFF, raw >> 8 & 0xFF
        self._pending = None


def bit_of(data, n):
    return data[n >> 3] >> (n & 7) & 1


def with_crc(data):
    """Returns data and its CRC (x^8 + x^5 + x^4 + 1, bits in the order they travel; figure 11's shift register)."""
    register = 0
    for n in range(len(data) * 8):
        feedback = register & 1 ^ bit_of(data, n)
        register >>= 1
        if feedback:
            register ^= 0x8C
    return bytearray(data) + bytes((register,))
