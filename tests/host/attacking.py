"""Small scenes and mechanisms for the tests of the attackers."""

from __future__ import annotations

from functools import cache

import numpy as np

from host_tools.privacy.attack import generator, study, traces
from host_tools.privacy.attack.figures import Figure
from host_tools.privacy.attack.ours import EVERY_S
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Scene
from tests.host.command_line import ROOT

SEED = 3
BUSES = ROOT.parent / "shared" / "data" / "traces" / "capmetro_2016-11-24_27_88vehicles.csv.gz"


class Silent:
    """Tells one value, whatever happens: what an attacker must make nothing of."""

    name, margin_m, spread_m, holds = "silent", 0.0, 0.0, False

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """The middle of the region, once a day."""
        day = np.unique(due.slots_s // 86_400, return_index=True)[1]
        count = len(day)
        points = np.full((count, 2), (generator.FRAME.lat, generator.FRAME.lon))
        return Told(
            due.slots_s[day], points, np.zeros(count, dtype=np.int64), points[:, [0, 1, 0, 1]] + [-1, -1, 1, 1]
        )

    def cell(self, lat_e6: int, lon_e6: int) -> tuple[float, float, float, float] | None:
        """None."""
        return None

    brink = cell


@cache
def fleet(vehicles: int = 16, days: int = 3) -> Scene:
    """An invented fleet."""
    return generator.fleet(SEED, vehicles, days, routes=4)


@cache
def buses() -> Scene:
    """Real vehicles where they are, else invented ones; a shared folder without them is a failure."""
    if not BUSES.parents[2].is_dir():
        return generator.fleet(SEED, 40, 4)
    return traces.load([BUSES])[0]


def runs(mechanism: Mechanism, scene: Scene) -> list[tuple[Due, Told]]:
    """What it tells of each vehicle."""
    return study.told_of(mechanism, scene, SEED)


def households(count: int, days: int) -> list[generator.Household]:
    """Invented ones."""
    rng = np.random.default_rng(SEED)
    return [generator.household(rng, days, EVERY_S) for _ in range(count)]


def value(figures: list[Figure], name: str) -> float:
    """The figure of that name."""
    return next(figure.value for figure in figures if figure.name == name)
