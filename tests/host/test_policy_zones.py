"""Private zones: cells by name or by a place within; the place itself is told nowhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import cells
from host_tools.policy import zones
from plumveil import grid, wire

TIERS = range(1, len(wire.TIERS))


@given(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000), st.sampled_from(TIERS))
def test_a_place_lies_where_the_node_finds_it(lat_e6: int, lon_e6: int, tier: int) -> None:
    cell = cells.locate(lat_e6, lon_e6, tier)
    assert cell == grid.locate(lat_e6, lon_e6, tier)
    edges = cells.box(*cell)
    assert edges.south_e6 <= lat_e6 <= edges.north_e6
    east = lon_e6 if lon_e6 < 180_000_000 else -180_000_000
    assert edges.west_e6 <= east < edges.east_e6


def test_by_name_and_by_place() -> None:
    cell = zones.parse("49.026566,12.065272,area")
    assert cell == grid.locate(49026566, 12065272, 3)
    assert zones.parse(zones.text(cell)) == cell == zones.parse(cell)
    assert re.fullmatch(zones.PATTERN, zones.text(cell))
    assert zones.parse("-33.9, 151,district") == grid.locate(-33900000, 151000000, 2)
    assert zones.parse("90,180,region")[0] == 1


BAD = [
    ("area/15000", "not a zone"),
    ("street/1/1", "a zone is a cell of tier region or district or area"),
    ("49.026566,12.065272,street", "a zone is a cell of tier"),
    ("town/1/1", "a zone is a cell of tier"),
    ("area/999999/1", "there is no such cell"),
    ("area/15000/999999", "there is no such cell"),
    ("91.123456,12,area", "not a place on Earth"),
    ("49,180.987654,area", "not a place on Earth"),
    ("49.026566 12.065272 area", "not a zone"),
    ("49.026566,12.065272", "not a zone"),
    ("49,0265,12,0652,area", "not a zone"),
    (49.026566, "not a zone"),
    (None, "not a zone"),
]


@pytest.mark.parametrize(("given_", "words"), BAD, ids=[str(given_) for given_, _ in BAD])
def test_what_is_none_is_refused_without_repeating_it(given_: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        zones.parse(given_)
    assert not re.search(r"\d\d", str(refused.value).replace("-90 to 90", "").replace("-180 to 180", ""))
