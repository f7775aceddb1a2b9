"""Averaging: a node stands still, and whoever gets its reports puts them together.

A third of the places lie anywhere, a third at an edge at which the mechanism's answer changes, a third at a corner:
there plain snapping flickers. Must never be run on places of anybody.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import generator, ground
from host_tools.privacy.attack.figures import Figure, median, values, within
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
        place = at_edge(mechanism.brink(*place), place, number % 3, NEAR_E6, rng)
        due = generator.parked(jitter[number], place, every_s)
        told = mechanism.tell(due, rng)
        frame = Frame(place[0] / 1e6, place[1] / 1e6)
        once, weights = ground.spent(told, due.times_s)
        errors.append(np.hypot(*ground.resting_place(once, frame, weights)).reshape(1))
        distinct.append(float(len(once)))
    return [values(NAME, "values told", distinct), median(NAME, "error", errors), *within(NAME, errors)]


def at_edge(
    box: tuple[float, float, float, float] | None,
    place: tuple[int, int],
    axes: int,
    near_e6: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """The place moved along so many axes (0 to 2) until it is near_e6 within an edge of the box around it."""
    if box is None:
        return place
    low, high = np.round(np.array(box) * 1e6).astype(int).reshape(2, 2)
    moved = list(place)
    for axis in rng.permutation(2)[:axes]:
        moved[axis] = int(rng.choice((low[axis] + near_e6, high[axis] - near_e6)))
    return moved[0], moved[1]
