# An empty folder for one test, on every interpreter.

import os

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
