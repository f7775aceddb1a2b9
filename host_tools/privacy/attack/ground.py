"""What attackers share: points in metres, boxes cut with one another, the middle of what is left."""

from __future__ import annotations

import numpy as np

from host_tools import cell_arrays
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Floats, Frame, Ints

NOISE_M = 30.0  # an attacker allows for a receiver's noise of so much beyond a box


def boxes_m(told: Told, frame: Frame) -> Floats:
    """(n, 4) metres: south, west, north, east, with room for the receiver's noise."""
    low, high = frame.metres(told.boxes[:, :2]), frame.metres(told.boxes[:, 2:])
    return np.hstack((low - NOISE_M, high + NOISE_M))


def common(boxes: Floats) -> Floats | None:
    """(4,): what boxes (n, 4) have in common; None when that is nothing, or one of them is no box."""
    cut = np.concatenate((boxes[:, :2].max(axis=0), boxes[:, 2:].min(axis=0)))
    return cut if np.all(cut[2:] > cut[:2]) else None


def middle(box: Floats) -> Floats:
    """(2,): the middle of a box (4,)."""
    return (box[:2] + box[2:]) / 2


def resting_place(told: Told, frame: Frame, weights: Floats) -> Floats:
    """(2,) metres: the best guess at a place that never moved. told: each value once, weights: how long it was told.

    Where values are boxes the place lies in all of them; where they are points with noise, their mean is it. Boxes
    that have nothing in common (a fix gone astray) fall back to the mean.
    """
    cut = common(boxes_m(told, frame))
    if cut is not None:
        return middle(cut)
    mean: Floats = np.average(frame.metres(told.points), axis=0, weights=weights)
    return mean


def spent(told: Told, moments_s: Ints) -> tuple[Told, Floats]:
    """Each value that was current at one of these moments, once, and at how many of them it was."""
    at = told.at(moments_s)
    at = at[at >= 0]
    _, first, counts = np.unique(told.values[at], return_index=True, return_counts=True)
    return told.part(at[first]), counts.astype(float)


def distances_m(one: Floats, other: Floats) -> Floats:
    """(n,) between (n, 2) and (n, 2)."""
    found: Floats = np.hypot(*(one - other).T)
    return found


def cells(degrees: Floats, tier: int) -> Ints:
    """(n, 2): row and column of the tier's cells that places (n, 2) in degrees lie in."""
    e6 = np.round(degrees * 1e6).astype(np.int64)
    return np.stack(cell_arrays.locate(e6[:, 0], e6[:, 1], tier), axis=-1)
