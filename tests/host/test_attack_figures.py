"""Intervals of shares and medians, held against published and simulated ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from host_tools.privacy.attack import figures


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe (1998), table I: Wilson score intervals.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_shares_have_wilsons_interval(hits: int, n: int, low: float, high: float) -> None:
    found = figures.share("a", "b", hits, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.key == "a.b"


def test_nothing_to_count_is_no_number() -> None:
    assert math.isnan(figures.share("a", "b", 0, 0).value)
    assert figures.median("a", "b", []).n == 0


def test_the_bootstrap_covers_the_median_and_knows_vehicles_from_fixes() -> None:
    rng = np.random.default_rng(2)
    covered, wide, narrow = 0, [], []
    for _ in range(40):
        middles = rng.normal(100, 20, 30)
        groups = [rng.normal(middle, 1, 50) for middle in middles]
        found = figures.median("a", "b", groups)
        covered += found.low <= 100 <= found.high
        wide.append(found.high - found.low)
        mixed = figures.median("a", "b", [np.array([value]) for value in np.concatenate(groups)])
        narrow.append(mixed.high - mixed.low)
    assert covered >= 33
    # Fixes of one vehicle are no cases of their own.
    assert np.mean(wide) > 3 * np.mean(narrow)


def test_within_counts_what_lies_on_the_line() -> None:
    found = figures.within("a", [np.array([50.0, 100.0]), np.array([100.1, 2000.0])])
    assert [figure.value for figure in found] == [0.5, 0.75, 0.75]


def test_a_share_of_vehicles_with_many_cases_is_as_wide_as_vehicles_differ() -> None:
    rng = np.random.default_rng(2)
    covered, wide, narrow = 0, [], []
    for _ in range(40):
        groups = [(rng.random(50) < own).astype(float) for own in rng.beta(2, 2, 30)]
        found = figures.share_by("a", "b", groups)
        covered += found.low <= 0.5 <= found.high
        wide.append(found.high - found.low)
        alone = figures.share("a", "b", sum(map(sum, groups)), 30 * 50)
        narrow.append(alone.high - alone.low)
    assert covered >= 33
    assert np.mean(wide) > 2 * np.mean(narrow)


def test_one_vehicle_has_no_interval_and_equal_ones_wilsons_over_vehicles() -> None:
    assert math.isnan(figures.median("a", "b", [np.arange(9.0)]).low)
    assert math.isnan(figures.share_by("a", "b", [np.array([0.0, 1.0])]).low)
    equal = figures.share_by("a", "b", [np.zeros(50)] * 20)
    assert (equal.low, equal.high) == pytest.approx((0, 0.1611), abs=5e-5)


def test_intervals_hold_their_value() -> None:
    rng = np.random.default_rng(4)
    groups = [np.repeat(rng.normal(500, 50, 60), 5) for _ in range(16)]
    found = figures.median("a", "b", groups)
    assert found.low <= found.value <= found.high
