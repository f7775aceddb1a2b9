"""A MicroPython VM (the WebAssembly build, in Node.js) that runs the node's firmware under stand-in peripherals.

The stand-ins sit below the firmware, which is the same .mpy as on a board. Nothing here filters or decides.
"""

from host_tools.vm.machine import RunResult, Vm
from host_tools.vm.process import VmError
from host_tools.vm.sockets import Traffic

__all__ = ["RunResult", "Traffic", "Vm", "VmError"]
