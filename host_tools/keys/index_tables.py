"""The work of building an index: every chain stepped through the window, its pseudonyms hidden, sorted and written.

All cores share it, in chunks of rows. Must never write a secret, a pseudonym or a node's number in the clear.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from host_tools import derive
from host_tools.keys.hmac_lanes import HmacLanes, Message
from host_tools.keys.index_format import BLOCK_ENTRIES, DIRECTORY, ENTRY_BYTES, Cloak, FileKeys, Layout, Table
from host_tools.keys.sha256_lanes import Words, group, to_bytes, to_words
from plumveil import wire

CHUNK_ROWS = 2048  # rows of one task: their state and blocks stay in a core's second-level cache
Progress = Callable[[int, int], None]  # (done, total), in node days


@dataclass(frozen=True)
class Chains:
    """Chains in the order of the day they start on; secrets: D of that day, (n, 32) uint8; numbers: (n,) uint32."""

    tenant: str
    starts: NDArray[np.int64]
    numbers: NDArray[np.uint32]
    secrets: NDArray[np.uint8] = field(repr=False)


@dataclass(eq=False)
class _Chunk:
    """Some chains side by side; `words` is D on the day they start, then on the day being made."""

    at: int
    starts: NDArray[np.int64]  # ascending, so that those at work on a day stand in front
    words: Words = field(repr=False)

    def active(self, day: int) -> int:
        """How many have begun by that day."""
        return int(np.searchsorted(self.starts, day, "right"))


class _Bench(threading.local):
    """Each thread's own scratch space."""

    def __init__(self, lanes: int, names_key: bytes, number_bits: int) -> None:
        self.hmac = HmacLanes(lanes)
        self.cloak = Cloak(names_key, number_bits)


def lanes_for(rows: int) -> int:
    """Lanes of a chunk: CHUNK_ROWS, or for fewer rows as few turns of the machine's as hold them."""
    return min(CHUNK_ROWS, max(-(-rows // group()), 1) * group())


def tags(secrets: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """8 bytes for each K_id (n, 32), by which a later build knows it again."""
    lanes = lanes_for(len(secrets))
    hmac, message = HmacLanes(lanes), Message(derive.label("index", "checkpoint"), lanes)
    made = np.empty(len(secrets), np.uint64)
    for at in range(0, len(secrets), lanes):
        part = secrets[at : at + lanes]
        hmac.key(to_words(part, lanes))
        made[at : at + lanes] = _first_8_bytes(hmac.digest(message), len(part))
    return made


class Builder:
    """Makes the directory, the tables and the checkpoints' secrets of one file, and writes directory and tables."""

    def __init__(self, chains: Chains, layout: Layout, keys: FileKeys, number_bits: int, handle: int) -> None:
        self._chains, self._layout, self._keys, self._handle = chains, layout, keys, handle
        self._last_day = layout.first_day + len(layout.counts) - 1
        self._lanes = lanes_for(len(chains.starts))
        self._bench = _Bench(self._lanes, keys.names, number_bits)
        self._next = Message(derive.label(wire.L_NEXT) + b"\x01", self._lanes)
        labels = [derive.label(wire.L_ID, chains.tenant, stream) for stream in range(len(wire.STREAMS))]
        self._ids = [Message(label, self._lanes) for label in labels]
        self._entries = np.empty((len(wire.STREAMS), len(chains.starts)), np.uint64)
        self._directory = np.zeros(layout.blocks, DIRECTORY)
        self._chunks: list[_Chunk] = []
        self._done = 0

    def run(self, pool: ThreadPoolExecutor, progress: Progress) -> tuple[NDArray[np.uint8], bytes]:
        """Writes all tables and the directory. Returns D of the window's first day, (counts[0], 32), and the
        directory's MAC."""
        layout, streams = self._layout, len(wire.STREAMS)
        before = np.maximum(layout.first_day - self._chains.starts, 0)
        total = int(before.sum()) + sum(layout.counts)
        starts = range(0, len(before), self._lanes)
        for at, chunk in zip(starts, pool.map(self._caught_up, starts), strict=True):
            self._chunks.append(chunk)
            self._count(int(before[at : at + self._lanes].sum()), total, progress)
        on_first_day = self._secrets(layout.checkpoints)
        for offset, count in enumerate(layout.counts):
            list(pool.map(partial(self._make, layout.first_day + offset), self._chunks))
            list(pool.map(self._write, layout.tables[streams * offset : streams * (offset + 1)]))
            self._count(count, total, progress)
        write_at(self._handle, layout.directory_at, self._directory.tobytes())
        return on_first_day, self._keys.directory_mac(self._directory)

    def _count(self, steps: int, total: int, progress: Progress) -> None:
        self._done += steps
        if steps:
            progress(self._done, total)

    def _caught_up(self, at: int) -> _Chunk:
        """A chunk, its chains brought to the window's first day."""
        place = slice(at, at + self._lanes)
        chunk = _Chunk(at, self._chains.starts[place], to_words(self._chains.secrets[place], self._lanes))
        for day in range(int(chunk.starts[0]), self._layout.first_day):
            self._step(chunk, chunk.active(day))
        return chunk

    def _step(self, chunk: _Chunk, active: int) -> None:
        chunk.words[:, :active] = self._bench.hmac.chain(chunk.words, self._next)[:, :active]

    def _secrets(self, count: int) -> NDArray[np.uint8]:
        """D of the first `count` chains as they stand."""
        made = np.empty((count, wire.KEY_BYTES), np.uint8)
        for chunk in self._chunks:
            part = made[chunk.at : chunk.at + self._lanes]
            part[:] = to_bytes(chunk.words)[: len(part)]
        return made

    def _make(self, day: int, chunk: _Chunk) -> None:
        """The day's entries of a chunk, in no order yet; then its chains go on to the next day."""
        active = chunk.active(day)
        if not active:
            return
        place = slice(chunk.at, chunk.at + active)
        numbers, bench = self._chains.numbers[place], self._bench
        bench.hmac.key(chunk.words)
        for stream, message in enumerate(self._ids):
            kids = _first_8_bytes(bench.hmac.digest(message), active)
            self._entries[stream, place] = bench.cloak.entries(kids, numbers)
        if day < self._last_day:
            self._step(chunk, active)

    def _write(self, table: Table) -> None:
        """Sorts and writes one table, and enters its blocks into the directory."""
        if not table.entries:
            return
        entries = self._entries[table.stream, : table.entries]
        entries.sort()
        data = entries.astype("<u8", copy=False).data.cast("B")
        part = self._directory[table.block : table.block + table.blocks]
        part["first"] = entries[::BLOCK_ENTRIES]
        block_bytes = ENTRY_BYTES * BLOCK_ENTRIES
        part["mac"] = [self._keys.block_mac(data[at : at + block_bytes]) for at in range(0, len(data), block_bytes)]
        write_at(self._handle, table.at, data)


def _first_8_bytes(digests: Words, count: int) -> NDArray[np.uint64]:
    """The first 8 bytes of the first digests, as big-endian numbers."""
    return digests[0, :count].astype(np.uint64) << np.uint64(32) | digests[1, :count]


def write_at(handle: int, at: int, data: bytes | memoryview) -> None:
    """All of the data at an offset: one call may write less."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, at)
        at, rest = at + written, rest[written:]
