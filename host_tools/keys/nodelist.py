"""A keystore's nodes as they stand in its file: read a chunk at a time, changed in memory, written chunk by chunk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cbor2

from host_tools.keys import container, entries
from host_tools.keys.container import NODES, Reader
from host_tools.keys.entries import Entry
from host_tools.registry import Policy

CHUNK_NODES = 1024
BAD = (cbor2.CBORError, ValueError, TypeError, KeyError, IndexError)

Row = list[Any]


def chunks_of(count: int) -> int:
    """How many chunks hold `count` nodes."""
    return -(-count // CHUNK_NODES)


def encode_all(nodes: Iterable[Entry], policies: list[Policy]) -> Iterator[bytes]:
    """Contents of the chunks of a new file; the nodes' policies are added to `policies`."""
    rows: list[Row] = []
    for entry in nodes:
        rows.append(entries.encode(entry, lambda policy: _number(policies, policy)))
        if len(rows) == CHUNK_NODES:
            yield cbor2.dumps(rows)
            rows = []
    if rows:
        yield cbor2.dumps(rows)


def _number(policies: list[Policy], policy: Policy) -> int:
    if policy not in policies:
        policies.append(policy)
    return policies.index(policy)


class NodeList:
    """All nodes of one open file. `policies` are those that nodes name, and grow with them."""

    def __init__(self, reader: Reader, path: Path, tenant: str, policies: Iterable[Policy]) -> None:
        self._reader = reader
        self._path = path
        self._tenant = tenant
        self.policies = list(policies)
        self._changed: dict[int, Entry] = {}
        self._stored = max(0, reader.count(NODES) - 1) * CHUNK_NODES
        if reader.count(NODES):
            self._stored += len(self._rows(reader.count(NODES) - 1))
        self.count = self._stored

    @property
    def changed(self) -> bool:
        """Whether there is anything to be saved."""
        return bool(self._changed)

    @property
    def chunk_count(self) -> int:
        """How many chunks `chunks` gives."""
        return chunks_of(self.count)

    def __iter__(self) -> Iterator[Entry]:
        for index in range(self._reader.count(NODES)):
            for offset, row in enumerate(self._rows(index)):
                number = index * CHUNK_NODES + offset
                if number < self.count:
                    yield self._changed[number] if number in self._changed else self._entry(number, row)
        for number in range(self._stored, self.count):
            yield self._changed[number]

    def __getitem__(self, number: int) -> Entry:
        if not 0 <= number < self.count:
            raise IndexError("no node of that number")
        if number in self._changed:
            return self._changed[number]
        return self._entry(number, self._rows(number // CHUNK_NODES)[number % CHUNK_NODES])

    def named(self, name: str) -> Entry | None:
        """The node of that name."""
        return self._where(entries.NAME, name)

    def on_board(self, board_hash: bytes) -> Entry | None:
        """The node on that board."""
        return self._where(entries.BOARD_HASH, board_hash)

    def add(self, entry: Entry) -> Entry:
        """Takes a new node in; returns it with its number."""
        numbered = dataclasses.replace(entry, number=self.count)
        self._changed[self.count] = numbered
        self.count += 1
        return numbered

    def put(self, entry: Entry) -> None:
        """Puts an entry in the place of the one of its number."""
        if not 0 <= entry.number < self.count:
            raise IndexError("no node of that number")
        self._changed[entry.number] = entry

    def drop_last(self) -> None:
        """Takes back what `add` took in last, before it was saved or after."""
        self.count -= 1
        self._stored = min(self._stored, self.count)
        self._changed.pop(self.count, None)
        # A chunk that is cut has to be written anew.
        if self.count % CHUNK_NODES:
            self._changed.setdefault(self.count - 1, self[self.count - 1])

    def chunks(self) -> Iterator[bytes]:
        """Contents of all chunks; one in which nothing changed is passed on as it is."""
        for index in range(self.chunk_count):
            first = index * CHUNK_NODES
            last = min(first + CHUNK_NODES, self.count)
            changed = [number for number in range(first, last) if number in self._changed]
            if last <= self._stored and not changed:
                yield self._reader.chunk(NODES, index)
                continue
            rows = self._rows(index)[: last - first] if first < self._stored else []
            rows += [[] for _ in range(last - first - len(rows))]
            for number in changed:
                rows[number - first] = entries.encode(self._changed[number], self._policy_number)
            yield cbor2.dumps(rows)

    def _policy_number(self, policy: Policy) -> int:
        return _number(self.policies, policy)

    def _rows(self, index: int) -> list[Row]:
        try:
            rows: list[Row] = cbor2.loads(self._reader.chunk(NODES, index))
            full = index < self._reader.count(NODES) - 1
            if not isinstance(rows, list) or not rows or (full and len(rows) != CHUNK_NODES):
                raise ValueError
        except BAD:
            raise container.damaged(self._path) from None
        return rows

    def _entry(self, number: int, row: Row) -> Entry:
        try:
            return entries.decode(number, self._tenant, row, self.policies)
        except BAD:
            raise container.damaged(self._path) from None

    def _where(self, place: int, value: Any) -> Entry | None:
        for entry in self._changed.values():
            if value == (entry.name if place == entries.NAME else entry.board_hash):
                return entry
        for index in range(self._reader.count(NODES)):
            for offset, row in enumerate(self._rows(index)):
                number = index * CHUNK_NODES + offset
                if number < self.count and number not in self._changed and row[place] == value:
                    return self._entry(number, row)
        return None
