# Time as the stages see it: Unix seconds, and milliseconds that wrap. The only reader of the `time` module.

from plumveil import fixed, wire


class Clock:
    # time: the port's `time` module (or one with the same functions).
    def __init__(self, time):
        self._time = time
        self._epoch_year = time.gmtime(0)[0]

    def now_s(self):
        return fixed.unix_s(self._time.time(), self._epoch_year)

    def trusted(self):
        # A board without a set clock starts in 2000 (ESP32) or 1970.
        return wire.UNIX_MIN_S <= self.now_s() < wire.UNIX_MAX_S

    def ticks_ms(self):
        return self._time.ticks_ms()

    def elapsed_ms(self, since_ms):
        return self._time.ticks_diff(self._time.ticks_ms(), since_ms)

    def sleep_ms(self, n_ms):
        self._time.sleep_ms(n_ms)
