"""Partition tables: parse, check, make; a board's key partition added to an image's own. Never moves an entry.

Sources: esp-idf "Partition Tables" (at 0x8000, entries of 32 bytes, an entry with the MD5 of all before it) and
MicroPython's ports/esp32/main.c (the file system takes what follows the last partition).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from host_tools.boards import Board
from host_tools.errors import PlumveilError
from host_tools.esp.segments import BadImage, chip_of
from plumveil import wire

TABLE_OFFSET_BYTES = 0x8000
TABLE_BYTES = 0xC00  # what bootloaders read; the rest of its 4096-byte sector stays erased
SECTOR_BYTES = 0x1000
FIRST_FREE_BYTES = TABLE_OFFSET_BYTES + SECTOR_BYTES
APPLICATION_ALIGNMENT_BYTES = 0x10000  # the cache maps pages of 64 KiB
ENTRY = struct.Struct("<2sBBII16sI")
ENTRY_MAGIC = b"\xaa\x50"
MD5_HEAD = b"\xeb\xeb" + b"\xff" * 14
END = b"\xff" * ENTRY.size

TYPE_APPLICATION = 0x00
TYPE_DATA = 0x01
SUBTYPE_FACTORY = 0x00
SUBTYPE_NVS = 0x02
SUBTYPE_PHY = 0x01
SUBTYPE_UNDEFINED = 0x06  # "data, undefined": for raw use
SUBTYPE_FAT = 0x81
FILE_SYSTEM_LABELS = ("vfs", "ffat")


@dataclass(frozen=True)
class Partition:
    """One entry; flags are esp-idf's (1: encrypted, 2: read-only)."""

    label: str
    type: int
    subtype: int
    offset_bytes: int
    size_bytes: int
    flags: int = 0

    @property
    def end_bytes(self) -> int:
        """The first byte behind it."""
        return self.offset_bytes + self.size_bytes

    def __str__(self) -> str:
        return f"{self.label!r} (0x{self.offset_bytes:x}-0x{self.end_bytes:x})"


Table = tuple[Partition, ...]

# What MicroPython's generic boards of 4 MiB and more ship with (ports/esp32/partitions-4MiBplus.csv).
STOCK: Table = (
    Partition("nvs", TYPE_DATA, SUBTYPE_NVS, 0x9000, 0x6000),
    Partition("phy_init", TYPE_DATA, SUBTYPE_PHY, 0xF000, 0x1000),
    Partition("factory", TYPE_APPLICATION, SUBTYPE_FACTORY, 0x10000, 0x1F0000),
)


def parse(data: bytes) -> Table:
    """Reads a table from its first byte on; what follows its end marker is left alone.

    Errors: PlumveilError for anything a bootloader refuses: no entries, no or a wrong MD5, no end, an unknown entry.
    """
    entries: list[Partition] = []
    summed = False
    for at in range(0, min(len(data), TABLE_BYTES) - ENTRY.size + 1, ENTRY.size):
        raw = bytes(data[at : at + ENTRY.size])
        if raw == END:
            return _ended(entries, summed)
        if raw.startswith(MD5_HEAD):
            if summed or raw[len(MD5_HEAD) :] != hashlib.md5(data[:at], usedforsecurity=False).digest():
                raise PlumveilError("the partition table is damaged: its MD5 is wrong")
            summed = True
        elif raw.startswith(ENTRY_MAGIC) and not summed:
            entries.append(_entry(raw))
        else:
            raise PlumveilError(f"the partition table is damaged: no entry at its byte {at}")
    raise PlumveilError("the partition table is damaged: it has no end")


def _ended(entries: Sequence[Partition], summed: bool) -> Table:
    if not entries:
        raise PlumveilError("the partition table is blank")
    if not summed:
        raise PlumveilError("the partition table is damaged: it has no MD5")
    table = tuple(entries)
    check(table)
    return table


def _entry(raw: bytes) -> Partition:
    _, type_, subtype, offset, size, label, flags = ENTRY.unpack(raw)
    try:
        name = label.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise PlumveilError("the partition table is damaged: a label is no text") from error
    return Partition(name, type_, subtype, offset, size, flags)


def make(table: Table) -> bytes:
    """Returns TABLE_BYTES bytes that `parse` reads back as `table`. Errors: PlumveilError, as `check`."""
    check(table)
    raw = b"".join(
        ENTRY.pack(ENTRY_MAGIC, p.type, p.subtype, p.offset_bytes, p.size_bytes, p.label.encode("ascii"), p.flags)
        for p in table
    )
    raw += MD5_HEAD + hashlib.md5(raw, usedforsecurity=False).digest()
    if len(raw) > TABLE_BYTES - ENTRY.size:
        raise PlumveilError(f"the partition table has {len(table)} entries, more than fit")
    return raw.ljust(TABLE_BYTES, b"\xff")


def check(table: Table, flash_bytes: int | None = None) -> None:
    """Refuses entries that overlap, share a label, lie badly aligned or beyond the flash. Errors: PlumveilError."""
    for entry in table:
        _check_entry(entry)
        if flash_bytes is not None and entry.end_bytes > flash_bytes:
            raise PlumveilError(f"partition {entry} ends beyond the flash of 0x{flash_bytes:x} bytes")
    if len({entry.label for entry in table}) != len(table):
        raise PlumveilError("the partition table has a label twice")
    for lower, upper in pairwise(sorted(table, key=lambda entry: entry.offset_bytes)):
        if lower.end_bytes > upper.offset_bytes:
            raise PlumveilError(f"partitions {lower} and {upper} overlap")


def _check_entry(entry: Partition) -> None:
    label = entry.label
    if not (label.isascii() and label.isprintable() and 1 <= len(label) <= 16):
        raise PlumveilError(f"a partition's label is not 1 to 16 letters of ASCII: {label!r}")
    unit = APPLICATION_ALIGNMENT_BYTES if entry.type == TYPE_APPLICATION else SECTOR_BYTES
    if entry.offset_bytes % unit or entry.size_bytes % SECTOR_BYTES or not entry.size_bytes:
        raise PlumveilError(f"partition {entry} does not lie on whole blocks")
    if entry.offset_bytes < FIRST_FREE_BYTES:
        raise PlumveilError(f"partition {entry} lies over the partition table")


def application(table: Table) -> Partition:
    """Returns where the bootloader looks for the application first: "factory", else the first one.

    Errors: PlumveilError when there is none.
    """
    found = [entry for entry in table if entry.type == TYPE_APPLICATION]
    if not found:
        raise PlumveilError("the partition table has no application in it")
    return next((entry for entry in found if entry.subtype == SUBTYPE_FACTORY), found[0])


def file_system(table: Table, flash_bytes: int) -> Partition | None:
    """Returns where stock MicroPython has its files: an entry of that label, else all behind the last entry."""
    for label in FILE_SYSTEM_LABELS:
        for entry in table:
            if entry.label == label and entry.type == TYPE_DATA:
                return entry
    end = max((entry.end_bytes for entry in table), default=0)
    if not 0 < end < flash_bytes:
        return None
    return Partition(FILE_SYSTEM_LABELS[0], TYPE_DATA, SUBTYPE_FAT, end, flash_bytes - end)


def with_keys(table: Table, board: Board) -> Table:
    """Returns the table with the board's key partition as its last entry; without one, the table as it is.

    Errors: PlumveilError when it lies over another entry, or files would not lie where board.toml says.
    """
    flash = board.flash
    kept = tuple(entry for entry in table if entry.label != wire.KEYS_PARTITION)
    if flash.keys_offset_bytes is not None and flash.keys_size_bytes is not None:
        keys = (wire.KEYS_PARTITION, TYPE_DATA, SUBTYPE_UNDEFINED, flash.keys_offset_bytes, flash.keys_size_bytes)
        kept += (Partition(*keys),)
    check(kept, flash.size_bytes)
    files = file_system(kept, flash.size_bytes)
    wanted = (flash.vfs_offset_bytes, flash.vfs_size_bytes)
    if files is None or (files.offset_bytes, files.size_bytes) != wanted:
        there = "nowhere" if files is None else f"at 0x{files.offset_bytes:x}, 0x{files.size_bytes:x} bytes"
        raise PlumveilError(
            f"with this image files would lie {there}; boards/{board.name}/board.toml says "
            f"at 0x{wanted[0]:x}, 0x{wanted[1]:x} bytes"
        )
    return kept


def patched(image: bytes, board: Board) -> bytes:
    """Returns a merged image with the board's key partition in its table; nothing else of it changes.

    Errors: PlumveilError when `image` is no merged image, or as `with_keys`.
    """
    try:
        at = TABLE_OFFSET_BYTES - chip_of(image).bootloader_offset_bytes
    except BadImage as error:
        raise PlumveilError(f"the image {error}") from error
    table = make(with_keys(parse(image[at : at + TABLE_BYTES]), board))
    return image[:at] + table + image[at + TABLE_BYTES :]
