"""Invented homes, depots, trips and parked nodes from a seed, for what needs the truth known. Nobody lives there.

Must never be taken for how people move: its streets are a plain grid, its days regular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from host_tools.privacy.attack.traces import Due, Floats, Frame, Scene, Trace, scene

FRAME = Frame(48.4, 9.8)
START_S = 20_490 * 86_400  # 2026-02-06
SIDE_M = 60_000.0
NOISE_CORRELATION = 0.9  # of a receiver's error from one fix to the next, five minutes on
FIX_S = 240
STREET_M = 150.0


def noise(rng: np.random.Generator, count: int, sigma_m: float) -> Floats:
    """(count, 2) metres: a receiver's error, which wanders rather than jumps (first-order autoregressive)."""
    steps = rng.normal(0.0, sigma_m, (count, 2))
    found, rest = np.empty((count, 2)), math.sqrt(1 - NOISE_CORRELATION**2)
    found[0] = steps[0]
    for at in range(1, count):
        found[at] = NOISE_CORRELATION * found[at - 1] + rest * steps[at]
    return found


def due_of(times_s: Floats, places_m: Floats, every_s: int, frame: Frame = FRAME) -> Due:
    """Places in metres at times -> what is due of them."""
    return _trace(times_s, places_m, (), frame).due(every_s)


@cache
def jitter(seed: int, count: int, fixes: int) -> tuple[Floats, ...]:
    """Receiver noise of 5 to 15 m for so many nodes, each (fixes, 2) metres; the same for every mechanism."""
    rng = np.random.default_rng(seed)
    return tuple(noise(rng, fixes, rng.uniform(5, 15)) for _ in range(count))


def parked(jitter_m: Floats, place_e6: tuple[int, int], every_s: int) -> Due:
    """A node that stands at a place, through receiver noise."""
    times = START_S + every_s * np.arange(1, len(jitter_m) + 1)
    frame = Frame(place_e6[0] / 1e6, place_e6[1] / 1e6)
    return due_of(times.astype(float), jitter_m, every_s, frame)


def places(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Places in the region, in 1e-6 degree."""
    degrees = FRAME.degrees(rng.uniform(-SIDE_M / 2, SIDE_M / 2, (count, 2)))
    return [(int(lat), int(lon)) for lat, lon in np.round(degrees * 1e6)]


@dataclass(frozen=True)
class Household:
    """Where it truly lives (north, east in metres of FRAME), and its days as they are due."""

    home_m: Floats
    due: Due


def household(rng: np.random.Generator, days: int, every_s: int) -> Household:
    """Somebody who drives to work and back on each day, by streets of a grid, sometimes by way of a shop."""
    home, work = rng.uniform(-SIDE_M / 2, SIDE_M / 2, (2, 2))
    work = home + (work - home) * rng.uniform(0.1, 0.4)
    shop = home + rng.normal(0.0, 2500.0, 2)
    speed_m_s = rng.uniform(8.0, 14.0)
    times, corners = [START_S + 0.0], [home]
    for day in range(days):
        begin = START_S + day * 86_400.0
        _drive(rng, times, corners, begin + rng.normal(7.5, 0.4) * 3600, [work], speed_m_s)
        stops = [shop, home] if rng.random() < 0.4 else [home]
        _drive(rng, times, corners, begin + rng.normal(17.0, 0.6) * 3600, stops, speed_m_s)
    slots = np.arange(START_S + every_s, START_S + days * 86_400, every_s).astype(float)
    track = np.array(corners)
    along = np.stack([np.interp(slots, times, track[:, axis]) for axis in (0, 1)], axis=-1)
    return Household(home, due_of(slots, along + noise(rng, len(slots), rng.uniform(5, 15)), every_s))


def _drive(
    rng: np.random.Generator,
    times: list[float],
    corners: list[Floats],
    start_s: float,
    stops: list[Floats],
    speed_m_s: float,
) -> None:
    """Adds the corner points of a drive: stays until start_s, then from stop to stop, a quarter of an hour at
    each."""
    times.append(max(start_s, times[-1] + 60))
    corners.append(corners[-1])
    for stop in stops:
        for corner in _streets(rng, corners[-1], stop):
            times.append(times[-1] + max(float(np.hypot(*(corner - corners[-1]))) / speed_m_s, 1.0))
            corners.append(corner)
        times.append(times[-1] + 900)
        corners.append(corners[-1])


def _streets(rng: np.random.Generator, here: Floats, there: Floats) -> list[Floats]:
    """Corners of a way that keeps to north-south and east-west streets, in a few turns."""
    turns = int(rng.integers(2, 6))
    cuts = np.sort(rng.random((2, turns)), axis=1)
    cuts[:, -1] = 1.0
    found, at = [], here
    for north, east in cuts.T:
        target = here + (there - here) * np.array((north, east))
        if not math.isclose(north, 1.0):
            target = np.round(target / STREET_M) * STREET_M
        found += [np.array((target[0], at[1])), target]
        at = target
    return found


def fleet(seed: int, vehicles: int, days: int, routes: int = 8) -> Scene:
    """Vehicles of two depots that run to and fro on routes, mostly each on its own: stands in where no traces are."""
    rng = np.random.default_rng(seed)
    depots = rng.uniform(-9000, 9000, (2, 2))
    lines = [
        np.cumsum(np.vstack((rng.uniform(-6000, 6000, 2), rng.normal(0, 1600, (14, 2)))), axis=0)
        for _ in range(routes)
    ]
    own = rng.integers(0, routes, vehicles)
    return scene(
        "generated fleet", [_vehicle(rng, depots[at % 2], lines, int(own[at]), days) for at in range(vehicles)]
    )


def _vehicle(rng: np.random.Generator, depot: Floats, lines: list[Floats], own: int, days: int) -> Trace:
    times, places_m, routes = [], [], []
    for day in range(days):
        route = own if rng.random() < 0.8 else int(rng.integers(len(lines)))
        corners = np.vstack((depot, np.tile(np.vstack((lines[route], lines[route][::-1])), (12, 1)), depot))
        way = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))))
        hours = rng.uniform(7, 14)
        moments = START_S + day * 86_400 + rng.uniform(4, 9) * 3600 + np.arange(0, hours * 3600, FIX_S)
        run_m = np.minimum(np.arange(len(moments)) * FIX_S * rng.uniform(4, 8), way[-1])
        times.append(moments + rng.integers(0, 30))
        places_m.append(np.stack([np.interp(run_m, way, corners[:, axis]) for axis in (0, 1)], axis=-1))
        routes += [str(route)] * len(moments)
    track = np.concatenate(places_m)
    return _trace(np.concatenate(times), track + rng.normal(0, 8, track.shape), tuple(routes), FRAME)


def _trace(times_s: Floats, places_m: Floats, routes: tuple[str, ...], frame: Frame) -> Trace:
    e6 = np.round(frame.degrees(places_m) * 1e6).astype(np.int64)
    return Trace(times_s.astype(np.int64), e6[:, 0], e6[:, 1], routes)
