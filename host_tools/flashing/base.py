"""MicroPython on a board: is it there, is the given image the one for this chip, and writing it with the board's
partition table, in which the node's keys have blocks of their own.

Never writes over keys unless that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host_tools.boards import Board
from host_tools.errors import PlumveilError, UsageError
from host_tools.esp import image, partitions
from host_tools.flashing import esptool
from host_tools.flashing.esptool import Part, Percent
from host_tools.flashing.node import Node
from host_tools.provision import is_slot
from plumveil import wire

STANDIN = "virtual"  # in place of a file: the stand-in for MicroPython that virtual boards run
FILE_MAX_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 4096
_ERASED = b"\xff"


@dataclass(frozen=True)
class Base:
    """A checked image for one board, cut into the parts that are written; what lies between them stays.

    application: its offset and size in bytes; sha256: of it, hex, "" where the image has none; keys: [offset, size]
    of the board's key partition, None where it has none.
    """

    version: str
    chip: str
    table: Part
    parts: tuple[Part, ...]
    disk: tuple[int, int]  # offset and size of the file system, bytes
    virtual: bool
    application: tuple[int, int]
    sha256: str
    keys: list[int] | None


def read(given: str | None, board: Board) -> Base:
    """Reads and checks the image that was named, or the stand-in.

    Errors: UsageError when none is named or it cannot be read; PlumveilError when it is damaged, for another chip, or
    not MicroPython.
    """
    if given == STANDIN:
        return _cut(image.standin_micropython(board.chip), board, "the stand-in")
    if given is None:
        raise UsageError(
            f"there is no MicroPython on the board: give the .bin of release {board.micropython.version} from"
            f" micropython.org/download/{board.micropython.board} (--firmware FILE, make flash FIRMWARE=FILE)"
        )
    try:
        with Path(given).open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {given}: {error.strerror}") from None
    if len(data) > FILE_MAX_BYTES:
        raise UsageError(f"{given} is larger than any flash: this is no MicroPython")
    return _cut(data, board, given)


def _cut(data: bytes, board: Board, name: str) -> Base:
    info = image.describe(data, name)
    image.require(info, board.chip, name)
    merged = partitions.patched(data, board)
    base = info.offset_bytes
    table_at = partitions.TABLE_OFFSET_BYTES - base
    table = Part(partitions.TABLE_OFFSET_BYTES, merged[table_at : table_at + partitions.TABLE_BYTES])
    application_at = info.application.offset_bytes - base
    application = merged[application_at : application_at + info.application_bytes]
    parts = (
        Part(base, merged[:table_at].rstrip(_ERASED)),
        table,
        Part(info.application.offset_bytes, application),
    )
    disk = board.flash.vfs_offset_bytes, board.flash.vfs_size_bytes
    flash = board.flash
    keys = None
    if flash.keys_offset_bytes is not None and flash.keys_size_bytes is not None:
        keys = [flash.keys_offset_bytes, flash.keys_size_bytes]
    place = info.application.offset_bytes, info.application_bytes
    return Base(info.version, info.chip, table, parts, disk, image.is_virtual(info), place, info.sha256, keys)


def is_running(node: Node, base: Base) -> bool:
    """Whether the node runs this very application, and has its key partition where the board wants it."""
    at, size_bytes = base.application
    if not base.sha256:
        return False
    return node.base(size_bytes) == {"at": at, "end": base.sha256, "keys": base.keys}


def write(port: str, base: Base, percent: Percent, *, keys_at_stake: bool | None) -> None:
    """Writes MicroPython. keys_at_stake: the node has keys, and nobody said they may go; None: it does not answer.

    Errors: PlumveilError, also when the board's files and keys lie where this image has them elsewhere.
    """
    moves = not esptool.holds(port, base.chip, [base.table]) and not _was_cut(port, base)
    if moves and keys_at_stake is None and _has_files(port, base.chip):
        raise PlumveilError(
            f"the image moves the file system of the board at {port}, which does not answer, and there may be keys in"
            " it: say --rekey, or erase the board (`make erase`), if they may go"
        )
    if moves and keys_at_stake:
        raise PlumveilError(
            f"the image moves the file system of the board at {port}, and the node's keys in it would be lost: say"
            " --rekey if they may, and they are drawn anew"
        )
    first, table, application = base.parts
    # In one go, and the table last: a board that starts in between with the old one puts its old file system back.
    esptool.write(port, base.chip, [*(_blank(base) if moves else ()), first, application, table], percent)


def _blank(base: Base) -> list[Part]:
    """Where keys and file system will be: what is left of another file system would be taken for damaged ones."""
    offset_bytes, size_bytes = base.disk
    disk = Part(offset_bytes, _ERASED * min(size_bytes, 2 * _BLOCK_BYTES))
    return [disk] if base.keys is None else [Part(base.keys[0], _ERASED * base.keys[1]), disk]


def _was_cut(port: str, base: Base) -> bool:
    """Whether no partition table is whole, and a node's keys lie where this image has them: it was being written."""
    if base.keys is None or _table(port, base.chip) is not None:
        return False
    data = esptool.read(port, base.chip, *base.keys)
    return any(is_slot(data[at : at + wire.SLOT_MAX_BYTES]) for at in range(0, len(data), wire.KEYS_BLOCK_BYTES))


def _table(port: str, chip: str) -> partitions.Table | None:
    data = esptool.read(port, chip, partitions.TABLE_OFFSET_BYTES, partitions.TABLE_BYTES)
    try:
        return partitions.parse(data)
    except PlumveilError:
        return None


def _has_files(port: str, chip: str) -> bool:
    """Whether something lies where the board's own partition table has its file system."""
    table = _table(port, chip)
    if table is None:
        # No table, no files.
        return False
    region = partitions.file_system(table, FILE_MAX_BYTES)
    if region is None:
        return False
    return not esptool.holds(port, chip, [Part(region.offset_bytes, _ERASED * 2 * _BLOCK_BYTES)])
