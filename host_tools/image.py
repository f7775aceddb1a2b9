"""One file for a production line: MicroPython, a board's partition table, the node's disk, and with it its keys.

Bytes in, bytes out: reads no keystore and no port. What it returns covers the flash to its end, so that nothing of a
board's earlier life is left beside it; with keys in it, it is for one board and for no one's eyes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host_tools import disk_image
from host_tools.boards import Board
from host_tools.errors import PlumveilError
from host_tools.firmware_source import KEPT_AS_SOURCE
from host_tools.flashing.base import Base
from host_tools.provision import board_file
from plumveil import wire

FIRST_SLOT = wire.SLOTS[0]
ERASED = b"\xff"


@dataclass(frozen=True)
class Image:
    """A file for `esptool write-flash`. data: from offset_bytes to the end of the flash; files: how many are on the
    disk."""

    data: bytes = field(repr=False)
    offset_bytes: int
    files: int
    has_keys: bool


def node_files(firmware: Mapping[str, bytes], slot: str = FIRST_SLOT) -> dict[str, bytes]:
    """Returns what a node's disk holds, absolute path -> content, with the firmware in that slot and in force.

    firmware: as host_tools.firmware_build.compile_firmware gives it.
    """
    files = {f"/{name}": firmware[name] for name in KEPT_AS_SOURCE}
    folder = wire.FOLDER_SLOT + slot
    files |= {f"{folder}/{name}": content for name, content in firmware.items() if name not in KEPT_AS_SOURCE}
    return files | {wire.FILE_SLOT: slot.encode()}


def build(board: Board, base: Base, files: Mapping[str, bytes], slot_bytes: bytes | None) -> Image:
    """Puts the flash together.

    base: MicroPython for the board; slot_bytes: the node's first key slot. Errors: PlumveilError when the files do
    not fit.
    """
    flash = bytearray(ERASED * board.flash.size_bytes)
    for part in base.parts:
        _put(flash, part.offset_bytes, part.data)
    kept = {**files, wire.FILE_BOARD: board_file(board)}
    if slot_bytes is not None:
        if board.flash.keys_offset_bytes is None:
            kept[f"{wire.FOLDER_KEYS}/0"] = slot_bytes
        else:
            _put(flash, board.flash.keys_offset_bytes, slot_bytes)
    _put(flash, board.flash.vfs_offset_bytes, disk_image.make(kept, board.flash.vfs_size_bytes))
    begin = min(part.offset_bytes for part in base.parts)
    return Image(bytes(flash[begin:]), begin, len(kept), slot_bytes is not None)


def _put(flash: bytearray, at: int, data: bytes) -> None:
    if at + len(data) > len(flash):
        raise PlumveilError(f"{len(data)} bytes at 0x{at:x} go beyond a flash of {len(flash)} bytes")
    flash[at : at + len(data)] = data
