"""The virtual board's NOR flash, kept in a file: erasing sets all bits of a block, programming only clears bits.

The supply can be cut in the middle of any write; then nothing answers until power_on(). It knows no layout.
"""

from __future__ import annotations

import mmap
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from host_tools.errors import PlumveilError

BLOCK_BYTES = 4096
BLANK = b"\xff"
HALF_DONE_BYTES = 16  # that a torn write leaves with some of their bits changed


class PowerCut(BaseException):
    """The supply is off, or went while flash was worked on. No handler for ordinary exceptions may catch it."""


class _Cut(NamedTuple):
    """What has to be done before the supply goes; both counted from power-up of the chip."""

    at_bytes: int | None
    at_operations: int | None
    torn: bool


class FlashChip:
    """`size_bytes` of NOR flash in the file `path`; a missing file or a missing end of it is blank (all bits 1).

    All calls may come from any thread; one is done at a time. Errors: PowerCut while the supply is off, ValueError
    for a place beyond the chip or an erasing that is not of whole blocks.
    """

    def __init__(self, path: Path, size_bytes: int, seed: int = 0) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.operations = 0  # block erasures and programming calls so far
        self.written_bytes = 0  # bytes erased or programmed so far
        self.on_cut: Callable[[], None] | None = None  # told when an ordered cut comes, in the writing thread
        self._lock = threading.RLock()
        self._noise = random.Random(seed)
        self._cut: _Cut | None = None
        self._powered = True
        self._map = _mapped(path, size_bytes)

    @property
    def powered(self) -> bool:
        """Whether the supply is on."""
        return self._powered

    def order_cut(self, after_bytes: int | None = None, after_ops: int | None = None, *, torn: bool = False) -> None:
        """Orders the supply to go while flash is worked on, counted from now; an earlier order is forgotten.

        after_bytes: that many bytes are still erased or programmed. after_ops: that many operations (the erasing of
        one block, or one programming call) are still whole. Whichever comes first. torn: the write that is cut leaves
        bytes with some of their bits changed behind what is done; with after_ops it is half done.
        """
        if after_bytes is None and after_ops is None:
            raise ValueError("order_cut: neither bytes nor operations")
        with self._lock:
            self._cut = _Cut(
                None if after_bytes is None else self.written_bytes + after_bytes,
                None if after_ops is None else self.operations + after_ops,
                torn,
            )

    def power_off(self) -> None:
        """Takes the supply away between two operations."""
        with self._lock:
            self._powered = False

    def power_on(self) -> None:
        """The supply is back, and a cut that was ordered before and not reached is forgotten. Nothing happens when it
        is there: a board's start must not forget what was ordered meanwhile."""
        with self._lock:
            if not self._powered:
                self._powered = True
                self._cut = None

    def read(self, at: int, n: int) -> bytes:
        """Returns n bytes from `at` on."""
        with self._lock:
            self._check(at, n)
            return self._map[at : at + n]

    def program(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Clears the bits that are 0 in `data`; others stay as they are."""
        new = bytes(data)
        with self._lock:
            self._check(at, len(new))
            done, cut = self._begin(len(new))
            end = at + done
            self._map[at:end] = _both(self._map[at:end], new[:done])
            if cut is not None and cut.torn:
                self._tear_program(end, new[done : done + HALF_DONE_BYTES])
            self._end(done, cut)

    def erase(self, at: int, n: int) -> None:
        """Sets all bits of n bytes from `at` on, both multiples of BLOCK_BYTES, a block at a time."""
        if at % BLOCK_BYTES or n % BLOCK_BYTES:
            raise ValueError("flash: only whole blocks are erased")
        with self._lock:
            self._check(at, n)
            for block in range(at, at + n, BLOCK_BYTES):
                done, cut = self._begin(BLOCK_BYTES)
                end = block + done
                self._map[block:end] = BLANK * done
                if cut is not None and cut.torn:
                    self._tear_erase(end, block + BLOCK_BYTES)
                self._end(done, cut)

    def close(self) -> None:
        """Writes the file out and lets it go."""
        with self._lock:
            self._powered = False
            if not self._map.closed:
                self._map.flush()
                self._map.close()

    def _check(self, at: int, n: int) -> None:
        if not self._powered:
            raise PowerCut
        if at < 0 or n < 0 or at + n > self.size_bytes:
            raise ValueError("flash: beyond the chip")

    def _begin(self, n: int) -> tuple[int, _Cut | None]:
        # -> how many of n bytes are done, and the order that ends it there
        if not self._powered:
            raise PowerCut
        cut = self._cut
        if cut is None:
            return n, None
        if cut.at_operations is not None and self.operations >= cut.at_operations:
            return (n // 2 if cut.torn else 0), cut
        if cut.at_bytes is not None and self.written_bytes + n > cut.at_bytes:
            return max(cut.at_bytes - self.written_bytes, 0), cut
        return n, None

    def _end(self, done: int, cut: _Cut | None) -> None:
        self.operations += 1
        self.written_bytes += done
        if cut is None:
            return
        self._powered = False
        self._cut = None
        if self.on_cut is not None:
            self.on_cut()
        raise PowerCut

    def _tear_program(self, at: int, wanted: bytes) -> None:
        old = self._map[at : at + len(wanted)]
        kept = self._noise.randbytes(len(wanted))
        self._map[at : at + len(wanted)] = bytes(o & (w | k) for o, w, k in zip(old, wanted, kept, strict=True))

    def _tear_erase(self, start: int, end: int) -> None:
        # A quarter of the bits that were 0 have turned: a cell that is half erased reads as anything.
        old = int.from_bytes(self._map[start:end], "big")
        turned = self._noise.getrandbits(8 * (end - start) or 1) & self._noise.getrandbits(8 * (end - start) or 1)
        self._map[start:end] = (old | turned).to_bytes(end - start, "big") if end > start else b""


def _both(a: bytes, b: bytes) -> bytes:
    if a.count(BLANK) == len(a):
        return b
    return (int.from_bytes(a, "big") & int.from_bytes(b, "big")).to_bytes(len(a), "big")


def _mapped(path: Path, size_bytes: int) -> mmap.mmap:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PlumveilError(f"cannot open the board's flash image {path}: {error.strerror}") from error
    try:
        present = os.fstat(handle).st_size
        if present > size_bytes:
            raise PlumveilError(
                f"the flash image {path} has {present} bytes, the board has {size_bytes}: choose another --dir"
            )
        if present < size_bytes:
            with open(handle, "r+b", closefd=False) as file:
                file.seek(present)
                file.write(BLANK * (size_bytes - present))
        return mmap.mmap(handle, size_bytes)
    finally:
        os.close(handle)
