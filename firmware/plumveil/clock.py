# Time as the stages see it: Unix seconds, seconds since boot, milliseconds that wrap. Says whether the time can be
# trusted. The only reader of the `time` module.

from plumveil import fixed, wire

_SEEN = b"plumveil: time seen"
_TIME_BYTES = 5


class Clock:
    # time: the port's `time` module (or one with the same functions); memory: machine.RTC().memory, which lives as
    # long as the clock it tells of; floor_s: Unix s before which no time can be right.
    def __init__(self, time, memory, floor_s):
        self._time = time
        self._memory = memory
        self._floor_s = max(floor_s, wire.UNIX_MIN_S)
        self._epoch_year = time.gmtime(0)[0]
        self._last_ms = time.ticks_ms()
        self._up_s = 0
        # A wait, and a call that waits, which the technician at the node may break off: plumveil.hand's.
        self.wait_ms = self.heard = None

    def now_s(self):
        return fixed.unix_s(self._time.time(), self._epoch_year)

    def trusted(self):
        # A source has set the clock since it lost power, and not to nonsense.
        return self._set_s() is not None and self._floor_s <= self.now_s() < wire.UNIX_MAX_S

    def stale(self):
        # A day since it was set: a board's crystal is off by seconds then.
        set_s = self._set_s()
        return set_s is None or self.now_s() - set_s >= wire.EPOCH_S

    def set_by_source(self):
        self._memory(_SEEN + self.now_s().to_bytes(_TIME_BYTES, "big"))

    def _set_s(self):
        # When a source set the clock last, None when none did since it lost power.
        kept = self._memory()
        if len(kept) != len(_SEEN) + _TIME_BYTES or kept[: len(_SEEN)] != _SEEN:
            return None
        return int.from_bytes(kept[len(_SEEN) :], "big")

    def dates(self):
        # Yesterday, today and tomorrow as the bytes that NMEA writes, ddmmyy; none without trusted time.
        found = []
        for days in (-1, 0, 1) if self.trusted() else ():
            t = self._time.gmtime(int(self._time.time()) + days * wire.EPOCH_S)
            found.append(b"%02d%02d%02d" % (t[2], t[1], t[0] % 100))
        return found

    def distrust(self):
        self._memory(b"")

    def up_s(self):
        # Seconds since boot; to be called at least once per wrap of the ticks (6 days).
        passed_s = self.elapsed_ms(self._last_ms) // 1000
        self._up_s += passed_s
        self._last_ms = self._time.ticks_add(self._last_ms, passed_s * 1000)
        return self._up_s

    def ticks_ms(self):
        return self._time.ticks_ms()

    def elapsed_ms(self, since_ms):
        return self._time.ticks_diff(self._time.ticks_ms(), since_ms)

    def sleep_ms(self, n_ms):
        self._time.sleep_ms(n_ms)
