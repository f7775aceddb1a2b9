"""Start and end of trips: where a household lives, seen night after night; where a vehicle starts its day; where the
depot of a fleet is, put together from all of them.

Homes are invented; depots of real traces come out as a distance and never as a place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median, within
from host_tools.privacy.attack.generator import FRAME, Household
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, epochs

HOME, STARTS, DEPOT = "home", "trip ends", "depot"
NIGHT_UNTIL_H, NIGHT_FROM_H = 5, 22
HEAP_M = 500.0  # of a vehicle's starts, those so close together are at one depot


def homes(mechanism: Mechanism, lived: Sequence[Household], seed: int) -> list[Figure]:
    """Distance of the guess at a home after all nights, all days taken to be linked; and after the first night."""
    rng = np.random.default_rng(seed)
    errors, first = [], []
    for one in lived:
        told = mechanism.tell(one.due, rng)
        night = _nights(one.due.times_s)
        days = epochs(night)
        errors.append(_missed(told, night, one))
        first.append(_missed(told, night[days == days[0]], one))
    all_m = np.array(errors)
    return [
        median(HOME, "error", [all_m[at : at + 1] for at in range(len(all_m))]),
        median(HOME, "error after one night", [np.array([error]) for error in first]),
        *within(HOME, all_m),
    ]


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
    return [median(STARTS, "error", errors), *within(STARTS, np.concatenate(errors) if errors else np.empty(0))]


def depot(runs: list[tuple[Due, Told]], frame: Frame) -> list[Figure]:
    """Distance of the guess at the fleet's busiest depot from where most of its days begin."""
    starts, guesses = [], []
    for due, told in runs:
        for day in np.unique(epochs(due.times_s)):
            mine = due.part(epochs(due.times_s) == day)
            at = int(told.at(mine.times_s[:1])[0])
            if at >= 0:
                starts.append(frame.metres(mine.degrees[:1])[0])
                guesses.append(told.part(np.array([at])))
    if not starts:
        return [median(DEPOT, "error", [])]
    true = heap(np.array(starts))
    points = np.array([frame.metres(one.points)[0] for one in guesses])
    centre = heap(points)
    near = [one for one, point in zip(guesses, points, strict=True) if np.hypot(*(point - centre)) <= HEAP_M]
    pooled = Told(
        *(np.concatenate([getattr(one, name) for one in near]) for name in ("times_s", "points", "values", "boxes"))
    )
    guess = ground.resting_place(pooled, frame, np.ones(len(pooled)))
    return [median(DEPOT, "error", [np.array([np.hypot(*(guess - true))])])]


def heap(points: Floats) -> Floats:
    """(2,): the mean of the largest heap among points (n, 2)."""
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) <= HEAP_M
    mean: Floats = points[apart[apart.sum(axis=1).argmax()]].mean(axis=0)
    return mean
