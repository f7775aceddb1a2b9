"""Edge crossing: when the value told changes from one cell to the next, the node has just crossed what lies between.

The attacker knows the cells, the margin within which they are held, how often positions are due, and how other
vehicles drove: on those it learns what the cells before and after say about the place in between.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares  # type: ignore[import-untyped]

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median, within
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints

NAME = "edge crossing"
SPEED_M_S = 5.0  # what the attacker takes a vehicle to drive, half a slot of which lies behind the edge
STAY_S = 900.0  # a neighbouring cell says less of this moment the longer the vehicle was in it
LEARNT_MIN = 100  # changes of other vehicles; with fewer the edge alone is gone by
EDGE_ALONE = np.array([1.0, 0, 0, 0, 0, 0, 0])

Runs = list[tuple[Due, Told]]


def attack(mechanism: Mechanism, sought: Runs, known: Runs, frame: Frame, every_s: int) -> list[Figure]:
    """Distance of the guess at the moment of a change, beside that of the middle of the cell. known: vehicles whose
    places the attacker has, and none of those sought."""
    weights = learnt(mechanism, known, frame, every_s)
    guessed, middles = [], []
    for due, told in sought:
        at = _changes(told)
        now, truth = frame.metres(told.points[at]), _truth(due, told, at, frame)
        offset = hints(mechanism, told, at, frame, every_s) @ weights
        guessed.append(ground.distances_m(_kept_inside(now + offset, told, at, frame), truth))
        middles.append(ground.distances_m(now, truth))
    return [median(NAME, "error", guessed), median(NAME, "error of the middle", middles), *within(NAME, guessed)]


def learnt(mechanism: Mechanism, known: Runs, frame: Frame, every_s: int) -> Floats:
    """Weights of the hints by which they come nearest to known places; large misses count no more than their size."""
    asked, answers = [np.empty((0, len(EDGE_ALONE)))], [np.empty(0)]
    for due, told in known:
        at = _changes(told)
        asked.append(hints(mechanism, told, at, frame, every_s).reshape(-1, len(EDGE_ALONE)))
        answers.append((_truth(due, told, at, frame) - frame.metres(told.points[at])).ravel())
    hint, answer = np.concatenate(asked), np.concatenate(answers)
    scale_m = float(np.median(np.abs(answer))) / 2 if len(answer) else 0.0
    if len(answer) < 2 * LEARNT_MIN or not scale_m:
        return EDGE_ALONE
    found = least_squares(lambda weights: (hint @ weights - answer) / scale_m, EDGE_ALONE, loss="soft_l1")
    weights: Floats = found.x
    return weights


def hints(mechanism: Mechanism, told: Told, at: Ints, frame: Frame, every_s: int) -> Floats:
    """(n, 2, 7) metres from the middle of the cell told at each change: just behind the edge that was crossed; to the
    cell before; to the cell after; the last two, and the edge by either, the less the longer the stay there."""
    points, times_s = frame.metres(told.points), told.times_s.astype(float)
    after_at = np.minimum(at + 1, max(len(points) - 1, 0))
    before, after = points[at - 1] - points[at], points[after_at] - points[at]
    edge = _behind_the_edge(mechanism, told, at, frame, every_s)
    came, goes = (
        np.exp(-stay_s / STAY_S)[:, None]
        for stay_s in (times_s[at] - times_s[at - 1], times_s[after_at] - times_s[at])
    )
    return np.stack((edge, before, after, before * came, after * goes, edge * came, edge * goes), axis=-1)


def _changes(told: Told) -> Ints:
    return np.flatnonzero(told.values[1:] != told.values[:-1]) + 1


def _truth(due: Due, told: Told, at: Ints, frame: Frame) -> Floats:
    """(n, 2) metres: where the reports were made; their times are rounded down."""
    made = np.minimum(np.searchsorted(due.times_s, told.times_s[at]), len(due) - 1)
    return frame.metres(due.degrees)[made]


def _behind_the_edge(mechanism: Mechanism, told: Told, at: Ints, frame: Frame, every_s: int) -> Floats:
    """(n, 2) metres from the middle of the cell: along each axis in which the cell changed, just behind the edge that
    was crossed; along the other nothing."""
    points = frame.metres(told.points)
    if np.isnan(told.boxes).any():
        return np.zeros((len(at), 2))
    before, now = points[at - 1], points[at]
    low, high = frame.metres(told.boxes[:, :2])[at], frame.metres(told.boxes[:, 2:])[at]
    half = (high - low) / 2 - mechanism.margin_m
    # From the edge on: the margin, which it had to leave behind to be told at all, and half a slot's way.
    beyond = np.minimum(mechanism.margin_m + SPEED_M_S * every_s / 2, half)
    offset: Floats = np.where(np.abs(now - before) > half, -np.sign(now - before) * (half - beyond), 0.0)
    return offset


def _kept_inside(guess: Floats, told: Told, at: Ints, frame: Frame) -> Floats:
    if np.isnan(told.boxes).any():
        return guess
    low, high = frame.metres(told.boxes[at, :2]), frame.metres(told.boxes[at, 2:])
    return np.clip(guess, low, high)
