"""Moved positions are planar Laplace noise: distances as Gamma(2, scale), directions even, one answer a place."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools import cells
from plumveil import grid, scatter
from tests.vectors import make_cells

DRAWS = 20_000
# Kolmogorov-Smirnov at 1 in 10,000: 2.23 / sqrt(n).
KS_MAX = 2.23 / math.sqrt(DRAWS)


def offsets(scale_m: int, lat_deg: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances in metres from the place's middle and directions in radians, of as many places as there are draws."""
    rng = random.Random(seed)
    key = rng.randbytes(32)
    far, way = [], []
    for _ in range(DRAWS):
        lat_e6 = round((lat_deg + rng.uniform(-1, 1)) * 1e6)
        lon_e6 = rng.randint(-180_000_000, 179_999_999)
        south, west, north, east = cells.box(*cells.locate(lat_e6, lon_e6, scatter.PLACE_TIER))
        lat, lon = scatter.moved(lat_e6, lon_e6, scale_m, key)
        y = (lat - (south + north) / 2) / 1e6 * cells.M_PER_DEGREE_LAT
        turned = ((lon - (west + east) / 2 + 180e6) % 360e6 - 180e6) / 1e6
        x = turned * cells.M_PER_DEGREE_LAT * math.cos(math.radians((south + north) / 2e6))
        far.append(math.hypot(x, y))
        way.append(math.atan2(y, x))
    return np.sort(np.array(far)), np.sort(np.array(way))


def ks(sorted_values: np.ndarray, expected: np.ndarray) -> float:
    n = len(sorted_values)
    return float(max(np.abs(expected - np.arange(n) / n).max(), np.abs(expected - np.arange(1, n + 1) / n).max()))


@pytest.mark.parametrize(("scale_m", "lat_deg"), [(500, 48.0), (5000, -33.0), (1000, 0.0), (2000, 69.0)])
def test_distances_and_directions_are_those_of_planar_laplace(scale_m: int, lat_deg: float) -> None:
    far, way = offsets(scale_m, lat_deg, seed=scale_m)
    # Gamma(2, scale): 1 - (1 + x) exp(-x).
    x = far / scale_m
    assert ks(far, 1 - (1 + x) * np.exp(-x)) < KS_MAX
    assert ks(way, (way + math.pi) / (2 * math.pi)) < KS_MAX
    assert float(far.mean()) == pytest.approx(2 * scale_m, rel=0.02)


def test_neighbours_answers_have_nothing_to_do_with_each_other() -> None:
    rng = random.Random(3)
    step = cells.lat_step_e6(scatter.PLACE_TIER)
    pairs = []
    for _ in range(4000):
        lat, lon = rng.randint(-60_000_000, 60_000_000), rng.randint(-179_000_000, 179_000_000)
        one, other = (scatter.moved(at, lon, 1000, b"k" * 32)[0] - at for at in (lat, lat + step))
        pairs.append((one, other))
    correlation = np.corrcoef(np.array(pairs).T)[0, 1]
    assert abs(correlation) < 4 / math.sqrt(len(pairs))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000),
    st.integers(1, 20_000),
    st.binary(min_size=1, max_size=64),
)
def test_it_is_the_hosts_arithmetic_everywhere(lat_e6: int, lon_e6: int, scale_m: int, key: bytes) -> None:
    there = scatter.moved(lat_e6, lon_e6, scale_m, key)
    assert there == make_cells.moved(lat_e6, lon_e6, scale_m, key)
    assert grid.valid(grid.locate(there[0], there[1], 4))


def test_the_logarithm_is_off_by_a_few_parts_in_ten_thousand() -> None:
    for u in [*range(1, 3000), *range(1 << 20, 1 << 24, 9973), (1 << 24) - 1]:
        exact = -math.log(u / (1 << 24))
        found = scatter._exponential(u.to_bytes(3, "big")) / 65536
        assert -1e-4 < found - exact < 2.5e-4
