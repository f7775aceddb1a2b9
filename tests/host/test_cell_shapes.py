"""A cell's true size against WGS 84 by other formulas, and the ground on which a node keeps to it, as GeoJSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tools import cell_shapes, cells
from plumveil import grid, wire
from tests.host import wgs84

TIERS = range(1, len(wire.TIERS))
LATITUDES = st.integers(-90_000_000, 90_000_000) | st.sampled_from([-90_000_000, 0, 89_999_999, 90_000_000])
LONGITUDES = st.integers(-180_000_000, 180_000_000) | st.sampled_from([-180_000_000, -1, 179_999_999])


def polygons(geometry: dict[str, Any]) -> list[list[list[float]]]:
    """The outer rings of a geometry."""
    if geometry["type"] == "Polygon":
        return [geometry["coordinates"][0]]
    assert geometry["type"] == "MultiPolygon"
    return [polygon[0] for polygon in geometry["coordinates"]]


def covers(geometry: dict[str, Any], lat_e6: int, lon_e6: int) -> bool:
    """Whether a place lies in one of the boxes; 180 degrees east is 180 degrees west."""
    lat = lat_e6 / 1e6
    return any(
        ring[0][1] <= lat <= ring[2][1] and ring[0][0] <= lon <= ring[2][0]
        for ring in polygons(geometry)
        for lon in {lon_e6 / 1e6, (lon_e6 + 180_000_000) % 360_000_000 / 1e6 - 180}
    )


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=60, deadline=None)
@given(LATITUDES, LONGITUDES)
def test_sizes_are_those_of_the_ellipsoid(tier: int, lat_e6: int, lon_e6: int) -> None:
    cell = grid.locate(lat_e6, lon_e6, tier)
    south, west, north, east = (e6 / 1e6 for e6 in cells.box(*cell))
    size = cell_shapes.size(*cell)
    assert size.north_south_m == pytest.approx(wgs84.meridian_m(south, north), rel=1e-7)
    middle_m = wgs84.parallel_m((south + north) / 2) * (east - west) / 360
    assert size.east_west_m == pytest.approx(middle_m, rel=1e-9)
    # The closed form differs two nearly equal numbers: on the finest rows it is good to a few parts in 1e7.
    assert size.area_m2 == pytest.approx(wgs84.zone_m2(south, north) * (east - west) / 360, rel=1e-4)


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=60, deadline=None)
@given(LATITUDES, LONGITUDES, st.integers(-20, 20), st.integers(-20, 20))
@example(0, -180_000_000, 0, -5)
@example(0, 179_999_999, 0, 5)
@example(90_000_000, 7, -2, 3)
def test_wherever_a_node_keeps_to_a_cell_lies_within_its_reach(
    tier: int, lat_e6: int, lon_e6: int, north: int, east: int
) -> None:
    cell = grid.locate(lat_e6, lon_e6, tier)
    box, step = cells.box(*cell), cells.margin_m(tier)
    at = min(max(lat_e6 + north * step * 9 // 4, -90_000_000), 90_000_000)
    side = lon_e6 + east * step * (box.east_e6 - box.west_e6) // wire.TIERS[tier][1] // 4
    side = (side + 180_000_000) % 360_000_000 - 180_000_000
    if grid.within_margin(at, side, cell):
        assert covers(cell_shapes.reach(*cell), at, side)


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=60, deadline=None)
@given(LATITUDES, LONGITUDES)
@example(0, -180_000_000)
@example(0, 179_999_999)
@example(-90_000_000, 0)
def test_reach_is_geojson_by_the_book(tier: int, lat_e6: int, lon_e6: int) -> None:
    """RFC 7946: rings closed and counter-clockwise (3.1.6), nothing beyond the antimeridian (3.1.9) or a pole."""
    geometry = cell_shapes.reach(*grid.locate(lat_e6, lon_e6, tier))
    for ring in polygons(geometry):
        assert len(ring) == 5
        assert ring[0] == ring[-1]
        assert sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) > 0
        assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)


def test_the_antimeridian_cuts_in_two() -> None:
    for lon_e6 in (-180_000_000, 179_999_999):
        geometry = cell_shapes.reach(*grid.locate(10_000_000, lon_e6, 3))
        west, east = polygons(geometry)
        assert west[1][0] == 180
        assert east[0][0] == -180
    assert cell_shapes.reach(*grid.locate(10_000_000, 0, 3))["type"] == "Polygon"


def test_a_cell_around_the_pole_is_a_band_that_ends_there() -> None:
    (ring,) = polygons(cell_shapes.reach(*grid.locate(90_000_000, 0, 1)))
    assert [ring[0][0], ring[1][0], ring[2][1]] == [-180, 180, 90]


def test_a_collection_holds_of_each_cell_the_outline_and_the_reach() -> None:
    found = [grid.locate(48_000_000, 11_000_000, tier) for tier in TIERS]
    document = cell_shapes.collection(found)
    assert "unless its policy moves positions" in cell_shapes.REACH
    assert document["type"] == "FeatureCollection"
    assert [(one["properties"]["tier"], one["properties"]["shows"]) for one in document["features"]] == [
        (wire.TIERS[tier][0], what) for tier in TIERS for what in ("cell", cell_shapes.REACH)
    ]


def test_what_is_no_cell_has_neither() -> None:
    for ask in (cell_shapes.size, cell_shapes.reach):
        with pytest.raises(ValueError, match="no such cell"):
            ask(3, -1, 0)
