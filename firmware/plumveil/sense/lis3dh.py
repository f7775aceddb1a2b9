# ST LIS3DH accelerometer over I2C (LIS3DH datasheet DocID17530 rev 2): the hardest shock since the last read. The
# chip watches by itself: a latched threshold interrupt on INT1, the last 32 samples in its FIFO. Must never lose a
# latch.

from plumveil import wire
from plumveil.errors import SensorFault
from plumveil.fixed import isqrt
from plumveil.sense import retried

_WHO_AM_I = 0x0F
_CTRL_REG1 = 0x20
_REFERENCE = 0x26
_OUT_X_L = 0x28
_FIFO_CTRL = 0x2E
_FIFO_SRC = 0x2F
_INT1_CFG = 0x30
_INT1_SRC = 0x31
_INT1_THS = 0x32
_AUTO_INCREMENT = 0x80  # I2C operation: bit 7 of the sub-address
_DEVICE_ID = 0x33  # WHO_AM_I (0Fh)

# CTRL_REG1-6: 100 Hz, three axes; high-pass on the interrupt alone, so that gravity does not count; INT1 shows the
# threshold; blocks update whole, +-16 g, normal mode (the FIFO keeps 10 bits anyway); FIFO on, INT1 latched.
_SETUP = b"\x57\x01\x40\xb0\x48\x00"
_MG_PER_DIGIT = 48  # mechanical characteristics, So: +-16 g, normal mode
_THRESHOLD_MG = 186  # INT1_THS (32h), per digit at +-16 g
_HIGH_ON_ANY_AXIS = b"\x2a"  # INT1_CFG (30h): OR of XHIE, YHIE, ZHIE
_STREAM = b"\x80"  # FIFO_CTRL_REG (2Eh): FM 10
_FIFO_SAMPLES = 32
_FILL_MS = 340  # 32 samples, after two of turn-on that leave the FIFO
_BASELINE_SAMPLES = 16


class Lis3dh:
    # i2c: machine.I2C; sleep_ms: function; address: 0x18 or 0x19 by SA0. threshold_mg: from where a shock is latched,
    # in steps of 186 mg.
    def __init__(self, i2c, sleep_ms, address=0x18, threshold_mg=2000):
        self._i2c = i2c
        self._sleep_ms = sleep_ms
        self._address = address
        self._threshold = min(max(threshold_mg // _THRESHOLD_MG, 1), 127)
        self._fifo = bytearray(_FIFO_SAMPLES * 6)
        self._baseline = None
        self._peak_mg = 0
        self._ready = False
        self._lost = False
        self._busy = False
        self._again = False
        self.interrupt = None  # machine.Pin of INT1, where it is wired

    def read(self):
        # -> {F_SHOCK_PEAK: mg}: the largest |acceleration - gravity| since the last read. Of a shock that was latched
        # but has left the FIFO (0.32 s), at least the threshold is reported. 0.34 s after power-up, then at once.
        # SensorFault.
        retried("lis3dh", self._collect)
        peak_mg, lost = self._peak_mg, self._lost
        self._peak_mg = 0
        self._lost = False
        if lost:
            # Watching again, but nobody knows what it missed.
            raise SensorFault("lis3dh: reset")
        return {wire.F_SHOCK_PEAK: peak_mg}

    def capture(self, _pin=None):
        # Handler for INT1's rising edge: takes the samples while they are in the FIFO. A fault here shows in read().
        if self._busy:
            self._again = True
        elif self._ready:
            try:
                self._collect()
            except (OSError, SensorFault):
                pass

    def _collect(self):
        self._busy = True
        try:
            if not self._configured():
                self._configure()
            # An edge during the transfer raises no second one: look again, but not for ever.
            for _ in range(4):
                self._again = False
                self._drain()
                if not self._again:
                    break
        finally:
            self._busy = False

    def _configured(self):
        # False after power-up or a brown-out. A node woken from deep sleep finds the chip still watching.
        if self._get(_WHO_AM_I, 1)[0] != _DEVICE_ID:
            raise SensorFault("lis3dh: wrong device")
        same = self._get(_CTRL_REG1, 6) == _SETUP and self._get(_FIFO_CTRL, 1) == _STREAM
        self._lost = self._lost or (self._ready and not same)
        self._ready = same
        return same

    def _configure(self):
        self._put(_FIFO_CTRL, b"\x00")  # section 5.1.1: bypass empties the FIFO
        self._put(_INT1_THS, bytes((self._threshold, 0)))
        self._put(_CTRL_REG1, _SETUP)
        self._get(_REFERENCE, 1)  # reading it zeroes the high-pass filter at the present acceleration
        self._put(_INT1_CFG, _HIGH_ON_ANY_AXIS)
        self._put(_FIFO_CTRL, _STREAM)
        self._sleep_ms(_FILL_MS)
        self._get(_INT1_SRC, 1)  # the filter's start latches
        self._ready = True

    def _drain(self):
        # The latch is cleared before the samples are taken: what comes in between latches anew.
        if self._get(_INT1_SRC, 1)[0] & 0x40:
            self._peak_mg = max(self._peak_mg, self._threshold * _THRESHOLD_MG)
        source = self._get(_FIFO_SRC, 1)[0]
        # FIFO_SRC_REG (2Fh): a full FIFO says overrun beside 31, an empty one has its own bit.
        samples = _FIFO_SAMPLES if source & 0x40 else 0 if source & 0x20 else source & 0x1F
        if samples:
            data = memoryview(self._fifo)[: samples * 6]
            self._i2c.readfrom_mem_into(self._address, _OUT_X_L | _AUTO_INCREMENT, data)
            self._peak_mg = max(self._peak_mg, self._peak(samples))

    def _peak(self, samples):
        axes = [[_digits(self._fifo, i * 6 + axis) for i in range(samples)] for axis in (0, 2, 4)]
        if samples >= _BASELINE_SAMPLES or self._baseline is None:
            # The median follows a box that was turned over and is not moved by a shock of a few samples.
            self._baseline = [sorted(values)[samples // 2] for values in axes]
        x, y, z = self._baseline
        highest = 0
        for i in range(samples):
            highest = max(highest, (axes[0][i] - x) ** 2 + (axes[1][i] - y) ** 2 + (axes[2][i] - z) ** 2)
        # In 1/16 digit, to keep the root's precision.
        return isqrt(highest << 8) * _MG_PER_DIGIT >> 4

    def _get(self, register, n):
        return self._i2c.readfrom_mem(self._address, register | _AUTO_INCREMENT, n)

    def _put(self, register, data):
        self._i2c.writeto_mem(self._address, register | _AUTO_INCREMENT, data)


def _digits(buf, at):
    # OUT_X_L to OUT_Z_H: two's complement, left-justified; 10 bits in normal mode.
    value = (buf[at + 1] << 8 | buf[at]) >> 6
    return value - 1024 if value & 0x200 else value
