# Readings taken before the clock can be trusted: kept in RAM on their own rhythm and dated once there is a time. What
# its bound forces out is counted.

from plumveil import wire

KEPT_MAX = 240


class Undated:
    # fields: ids of the readings kept; every_s: their interval; drops: Drops. Times are seconds since boot.
    def __init__(self, fields, every_s, drops):
        self._fields = fields
        self._every_s = every_s
        self._drops = drops
        # A tuple of raw ints per interval in the order of fields, None where one was missed.
        self._kept = []
        self._first = 0

    def due(self, up_s):
        return up_s // self._every_s >= self._first + len(self._kept)

    def add(self, up_s, values):
        # values: {field id: raw int} of now.
        at = up_s // self._every_s
        if not self._kept:
            self._first = at
        while self._first + len(self._kept) < at:
            self._push(None)
        self._push(tuple([values.get(field) for field in self._fields]))

    def _push(self, one):
        if len(self._kept) >= KEPT_MAX:
            if self._kept.pop(0) is not None:
                self._drops.add(wire.R_CLOCK)
            self._first += 1
        self._kept.append(one)

    def take(self, up_s, now_s):
        # It is now_s (Unix s), up_s after boot -> [(Unix s, {field id: raw int})], oldest first; nothing is left.
        boot_s = now_s - up_s
        dated = []
        at = self._first
        for one in self._kept:
            if one is not None:
                values = {}
                for field, value in zip(self._fields, one):
                    if value is not None:
                        values[field] = value
                dated.append((boot_s + at * self._every_s, values))
            at += 1
        self._kept = []
        self._first = at
        return dated
