"""Averaging: a node stands still, and whoever gets its reports puts them together.

A third of the places lie anywhere, a third at an edge of the mechanism's own cells, a third at a corner: there plain
snapping flickers. Must never be run on places of anybody.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import generator, ground
from host_tools.privacy.attack.figures import Figure, count, median, within
from host_tools.privacy.attack.told import Mechanism
from host_tools.privacy.attack.traces import Frame

NAME = "averaging"
NEAR_E6 = 90  # so close to the edge, some ten metres


def attack(mechanism: Mechanism, places: int, fixes: int, every_s: int, seed: int) -> list[Figure]:
    """Distinct values told of one place, and the distance of the attacker's guess from it."""
    rng = np.random.default_rng(seed)
    jitter = generator.jitter(seed, places, fixes)
    errors, distinct = [], []
    for number, place in enumerate(generator.places(rng, places)):
        place = _moved(mechanism, place, number % 3, rng)
        due = generator.parked(jitter[number], place, every_s)
        told = mechanism.tell(due, rng)
        frame = Frame(place[0] / 1e6, place[1] / 1e6)
        values, weights = ground.spent(told, due.slots_s)
        errors.append(np.hypot(*ground.resting_place(values, frame, weights)))
        distinct.append(float(len(values)))
    each = np.array(errors)
    return [
        count(NAME, "values told", distinct),
        median(NAME, "error", [each[at : at + 1] for at in range(len(each))]),
        *within(NAME, each),
    ]


def _moved(mechanism: Mechanism, place: tuple[int, int], kind: int, rng: np.random.Generator) -> tuple[int, int]:
    """kind 0: as it is; 1: to an edge of its cell; 2: to a corner."""
    box = mechanism.cell(*place)
    if box is None or kind == 0:
        return place
    low, high = np.round(np.array(box) * 1e6).astype(int).reshape(2, 2)
    moved = list(place)
    for axis in (0, 1) if kind == 2 else (int(rng.integers(2)),):
        moved[axis] = int(rng.choice((low[axis] + NEAR_E6, high[axis] - NEAR_E6)))
    return moved[0], moved[1]
