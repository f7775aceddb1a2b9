"""Start and end of trips: where a household lives, seen night after night; where a vehicle starts its day; where the
depot of a fleet is, put together from all of them.

Homes are invented, and so are fleets whose depots are found or not; the depot of real traces comes out as a distance
and never as a place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median, nothing, within
from host_tools.privacy.attack.generator import FRAME, Household
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, Scene, epochs

HOME, STARTS, DEPOT, INVENTED = "home", "trip ends", "depot", "invented depot"
NIGHT_UNTIL_H, NIGHT_FROM_H = 5, 22
HEAP_M = 500.0  # of a vehicle's starts, those so close together are at one depot
FLEETS_DRAWN = 200  # of the vehicles there are, for the depot's interval


def homes(mechanism: Mechanism, lived: Sequence[Household], seed: int) -> list[Figure]:
    """Distance of the guess at a home after all nights, all days taken to be linked; and after the first night."""
    rng = np.random.default_rng(seed)
    errors, first = [], []
    for one in lived:
        told = mechanism.tell(one.due, rng)
        night = _nights(one.due.times_s)
        days = epochs(night)
        errors.append(np.array([_missed(told, night, one)]))
        first.append(np.array([_missed(told, night[days == days[0]], one)]))
    return [median(HOME, "error", errors), median(HOME, "error after one night", first), *within(HOME, errors)]


def _nights(times_s: Ints) -> Ints:
    hour = times_s % 86_400 // 3600
    return times_s[(hour < NIGHT_UNTIL_H) | (hour >= NIGHT_FROM_H)]


def _missed(told: Told, night: Ints, one: Household) -> float:
    values, weights = ground.spent(told, night)
    if not len(values):
        return float("inf")
    return float(np.hypot(*(ground.resting_place(values, FRAME, weights) - one.home_m)))


def ends(runs: list[tuple[Due, Told]], frame: Frame) -> list[Figure]:
    """Distance of a day's first report from where the vehicle then was, and of the last one likewise."""
    errors = []
    for due, told in runs:
        missed = []
        for day in np.unique(epochs(due.times_s)):
            mine = due.part(epochs(due.times_s) == day)
            at = told.at(np.array([mine.times_s[0], mine.times_s[-1]]))
            if at[0] < 0:
                continue
            truth = frame.metres(mine.degrees[[0, -1]])
            missed.append(ground.distances_m(frame.metres(told.points[at]), truth))
        errors.append(np.concatenate(missed) if missed else np.empty(0))
    return [median(STARTS, "error", errors), *within(STARTS, errors)]


def depot(runs: Sequence[tuple[Due, Told]], frame: Frame) -> Figure:
    """Distance of the guess at the fleet's busiest depot from where most of its days begin; the interval from fleets
    drawn of its vehicles."""
    starts = [_starts(due, told, frame) for due, told in runs]
    starts = [(truth, first) for truth, first in starts if len(first)]
    if not starts:
        return nothing(DEPOT, "error", "m")
    true = heap(np.concatenate([truth for truth, _ in starts]))
    firsts = [first for _, first in starts]
    rng = np.random.default_rng(0)
    drawn = [
        _missed_by(_joined([firsts[at] for at in rng.integers(0, len(firsts), len(firsts))]), frame, true)
        for _ in range(FLEETS_DRAWN)
    ]
    value, (low, high) = _missed_by(_joined(firsts), frame, true), np.percentile(drawn, (2.5, 97.5)).tolist()
    return Figure(DEPOT, "error", value, min(low, value), max(high, value), len(firsts), "m")


def depots(mechanism: Mechanism, fleets: Sequence[Scene], every_s: int, seed: int) -> list[Figure]:
    """The same of invented fleets, a case each: how far off, and how many within so many metres."""
    rng, errors = np.random.default_rng(seed), []
    for fleet in fleets:
        dues = [trace.due(every_s) for trace in fleet.traces]
        starts = [_starts(due, mechanism.tell(due, rng), fleet.frame) for due in dues]
        truth, firsts = zip(*starts, strict=True)
        told = _joined(firsts)
        if len(told):
            errors.append(np.array([_missed_by(told, fleet.frame, heap(np.concatenate(truth)))]))
    return [median(INVENTED, "error", errors), *within(INVENTED, errors)]


def _starts(due: Due, told: Told, frame: Frame) -> tuple[Floats, Told]:
    """Where a vehicle is at the first position due of each day, (n, 2) metres, and what it has told then."""
    _, first = np.unique(epochs(due.times_s), return_index=True)
    at = told.at(due.times_s[first])
    return frame.metres(due.degrees[first][at >= 0]), told.part(at[at >= 0])


def _joined(firsts: Sequence[Told]) -> Told:
    names = ("times_s", "points", "values", "boxes")
    return Told(*(np.concatenate([getattr(one, name) for one in firsts]) for name in names))


def _missed_by(firsts: Told, frame: Frame, true: Floats) -> float:
    points = frame.metres(firsts.points)
    near = firsts.part(np.hypot(*(points - heap(points)).T) <= HEAP_M)
    return float(np.hypot(*(ground.resting_place(near, frame, np.ones(len(near))) - true)))


def heap(points: Floats) -> Floats:
    """(2,): the mean of the largest heap among points (n, 2)."""
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) <= HEAP_M
    mean: Floats = points[apart[apart.sum(axis=1).argmax()]].mean(axis=0)
    return mean
