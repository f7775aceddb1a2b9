# Counts what was dropped, by rule: once for the total shown to the technician, once for the next report that leaves.
# Holds numbers only, never the thing dropped.

from plumveil import wire


class Drops:
    def __init__(self):
        self.totals = {}
        self._unsent = {}

    def add(self, rule, n=1):
        if n > 0:
            self.totals[rule] = min(self.totals.get(rule, 0) + n, 0x3FFFFFFF)
            self._unsent[rule] = min(self._unsent.get(rule, 0) + n, wire.DROPS_MAX)

    def report(self):
        # Counts since the last report, in the order of wire.RULES_SENT; the rest are never told.
        return [self._unsent.get(rule, 0) for rule in wire.RULES_SENT]

    def reported(self, counts):
        # These counts are sealed; what came meanwhile stays.
        for rule, n in zip(wire.RULES_SENT, counts):
            if n:
                self._unsent[rule] -= n
