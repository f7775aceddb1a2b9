"""Re-identification across pseudonym epochs by movement alone: which vehicle of today is which of yesterday?

Two ways, and both together: where and when it goes (profile), and whether it goes on where another left off at the
change of the epoch (continuity). Must never use anything but what was told.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack.figures import Figure, share, times_chance
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, epochs
from plumveil import wire

NAME = "re-identification"
SCALES_M = (300.0, 1000.0, 4000.0)
VEHICLES_MIN = 8
SPEED_M_S, SLACK_M = 8.0, 1000.0


def attack(runs: list[tuple[Due, Told]], frame: Frame) -> list[Figure]:
    """Share named first among all vehicles of the next epoch by the best of the three attackers, and by each; and
    what chance gives."""
    every = sorted({int(epoch) for due, _ in runs for epoch in np.unique(epochs(due.slots_s))})
    hits, asked, chance = np.zeros(3), 0, 0.0
    for epoch in every:
        there = [(_day(due, told, epoch), _day(due, told, epoch + 1)) for due, told in runs]
        pairs = [pair for pair in there if len(pair[0]) and len(pair[1])]
        if len(pairs) < VEHICLES_MIN:
            continue
        profile = np.mean([_profiles(pairs, frame, scale_m) for scale_m in SCALES_M], axis=0)
        going_on = _continuity(pairs, frame, (epoch + 1) * wire.EPOCH_S)
        both = _standard(profile) + _standard(going_on)
        hits += [_right(scores) for scores in (profile, going_on, both)]
        asked += len(pairs)
        chance += 1.0
    names = ("profile", "continuity", "both")
    each = [share(NAME, name, float(hit), asked) for name, hit in zip(names, hits, strict=True)]
    best = float(hits.max())
    return [share(NAME, "named", best, asked), times_chance(NAME, "times chance", best, asked, chance), *each]


def _day(due: Due, told: Told, epoch: int) -> Told:
    """The reports of an epoch, by the moment of the report; an epoch knows nothing of the one before."""
    return told.between(epoch * wire.EPOCH_S, (epoch + 1) * wire.EPOCH_S)


def _profiles(pairs: list[tuple[Told, Told]], frame: Frame, scale_m: float) -> Floats:
    """(n, n): likeness of every vehicle's first day to every vehicle's second; squares of scale_m by six hours, rare
    ones counting more."""
    days = [_squares(one, frame, scale_m) for one in (*(a for a, _ in pairs), *(b for _, b in pairs))]
    places = {square: at for at, square in enumerate(sorted(set().union(*days)))}
    table = np.zeros((len(days), len(places)))
    for row, day in enumerate(days):
        for square, count in day.items():
            table[row, places[square]] = np.log1p(count)
    table *= np.log(len(days) / (table > 0).sum(axis=0))
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    likeness: Floats = table[: len(pairs)] @ table[len(pairs) :].T
    return likeness


def _squares(told: Told, frame: Frame, scale_m: float) -> dict[tuple[int, int, int], int]:
    squares = np.floor(frame.metres(told.points) / scale_m).astype(int)
    quarter = told.times_s % wire.EPOCH_S // 21_600
    found: dict[tuple[int, int, int], int] = {}
    for (north, east), hour in zip(squares.tolist(), quarter.tolist(), strict=True):
        # With and without the hour.
        for key in ((north, east, hour), (north, east, -1)):
            found[key] = found.get(key, 0) + 1
    return found


def _continuity(pairs: list[tuple[Told, Told]], frame: Frame, midnight_s: int) -> Floats:
    """(n, n): how little the way from every last place to every first one asks for."""
    last, first = (frame.metres(np.array([one.points[at] for one in side])) for side, at in _sides(pairs))
    before = midnight_s - np.array([a.times_s[-1] for a, _ in pairs])
    after = np.array([b.times_s[0] for _, b in pairs]) - midnight_s
    apart = np.hypot(*(last[:, None] - first[None]).transpose(2, 0, 1))
    score: Floats = -apart / (SLACK_M + SPEED_M_S * (before[:, None] + after[None]))
    return score


def _sides(pairs: list[tuple[Told, Told]]) -> tuple[tuple[list[Told], int], tuple[list[Told], int]]:
    return ([a for a, _ in pairs], -1), ([b for _, b in pairs], 0)


def _standard(scores: Floats) -> Floats:
    spread: Floats = (scores - scores.mean()) / max(float(scores.std()), 1e-12)
    return spread


def _right(scores: Floats) -> float:
    """How many rows have their largest value on the diagonal; ties count in part."""
    best = scores.max(axis=1, keepdims=True)
    tied = scores >= best - 1e-9
    return float(np.sum(np.diag(tied) / tied.sum(axis=1)))
