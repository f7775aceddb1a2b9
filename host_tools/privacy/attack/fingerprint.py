"""Rare-field fingerprint: what stands in a report beside the place, and how few places single a vehicle out.

The second is what de Montjoye and others measured (Unique in the Crowd, Scientific Reports 3, 2013): of all
vehicles of a day, is the one seen at a few places and times the only one that fits them best?
"""

from __future__ import annotations

import math

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, share, times_chance
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, epochs

NAME = "fingerprint"
SEEN = 4  # places at which the vehicle was seen
PHASE_S = 300
BIN_S = 5
ASKED_A_DAY = 40  # vehicles that are sought, among all


def attack(runs: list[tuple[Due, Told]], frame: Frame, seed: int) -> list[Figure]:
    """Vehicle days that SEEN sightings single out; and vehicles named again in the next epoch by the seconds alone at
    which their reports are made."""
    rng = np.random.default_rng(seed)
    days = sorted({int(day) for due, _ in runs for day in np.unique(epochs(due.slots_s))})
    alone = asked = 0
    for day in days:
        there = [
            (due.part(epochs(due.slots_s) == day), told) for due, told in runs if np.any(epochs(due.slots_s) == day)
        ]
        for number in rng.permutation(len(there))[:ASKED_A_DAY].tolist():
            due = there[number][0]
            if len(due) >= 2 * SEEN and len(there) > 1:
                sightings = due.part(np.isin(np.arange(len(due)), rng.choice(len(due), SEEN, replace=False)))
                likeness = [_likeness(told, sightings, frame) for _, told in there]
                best = max(likeness)
                # The one seen, and no other.
                alone += likeness[number] == best and likeness.count(best) == 1
                asked += 1
    named, of, chance = _by_phase(runs, days)
    return [
        share(NAME, f"singled out by {SEEN} sightings", alone, asked),
        share(NAME, "named by the seconds", named, of),
        times_chance(NAME, "seconds, times chance", named, of, chance),
    ]


def _likeness(told: Told, sightings: Due, frame: Frame) -> float:
    """How well what was told of a vehicle fits the one seen at these places and times: sightings within the box told
    then; or, where there are none, the less the further off."""
    at = told.at(sightings.slots_s)
    if (at < 0).any():
        return -math.inf
    places = frame.metres(sightings.degrees)
    if np.isnan(told.boxes[at]).any():
        return -float(np.hypot(*(frame.metres(told.points[at]) - places).T).sum())
    boxes = ground.boxes_m(told.part(at), frame)
    return float(np.sum(np.all((places >= boxes[:, :2]) & (places <= boxes[:, 2:]), axis=1)))


def _by_phase(runs: list[tuple[Due, Told]], days: list[int]) -> tuple[float, int, float]:
    """(right, asked, right by chance)"""
    right, asked, chance = 0.0, 0, 0.0
    for day in days:
        pairs = [(_phases(told, day), _phases(told, day + 1)) for _, told in runs]
        there = [(a, b) for a, b in pairs if a is not None and b is not None]
        if len(there) < 2:
            continue
        likeness = np.array([a for a, _ in there]) @ np.array([b for _, b in there]).T
        tied = likeness >= likeness.max(axis=1, keepdims=True) - 1e-9
        right += float(np.sum(np.diag(tied) / tied.sum(axis=1)))
        asked += len(there)
        chance += 1.0
    return right, asked, chance


def _phases(told: Told, day: int) -> Floats | None:
    """How a day's reports lie within PHASE_S, as a unit vector."""
    mine = told.times_s[epochs(told.times_s) == day]
    if not len(mine):
        return None
    counts = np.bincount(mine % PHASE_S // BIN_S, minlength=PHASE_S // BIN_S).astype(float)
    unit: Floats = counts / np.linalg.norm(counts)
    return unit
