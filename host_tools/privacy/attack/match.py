"""Who is who: scores of every one of today against every one of tomorrow, put together and assigned one-to-one.

Must never break a tie in favour of the truth: what scores alike is tried in orders drawn at random.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from host_tools.privacy.attack.figures import Figure, share_by, times_chance
from host_tools.privacy.attack.traces import Floats

ORDERS = 100  # tried where scores are alike
IMPOSSIBLE = -1000.0  # so far below its row that a match of that kind is the last there is


class Tally:
    """Hits of a way to match, kept by vehicle, over nights of different sizes."""

    def __init__(self, vehicles: int) -> None:
        self._hits: list[list[float]] = [[] for _ in range(vehicles)]
        self._nights = 0

    def add(self, there: list[int], hits: Floats) -> None:
        """A night: numbers of the vehicles that were there, and the hit (0 to 1) of each."""
        self._nights += 1
        for number, hit in zip(there, hits.tolist(), strict=True):
            self._hits[number].append(hit)

    def figures(self, attack: str, name: str, chance_name: str) -> tuple[Figure, Figure]:
        """The share named, and that in multiples of chance, which names one a night."""
        found = share_by(attack, name, [np.array(hits) for hits in self._hits])
        return found, times_chance(found, chance_name, self._nights)


def assigned(scores: Floats, seed: int = 0) -> Floats:
    """(n,): how often each row is given its own column when the sum of scores (n, n) is made largest, one-to-one."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(len(scores))
    orders = 1 if len(np.unique(scores)) == scores.size else ORDERS
    for _ in range(orders):
        rows, columns = rng.permutation(len(scores)), rng.permutation(len(scores))
        at, to = linear_sum_assignment(scores[np.ix_(rows, columns)], maximize=True)
        hits += np.bincount(rows[at[rows[at] == columns[to]]], minlength=len(scores))
    return hits / orders


def standard(scores: Floats) -> Floats:
    """Each row with mean 0 and spread 1 over what is possible; the impossible (-inf) far below all of it."""
    possible = np.isfinite(scores)
    held = np.where(possible, scores, np.nan)
    held[~possible.any(axis=1)] = 0.0
    mean, spread = np.nanmean(held, axis=1, keepdims=True), np.nanstd(held, axis=1, keepdims=True)
    rows: Floats = np.where(possible, (scores - mean) / np.maximum(spread, 1e-12), IMPOSSIBLE)
    return rows
