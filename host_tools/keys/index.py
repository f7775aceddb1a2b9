"""The index on disk from pseudonym to node: opened, checked, asked. host_tools.keys.index_build makes it.

An answer is a candidate: the caller derives the node's pseudonym anew and compares. A cut or changed file must never
look like "no such node": each block is authenticated before it is searched.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from host_tools.errors import UsageError
from host_tools.keys import files, index_checkpoints
from host_tools.keys.index_checkpoints import Checkpoints
from host_tools.keys.index_format import (
    BLOCK_ENTRIES,
    DIRECTORY,
    ENTRY_BYTES,
    HEADER_BYTES_MAX,
    MAGIC,
    SALT_AT,
    SALT_BYTES,
    Cloak,
    FileKeys,
    Header,
    IndexStale,
    Table,
    digest,
)
from plumveil import wire

__all__ = ["Candidate", "Index", "IndexStale", "discard", "forget"]


class Candidate(NamedTuple):
    """A node whose pseudonym of that Unix day and stream it may be: of a million nodes and 31 days, one look-up in
    140,000 gives a wrong one."""

    number: int
    day: int
    stream: int


class Index:
    """An open index. Use `open`, and close it, or use it as a context manager."""

    def __init__(self, path: Path, handle: int, header: Header, keys: FileKeys) -> None:
        self._path = path
        self._handle = handle
        self._keys = keys
        self._layout = header.layout
        self._cloak = Cloak(keys.names, header.number_bits)
        self._directory = self._read_directory(header.directory_mac)

    @classmethod
    def open(
        cls,
        path: Path,
        index_key: bytes,
        *,
        keystore_id: bytes,
        generation: bytes | None = None,
        first_day: int | None = None,
        last_day: int | None = None,
    ) -> Index:
        """Opens the index at `path` and authenticates header and directory; a block is authenticated when it is read.

        index_key: 32 bytes. keystore_id, generation: as given to `build`; generation None takes an index of any set
        of nodes. first_day, last_day: Unix days that must lie in the window. Raises IndexStale when the index is
        missing, damaged, another's or outdated (build it, then open again), UsageError when it cannot be read.
        """
        if not path.exists():
            raise IndexStale(f"there is no index {path} yet; it is to be built")
        with contextlib.ExitStack() as cleanup:
            with files.open_private(path, "index") as file:
                handle = os.dup(file.fileno())
            cleanup.callback(os.close, handle)
            try:
                header, keys = Header.parse(os.pread(handle, HEADER_BYTES_MAX, 0), index_key)
                if os.fstat(handle).st_size != header.layout.size_bytes:
                    raise ValueError("is cut short or has something behind its end")
                _match(header, keystore_id, generation, first_day, last_day)
            except ValueError as error:
                raise _stale(path, str(error)) from None
            except OSError as error:
                raise UsageError(f"cannot read the index {path}: {error.strerror}") from None
            index = cls(path, handle, header, keys)
            cleanup.pop_all()
        return index

    @property
    def first_day(self) -> int:
        """First Unix day of the window."""
        return self._layout.first_day

    @property
    def last_day(self) -> int:
        """Last Unix day of the window."""
        return self._layout.first_day + len(self._layout.counts) - 1

    def lookup(self, kid: bytes, stream: int | None = None) -> list[Candidate]:
        """Who may have that pseudonym, on which day and stream: mostly one candidate or none.

        kid: 8 bytes, else UsageError. stream: look in its tables only. Raises IndexStale when a block is damaged.
        """
        if len(kid) != wire.PSEUDONYM_BYTES:
            raise UsageError(f"a pseudonym has {wire.PSEUDONYM_BYTES} bytes, this one {len(kid)}")
        lowest, highest, mask = self._cloak.bounds(kid)
        tables = [table for table in self._layout.tables if table.entries and stream in (None, table.stream)]
        spans = [self._span(table, lowest, highest) for table in tables]
        for table, span in zip(tables, spans, strict=True):
            self._announce(table, span)
        found = []
        for table, span in zip(tables, spans, strict=True):
            for block in span:
                entries = self._block(table, block)
                first, end = np.searchsorted(entries, lowest, "left"), np.searchsorted(entries, highest, "right")
                for entry in entries[first:end]:
                    found.append(Candidate(int((entry ^ mask) & (highest - lowest)), table.day, table.stream))
        return found

    def checkpoints(self) -> Checkpoints:
        """The chains as they stood on the window's first day. Raises IndexStale when they are damaged."""
        rows = self._layout.checkpoints
        try:
            sealed = self._read(self._layout.checkpoints_at, self._layout.size_bytes - self._layout.checkpoints_at)
            return index_checkpoints.unsealed(self._keys.checkpoints, self.first_day, rows, sealed)
        except ValueError:
            raise _stale(self._path, "is damaged") from None

    def close(self) -> None:
        """Closes the file."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _span(self, table: Table, lowest: np.uint64, highest: np.uint64) -> range:
        """The blocks of a table that can hold entries from `lowest` to `highest`: one, or those on both sides of an
        edge."""
        firsts = self._directory["first"][table.block : table.block + table.blocks]
        # From the block before the first that begins at `lowest` or above, to the last that begins by `highest`.
        begin = max(int(np.searchsorted(firsts, lowest, "left")) - 1, 0)
        return range(begin, int(np.searchsorted(firsts, highest, "right")))

    def _announce(self, table: Table, span: range) -> None:
        """Lets the system fetch the blocks of all tables side by side, where it takes such hints."""
        if span and hasattr(os, "posix_fadvise"):
            at, length = ENTRY_BYTES * BLOCK_ENTRIES * span.start, ENTRY_BYTES * BLOCK_ENTRIES * len(span)
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._handle, table.at + at, length, os.POSIX_FADV_WILLNEED)

    def _block(self, table: Table, block: int) -> NDArray[np.uint64]:
        before = block * BLOCK_ENTRIES
        length = min(BLOCK_ENTRIES, table.entries - before)
        data = self._read(table.at + ENTRY_BYTES * before, ENTRY_BYTES * length)
        if self._keys.block_mac(data) != int(self._directory["mac"][table.block + block]):
            raise _stale(self._path, "is damaged")
        return np.frombuffer(data, "<u8").astype(np.uint64, copy=False)

    def _read_directory(self, expected_mac: bytes) -> NDArray[np.void]:
        data = self._read(self._layout.directory_at, DIRECTORY.itemsize * self._layout.blocks)
        directory = np.frombuffer(data, DIRECTORY)
        if self._keys.directory_mac(directory) != expected_mac:
            raise _stale(self._path, "is damaged")
        return directory

    def _read(self, at: int, length: int) -> bytes:
        """Read, not mapped: a file that is cut while it is open is an error here, and a dead process there."""
        parts = []
        try:
            while length and (part := os.pread(self._handle, length, at)):
                parts.append(part)
                at, length = at + len(part), length - len(part)
        except OSError as error:
            raise UsageError(f"cannot read the index {self._path}: {error.strerror}") from None
        if length:
            raise _stale(self._path, "is cut short")
        return b"".join(parts)


def forget(handle: int) -> None:
    """Overwrites the salt of an index's file where it lies: without it no key opens what is left on the disk."""
    if os.pread(handle, len(MAGIC), 0) == MAGIC:
        os.pwrite(handle, bytes(SALT_BYTES), SALT_AT)
        os.fsync(handle)


def discard(path: Path) -> None:
    """Does away with an index, its salt first. For `retire` and `rekey`: the checkpoints continue the old names.

    Nothing there is no error; UsageError when it cannot be removed. A disk that writes elsewhere than it is told, as
    flash does, may keep the salt for a while.
    """
    try:
        with path.open("r+b") as file:
            forget(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot remove the index {path}: {error.strerror}") from None


def _stale(path: Path, why: str) -> IndexStale:
    return IndexStale(f"the index {path} {why}; it is to be built anew")


def _match(
    header: Header, keystore_id: bytes, generation: bytes | None, first_day: int | None, last_day: int | None
) -> None:
    """ValueError when a sound index is not the one that is wanted."""
    layout = header.layout
    if header.keystore != digest(keystore_id):
        raise ValueError("is another keystore's")
    if generation is not None and header.generation != digest(generation):
        raise ValueError("is of another set of nodes")
    end_day = layout.first_day + len(layout.counts)
    wanted = [day for day in (first_day, last_day) if day is not None]
    if not all(layout.first_day <= day < end_day for day in wanted):
        raise ValueError("does not hold the days wanted")
