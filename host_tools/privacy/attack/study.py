"""A whole run: every mechanism tells of the same traces, every attacker is let loose on each.

Same seed and traces, same figures. Must never hand a raw trace to an attacker but as the truth to measure it by,
and as roads that others drove.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from host_tools.privacy.attack import (
    averaging,
    edges,
    fingerprint,
    generator,
    moves,
    peers,
    reidentify,
    roads,
    trips,
    utility,
    zones,
)
from host_tools.privacy.attack.figures import Figure
from host_tools.privacy.attack.ours import EVERY_S, Ours
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Scene

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Settings:
    """How much of it. places, fixes: parked nodes and how long each stands; homes, days: households and their time;
    fleets: with a depot to be found; nodes: that share places; vehicles: at most so many of a scene; road_vehicles,
    slots: of them on known roads, and how long; zone_draws: how often zones are drawn."""

    seed: int = 1
    places: int = 60
    fixes: int = 1440
    homes: int = 80
    days: int = 7
    fleets: int = 20
    nodes: int = 88
    vehicles: int = 1000
    road_vehicles: int = 16
    slots: int = 288
    zone_draws: int = 10
    peers: bool = True


QUICK = Settings(
    places=15, fixes=288, homes=24, days=3, fleets=6, nodes=40, vehicles=12, road_vehicles=4, slots=96, zone_draws=2
)
FLEET_VEHICLES, FLEET_DAYS = 6, 2  # of a fleet with a depot to be found


@dataclass(frozen=True)
class Row:
    """A mechanism's figures; ours: whether it is one of our modes, and which ("cells.area")."""

    name: str
    ours: str
    figures: tuple[Figure, ...]

    def get(self, key: str) -> Figure | None:
        """The figure of that key."""
        return next((figure for figure in self.figures if figure.key == key), None)


@dataclass(frozen=True)
class Verdict:
    """By the thresholds: faults, a line for each bound missed; unmeasured, one for each that nothing was measured
    for."""

    faults: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """All that came of it. scenes: name and number of vehicles of each."""

    settings: Settings
    scenes: tuple[tuple[str, int], ...]
    rows: tuple[Row, ...]
    verdict: Verdict = Verdict()


def run(
    scenes: Sequence[Scene], tiers: Sequence[str], modes: Sequence[str], settings: Settings, progress: Progress
) -> Study:
    """Everything: our tiers in each mode, and the peers."""
    own = [(f"{mode}.{tier}", Ours(tier, mode)) for mode in modes for tier in tiers]
    everyone: list[tuple[str, Any]] = [*own, *(("", peer) for peer in peers.every() if settings.peers)]
    scenes = [scene.first(settings.vehicles) for scene in scenes]
    rng = np.random.default_rng(settings.seed)
    lived = [generator.household(rng, settings.days, EVERY_S) for _ in range(settings.homes)]
    fleets = [
        generator.fleet(settings.seed + 1 + number, FLEET_VEHICLES, FLEET_DAYS) for number in range(settings.fleets)
    ]
    rows = []
    for number, (key, mechanism) in enumerate(everyone):
        progress(mechanism.name, number / len(everyone))
        # Small matrices, many times: threads would wait for one another.
        with threadpool_limits(1):
            figures = [
                *averaging.attack(mechanism, settings.places, settings.fixes, EVERY_S, settings.seed),
                *trips.homes(mechanism, lived, settings.seed),
                *trips.depots(mechanism, fleets, EVERY_S, settings.seed),
                *moves.attack(mechanism, settings.nodes, EVERY_S, settings.seed),
                *_on_traces(key, mechanism, scenes, settings),
            ]
        rows.append(Row(mechanism.name, key, tuple(figures)))
    progress("", 1.0)
    return Study(settings, tuple((scene.name, len(scene.traces)) for scene in scenes), tuple(rows))


def _on_traces(key: str, mechanism: Mechanism, scenes: Sequence[Scene], settings: Settings) -> list[Figure]:
    """Vehicles are compared with one another within the largest scene; each of the others is attacked by itself, its
    figures under its name."""
    largest = max(scenes, key=lambda scene: len(scene.traces))
    figures: list[Figure] = []
    runs = told_of(mechanism, largest, settings.seed)
    figures += edges.attack(mechanism, runs[1::2], runs[::2], largest.frame, EVERY_S)
    figures += trips.ends(runs, largest.frame)
    figures.append(trips.depot(runs, largest.frame))
    if len(largest.traces) > 1:
        sought = runs[1::2][: settings.road_vehicles]
        known = roads.known(largest, slice(0, None, 2), EVERY_S)
        figures += roads.attack(mechanism, sought, known, largest.frame, settings.slots, settings.seed)
        figures += zones.attack([_zones(key, mechanism, largest, draw) for draw in _seeds(settings)])
    figures += reidentify.attack(mechanism, runs, largest.frame)
    figures += fingerprint.attack(runs, largest.frame, settings.seed)
    figures += utility.attack(runs, largest, settings.seed)
    figures.append(utility.sides(mechanism, runs))
    for scene in scenes:
        if scene is not largest:
            figures += [
                replace(one, attack=f"{scene.name}: {one.attack}") for one in _alone(mechanism, scene, settings)
            ]
    return figures


def _alone(mechanism: Mechanism, scene: Scene, settings: Settings) -> list[Figure]:
    """What needs no other vehicle."""
    runs = told_of(mechanism, scene, settings.seed)
    return [
        *edges.attack(mechanism, runs, [], scene.frame, EVERY_S),
        *trips.ends(runs, scene.frame),
        *utility.attack(runs, scene, settings.seed),
    ]


def told_of(mechanism: Mechanism, scene: Scene, seed: int) -> list[tuple[Due, Told]]:
    """What is due of each vehicle, and what is told of it."""
    rng = np.random.default_rng(seed)
    dues = [trace.due(EVERY_S) for trace in scene.traces]
    return [(due, mechanism.tell(due, rng)) for due in dues]


def _seeds(settings: Settings) -> list[int]:
    return [settings.seed + number for number in range(settings.zone_draws)]


def _zones(key: str, mechanism: Mechanism, scene: Scene, seed: int) -> tuple[list[Told], tuple[zones.Cell, ...]]:
    """All that is told with zones in the policy; where a mechanism has none, they are cut out before it."""
    chosen = zones.choose(scene, seed, EVERY_S)
    rng = np.random.default_rng(seed)
    if key:
        mode, tier = key.split(".")
        mechanism = Ours(tier, mode, chosen)
    dues = [trace.due(EVERY_S) for trace in scene.traces]
    return [mechanism.tell(due if key else zones.outside(due, chosen), rng) for due in dues], chosen
