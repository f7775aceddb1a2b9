"""Fleets of made-up nodes, their pseudonyms by host_tools.derive, and indexes of them. Keys are the tests' own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from host_tools import derive
from host_tools.keys.index import Candidate, Index
from host_tools.keys.index_build import Rows, build
from plumveil import wire

TENANT = "acme"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
STORE, GENERATION = b"store", b"generation 1"
FIRST, LAST = 20_600, 20_604


def fleet(days: list[int], seed: int = 1) -> Rows:
    """A node for each first day, numbered in that order."""
    rng = random.Random(seed)
    return Rows.collect(TENANT, ((rng.randbytes(32), day, number) for number, day in enumerate(days)))


def names(rows: Rows, first_day: int = FIRST, last_day: int = LAST) -> dict[bytes, Candidate]:
    """Every pseudonym of the window, by host_tools.derive."""
    found = {}
    for secret, epoch0_day, number in zip(rows.secrets, rows.epoch0_days, rows.numbers, strict=True):
        chain = derive.Chain(secret.tobytes())
        for day in range(max(first_day, int(epoch0_day)), last_day + 1):
            for stream in range(len(wire.STREAMS)):
                kid = derive.pseudonym(chain.at(day - int(epoch0_day)), rows.tenant, stream)
                found[kid] = Candidate(int(number), day, stream)
    return found


def make(
    path: Path, rows: Rows, first_day: int = FIRST, last_day: int = LAST, **options: Any
) -> list[tuple[int, int]]:
    """Builds, and returns what the progress callback was told."""
    told: list[tuple[int, int]] = []
    given: dict[str, Any] = {
        "progress": lambda *counts: told.append(counts),
        "keystore_id": STORE,
        "generation": GENERATION,
    }
    build(path, rows, KEY, first_day, last_day, **(given | options))
    return told


def opened(path: Path, **options: Any) -> Index:
    """The index at `path`, as its owner opens it."""
    given: dict[str, Any] = {"index_key": KEY, "keystore_id": STORE}
    return Index.open(path, **(given | options))


def answers(path: Path, kids: list[bytes]) -> list[list[Candidate]]:
    """What the index says to each pseudonym."""
    with opened(path) as index:
        return [index.lookup(kid) for kid in kids]


def check(path: Path, rows: Rows, first_day: int = FIRST, last_day: int = LAST) -> None:
    """The index knows each pseudonym of the window, and none but these."""
    wanted = names(rows, first_day, last_day)
    assert answers(path, list(wanted)) == [[candidate] for candidate in wanted.values()]
    with opened(path) as index:
        assert sum(table.entries for table in index._layout.tables) == len(wanted)


def entries_of(path: Path) -> dict[tuple[int, int], np.ndarray]:
    """The entries as anyone reads them, by day and stream."""
    data = path.read_bytes()
    with opened(path) as index:
        tables = index._layout.tables
    return {(t.day, t.stream): np.frombuffer(data, "<u8", t.entries, t.at) for t in tables}
