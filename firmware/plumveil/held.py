# The held cell: what the location stage last reported, kept over reboots so that a parked node never flickers between
# cells. Only a coarse cell is ever written; it goes as soon as consent does.

from plumveil import cbor, flash, grid
from plumveil.errors import Malformed


class HeldCell:
    # path: file that keeps it.
    def __init__(self, path):
        self._path = path
        self.cell = None
        data = flash.load(path)
        if data is not None:
            try:
                cell = cbor.loads(data)
            except Malformed:
                cell = None
            if grid.valid(cell):
                self.cell = tuple(cell)
            else:
                flash.remove(path)

    def hold(self, cell):
        self.cell = cell
        try:
            flash.save(self._path, cbor.dumps(cell))
        except OSError:
            # A full disk: held in RAM until the next change.
            pass

    def clear(self):
        if self.cell is not None:
            self.cell = None
            flash.remove(self._path)
