"""Invents a delivery truck's day: a road-like round over some 25 stops, and where the truck is at each second.

Everything is generated from a seed. The way follows no real road and no real person.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEPOT_LAT_DEG, DEPOT_LON_DEG = 48.7312, 9.8421
METRES_PER_DEGREE = 111_319.5
ROUND_MIN_M = 75_000.0
STEP_M = 5.0
ACCELERATION_M_S2 = 0.9
CRAWL_M_S = 1.0
STOP_ZONE_M = 250.0
STOP_ZONE_M_S = 8.3
TUNNEL_M = 1400.0
TUNNEL_M_S = 3.5  # road works: slow enough that a position falls due inside


@dataclass(frozen=True)
class Drive:
    """A truck's day, one entry a second: metres east and north of the depot, speed, tunnel or not."""

    east_m: Floats
    north_m: Floats
    speed_m_s: Floats
    in_tunnel: NDArray[np.bool_]
    stop_seconds: tuple[tuple[int, int], ...]  # (arrival, departure), seconds after the day's begin
    length_m: float

    def lat_deg(self, north_m: Floats) -> Floats:
        """Returns latitudes of points so far north of the depot."""
        return DEPOT_LAT_DEG + north_m / METRES_PER_DEGREE

    def lon_deg(self, east_m: Floats) -> Floats:
        """Returns longitudes of points so far east of the depot; exact enough over a few tens of kilometres."""
        return DEPOT_LON_DEG + east_m / (METRES_PER_DEGREE * math.cos(math.radians(DEPOT_LAT_DEG)))


def drive(rng: np.random.Generator, seconds: int, depart_s: int, stops: int = 25) -> Drive:
    """Invents one day of `seconds`, leaving the depot at `depart_s` and parked there before and after."""
    way, stop_rows = _way(rng, stops)
    distance_m = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(way, axis=0).T))))
    scale = max(1.0, ROUND_MIN_M / float(distance_m[-1]))
    way, distance_m = way * scale, distance_m * scale
    stop_m = distance_m[stop_rows]
    grid_m = np.arange(0.0, float(distance_m[-1]), STEP_M)
    tunnel_from_m = float(stop_m[stops // 2] + stop_m[stops // 2 + 1]) / 2 - TUNNEL_M / 2
    speed = _speed_limits(rng, grid_m, stop_m, tunnel_from_m)
    elapsed_s = np.concatenate(([0.0], np.cumsum(STEP_M / ((speed[1:] + speed[:-1]) / 2))))
    times_s, metres, visits = _with_stops(rng, elapsed_s, grid_m, stop_m, depart_s)
    clock_s = np.arange(seconds, dtype=np.float64)
    along_m = np.interp(clock_s, times_s, metres)
    moved_m = np.diff(along_m, append=along_m[-1])
    return Drive(
        east_m=np.interp(along_m, distance_m, way[:, 0]),
        north_m=np.interp(along_m, distance_m, way[:, 1]),
        speed_m_s=moved_m,
        in_tunnel=(along_m >= tunnel_from_m) & (along_m < tunnel_from_m + TUNNEL_M),
        stop_seconds=visits,
        length_m=float(distance_m[-1]),
    )


def _way(rng: np.random.Generator, stops: int) -> tuple[Floats, NDArray[np.int64]]:
    """Returns the way's corner points in metres and the rows at which the truck stops."""
    angles = np.sort(rng.uniform(0.0, 2 * math.pi, stops)) + rng.uniform(0, 2 * math.pi)
    radii = 8_500.0 + 3_000.0 * np.sin(3 * angles + 1.0) + rng.uniform(-2_200.0, 2_200.0, stops)
    places = np.column_stack((1.25 * radii * np.cos(angles), radii * np.sin(angles)))
    corners = np.vstack(([0.0, 0.0], places, [0.0, 0.0]))
    legs: list[Floats] = []
    ends = [0]
    for here, there in itertools.pairwise(corners):
        leg = _road(rng, here, there)
        legs.append(leg if not legs else leg[1:])
        ends.append(ends[-1] + len(leg) - 1)
    return np.vstack(legs), np.array(ends[1:-1], dtype=np.int64)


def _road(rng: np.random.Generator, here: Floats, there: Floats) -> Floats:
    """Bends a straight leg like a country road: displaced midpoints, then cut corners."""
    line = np.vstack((here, there))
    sway = 0.16
    while np.hypot(*(line[1] - line[0])) > 350.0:
        middles = (line[:-1] + line[1:]) / 2
        across = np.column_stack((-(line[1:, 1] - line[:-1, 1]), line[1:, 0] - line[:-1, 0]))
        middles = middles + across * rng.normal(0.0, sway, (len(middles), 1))
        longer = np.empty((len(line) + len(middles), 2))
        longer[0::2], longer[1::2] = line, middles
        line = longer
    for _ in range(2):
        quarters = np.empty((2 * len(line) - 2, 2))
        quarters[0::2] = 0.75 * line[:-1] + 0.25 * line[1:]
        quarters[1::2] = 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.vstack((line[:1], quarters, line[-1:]))
    return line


def _speed_limits(rng: np.random.Generator, grid_m: Floats, stop_m: Floats, tunnel_from_m: float) -> Floats:
    """Returns the speed at each grid point: limits of 50-85 km/h, slow near stops, braking and starting smooth."""
    stretch = (grid_m // 1500.0).astype(int)
    speed = rng.choice([13.9, 16.7, 19.4, 23.6], stretch[-1] + 1)[stretch]
    targets = np.concatenate(([0.0], stop_m, [grid_m[-1]]))
    nearest_m = np.min(np.abs(grid_m[:, None] - targets[None, :]), axis=1)
    speed = np.where(nearest_m < STOP_ZONE_M, np.minimum(speed, STOP_ZONE_M_S), speed)
    speed = np.where(nearest_m < STEP_M, CRAWL_M_S, speed)
    speed = np.where((grid_m >= tunnel_from_m) & (grid_m < tunnel_from_m + TUNNEL_M), TUNNEL_M_S, speed)
    ramp = 2 * ACCELERATION_M_S2 * grid_m
    square = np.minimum.accumulate(speed**2 - ramp) + ramp
    square = (np.minimum.accumulate((square + ramp)[::-1]))[::-1] - ramp
    return np.sqrt(np.maximum(square, CRAWL_M_S**2))


def _with_stops(
    rng: np.random.Generator, elapsed_s: Floats, grid_m: Floats, stop_m: Floats, depart_s: int
) -> tuple[Floats, Floats, tuple[tuple[int, int], ...]]:
    """Returns times, metres along the way at them, and the visits; the truck stands at each stop for a while."""
    dwell_s = rng.uniform(240.0, 660.0, len(stop_m))
    dwell_s[len(stop_m) // 2] += 2400.0  # the driver's break
    arrive_s = depart_s + np.interp(stop_m, grid_m, elapsed_s) + np.concatenate(([0.0], np.cumsum(dwell_s)[:-1]))
    before = np.searchsorted(stop_m, grid_m, side="left")
    waited_s = np.concatenate(([0.0], np.cumsum(dwell_s)))[before]
    times_s = np.concatenate((depart_s + elapsed_s + waited_s, arrive_s, arrive_s + dwell_s))
    metres = np.concatenate((grid_m, stop_m, stop_m))
    order = np.argsort(times_s, kind="stable")
    visits = tuple((int(a), int(a + d)) for a, d in zip(arrive_s, dwell_s, strict=True))
    return times_s[order], metres[order], visits
