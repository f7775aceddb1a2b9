# The VM's own `micropython`; the host learns which byte of the line interrupts. One that came before the VM was told
# to listen is a byte like others; one that the host had taken already comes out when the VM listens again.
import _vm
import micropython
from micropython import *  # noqa: F403

CTRL_C = 3
__name__ = "micropython"


def kbd_intr(chr):
    _vm.ask("q", chr, 0, "")
    micropython.kbd_intr(chr)
    if chr == CTRL_C and _vm.interrupted_early():
        raise KeyboardInterrupt
