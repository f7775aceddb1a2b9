# Counts what was dropped, by rule: once for the total shown to the technician, once for the next report that leaves.
# Holds numbers only, never the thing dropped.

from plumveil import wire

COUNT_MAX = 0xFFFF  # a report's count stops here; totals are 31-bit


class Drops:
    def __init__(self):
        self.totals = {}
        self._unsent = {}

    def add(self, rule, n=1):
        if n > 0:
            self.totals[rule] = min(self.totals.get(rule, 0) + n, 0x3FFFFFFF)
            if rule not in wire.RULES_LOCAL:
                self._unsent[rule] = min(self._unsent.get(rule, 0) + n, COUNT_MAX)

    def take(self):
        # {rule: n} since the last call.
        taken, self._unsent = self._unsent, {}
        return taken
