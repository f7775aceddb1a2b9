# The virtual board's surroundings: the simulated world on real time, with the board's own flash chip. Time, memory
# that outlives a reset, and faults are the host's; nothing of them is kept here.
import _vm
import world
from models.nor_flash import BLOCK_BYTES
from uctypes import addressof


class Region:
    """One partition of the chip, with the calls of models.nor_flash.NorFlash."""

    def __init__(self, kind, subtype, address, size):
        self.kind = kind
        self.subtype = subtype
        self.address = address
        self.size = size

    def read(self, at, n):
        data = bytearray(n)
        if n:
            _vm.call("f", self.address + at, n, 0, 0, addressof(data), n)
        return data

    def program(self, at, data):
        if len(data):
            _vm.call("p", self.address + at, 0, addressof(data), len(data), 0, 0)

    def erase(self, block):
        _vm.ask("e", self.address + block * BLOCK_BYTES, BLOCK_BYTES, "")


class File:
    """A recording in the world's folder on the host."""

    def __init__(self, name):
        self._name = name
        self._at = 0

    def readinto(self, buf):
        n = max(_vm.world_read(self._name, self._at, addressof(buf), len(buf)), 0) if len(buf) else 0
        self._at += n
        return n

    def read(self, n):
        data = bytearray(n)
        return bytes(data[: self.readinto(data)])

    def seek(self, at, whence=0):
        self._at = at + self._end() if whence else at
        return self._at

    def _end(self):
        # The host does not say how long a file is: where nothing is read any more.
        low, step = 0, 1
        while self._has(step):
            low, step = step, step * 2
        while step - low > 1:
            middle = (low + step) // 2
            low, step = (middle, step) if self._has(middle) else (low, middle)
        return step if self._has(0) else 0

    def _has(self, at):
        byte = bytearray(1)
        return _vm.world_read(self._name, at, addressof(byte), 1) > 0


class Around(world.World):
    """`boot`: what the host says at this boot; see host_tools/virtual_board/calls.py."""

    def __init__(self, boot):
        self._regions = boot["regions"]
        self.running = boot["running"]
        world.World.__init__(self, boot["spec"], None)
        self.booted_ms = boot["booted_ms"]

    @property
    def elapsed_ms(self):
        return int(_vm.elapsed_ms())

    @elapsed_ms.setter
    def elapsed_ms(self, until_ms):
        # Time is not set but waited for; Ctrl-C comes out of the call.
        wait_ms = until_ms - self.elapsed_ms
        if wait_ms > 0:
            _vm.wait(wait_ms)

    @property
    def rtc_memory(self):
        return self._rtc_memory

    @rtc_memory.setter
    def rtc_memory(self, data):
        self._rtc_memory = data
        _vm.ask("m", 0, 0, data.hex())

    def restart(self, cause):
        _vm.ask("x", cause, 0, "")

    def deepsleep(self, ms):
        _vm.ask("x", world.DEEPSLEEP_RESET, -1 if ms is None else ms, "")

    def lightsleep(self, ms):
        # Deaf to the line; the host knows when the button is pressed.
        woken_by_button = self.wakes.get(self.pins.get("consent_button")) == 0
        _vm.ask("z", self._until_woken_ms(ms), int(woken_by_button), "")

    def pressed(self):
        return _vm.ask("g", 0, 0, "") == 1

    def note(self, name, value):
        _vm.ask("u", int(value), 0, name)

    def watch(self, timeout_ms):
        _vm.ask("d", timeout_ms, 0, "")

    def fault(self, sensor):
        if sensor and _vm.ask("n", 0, 0, sensor):
            return _vm.text()
        return world.World.fault(self, sensor)

    def open(self, name):
        return File(name)

    def labels(self):
        return [region[0] for region in self._regions]

    def entry(self, label):
        found = self.flash[label]
        return found.kind, found.subtype, found.address

    def _partitions(self, sizes, faults):
        return {region[0]: Region(*region[1:]) for region in self._regions}
