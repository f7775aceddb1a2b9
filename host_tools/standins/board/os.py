# The VM's own `os`, and what a board's has beside it.
import _vm
import world
from ucollections import namedtuple
from uctypes import addressof
from uos import *  # noqa: F403

_uname = namedtuple("", ("sysname", "nodename", "release", "version", "machine"))


def urandom(n):
    data = bytearray(n)
    if n and _vm.urandom(addressof(data), n) < 0:
        raise OSError(5)
    return bytes(data)


def uname():
    names = world.current.spec["names"]
    return _uname(names["platform"], names["platform"], names["release"], names["version"], names["machine"])


def sync():
    pass
