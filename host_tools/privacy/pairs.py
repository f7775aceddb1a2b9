"""Two observations of different epochs as one row of numbers: how far apart, how alike, and whether one goes on where
the other ended.

Rows are made for whole blocks of pairs at once. Must never use whose an observation is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from host_tools.privacy import features
from host_tools.privacy.observe import Observation

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

PIECE_BYTES = 4  # byte strings that share so much, anywhere, are no strangers
PIECE_SHARE_MAX = 0.5  # what more of the observations have than this tells them apart no more
NEAR_S = (2.0, 60.0, 900.0)
# (what the earlier ends with, what the later begins with): a count or a clock that runs on.
RUNS_ON = (
    *((f"{name} counter, last", f"{name} counter, first") for name in ("readings", "location", "device", "events")),
    *((f"{name} time, last", f"{name} time, first") for name in ("readings", "location", "device", "events")),
    ("health uptime, last", "health uptime, first"),
    ("health queue, last", "health queue, first"),
    ("packet id", "packet id"),
)
_BYTE_MARKS = ("same", "bits that differ", "same first bits", "same last bits", "same bytes", "as a number")
_TIME_MARKS = ("pause", "least distance", *(f"sessions within {near_s:g} s" for near_s in NEAR_S))


class Pairs:
    """Makes rows for pairs (earlier, later) out of a list of observations. names: of the columns; constant: numbers
    left out because all observations have the same."""

    def __init__(self, seen: Sequence[Observation]) -> None:
        told = [features.numbers(one) for one in seen]
        names = sorted(told[0])
        every = np.array([[one[name] for name in names] for one in told])
        columns = {name: column for column, name in enumerate(names)}
        self._ends, self._begins = ([every[:, columns[pair[side]]] for pair in RUNS_ON] for side in (0, 1))
        # What is the same in all, as flags and lengths are, tells nothing and only costs time.
        tells = ~((every == every[0]) | (np.isnan(every) & np.isnan(every[0]))).all(axis=0)
        self._number_names = [name for name, kept in zip(names, tells.tolist(), strict=True) if kept]
        self.constant = len(names) - len(self._number_names)
        self._numbers = every[:, tells]
        self._days = np.array([one.day for one in seen])
        self._ranks = _ranks(self._numbers, self._days)
        texts = [features.strings(one) for one in seen]
        self._string_names = sorted(texts[0])
        self._bits = [_bits([text[name] for text in texts]) for name in self._string_names]
        self._shared = _shared([features.pieces(one) for one in seen])
        self._times_s = [np.array([session.time_ms / 1000 for session in one.sessions]) for one in seen]
        self.names = self._names()

    @property
    def rank_columns(self) -> slice:
        """The columns that hold differences of ranks, for a linker that measures distances."""
        count = len(self._number_names)
        return slice(count, 2 * count)

    def _names(self) -> list[str]:
        names = list(self._number_names) + [f"{name} (rank)" for name in self._number_names]
        names += [f"{first} runs on" for _, first in RUNS_ON]
        names += [f"{name}: {mark}" for name in self._string_names for mark in _BYTE_MARKS]
        return [*names, "byte strings that return", *(f"sessions: {mark}" for mark in _TIME_MARKS), "days between"]

    def rows(self, earlier: Rows, later: Rows) -> Matrix:
        """(pairs, columns) of observations earlier[n] and later[n]."""
        ends, begins = (np.stack(columns, axis=1) for columns in (self._ends, self._begins))
        blocks = [
            np.abs(self._numbers[earlier] - self._numbers[later]),
            np.abs(self._ranks[earlier] - self._ranks[later]),
            np.abs(ends[earlier] - begins[later]),
            *(_compared(bits[earlier], bits[later]) for bits in self._bits),
            self._shared[earlier, later][:, None],
            self._in_time(earlier, later),
            (self._days[later] - self._days[earlier])[:, None],
        ]
        return np.concatenate([np.asarray(block, dtype=np.float32) for block in blocks], axis=1)

    def _in_time(self, earlier: Rows, later: Rows) -> Matrix:
        # Of days that are no neighbours nothing meets.
        found = np.full((len(earlier), len(_TIME_MARKS)), np.nan, dtype=np.float32)
        near_s = np.array(NEAR_S)
        for row in np.flatnonzero(self._days[later] - self._days[earlier] == 1).tolist():
            before, after = self._times_s[earlier[row]], self._times_s[later[row]]
            apart = np.abs(before[:, None] - after[None, :]).ravel()
            found[row, :2] = after[0] - before[-1], apart.min()
            found[row, 2:] = (apart[:, None] < near_s).sum(axis=0)
        return found


def _ranks(numbers: NDArray[np.float64], days: NDArray[np.int64]) -> Matrix:
    """Mean rank among the day's values, 0 to 1; 0.5 where there is no value."""
    ranks = np.full(numbers.shape, 0.5, dtype=np.float32)
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        for column in range(numbers.shape[1]):
            values = numbers[rows, column]
            there = ~np.isnan(values)
            if there.sum() > 1:
                ordered = np.sort(values[there])
                low = np.searchsorted(ordered, values[there], "left")
                high = np.searchsorted(ordered, values[there], "right")
                ranks[rows[there], column] = (low + high - 1) / 2 / (there.sum() - 1)
    return ranks


def _bits(texts: Sequence[bytes]) -> NDArray[np.float32]:
    """(texts, bits), NaN beyond a text's end."""
    longest = max((len(text) for text in texts), default=0)
    bits = np.full((len(texts), max(1, 8 * longest)), np.nan, dtype=np.float32)
    for row, text in enumerate(texts):
        bits[row, : 8 * len(text)] = np.unpackbits(np.frombuffer(text, dtype=np.uint8))
    return bits


def _compared(one: NDArray[np.float32], other: NDArray[np.float32]) -> Matrix:
    """(pairs, _BYTE_MARKS); NaN where either has no such string."""
    there = ~(np.isnan(one[:, :1]) | np.isnan(other[:, :1]))[:, 0]
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    width = same.shape[1]
    count = (~np.isnan(one)).sum(axis=1)
    differ = (~same).sum(axis=1)
    first = np.where(differ > 0, np.argmax(~same, axis=1), width)
    last = np.where(differ > 0, np.argmax(~same[:, ::-1], axis=1), width) - (width - count)
    octets = same.reshape(len(same), -1, 8).all(axis=2).sum(axis=1) if width % 8 == 0 else differ * 0
    places = np.ldexp(1.0, -np.arange(1, min(width, 32) + 1))
    number = np.abs(np.nan_to_num(one[:, :32]) @ places - np.nan_to_num(other[:, :32]) @ places)
    marks = np.stack([differ == 0, differ, first, last, octets, number], axis=1).astype(np.float32)
    marks[~there] = np.nan
    return marks


def _shared(found: Sequence[set[bytes]]) -> NDArray[np.float32]:
    """(observations, observations): how many pieces of their byte strings two have in common."""
    owners: dict[bytes, list[int]] = {}
    for row, texts in enumerate(found):
        for piece in {text[at : at + PIECE_BYTES] for text in texts for at in range(len(text) - PIECE_BYTES + 1)}:
            owners.setdefault(piece, []).append(row)
    common: Counter[tuple[int, int]] = Counter()
    for rows in owners.values():
        if 1 < len(rows) <= PIECE_SHARE_MAX * len(found):
            common.update((one, other) for one in rows for other in rows if one != other)
    shared = np.zeros((len(found), len(found)), dtype=np.float32)
    for (one, other), count in common.items():
        shared[one, other] = count
    return shared
