# The held cell: what the location stage last reported, when and under which consent, kept over reboots so that a
# parked node never flickers between cells and no restart adds to a day's budget. Only a coarse cell is ever written;
# it goes as soon as consent does.

from plumveil import cbor, flash, grid
from plumveil.errors import Malformed
from plumveil.fixed import DAY_S


class HeldCell:
    # path: file that keeps it.
    def __init__(self, path):
        self._path = path
        self._none()
        data = flash.load(path)
        if data is not None and not self._read(data):
            flash.erase(path)

    def _none(self):
        self.cell = None
        # Of the consent it was reported under; when its slot began, Unix s; how many were reported that day, with it.
        self.serial = self.slot_s = self._told = 0

    def _read(self, data):
        try:
            kept = cbor.loads(data)
        except Malformed:
            return False
        if not isinstance(kept, list) or len(kept) != 6 or not grid.valid(kept[1:4]):
            return False
        for number in kept:
            if type(number) is not int:
                return False
        self.serial = kept[0]
        self.cell = tuple(kept[1:4])
        self.slot_s, self._told = kept[4:]
        return True

    def under(self, serial):
        # The cell, if it was reported under the consent of that serial: a new consent has a report of its own.
        return self.cell if self.serial == serial else None

    def told(self, t_s):
        # How many were reported on the UTC day of t_s.
        return self._told if t_s // DAY_S == self.slot_s // DAY_S else 0

    def hold(self, cell, serial, slot_s):
        self._told = self.told(slot_s) + 1
        self.cell = cell
        self.serial = serial
        self.slot_s = slot_s
        try:
            flash.save(self._path, cbor.dumps([serial, cell[0], cell[1], cell[2], slot_s, self._told]))
        except OSError:
            # A full disk: held in RAM until the next change, and nothing older comes back after a reboot.
            flash.erase(self._path)

    def clear(self):
        # Both names, always: what a power cut left behind goes as well.
        self._none()
        flash.erase(self._path)
