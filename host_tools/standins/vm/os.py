# The VM's own `os`, and what it lacks beside a board's: urandom.
import _vm
from uctypes import addressof
from uos import *  # noqa: F403


def urandom(n):
    data = bytearray(n)
    if _vm.urandom(addressof(data), n) < 0:
        raise OSError(5)
    return bytes(data)
