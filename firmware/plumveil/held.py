# The held cell: what the location stage last reported, when and under which consent, kept over reboots so that a
# parked node never flickers between cells and neither restart, cut nor clock adds to a day's budget. Only a coarse
# cell is ever written; it goes as soon as consent does.

from plumveil import cbor, flash, grid
from plumveil.errors import Malformed
from plumveil.fixed import DAY_S


class HeldCell:
    # path: file that keeps it.
    def __init__(self, path):
        self._path = path
        self._set(None)
        data = flash.load(path)
        if data is not None and not self._read(data):
            flash.erase(path)

    def _set(self, kept):
        # kept: what the file has, a list; None: nothing is held.
        self._kept = kept
        # Of the consent it was reported under; (tier, row, column); when its slot began, Unix s.
        self.serial, cell, self.slot_s = kept[:3] if kept else (0, None, 0)
        self.cell = cell and tuple(cell)

    def _read(self, data):
        try:
            kept = cbor.loads(data)
        except Malformed:
            return False
        if not isinstance(kept, list) or len(kept) != 5 or not grid.valid(kept[1]):
            return False
        for n in (0, 2, 3, 4):
            if type(kept[n]) is not int:
                return False
        self._set(kept)
        return True

    def told(self, t_s):
        # How many were reported on the UTC day of t_s. A clock set back is still on the latest day there was: going
        # back and forth makes no new one.
        kept = self._kept
        return kept[3] if kept and t_s // DAY_S <= kept[4] else 0

    def hold(self, cell, serial, slot_s):
        # -> False when flash does not take it: then nothing has changed, and it must not be told.
        before = self._before = self._kept
        day = slot_s // DAY_S
        if before:
            day = max(day, before[4])
        return self._save([serial, cell, slot_s, self.told(slot_s) + 1, day])

    def undo(self):
        # What hold() held was not told after all.
        if self._before:
            self._save(self._before)
        else:
            self.clear()

    def _save(self, kept):
        try:
            flash.save(self._path, cbor.dumps(kept))
        except OSError:
            return False
        self._set(kept)
        return True

    def clear(self):
        # Both names, always: what a power cut left behind goes as well.
        self._set(None)
        flash.erase(self._path)
