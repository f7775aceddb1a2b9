# NOR flash as on an ESP32's SPI bus: erasing sets the bits of a whole block, programming clears bits of any bytes.
# Power cuts and failures are ordered by operation: the erasing of one block, or one programming call. Portable:
# CPython, the VM, unix MicroPython; integers only.

import os

from models.inputs import Noise

BLOCK_BYTES = 4096
ESP_ERR_FLASH_OP_FAIL = 0x6001
FAULTS = (
    "cut",  # the supply goes: PowerCut, and nothing answers until power_on()
    "fail",  # OSError, as the port makes of a flash chip's error
    "idle",  # the chip says it is done and is not
)
_HALF_BYTES = 16  # that a torn programming leaves with some of their bits cleared
_PAGE = b"\xff" * 256


class PowerCut(SystemExit):
    """The supply went while flash was worked on. No handler for ordinary exceptions may catch it."""


class NorFlash:
    """`blocks` of 4096 bytes, kept in memory or in the file `path`, whose missing end is blank."""

    def __init__(self, blocks, path=None):
        self.blocks = blocks
        self.size = blocks * BLOCK_BYTES
        self.operations = 0
        self._path = path
        self._bytes = None  # blank until something is programmed
        self._orders = []
        self._alive = True
        self._noise = Noise(blocks)

    def order(self, nth, fault, part=None, times=1):
        """Orders a fault of FAULTS for the nth operation from now (0 is the next) and times - 1 after it.

        part: 256ths of the operation that are still done, with half-done bits behind them; None: none, a clean end.
        """
        if fault not in FAULTS:
            raise ValueError("nor_flash: unknown fault")
        first = self.operations + nth
        self._orders.append((first, first + times, fault, part))

    def power_on(self):
        """The supply is back. What was ordered and not reached is forgotten."""
        self._alive = True
        self._orders = []

    def image(self):
        """Returns all bytes, as someone with the chip in hand reads them."""
        return self._load(0, self.size)

    def put_back(self, image):
        """Makes `image` the content, as someone with the chip in hand does."""
        if len(image) != self.size:
            raise ValueError("nor_flash: image size")
        self._save(0, image)

    def read(self, at, n):
        """Returns n bytes from `at` on."""
        if not self._alive:
            raise PowerCut
        return self._load(at, n)

    def program(self, at, data):
        """Clears the bits that are 0 in `data`. Errors: PowerCut, OSError, as ordered."""
        fault, part = self._begin()
        n = len(data)
        if fault:
            n = 0 if part is None else n * part // 256
        old = self._load(at, len(data))
        new = _both(old[:n], data[:n])
        if fault and part is not None:
            new += bytes([old[i] & (data[i] | self._bits()) for i in range(n, min(n + _HALF_BYTES, len(data)))])
        if new:
            self._save(at, new)
        self._end(fault)

    def erase(self, block):
        """Sets all bits of a block. Errors: PowerCut, OSError, as ordered."""
        fault, part = self._begin()
        at = block * BLOCK_BYTES
        done = BLOCK_BYTES
        if fault:
            done = 0 if part is None else BLOCK_BYTES * part // 256
        for start in range(0, done, len(_PAGE)):
            self._save(at + start, _PAGE[: min(len(_PAGE), done - start)])
        if fault and part is not None:
            old = self._load(at + done, BLOCK_BYTES - done)
            self._save(at + done, bytes([b | self._bits() & self._bits() for b in old]))
        self._end(fault)

    def _begin(self):
        # -> (fault, part) of this operation
        if not self._alive:
            raise PowerCut
        now = self.operations
        self.operations += 1
        for first, end, fault, part in self._orders:
            if first <= now < end:
                return fault, part
        return None, None

    def _end(self, fault):
        if fault == "cut":
            self._alive = False
            raise PowerCut
        if fault == "fail":
            raise OSError(-ESP_ERR_FLASH_OP_FAIL, "ESP_ERR_FLASH_OP_FAIL")

    def _bits(self):
        return self._noise.next(255) & 0xFF

    def _load(self, at, n):
        data = b""
        if self._path is None:
            data = b"" if self._bytes is None else bytes(self._bytes[at : at + n])
        else:
            try:
                with open(self._path, "rb") as file:
                    file.seek(at)
                    data = file.read(n)
            except OSError:
                pass
        return data + b"\xff" * (n - len(data))

    def _save(self, at, data):
        if self._path is None:
            if self._bytes is None:
                self._bytes = bytearray(b"\xff" * self.size)
            self._bytes[at : at + len(data)] = data
            return
        with self._file() as file:
            end = file.seek(0, 2)
            while end < at:
                end += file.write(_PAGE[: min(len(_PAGE), at - end)])
            file.seek(at)
            file.write(data)

    def _file(self):
        try:
            return open(self._path, "r+b")
        except OSError:
            pass
        try:
            os.mkdir(self._path[: self._path.rfind("/")])
        except OSError:
            pass
        return open(self._path, "wb")


def _both(a, b):
    return (int.from_bytes(a, "big") & int.from_bytes(b, "big")).to_bytes(len(a), "big")
