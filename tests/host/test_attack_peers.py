"""What others do, held against their published descriptions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from host_tools.privacy.attack import peers
from host_tools.privacy.attack.traces import M_PER_DEGREE, Due
from plumveil import grid

COUNT = 20_000


def still(count: int = COUNT, every_s: int = 300) -> Due:
    times = np.arange(1, count + 1) * every_s
    return Due(times, times, np.full(count, 48_123_456), np.full(count, -9_654_321))


def metres(points: np.ndarray) -> np.ndarray:
    """Distances from where it stands."""
    away = (points - [48.123456, -9.654321]) * M_PER_DEGREE * [1, math.cos(math.radians(48.123456))]
    return np.hypot(*away.T)


@pytest.mark.parametrize("bits", range(12, 17))
def test_bit_truncation_is_meshtastics(bits: int) -> None:
    """As its firmware computes it, in 32-bit integers of 1e-7 degree."""
    told = peers.Truncated(bits).tell(still(1), np.random.default_rng(0))
    expected = []
    for e7 in (481_234_560, -96_543_210):
        kept = (e7 & 0xFFFFFFFF) & (0xFFFFFFFF << (32 - bits))
        kept += 1 << (31 - bits)
        expected.append((kept - (1 << 32) if kept >= 1 << 31 else kept) / 1e7)
    assert told.points[0].tolist() == pytest.approx(expected, abs=1e-9)


def test_three_decimals_are_what_rounding_gives() -> None:
    told = peers.Decimals().tell(still(1), np.random.default_rng(0))
    assert told.points[0].tolist() == pytest.approx([48.123, -9.654], abs=1e-9)
    assert told.boxes[0].tolist() == pytest.approx([48.1225, -9.6545, 48.1235, -9.6535], abs=1e-9)


def test_planar_laplace_has_the_distances_of_the_paper() -> None:
    """Andres and others (2013), section 4.1: P(radius <= r) = 1 - (1 + eps r) exp(-eps r)."""
    told = peers.FreshLaplace(144.0).tell(still(), np.random.default_rng(5))
    away = metres(told.points)
    for radius_m in (50, 144, 288, 700):
        expected = 1 - (1 + radius_m / 144) * math.exp(-radius_m / 144)
        assert float(np.mean(away <= radius_m)) == pytest.approx(expected, abs=0.012)
    assert len(set(told.values.tolist())) == COUNT


def test_the_memo_answers_anew_every_ten_minutes() -> None:
    told = peers.Memo().tell(still(60, 120), np.random.default_rng(5))
    assert [told.values.tolist().count(value) for value in sorted(set(told.values.tolist()))] == [5] * 12
    assert float(np.mean(metres(peers.Memo().tell(still(), np.random.default_rng(5)).points))) == pytest.approx(
        200, 0.1
    )


def test_plain_snapping_is_our_grid_with_nothing_held() -> None:
    due = still(1)
    _, row, column = grid.locate(int(due.lat_e6[0]), int(due.lon_e6[0]), 3)
    assert peers.PlainSnap("area").tell(due, np.random.default_rng(0)).values.tolist() == [(row << 32) + column]


def test_every_peer_that_has_boxes_keeps_the_place_in_them() -> None:
    for peer in peers.every():
        box = peer.tell(still(1), np.random.default_rng(0)).boxes[0]
        if not np.isnan(box).any():
            assert box[0] - 1e-9 <= 48.123456 <= box[2] + 1e-9
            assert box[1] - 1e-9 <= -9.654321 <= box[3] + 1e-9
            assert peer.cell(48_123_456, -9_654_321) in (None, tuple(box.tolist()))
