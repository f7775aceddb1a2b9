"""Where messages come from: a file, a folder, or standard input, each a CBOR sequence (RFC 8742) of one or more.

Reads in pieces and keeps no more than one; what cannot be cut into items is handed on as one broken message, so that
it is reported, not lost.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from host_tools import strict_cbor
from host_tools.errors import UsageError
from plumveil import wire

STDIN = "-"
SUFFIXES = frozenset((".cbor", ".cborseq", ".cose"))  # of message files in a folder
PIECE_BYTES = 1 << 16
ITEM_MAX_BYTES = 4 * wire.MESSAGE_MAX_BYTES  # what is longer is no message with a byte too many, but no sequence


class Source(NamedTuple):
    """One message: its place (file and number in it, from 1), its bytes, and whether nothing can follow it, because
    the sequence cannot be cut behind it."""

    file: str
    number: int
    data: bytes
    broken: bool


def read(path: str) -> Iterator[Source]:
    """All messages of a file, a folder (and those below it; files by SUFFIXES, in order of their names) or "-".

    Raises UsageError when there is nothing to read, or reading fails.
    """
    is_folder = require(path)
    if path == STDIN:
        yield from _stdin()
        return
    place = Path(path)
    if not is_folder:
        yield from _file(place)
        return
    found = False
    for file in _walk(place):
        found = True
        yield from _file(file)
    if not found:
        raise UsageError(f"{path} holds no messages (files named {', '.join('*' + end for end in sorted(SUFFIXES))})")


def require(path: str) -> bool:
    """True for a folder, False for anything else there is to read. UsageError when there is nothing."""
    if path == STDIN:
        # None when the program was started without one.
        if sys.stdin is None:
            raise UsageError("there is no standard input")
        return False
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _stdin() -> Iterator[Source]:
    try:
        yield from cut(sys.stdin.buffer, "stdin")
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror}") from None


def _walk(folder: Path) -> Iterator[Path]:
    def give_up(error: OSError) -> None:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}")

    for where, folders, files in os.walk(folder, onerror=give_up):
        folders.sort()
        yield from (Path(where) / name for name in sorted(files) if Path(name).suffix in SUFFIXES)


def _file(path: Path) -> Iterator[Source]:
    try:
        with path.open("rb") as file:
            yield from cut(file, str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def cut(stream: BinaryIO, name: str) -> Iterator[Source]:
    """The items of a CBOR sequence. The last may be broken: cut short, or not CBOR at all."""
    waiting = b""
    number = 0
    ended = False
    while waiting or not ended:
        # The longest item and the piece read last are all that is ever held.
        while not ended and len(waiting) <= ITEM_MAX_BYTES:
            piece = stream.read(PIECE_BYTES)
            ended = not piece
            waiting += piece
        at = 0
        while at < len(waiting) and (ended or len(waiting) - at > ITEM_MAX_BYTES):
            number += 1
            try:
                end = strict_cbor.skip(waiting, at)
            except strict_cbor.NotWellFormed:
                end = len(waiting) + 1
            if end > min(len(waiting), at + ITEM_MAX_BYTES):
                yield Source(name, number, waiting[at : at + wire.MESSAGE_MAX_BYTES + 1], True)
                return
            yield Source(name, number, waiting[at:end], False)
            at = end
        waiting = waiting[at:]
    if not number:
        yield Source(name, 1, b"", True)
