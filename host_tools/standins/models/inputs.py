# What the models sense: recordings read from file as time goes on, and noise of small integers. A recording is never
# loaded whole, and nothing here depends on an interpreter's own random numbers.

RECORD_BYTES = 8


class Noise:
    """16-bit xorshift (Marsaglia 2003, shifts 7, 9, 8: full period); the same numbers on every interpreter."""

    def __init__(self, seed):
        self._x = seed % 65535 + 1

    def _next(self):
        x = self._x
        x ^= x << 7 & 0xFFFF
        x ^= x >> 9
        x ^= x << 8 & 0xFFFF
        self._x = x
        return x

    def next(self, span):
        """Returns an int in -span..span, small ones likelier (two dice); span < 8192."""
        return (self._next() * (span + 1) >> 16) - (self._next() * (span + 1) >> 16)


class Constant:
    """A quantity that stays as it is: `value_milli` in 1/1000 of its unit."""

    def __init__(self, value_milli):
        self._value = value_milli

    def at(self, t_s):
        return self._value


class Recording:
    """A quantity from a file of repeated big-endian (u32 seconds, i32 milli-units), sorted.

    A value holds until the next, the first also before its time. Time runs forward.
    """

    def __init__(self, file):
        self._file = file
        self._record = bytearray(RECORD_BYTES)
        self._next_s = None
        self._value = self._ahead = 0
        self._advance()
        self._value = self._ahead

    def at(self, t_s):
        """Returns the value, in 1/1000 of the quantity's unit, at t_s seconds after the world's start."""
        while self._next_s is not None and self._next_s <= t_s:
            self._value = self._ahead
            self._advance()
        return self._value

    def _advance(self):
        if self._file.readinto(self._record) != RECORD_BYTES:
            self._next_s = None
            return
        self._next_s, value = u32(self._record, 0), u32(self._record, 4)
        self._ahead = value - (1 << 32) if value & 0x80000000 else value


def u32(buf, at):
    """Returns the big-endian u32 at buf[at]."""
    return buf[at] << 24 | buf[at + 1] << 16 | buf[at + 2] << 8 | buf[at + 3]


def div_nearest(a, b):
    """Returns a / b to the nearest integer, halves up; b > 0."""
    return (2 * a + b) // (2 * b)
