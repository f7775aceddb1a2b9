# An empty folder for one test, on every interpreter.

import os
import unittest

from plumveil import wire

try:
    import tempfile

    # Goes with the process.
    _kept = tempfile.TemporaryDirectory(prefix="plumveil-")
    _base = _kept.name
except ImportError:
    _base = "/tmp"
_made = 0


def empty(path):
    # Removes what stands below path, then path itself.
    for name in os.listdir(path):
        below = path + "/" + name
        if os.stat(below)[0] & 0x4000:
            empty(below)
        else:
            os.remove(below)
    os.rmdir(path)


def folder():
    global _made
    _made += 1
    path = "%s/scratch%d" % (_base, _made)
    try:
        empty(path)
    except OSError:
        pass
    os.mkdir(path)
    return path


class Scratch(unittest.TestCase):
    # A test whose node keeps its files in a folder of its own. Must never leave a name of wire changed: what is
    # compiled or read in the same process afterwards would have it.
    PATHS = ("FILE_CELL",)

    def setUp(self):
        self._kept_paths = [getattr(wire, name) for name in self.PATHS]
        self.anew()

    def anew(self):
        self.folder = folder()
        for name in self.PATHS:
            setattr(wire, name, self.folder + "/" + name.lower())

    def tearDown(self):
        for name, path in zip(self.PATHS, self._kept_paths):
            setattr(wire, name, path)
