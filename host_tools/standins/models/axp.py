# X-Powers AXP192 and AXP2101 power chips, as far as a T-Beam uses them: registers of one byte with an address that
# moves on, the receiver's rail, and the rail that feeds the node. Registers outlive a reset of the node, and
# the receiver's rail comes up on, which is the worst a board may be made to do.

ADDRESS = 0x34
ID = 0x03  # REG 03H on both
# chip -> (what REG 03H holds, receiver's rail: register, bit; its voltage: register, mask, 3.3 V; the node's own
# rail: register, bit; what the switches are at power-on)
CHIPS = {
    # REG 12H: DCDC1, DCDC3, LDO2, LDO3, DCDC2, -, EXTEN from bit 0 on.
    "axp192": (0x03, (0x12, 3), (0x28, 0x0F, 0x0F), (0x12, 1), {0x12: 0x5F, 0x28: 0xCC}),
    # REG 80H: DCDC1-5; REG 90H: ALDO1-4, BLDO1-2, CPUSLDO, DLDO1.
    "axp2101": (0x4A, (0x90, 2), (0x94, 0x1F, 0x1C), (0x80, 0), {0x80: 0x01, 0x90: 0x0F, 0x94: 0x12}),
}
PWRON_RESET = 1


class Axp:
    def __init__(self, world, chip):
        self._world = world
        identity, self._rail, self._voltage, self._supply, defaults = CHIPS[chip]
        self.registers = bytearray(256)
        self.registers[ID] = identity
        for register, value in defaults.items():
            self.registers[register] = value
        self.writes = []  # (register, value), in order
        self._at = 0
        self._apply()

    def write(self, data):
        """Master writes: register, then values; data is without the address. Returns True: it never refuses."""
        if data:
            self._at = data[0]
            for value in data[1:]:
                self.writes.append((self._at, value))
                if self._at != ID:
                    self.registers[self._at] = value
                self._at = (self._at + 1) & 0xFF
            self._apply()
        return True

    def read(self, buf):
        """Master reads len(buf) bytes from where the address stands."""
        for i in range(len(buf)):
            buf[i] = self.registers[self._at]
            self._at = (self._at + 1) & 0xFF
        return True

    def receiver_on(self):
        """Whether the receiver's rail is on."""
        return self._on(self._rail)

    def receiver_at_3v3(self):
        """Whether the receiver's rail is set to 3.3 V."""
        register, mask, value = self._voltage
        return self.registers[register] & mask == value

    def _on(self, switch):
        register, bit = switch
        return bool(self.registers[register] >> bit & 1)

    def _apply(self):
        if self._world.gps is not None:
            self._world.gps.power(self._on(self._rail))
        if not self._on(self._supply):
            # It cut the branch it sits on.
            self._world.restart(PWRON_RESET)
