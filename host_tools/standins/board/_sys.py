# The VM's own `sys` under a board's names. What print() writes gets its line ends on the way out, as on a board;
# sys.stdout.buffer is for bytes as they are.
import io

import _vm
import usys
import world
from ucollections import namedtuple
from uctypes import addressof
from usys import *  # noqa: F403

STREAM_POLL, POLLIN = 3, 1

__name__ = "sys"
_names = world.current.spec["names"]
platform = _names["platform"]
version = "3.4.0; MicroPython " + _names["version"]
argv = usys.argv
modules = usys.modules
_implementation = namedtuple("", ("name", "version", "_machine", "_mpy", "_build"))
implementation = _implementation(
    usys.implementation.name,
    usys.implementation.version,
    _names["machine"],
    usys.implementation._mpy,
    _names["build"],
)


class _Path(list):
    """sys.path as a board shows it. The VM's own goes without the frozen modules, which are not a board's."""

    def append(self, entry):
        self[len(self) :] = [entry]

    def extend(self, entries):
        self[len(self) :] = list(entries)

    def insert(self, at, entry):
        self[at:at] = [entry]

    def remove(self, entry):
        super().remove(entry)
        self[:] = list(self)

    def pop(self, at=-1):
        entry = super().pop(at)
        self[:] = list(self)
        return entry

    def __setitem__(self, at, value):
        entries = list(self)
        entries[at] = value
        super().clear()
        super().extend(entries)
        usys.path[:] = [entry for entry in entries if entry != ".frozen"]


class _Bytes:
    def write(self, data, *limits):
        # limits: most bytes, or offset and most bytes
        data = data.encode() if isinstance(data, str) else bytes(data)
        if limits:
            start = limits[0] if len(limits) > 1 else 0
            data = data[start : start + limits[-1]]
        return _vm.print_raw(addressof(data), len(data)) if data else 0


class _Stdout:
    buffer = _Bytes()
    write = usys.stdout.write

    def flush(self):
        pass


class _Line(io.IOBase):
    """What comes over the line, as bytes. Waits for it; Ctrl-C ends the wait."""

    def readinto(self, buf, nbytes=None):
        n = len(buf) if nbytes is None else nbytes
        return usys.stdin.buffer.readinto(memoryview(buf)[:n]) if n else 0

    def read(self, n=-1):
        buf = bytearray(n if n >= 0 else 256)
        return bytes(buf[: self.readinto(buf)])

    def ioctl(self, request, arg):
        return arg & POLLIN if request == STREAM_POLL and _vm.ask("j", 0, 0, "") else 0


class _Stdin:
    buffer = _Line()
    read = usys.stdin.read
    readline = usys.stdin.readline


path = _Path()
stdout = _Stdout()
stdin = _Stdin()
