"""Zone outline recovery: private zones are cells in which nothing is told. Traffic that goes in and comes out, and is
never seen inside, draws them. The attacker has what all vehicles under one policy told, and not their roads.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from host_tools import cell_arrays
from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack.figures import Figure, share
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Scene

NAME = "zone outline"
TIER = TIER_NAMES.index("area")  # the finest that a zone may have
ZONES = 6
VEHICLES_MIN = 4  # of those that pass a cell, before it is taken for a zone
STEPS = 8  # looked at between two reports
GAP_MAX_S = 1800

Cell = tuple[int, int, int]


def choose(scene: Scene, seed: int, every_s: int) -> tuple[Cell, ...]:
    """Zones that a customer might ask for: cells that several vehicles pass."""
    passed: Counter[tuple[int, int]] = Counter()
    for trace in scene.traces:
        due = trace.due(every_s)
        passed.update(set(_cells(due.degrees)))
    often = sorted(cell for cell, vehicles in passed.items() if vehicles >= min(VEHICLES_MIN, len(scene.traces)))
    drawn = np.random.default_rng(seed).permutation(len(often))[:ZONES]
    return tuple((TIER, *often[at]) for at in sorted(drawn))


def outside(due: Due, zones: tuple[Cell, ...]) -> Due:
    """What a mechanism without zones would be given, were they cut out before it."""
    shut = {zone[1:] for zone in zones}
    return due.part(np.array([cell not in shut for cell in _cells(due.degrees)], dtype=bool))


def attack(tells: list[Told], zones: tuple[Cell, ...]) -> list[Figure]:
    """Of as many cells as there are zones, those that look most like one: the share that is."""
    crossed: Counter[tuple[int, int]] = Counter()
    seen: Counter[tuple[int, int]] = Counter()
    for told in tells:
        seen.update(_cells(told.points))
        crossed.update(_between(told))
    if not crossed:
        # Nobody was seen to go anywhere.
        return [share(NAME, "zones found", 0, len(zones)), share(NAME, "by chance", 0, len(zones))]
    rate = sum(seen.values()) / sum(crossed.values())
    suspicion = {
        # As many standard deviations of a Poisson count below what its traffic would give.
        cell: (passes * rate - seen[cell]) / (passes * rate + 1) ** 0.5
        for cell, passes in crossed.items()
    }
    ranked = sorted(suspicion, key=lambda cell: -suspicion[cell])[: len(zones)]
    found = len({zone[1:] for zone in zones} & set(ranked))
    return [
        share(NAME, "zones found", found, len(zones)),
        share(NAME, "by chance", len(zones) ** 2 / max(len(crossed), len(zones)), len(zones)),
    ]


def _between(told: Told) -> list[tuple[int, int]]:
    """Cells that straight lines from report to report pass, each pass once."""
    at = np.flatnonzero(np.diff(told.times_s) <= GAP_MAX_S)
    along = np.linspace(0, 1, STEPS + 1)[None, :, None]
    ways = told.points[at][:, None] * (1 - along) + told.points[at + 1][:, None] * along
    cells = _cells(ways.reshape(-1, 2))
    pairs = np.repeat(at, STEPS + 1).tolist()
    return [cell for _, cell in dict.fromkeys(zip(pairs, cells, strict=True))]


def _cells(degrees: Floats) -> list[tuple[int, int]]:
    e6 = np.round(degrees * 1e6).astype(np.int64)
    row, column = cell_arrays.locate(e6[:, 0], e6[:, 1], TIER)
    return list(zip(row.tolist(), column.tolist(), strict=True))
