"""What came in over the board's UART and is not read yet. Bounded; what does not fit is lost, as on the chip.

Not for several threads at once: the board calls it under its own lock.
"""

from __future__ import annotations

import time

from host_tools.virtual_board.rom import SYNC_BYTES, is_sync

CTRL_C = b"\x03"
INPUT_MAX_BYTES = 64 * 1024


class Inbox:
    """Bytes in the order in which they came. While it is deaf nothing comes out, nor is Ctrl-C seen."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._settled = 0  # bytes in front that are no interrupt, whatever they are
        self._recent = b""
        self._deaf_until_s = 0.0

    def __len__(self) -> int:
        return len(self._data)

    @property
    def deaf(self) -> bool:
        """Whether the board does not look at what comes in."""
        return time.monotonic() < self._deaf_until_s

    @property
    def readable(self) -> bool:
        """Whether `take` gives anything."""
        return bool(self._data) and not self.deaf

    def deafen(self, seconds: float) -> None:
        """Makes the board deaf for so long from now."""
        self._deaf_until_s = time.monotonic() + seconds

    def call(self, data: bytes) -> bytes:
        """Looks for a flasher's call in what comes in -> the bytes with the call in them, none when there is none."""
        seen = self._recent + data
        called = is_sync(seen)
        self._recent = b"" if called else seen[1 - SYNC_BYTES :]
        return seen if called else b""

    def put(self, data: bytes) -> None:
        """Adds bytes."""
        self._data += data
        del self._data[INPUT_MAX_BYTES:]

    def take(self, n: int | None = None) -> bytes:
        """The first n bytes, or all."""
        if self.deaf:
            return b""
        data = bytes(self._data[:n])
        del self._data[:n]
        self._settled = max(self._settled - len(data), 0)
        return data

    def settle(self) -> None:
        """A Ctrl-C among what came so far is a byte like others: the code that runs does not listen for it."""
        if not self.deaf:
            self._settled = len(self._data)

    def take_ctrl_c(self) -> bool:
        """Takes every Ctrl-C out of what came since `settle`, wherever it stands -> whether there was one."""
        if self.deaf or CTRL_C not in self._data[self._settled :]:
            return False
        self._data[self._settled :] = self._data[self._settled :].replace(CTRL_C, b"")
        return True

    def clear(self) -> None:
        """Forgets what came in."""
        self._data.clear()
        self._settled = 0
