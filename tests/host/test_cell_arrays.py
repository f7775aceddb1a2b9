"""Cells of many places at once: number for number what the one at a time gives, and 100,000 of them in a second."""

from __future__ import annotations

import numpy as np
import pytest

from host_tools import cell_arrays, cells
from plumveil import grid, wire
from tests.host.pace import Pace

TIERS = range(1, len(wire.TIERS))
SEED = 6
PLACES = 4000
FIXES, FIXES_S = 100_000, 1.0


def places(count: int) -> tuple[cell_arrays.Ints, cell_arrays.Ints]:
    """Places all over, the poles, the antimeridian and the edges of rows among them."""
    rng = np.random.default_rng(SEED)
    lat = rng.integers(-90_000_000, 90_000_001, count)
    lon = rng.integers(-180_000_000, 180_000_001, count)
    lat[:8] = [-90_000_000, 90_000_000, 0, -1, 1, 60_000_000, 89_999_999, -89_999_999]
    lon[8:14] = [-180_000_000, 180_000_000, 179_999_999, -179_999_999, 0, -1]
    for at, tier in enumerate(TIERS):
        lat[20 + at] = cells.row_edges_e6(tier, cells.rows(tier) // 3)[0]
        lat[30 + at] = cells.row_edges_e6(tier, cells.rows(tier) // 3)[0] - 1
    return lat, lon


@pytest.mark.parametrize("tier", TIERS)
def test_every_place_gets_the_nodes_own_cell(tier: int) -> None:
    lat, lon = places(PLACES)
    row, column = cell_arrays.locate(lat, lon, tier)
    found = [(tier, int(r), int(c)) for r, c in zip(row, column, strict=True)]
    assert found == [grid.locate(int(a), int(b), tier) for a, b in zip(lat, lon, strict=True)]


@pytest.mark.parametrize("tier", TIERS)
def test_boxes_and_centres_are_those_of_one_cell_at_a_time(tier: int) -> None:
    row, column = cell_arrays.locate(*places(500), tier)
    boxes, centres = cell_arrays.boxes_e6(tier, row, column), cell_arrays.centres(tier, row, column)
    held = cell_arrays.held_boxes_e6(tier, row, column)
    for at, (r, c) in enumerate(zip(row.tolist(), column.tolist(), strict=True)):
        assert tuple(boxes[at]) == cells.box(tier, r, c)
        assert tuple(held[at]) == cells.held_box(tier, r, c)
        assert tuple(centres[at]) == pytest.approx(cells.centre(tier, r, c), abs=1e-12)


def test_many_fixes_take_less_than_a_second() -> None:
    """Place to cell, and back to box, held box and centre."""
    lat, lon = places(FIXES)
    with Pace() as pace:
        row, column = cell_arrays.locate(lat, lon, 4)
        cell_arrays.boxes_e6(4, row, column)
        cell_arrays.held_boxes_e6(4, row, column)
        cell_arrays.centres(4, row, column)
    assert pace.under(FIXES_S), pace


def test_many_fixes_one_by_one_take_less_than_a_second() -> None:
    lat, lon = (part.tolist() for part in places(FIXES))
    with Pace() as pace:
        for a, b in zip(lat, lon, strict=True):
            cells.locate(a, b, 4)
    assert pace.under(FIXES_S), pace
