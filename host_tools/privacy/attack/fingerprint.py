"""Rare-field fingerprint: what stands in a report beside the place, and how few places single a vehicle out.

The second is what de Montjoye and others measured (Unique in the Crowd, Scientific Reports 3, 2013): of all
vehicles of a day, is the one seen at a few places and times the only one that fits them best?
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from host_tools.privacy.attack import ground, match
from host_tools.privacy.attack.figures import Figure, share_by
from host_tools.privacy.attack.reidentify import day as reports_of
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, epochs
from plumveil import wire

NAME = "fingerprint"
SEEN = 4  # places at which the vehicle was seen
PHASE_S = 300
BIN_S = 5
SILENCES = 3  # the longest of a day
ASKED_A_DAY = 40  # vehicles that are sought, among all
REPORTS_MIN = 2  # of a day, to be known by


def attack(runs: list[tuple[Due, Told]], frame: Frame, seed: int) -> list[Figure]:
    """Vehicle days that SEEN sightings single out; reports whose time says more than PHASE_S; and vehicles named
    again in the next epoch without any place: by the seconds at which their reports are made, and by the habits of a
    day (first and last report, how many, the longest silences)."""
    days = sorted({int(day) for due, _ in runs for day in np.unique(epochs(due.times_s))})
    fine = [(told.times_s % PHASE_S > 0).astype(float) for _, told in runs]
    seconds = _again(runs, days, _phases, lambda one, other: one @ other.T)
    habits = _again(runs, days, _habits, _near)
    return [
        share_by(NAME, f"singled out by {SEEN} sightings", _singled_out(runs, days, frame, seed)),
        share_by(NAME, "times finer than 5 minutes", fine),
        *seconds.figures(NAME, "named by the seconds", "seconds, times chance"),
        *habits.figures(NAME, "named by habits", "habits, times chance"),
    ]


def _singled_out(runs: list[tuple[Due, Told]], days: list[int], frame: Frame, seed: int) -> list[Floats]:
    """By vehicle: of its days that were asked for, whether it was the one and only."""
    rng = np.random.default_rng(seed)
    hits: list[list[float]] = [[] for _ in runs]
    for day in days:
        numbers = [number for number, (due, _) in enumerate(runs) if np.any(epochs(due.times_s) == day)]
        if len(numbers) < 2:
            continue
        for at in rng.permutation(len(numbers))[:ASKED_A_DAY].tolist():
            due = runs[numbers[at]][0]
            due = due.part(epochs(due.times_s) == day)
            if len(due) >= 2 * SEEN:
                sightings = due.part(np.isin(np.arange(len(due)), rng.choice(len(due), SEEN, replace=False)))
                likeness = [_likeness(runs[number][1], sightings, frame) for number in numbers]
                best = max(likeness)
                hits[numbers[at]].append(likeness[at] == best and likeness.count(best) == 1)
    return [np.array(one, dtype=float) for one in hits]


def _likeness(told: Told, sightings: Due, frame: Frame) -> float:
    """How well what was told of a vehicle fits the one seen at these places and times: sightings within the box told
    then; or, where there are none, the less the further off."""
    at = told.at(sightings.times_s)
    if (at < 0).any():
        return -math.inf
    places = frame.metres(sightings.degrees)
    if np.isnan(told.boxes[at]).any():
        return -float(np.hypot(*(frame.metres(told.points[at]) - places).T).sum())
    boxes = ground.boxes_m(told.part(at), frame)
    return float(np.sum(np.all((places >= boxes[:, :2]) & (places <= boxes[:, 2:]), axis=1)))


def _again(
    runs: list[tuple[Due, Told]],
    days: list[int],
    features: Callable[[Ints], Floats],
    likeness: Callable[[Floats, Floats], Floats],
) -> match.Tally:
    """Every day matched with the next by features (k,) of the times of a day's reports, compared as (n, k), (n, k) ->
    (n, n)."""
    tally = match.Tally(len(runs))
    for day in days:
        sides = [[reports_of(told, at).times_s for _, told in runs] for at in (day, day + 1)]
        there = [
            number
            for number, (one, other) in enumerate(zip(*sides, strict=True))
            if min(len(one), len(other)) >= REPORTS_MIN
        ]
        if len(there) > 1:
            before, after = (np.array([features(side[number]) for number in there]) for side in sides)
            tally.add(there, match.assigned(likeness(before, after), seed=day))
    return tally


def _phases(times_s: Ints) -> Floats:
    """How a day's reports lie within PHASE_S, as a unit vector."""
    counts = np.bincount(times_s % PHASE_S // BIN_S, minlength=PHASE_S // BIN_S).astype(float)
    unit: Floats = counts / np.linalg.norm(counts)
    return unit


def _habits(times_s: Ints) -> Floats:
    """First and last report (s of the day), logarithms of their number and of the longest silences (s)."""
    silences = np.sort(np.append(np.diff(times_s), np.ones(SILENCES)))[-SILENCES:]
    ends = times_s[[0, -1]] % wire.EPOCH_S
    return np.concatenate((ends, np.log([len(times_s)]), np.log(np.maximum(silences, 1))))


def _near(before: Floats, after: Floats) -> Floats:
    """(n, n): how little days differ, in spreads of each feature."""
    spread = np.maximum(np.vstack((before, after)).std(axis=0), 1e-9)
    found: Floats = -np.abs((before[:, None] - after[None]) / spread).sum(axis=2)
    return found
