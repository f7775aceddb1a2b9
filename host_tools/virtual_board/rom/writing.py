"""Downloads to flash: where a block goes, what is erased for it, deflated or not. Never writes beyond what was begun.

The ROM erases all at the beginning and reads back what it wrote; the stub erases sector by sector as it goes on
(esptool's documentation "Serial Protocol", chapter "Writing Data").
"""

from __future__ import annotations

import zlib

from host_tools.virtual_board.chip import BLOCK_BYTES, FlashChip
from host_tools.virtual_board.rom.requests import (
    BadLength,
    FlashFailed,
    InflateFailed,
    NotBegun,
    ReadFailed,
    TooMuchData,
)

BLANK = b"\xff"
INFLATED_MAX_BYTES = 0x8000  # taken from the decompressor at once


class Area:
    """The flash, as large as the flasher said it is."""

    def __init__(self, flash: FlashChip) -> None:
        self._flash = flash
        self.size_bytes = flash.size_bytes

    def limit(self, size_bytes: int) -> None:
        """Takes what the flasher says of the size; never more than there is."""
        self.size_bytes = min(size_bytes, self._flash.size_bytes)

    def read(self, at: int, n: int) -> bytes:
        """Returns n bytes. Errors: ReadFailed beyond the end."""
        if at + n > self.size_bytes:
            raise ReadFailed
        return self._flash.read(at, n)

    def erase(self, at: int, n: int) -> None:
        """Erases whole sectors. Errors: FlashFailed beyond the end, BadLength for parts of sectors."""
        if at % BLOCK_BYTES or n % BLOCK_BYTES:
            raise BadLength
        if at + n > self.size_bytes:
            raise FlashFailed
        self._flash.erase(at, n)

    def erase_chip(self) -> None:
        """Erases all there is."""
        self._flash.erase(0, self._flash.size_bytes)

    def program(self, at: int, data: bytes) -> None:
        """Programs bytes that have been erased. Errors: FlashFailed beyond the end."""
        if at + len(data) > self.size_bytes:
            raise FlashFailed
        self._flash.program(at, data)


class Stretch:
    """Part of the flash that one download fills, sectors erased at once or ahead of the data."""

    def __init__(self, area: Area, offset: int, size: int) -> None:
        if offset + size > area.size_bytes:
            raise FlashFailed
        self.offset = offset
        self.end = offset + size
        self._area = area
        self._erased_to = offset - offset % BLOCK_BYTES
        self._erase_end = self.end + -self.end % BLOCK_BYTES if size else self._erased_to
        self._all_blank = True  # so far: a stub leaves blank sectors as they are until it meets one that is not

    def erase_all(self) -> None:
        """Erases every sector that the stretch touches."""
        self._area.erase(self._erased_to, self._erase_end - self._erased_to)
        self._erased_to = self._erase_end

    def erase_to(self, at: int) -> None:
        """Erases up to and with the sector of `at`, without those that are blank from the start."""
        while self._erased_to < min(at, self._erase_end):
            if self._all_blank:
                self._all_blank = not self._area.read(self._erased_to, BLOCK_BYTES).strip(BLANK)
            if not self._all_blank:
                self._area.erase(self._erased_to, BLOCK_BYTES)
            self._erased_to += BLOCK_BYTES

    def put(self, at: int, data: bytes) -> None:
        """Programs, erasing before; leaves out padding beyond the stretch. Errors: TooMuchData, FlashFailed."""
        kept = data[: max(self.end - at, 0)]
        if data[len(kept) :].strip(BLANK):
            raise TooMuchData
        self.erase_to(at + len(kept))
        self._area.program(at, kept)

    def check(self, at: int, data: bytes) -> None:
        """Reads back. Errors: FlashFailed when the flash holds something else."""
        if self._area.read(at, len(data)) != data:
            raise FlashFailed


class RomPlain:
    """The ROM's FLASH_BEGIN and what follows: every block has its place by its number."""

    def __init__(self, stretch: Stretch, blocks: int, block_bytes: int) -> None:
        self._stretch = stretch
        self._blocks = blocks
        self._block_bytes = block_bytes
        stretch.erase_all()

    def write(self, sequence: int, block: bytes) -> None:
        """Programs one block. Errors: Refused."""
        if sequence >= self._blocks or len(block) > self._block_bytes:
            raise TooMuchData
        at = self._stretch.offset + sequence * self._block_bytes
        self._stretch.put(at, block)
        self._stretch.check(at, block[: max(self._stretch.end - at, 0)])


class RomDeflated:
    """The ROM's FLASH_DEFL_BEGIN and what follows: blocks of one zlib stream (RFC 1950), in order."""

    def __init__(self, stretch: Stretch, blocks: int, block_bytes: int) -> None:
        self._stream = _Stream(stretch)
        self._blocks = blocks
        self._block_bytes = block_bytes
        self._sequence = 0
        stretch.erase_all()

    def write(self, sequence: int, block: bytes) -> None:
        """Inflates and programs. Errors: Refused; a block that comes twice or not in its turn is InflateFailed."""
        if sequence >= self._blocks or len(block) > self._block_bytes:
            raise TooMuchData
        if sequence != self._sequence:
            raise InflateFailed
        self._sequence += 1
        self._stream.feed(block, check=True)


class StubPlain:
    """The stub's FLASH_BEGIN and what follows: blocks one after another, whatever their numbers."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._at = stretch.offset

    def write(self, sequence: int, block: bytes) -> None:
        """Programs one block; what is beyond the announced size is padding."""
        del sequence
        kept = block[: self._stretch.end - self._at]
        self._stretch.put(self._at, kept)
        self._at += len(kept)

    def finish(self) -> None:
        """Errors: BadLength when less came than was announced."""
        if self._at != self._stretch.end:
            raise BadLength


class StubDeflated:
    """The stub's FLASH_DEFL_BEGIN and what follows."""

    def __init__(self, stretch: Stretch) -> None:
        self._stream = _Stream(stretch)

    def write(self, sequence: int, block: bytes) -> None:
        """Inflates and programs."""
        del sequence
        self._stream.feed(block, check=False)

    def finish(self) -> None:
        """Errors: BadLength when less came than was announced."""
        if self._stream.at != self._stream.stretch.end:
            raise BadLength


class _Stream:
    """A zlib stream on its way to the flash."""

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.at = stretch.offset
        self._inflater = zlib.decompressobj()
        self._broken = False

    def feed(self, block: bytes, *, check: bool) -> None:
        if self._broken:
            raise NotBegun
        try:
            while block:
                data = self._inflater.decompress(block, INFLATED_MAX_BYTES)
                block = self._inflater.unconsumed_tail
                self.stretch.put(self.at, data)
                if check:
                    self.stretch.check(self.at, data[: max(self.stretch.end - self.at, 0)])
                self.at += len(data)
        except zlib.error as error:
            self._broken = True
            raise InflateFailed from error
        except TooMuchData:
            self._broken = True
            raise
