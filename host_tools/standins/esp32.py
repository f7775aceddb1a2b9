# Stands in for the ESP32 port's `esp32` (MicroPython 1.28): Partition, on the flash of `world.current`, and what ends
# light sleep, with the port's arguments, answers and OSError numbers. Which partitions there are is the world's
# affair.

import world
from models.nor_flash import BLOCK_BYTES

ENOENT = 2
EINVAL = 22
ESP_ERR_INVALID_ARG = 0x102
ESP_ERR_INVALID_SIZE = 0x104
SUBTYPE_ANY = 0xFF

WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True


def wake_on_ext0(pin, level):
    world.current.wakes[pin.number] = int(level)


def wake_on_gpio(pins, level):
    for pin in pins:
        world.current.wakes[pin.number] = int(level)


def _error(code, name):
    # As check_esp_err makes it: the code, negative, and its name.
    return OSError(-code, name)


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=BLOCK_BYTES):
        if id in (self.BOOT, self.RUNNING):
            id = world.current.running
        if id not in world.current.flash:
            raise OSError(ENOENT)
        self._label = id
        self._flash = world.current.flash[id]
        self._block_size = block_size

    @staticmethod
    def find(type=TYPE_APP, subtype=SUBTYPE_ANY, label=None, block_size=BLOCK_BYTES):
        found = []
        for name in world.current.labels():
            kind, its_subtype, _ = world.current.entry(name)
            if kind == type and subtype in (SUBTYPE_ANY, its_subtype) and label in (None, name):
                found.append(Partition(name, block_size))
        return found

    def info(self):
        kind, subtype, address = world.current.entry(self._label)
        return kind, subtype, address, self._flash.size, self._label, False

    def readblocks(self, block_num, buf, offset=0):
        at = block_num * self._block_size + offset
        view = memoryview(buf)
        self._within(at, len(view))
        view[:] = self._flash.read(at, len(view))

    def writeblocks(self, block_num, buf, offset=None):
        """Without an offset erases first; with one, 0 too, it only programs."""
        at = block_num * self._block_size
        data = bytes(buf)
        if offset is not None:
            self._write(at + offset, data)
            return
        if self._block_size >= BLOCK_BYTES:
            self._erase(at, len(data))
        else:
            self._clear(at, at + len(data))
        self._write(at, data)

    def ioctl(self, cmd, arg):
        if cmd in (1, 2, 3):  # init, deinit, sync
            return 0
        if cmd == 4:
            return self._flash.size // self._block_size
        if cmd == 5:
            return self._block_size
        if cmd == 6:
            if self._block_size != BLOCK_BYTES:
                return -EINVAL
            self._erase(arg * BLOCK_BYTES, BLOCK_BYTES)
            return 0
        return None

    def _clear(self, at, end):
        # Blocks smaller than the flash's own: what lies around them in the same one is put back.
        block_at = at - at % BLOCK_BYTES
        while block_at < end:
            block_end = block_at + BLOCK_BYTES
            before = self._read(block_at, max(0, at - block_at))
            after = self._read(min(end, block_end), max(0, block_end - end))
            self._erase(block_at, BLOCK_BYTES)
            if before:
                self._write(block_at, before)
            if after:
                self._write(end, after)
            block_at = block_end

    def _read(self, at, n):
        self._within(at, n)
        return self._flash.read(at, n)

    def _write(self, at, data):
        self._within(at, len(data))
        self._flash.program(at, data)

    def _erase(self, at, n):
        self._within(at, n)
        if n % BLOCK_BYTES:
            raise _error(ESP_ERR_INVALID_SIZE, "ESP_ERR_INVALID_SIZE")
        if at % BLOCK_BYTES:
            raise _error(ESP_ERR_INVALID_ARG, "ESP_ERR_INVALID_ARG")
        for block in range(at // BLOCK_BYTES, (at + n) // BLOCK_BYTES):
            self._flash.erase(block)

    def _within(self, at, n):
        # The port counts in 32 bits without sign.
        if at < 0 or at > self._flash.size:
            raise _error(ESP_ERR_INVALID_ARG, "ESP_ERR_INVALID_ARG")
        if at + n > self._flash.size:
            raise _error(ESP_ERR_INVALID_SIZE, "ESP_ERR_INVALID_SIZE")

    def __repr__(self):
        shown = "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>"
        return shown % self.info()
