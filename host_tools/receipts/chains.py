"""Follows the chain of a node's log through what receipts brought of it: what is missing, what does not fit.

A log is one of a set of keys: with new keys a node begins another. Keeps what came first: an entry that contradicts
it is told, never put in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from host_tools.receipts.entries import LogEntry


class Gap(NamedTuple):
    """Entries that have not come: the numbers of the first and the last of them."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"entry {self.first}" if self.first == self.last else f"entries {self.first} to {self.last}"


@dataclass
class Merged:
    """What came of taking entries in. entries: all that fit, by number; added: how many are new, repeated: how many
    were there already; contradicted: numbers of which another entry is on record; broken: numbers of entries that do
    not follow from the one before them, or that the one after does not follow from."""

    entries: list[LogEntry]
    added: int = 0
    repeated: int = 0
    contradicted: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether all that came fits what is on record."""
        return not self.contradicted and not self.broken


def merge(known: Sequence[LogEntry], new: Iterable[LogEntry]) -> Merged:
    """Takes entries into those on record. Those that do not fit are left out."""
    on_record = {entry.number: entry for entry in known}
    merged = Merged([])
    for entry in sorted(new, key=lambda entry: entry.number):
        other = on_record.get(entry.number)
        if other is not None:
            if other.raw == entry.raw:
                merged.repeated += 1
            else:
                merged.contradicted.append(entry.number)
        elif _fits(entry, on_record.get(entry.number - 1), on_record.get(entry.number + 1)):
            on_record[entry.number] = entry
            merged.added += 1
        else:
            merged.broken.append(entry.number)
    merged.entries = [on_record[number] for number in sorted(on_record)]
    return merged


def _fits(entry: LogEntry, before: LogEntry | None, after: LogEntry | None) -> bool:
    follows = before is None or entry.before == before.hash
    return follows and (after is None or after.before == entry.hash)


def gaps(entries: Sequence[LogEntry]) -> list[Gap]:
    """What is missing among entries, which are in order; before the first of them too. What may be missing behind the
    last nobody can tell by them."""
    numbers = [0, *(entry.number for entry in entries)]
    return [Gap(before + 1, after - 1) for before, after in pairwise(numbers) if after - before > 1]


def breaks(entries: Sequence[LogEntry]) -> list[int]:
    """Numbers of entries that do not follow from the one before, which is there: none, of what `merge` took in."""
    return [
        after.number
        for before, after in pairwise(entries)
        if after.number == before.number + 1 and after.before != before.hash
    ]
