# The allow-list and the resolutions: Reading and Fix (raw) go in, Coarse comes out. The one home of coarsening; what
# is not named by the policy ends here and is counted.

from plumveil import grid, wire
from plumveil.fixed import div_round
from plumveil.policy import field_row
from plumveil.trust import Coarse


def _to_step(unit, step, low, high):
    # The multiple of step next to unit that lies within the limits.
    unit = div_round(unit, step) * step
    return unit + step if unit < low else unit - step if unit > high else unit


class Minimiser:
    # policy: the Policy in force; drops: Drops; place_key: () -> the key that positions are moved by.
    def __init__(self, policy, drops, place_key):
        self._policy = policy
        self._place_key = place_key
        self._drops = drops
        # By stream: {field id: (raw per unit, twice that, lowest, highest, step)}.
        self._rules = [{} for _ in range(wire.STREAM_COUNT)]
        for field in policy.fields:
            row = field_row(field)
            self._rules[row[2]][field] = (row[3], row[3] * 2, row[4], row[5], policy.fields[field])

    def fields(self, stream, reading):
        # Reading -> Coarse of `stream`; fields that may not leave are not in it.
        values = {}
        rules = self._rules[stream]
        raw = reading.values
        for field in raw:
            if field not in rules:
                self._drops.add(wire.R_NOT_ON_LIST)
                continue
            per_unit, twice, low, high, step = rules[field]
            # div_round, written out: this line runs for every value there is.
            unit = (raw[field] * 2 + per_unit) // twice
            if not low <= unit <= high:
                self._drops.add(wire.R_OUT_OF_RANGE)
                continue
            if step > 1:
                unit = _to_step(unit, step, low, high)
            values[field] = unit
        return Coarse(stream, reading.t_s, values)

    def position(self, fix, tier, serial, held):
        # Fix -> (Coarse or None, its cell). held: HeldCell. None: the held cell still holds and was reported before,
        # or nothing is to be reported from there.
        scale_m = self._policy.scatter_m
        if scale_m:
            from plumveil import scatter

            cell = scatter.cell_for(fix.lat_e6, fix.lon_e6, tier, held.cell, scale_m, self._place_key())
        else:
            cell = grid.cell_for(fix.lat_e6, fix.lon_e6, tier, held.cell)
        for zone in self._policy.zones:
            # Where the node is, with the margin a cell has: a receiver's noise leads out of no zone.
            if grid.within_margin(fix.lat_e6, fix.lon_e6, zone):
                self._drops.add(wire.R_ZONE)
                return None, cell
        # A new consent has a report of its own.
        if cell == held.cell and serial == held.serial:
            self._drops.add(wire.R_SAME_CELL)
            return None, cell
        t_s = fix.t_s - fix.t_s % wire.POSITION_TIME_S
        return Coarse(wire.LOCATION, t_s, {wire.K_CELL: cell, wire.K_CONSENT: serial}), cell
