"""Zone recovery: private zones are cells in which nothing is told. Traffic that goes in and comes out, and is never
seen inside, shows which cells they are; no finer outline is sought, since a zone has none. The attacker has what all
vehicles under one policy told, and not their roads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, share_by
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Scene

NAME = "zones"
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


def attack(draws: Sequence[tuple[list[Told], tuple[Cell, ...]]]) -> list[Figure]:
    """Each draw: what all vehicles told, and the zones they kept. Of as many cells as there are zones, those that
    look most like one: the share that is; and what picking among the cells passed would give."""
    found, chance = [], []
    for tells, zones in draws:
        hits, cells_passed = _hits(tells, zones)
        found.append(hits)
        chance.append(np.full(len(zones), len(zones) / max(cells_passed, len(zones), 1)))
    return [share_by(NAME, "found", found), share_by(NAME, "by chance", chance)]


def _hits(tells: list[Told], zones: tuple[Cell, ...]) -> tuple[Floats, int]:
    """Of each zone, whether it is among the most suspicious cells; number of cells passed."""
    crossed: Counter[tuple[int, int]] = Counter()
    seen: Counter[tuple[int, int]] = Counter()
    for told in tells:
        seen.update(_cells(told.points))
        crossed.update(_between(told))
    # Nobody may be seen to go anywhere.
    rate = sum(seen.values()) / max(sum(crossed.values()), 1)
    suspicion = {
        # As many standard deviations of a Poisson count below what its traffic would give.
        cell: (passes * rate - seen[cell]) / (passes * rate + 1) ** 0.5
        for cell, passes in crossed.items()
    }
    ranked = set(sorted(suspicion, key=lambda cell: -suspicion[cell])[: len(zones)])
    return np.array([zone[1:] in ranked for zone in zones], dtype=float), len(crossed)


def _between(told: Told) -> list[tuple[int, int]]:
    """Cells that straight lines from report to report pass, each pass once."""
    at = np.flatnonzero(np.diff(told.times_s) <= GAP_MAX_S)
    along = np.linspace(0, 1, STEPS + 1)[None, :, None]
    ways = told.points[at][:, None] * (1 - along) + told.points[at + 1][:, None] * along
    cells = _cells(ways.reshape(-1, 2))
    pairs = np.repeat(at, STEPS + 1).tolist()
    return [cell for _, cell in dict.fromkeys(zip(pairs, cells, strict=True))]


def _cells(degrees: Floats) -> list[tuple[int, int]]:
    return [(row, column) for row, column in ground.cells(degrees, TIER).tolist()]
