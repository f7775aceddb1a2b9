# One supply rail of an AXP192 or AXP2101 power chip, switched like a pin: the position receiver's on a T-Beam. Other
# rails feed the node itself: their bits are never touched. A chip that does not answer, or is another, is an OSError:
# whether the receiver is off is not known then. Registers: AXP192 and AXP2101 datasheets; the numbers come with the
# board (boards/*/board.toml).

from plumveil.sense import retried

_ID_REGISTER = 0x03
ENODEV = 19
EIO = 5


class Rail:
    # i2c: machine.I2C; address: the chip's; numbers: its id, then register, mask and value of the rail's voltage,
    # register and mask of its switch, and of what charges the receiver's back-up cell, where there is one.
    def __init__(self, i2c, address, numbers):
        self._i2c = i2c
        self._address = address
        self._id, *self._voltage = numbers[:4]
        self._switch = numbers[4:6]
        self._backup = numbers[6:]

    def value(self, on):
        # The chip keeps its rails over a reset of the node: both ways are written, and read back.
        if self._i2c.readfrom_mem(self._address, _ID_REGISTER, 1)[0] != self._id:
            raise OSError(ENODEV)
        if on:
            self._set(*self._voltage)
            if self._backup:
                register, mask = self._backup
                self._set(register, mask, mask)
        register, mask = self._switch
        self._set(register, mask, mask if on else 0)

    def read(self):
        # As a sensor: no value, but off at every sample, and a SensorFault when the chip does not say so. A board may
        # come up with the rail on.
        retried("power chip", self._off)
        return {}

    def _off(self):
        self.value(0)

    def _set(self, register, mask, value):
        new = self._i2c.readfrom_mem(self._address, register, 1)[0] & ~mask | value
        self._i2c.writeto_mem(self._address, register, bytes((new,)))
        if self._i2c.readfrom_mem(self._address, register, 1)[0] != new:
            raise OSError(EIO)
