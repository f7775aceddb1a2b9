# The held cell: what the location stage last reported and under which consent, kept over reboots so that a parked
# node never flickers between cells. Only a coarse cell is ever written; it goes as soon as consent does.

from plumveil import cbor, flash, grid
from plumveil.errors import Malformed


class HeldCell:
    # path: file that keeps it.
    def __init__(self, path):
        self._path = path
        self.serial = 0
        self.cell = None
        data = flash.load(path)
        if data is not None and not self._read(data):
            flash.erase(path)

    def _read(self, data):
        try:
            kept = cbor.loads(data)
        except Malformed:
            return False
        if not isinstance(kept, list) or len(kept) != 4 or not grid.valid(kept[1:]):
            return False
        self.serial = kept[0]
        self.cell = tuple(kept[1:])
        return True

    def under(self, serial):
        # The cell, if it was reported under the consent of that serial: a new consent has a report of its own.
        return self.cell if self.serial == serial else None

    def hold(self, cell, serial):
        self.cell = cell
        self.serial = serial
        try:
            flash.save(self._path, cbor.dumps([serial, cell[0], cell[1], cell[2]]))
        except OSError:
            # A full disk: held in RAM until the next change, and nothing older comes back after a reboot.
            flash.erase(self._path)

    def clear(self):
        # Both names, always: what a power cut left behind goes as well.
        self.cell = None
        self.serial = 0
        flash.erase(self._path)
