"""Re-identification across pseudonym epochs by movement alone: which vehicle of today is which of yesterday?

By where and when it goes (profile), by whether it goes on where another left off at the change of the epoch
(continuity), and by both, weighed as the other nights teach. Must never learn from the night that is judged, nor use
anything but what was told and what the mechanism is known to do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from host_tools.privacy.attack import likeness, match
from host_tools.privacy.attack.figures import Figure, values
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, epochs
from plumveil import wire

NAME = "re-identification"
VEHICLES_MIN = 8
ROUNDS_MAX = 300  # of the fit, on at most so many pairs of vehicles
PAIRS_MAX = 60_000


@dataclass(frozen=True)
class _Night:
    """there: numbers of the n vehicles told of on both sides of it. profile (n, n, k), continuity (n, n, l): likeness
    of each to each; other (n, n): pairs that cannot be one vehicle."""

    there: list[int]
    profile: Floats
    continuity: Floats
    other: NDArray[np.bool_]

    @property
    def all(self) -> Floats:
        return np.concatenate((self.profile, self.continuity), axis=-1)


def attack(mechanism: Mechanism, runs: list[tuple[Due, Told]], frame: Frame) -> list[Figure]:
    """Share given its own name of the next epoch, in multiples of chance, among so many candidates a night; and the
    same by profile and by continuity alone, unlearnt."""
    found = (_night(mechanism, runs, frame, epoch) for epoch in _epochs(runs))
    nights = [night for night in found if night is not None]
    ways = ("named", "profile", "continuity")
    tallies = [match.Tally(len(runs)) for _ in ways]
    for night in nights:
        profile, continuity = (match.standard(np.mean(one, axis=-1)) for one in (night.profile, night.continuity))
        others = [other for other in nights if other is not night]
        both = _learnt(others, night) if others else profile + continuity
        for tally, scores in zip(tallies, (both, profile, continuity), strict=True):
            tally.add(night.there, match.assigned(np.where(night.other, match.IMPOSSIBLE, scores)))
    figures = [
        figure
        for way, tally in zip(ways, tallies, strict=True)
        for figure in tally.figures(NAME, way, "times chance" if way == "named" else f"{way}, times chance")
    ]
    return [*figures, values(NAME, "candidates a night", [float(len(night.there)) for night in nights])]


def _epochs(runs: list[tuple[Due, Told]]) -> list[int]:
    return sorted({int(epoch) for due, _ in runs for epoch in np.unique(epochs(due.times_s))})


def _night(mechanism: Mechanism, runs: list[tuple[Due, Told]], frame: Frame, epoch: int) -> _Night | None:
    """None where too few are told of on both sides."""
    sides = [(day(told, epoch), day(told, epoch + 1)) for _, told in runs]
    there = [number for number, (before, after) in enumerate(sides) if len(before) and len(after)]
    if len(there) < VEHICLES_MIN:
        return None
    pairs = [sides[number] for number in there]
    last, first = np.array([a.values[-1] for a, _ in pairs]), np.array([b.values[0] for _, b in pairs])
    # What is held over midnight is not told again: who begins with the cell another ended in is somebody else.
    other = (last[:, None] == first[None]) & mechanism.holds
    return _Night(
        there, likeness.profile(pairs, frame), likeness.continuity(pairs, frame, (epoch + 1) * wire.EPOCH_S), other
    )


def day(told: Told, epoch: int) -> Told:
    """The reports of an epoch, by the moment of the report; an epoch knows nothing of the one before."""
    return told.between(epoch * wire.EPOCH_S, (epoch + 1) * wire.EPOCH_S)


def _learnt(others: list[_Night], night: _Night) -> Floats:
    """(n, n): how likely each pair of a night is one vehicle, by what told such pairs from the rest on other
    nights."""
    asked = np.concatenate([one.all[~one.other] for one in others])
    same = np.concatenate([np.eye(len(one.there), dtype=bool)[~one.other] for one in others])
    if len(asked) > PAIRS_MAX:
        kept = np.random.default_rng(0).permutation(len(asked))[:PAIRS_MAX]
        asked, same = asked[kept], same[kept]
    if same.all() or not same.any():
        return match.standard(night.all.mean(axis=-1))
    mean, spread = asked.mean(axis=0), asked.std(axis=0) + 1e-9
    model = LogisticRegression(max_iter=ROUNDS_MAX).fit((asked - mean) / spread, same)
    scores: Floats = (night.all - mean) / spread @ model.coef_[0]
    return scores
