"""The chain of a node's log, as it comes in: in pieces, twice, in any order, with pieces that do not fit."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.receipts import chains
from host_tools.receipts.chains import Gap
from host_tools.receipts.entries import LogEntry, read
from plumveil import terms
from tests.host import receipts

LENGTH = 12


def log_of(length: int, *begins: LogEntry, reason: int = terms.N_EXPIRED) -> list[LogEntry]:
    """A log of so many refusals behind those it begins with."""
    log = receipts.Log(*(entry.raw for entry in begins))
    while len(log.entries) < length:
        log.add(terms.LOG_REFUSED, [reason])
    return [read(raw) for raw in log.entries]


WHOLE = log_of(LENGTH)
# The flash put back after the fifth entry, and other entries since.
FORK = log_of(LENGTH, *WHOLE[:5], reason=terms.N_FORGED)


def numbers(entries: list[LogEntry]) -> list[int]:
    return [entry.number for entry in entries]


def test_the_fork_parts_where_it_should() -> None:
    assert [a == b for a, b in zip(WHOLE, FORK, strict=True)] == [True] * 5 + [False] * 7


@given(st.lists(st.sampled_from(WHOLE), max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_any_pieces_in_any_order_come_to_the_same(came: list[LogEntry], cuts: list[int]) -> None:
    """However the messages are spread over runs: what is kept, and what is missing."""
    known: list[LogEntry] = []
    added = 0
    edges = [0, *sorted(cuts), len(came)]
    for first, last in pairwise(edges):
        merged = chains.merge(known, came[first:last])
        assert merged.sound
        known = merged.entries
        added += merged.added
    there = sorted({entry.number for entry in came})
    assert numbers(known) == there
    assert added == len(there)
    missing = set(range(1, max(there, default=0))) - set(there)
    assert {n for gap in chains.gaps(known) for n in range(gap.first, gap.last + 1)} == missing
    assert chains.breaks(known) == []


def test_the_same_again_changes_nothing() -> None:
    merged = chains.merge(WHOLE, WHOLE)
    assert (merged.entries, merged.added, merged.repeated, merged.sound) == (WHOLE, 0, LENGTH, True)


def test_gaps_are_named() -> None:
    kept = [entry for entry in WHOLE if entry.number in (3, 4, 6, 10)]
    assert chains.gaps(kept) == [Gap(1, 2), Gap(5, 5), Gap(7, 9)]
    assert [str(gap) for gap in chains.gaps(kept)] == ["entries 1 to 2", "entry 5", "entries 7 to 9"]
    assert chains.gaps(WHOLE) == chains.gaps([]) == []


def test_a_log_that_was_put_back_contradicts_what_is_on_record() -> None:
    merged = chains.merge(WHOLE[:8], FORK)
    assert merged.contradicted == [6, 7, 8]
    # The ninth follows from an eighth that is not ours; what comes behind it has no neighbour to be held against.
    assert merged.broken == [9]
    assert not merged.sound
    assert merged.entries[:8] == WHOLE[:8]


def test_what_came_first_stays() -> None:
    merged = chains.merge(FORK[:8], WHOLE)
    assert merged.entries[:8] == FORK[:8]
    assert (merged.contradicted, merged.broken) == ([6, 7, 8], [9])


@pytest.mark.parametrize("seed", range(20))
def test_an_entry_of_another_log_never_comes_between(seed: int) -> None:
    """Mixed as they may be, of two neighbours on record the later follows from the earlier."""
    rng = random.Random(seed)
    known: list[LogEntry] = []
    for _ in range(6):
        known = chains.merge(known, rng.sample([*WHOLE, *FORK], 5)).entries
        assert chains.breaks(known) == []


def test_a_break_that_is_there_is_found() -> None:
    assert chains.breaks([*WHOLE[:8], *FORK[8:]]) == [9]


def test_an_entry_does_not_fit_what_comes_behind_it_either() -> None:
    merged = chains.merge([FORK[7]], [WHOLE[6]])
    assert (merged.broken, merged.entries) == ([7], [FORK[7]])


def test_no_other_entry_follows_from_the_same() -> None:
    """Each entry changed, each of its neighbours tells."""
    for at in range(1, LENGTH - 1):
        other = log_of(at + 1, *WHOLE[:at], reason=terms.N_CLOCK)[at]
        merged = chains.merge([*WHOLE[:at], *WHOLE[at + 1 :]], [other])
        assert merged.broken == [at + 1]
