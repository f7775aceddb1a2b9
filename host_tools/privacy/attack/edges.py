"""Edge crossing: when the value told changes from one cell to the next, the node has just crossed what lies between.

The attacker knows the cells, the margin within which they are held, and how often positions are due.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median, within
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints

NAME = "edge crossing"
SPEED_M_S = 5.0  # what the attacker takes a vehicle to drive, half a slot of which lies behind the edge


def attack(mechanism: Mechanism, runs: list[tuple[Due, Told]], frame: Frame, every_s: int) -> list[Figure]:
    """Distance of the guess at the moment of a change, beside that of the middle of the cell."""
    guessed, middles = [], []
    for due, told in runs:
        at = _changes(told)
        if not len(at):
            continue
        truth = frame.metres(due.degrees)[np.searchsorted(due.times_s, told.times_s[at], side="right") - 1]
        guessed.append(ground.distances_m(guess(mechanism, told, at, frame, every_s), truth))
        middles.append(ground.distances_m(frame.metres(told.points[at]), truth))
    whole = np.concatenate(guessed) if guessed else np.empty(0)
    return [median(NAME, "error", guessed), median(NAME, "error of the middle", middles), *within(NAME, whole)]


def _changes(told: Told) -> Ints:
    return np.flatnonzero(told.values[1:] != told.values[:-1]) + 1


def guess(mechanism: Mechanism, told: Told, at: Ints, frame: Frame, every_s: int) -> Floats:
    """(n, 2) metres: along each axis in which the cell changed, just behind the edge that was crossed; along the
    other the middle of the cell."""
    points = frame.metres(told.points)
    if np.isnan(told.boxes).any():
        plain: Floats = points[at]
        return plain
    before, now = points[at - 1], points[at]
    low, high = frame.metres(told.boxes[:, :2])[at], frame.metres(told.boxes[:, 2:])[at]
    half = (high - low) / 2 - mechanism.margin_m
    moved = np.abs(now - before) > half
    # From the edge on: the margin, which it had to leave behind to be told at all, and half a slot's way.
    beyond = np.minimum(mechanism.margin_m + SPEED_M_S * every_s / 2, half)
    entered = now - np.sign(now - before) * (half - beyond)
    guessed: Floats = np.where(moved, entered, now)
    return guessed
