"""Cells: the node's numbering against the host's inversion, their true size on WGS 84, and their GeoJSON."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tools import cells
from plumveil import grid, scatter, wire
from tests.host import wgs84

TIERS = range(1, len(wire.TIERS))
LATITUDES = st.integers(-90_000_000, 90_000_000) | st.sampled_from(
    [-90_000_000, -89_999_999, -1, 0, 1, 60_000_000, 89_999_999, 90_000_000]
)
LONGITUDES = st.integers(-180_000_000, 180_000_000) | st.sampled_from([-180_000_000, -1, 0, 179_999_999, 180_000_000])


def nominal_m(tier: int) -> int:
    return int(wire.TIERS[tier][1])


def rows_to_try(tier: int) -> list[int]:
    """All rows of the coarse tiers; of the fine ones both polar ends, the equator and a thousand between."""
    count = cells.rows(tier)
    if count < 2500:
        return list(range(count))
    some = random.Random(5).sample(range(count), 1000)
    return sorted({*range(40), *range(count - 40, count), *range(count // 2 - 5, count // 2 + 5), *some})


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=500, deadline=None)
@given(LATITUDES, LONGITUDES)
@example(90_000_000, 180_000_000)
@example(-90_000_000, -180_000_000)
@example(0, 180_000_000)
def test_a_position_lies_in_its_cells_box(tier: int, lat_e6: int, lon_e6: int) -> None:
    cell = grid.locate(lat_e6, lon_e6, tier)
    assert cells.exists(*cell)
    box = cells.box(*cell)
    assert box.south_e6 <= lat_e6
    assert lat_e6 < box.north_e6 or lat_e6 == box.north_e6 == 90_000_000
    # 180 degrees east is 180 degrees west.
    assert box.west_e6 <= (-180_000_000 if lon_e6 == 180_000_000 else lon_e6) < box.east_e6


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_boxs_edges_are_exactly_its_own(tier: int, data: st.DataObject) -> None:
    """South and west edge belong to the cell; one microdegree beyond any edge is a neighbour."""
    row = data.draw(st.integers(0, cells.rows(tier) - 1) | st.sampled_from([0, cells.rows(tier) - 1]))
    last = cells.columns(tier, row) - 1
    column = data.draw(st.integers(0, last) | st.sampled_from([0, last]))
    south, west, north, east = cells.box(tier, row, column)
    own = (tier, row, column)
    for lat in (south, (south + north) // 2, north - 1):
        for lon in (west, (west + east) // 2, east - 1):
            assert grid.locate(lat, lon, tier) == own
        if last:
            assert grid.locate(lat, west - 1 if column else 179_999_999, tier) == (
                tier,
                row,
                column - 1 if column else last,
            )
            assert grid.locate(lat, east, tier) == (tier, row, 0 if column == last else column + 1)
    if row:
        assert grid.locate(south - 1, west, tier)[1] == row - 1
    if row < cells.rows(tier) - 1:
        assert grid.locate(north, west, tier)[1] == row + 1
    else:
        assert grid.locate(north, west, tier) == (tier, row, grid.locate(south, west, tier)[2])


@pytest.mark.parametrize("tier", TIERS)
def test_both_numberings_are_the_same_all_over(tier: int) -> None:
    assert cells.rows(tier) == grid.rows(tier)
    for row in rows_to_try(tier):
        assert cells.row_edges_e6(tier, row) == grid.row_edges_e6(tier, row)
        assert cells.columns(tier, row) == grid.columns(tier, row)


def test_the_cosine_is_never_above_the_true_one() -> None:
    """Above it, cells would be smaller than they say."""
    rng = random.Random(1)
    for lat_e6 in [*range(0, 90_000_001, 250_000), *(rng.randint(0, 90_000_000) for _ in range(5000))]:
        assert cells.cos16(lat_e6) <= 65536 * math.cos(math.radians(lat_e6 / 1e6)) + 1e-9
        assert cells.cos16(lat_e6) == grid.cos16(lat_e6)


@pytest.mark.parametrize("tier", TIERS)
def test_no_cell_is_smaller_than_nominal_on_wgs84(tier: int) -> None:
    """Along the meridian and along the narrower parallel, and in area; at a pole one cell goes all around."""
    metres = nominal_m(tier)
    for row in rows_to_try(tier):
        south, west, north, east = (e6 / 1e6 for e6 in cells.box(tier, row, 0))
        assert wgs84.meridian_m(south, north) >= metres
        count = cells.columns(tier, row)
        # The true width is 360 / count; a box's edges are that rounded to microdegrees.
        around_m = min(wgs84.parallel_m(south), wgs84.parallel_m(north))
        assert around_m / count >= metres or (count == 1 and max(abs(south), abs(north)) == 90.0)
        assert abs((east - west) - 360 / count) <= 1e-6
        if tier < 4:
            assert wgs84.zone_m2(south, north) / count >= metres**2


@pytest.mark.parametrize("tier", TIERS)
def test_the_geodesic_across_a_cell_is_not_below_nominal(tier: int) -> None:
    """From the middle of one edge to that of the other, and along the narrower side up to 80 degrees; nearer the pole
    the shortest way between two corners leaves the cell."""
    metres = nominal_m(tier)
    for row in rows_to_try(tier):
        south, north = (e6 / 1e6 for e6 in cells.row_edges_e6(tier, row))
        assert wgs84.geodesic_m(south, 0.0, north, 0.0) >= metres - 1e-4
        narrow = max(south, north, key=abs)
        if abs(narrow) <= 80.0:
            assert wgs84.geodesic_m(narrow, 0.0, narrow, 360 / cells.columns(tier, row)) >= metres


@pytest.mark.parametrize("tier", TIERS)
def test_cells_are_not_needlessly_large(tier: int) -> None:
    for row in rows_to_try(tier)[2:-2]:
        south, north = (e6 / 1e6 for e6 in cells.row_edges_e6(tier, row))
        assert wgs84.meridian_m(south, north) <= 1.05 * nominal_m(tier)
        if max(abs(south), abs(north)) <= 85:
            around_m = min(wgs84.parallel_m(south), wgs84.parallel_m(north))
            assert around_m / cells.columns(tier, row) <= 1.2 * nominal_m(tier)


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=200, deadline=None)
@given(LATITUDES, LONGITUDES)
def test_uncertainty_covers_corners_edges_and_what_a_held_cell_covers(tier: int, lat_e6: int, lon_e6: int) -> None:
    cell = grid.locate(lat_e6, lon_e6, tier)
    south, west, north, east = (e6 / 1e6 for e6 in cells.box(*cell))
    lat, lon = cells.centre(*cell)
    reach_m = cells.uncertainty_m(*cell)
    assert isinstance(reach_m, int)
    middle = (south + north) / 2
    points = [(at, side) for at in (south, middle, north) for side in (west, east, (west + east) / 2)]
    assert all(wgs84.geodesic_m(lat, lon, *point) <= reach_m for point in points)
    # A node reports the cell it holds until it is a margin beyond its edge.
    step_lat, step_lon = (north - south) / 8, (east - west) / 8
    for up in range(-4, 13):
        for right in range(-4, 13):
            at, side = south + up * step_lat, west + right * step_lon
            if abs(at) <= 90 and grid.within_margin(round(at * 1e6), round(side * 1e6), cell):
                assert wgs84.geodesic_m(lat, lon, at, side) <= reach_m + 1


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=100, deadline=None)
@given(LATITUDES, LONGITUDES)
def test_uncertainty_covers_the_outermost_position_held(tier: int, lat_e6: int, lon_e6: int) -> None:
    """The corner of the widened cell, found by walking outwards as long as the node keeps to its cell."""
    cell = grid.locate(lat_e6, lon_e6, tier)
    box = cells.box(*cell)
    lat, lon = cells.centre(*cell)
    for at in (box.south_e6, box.north_e6 - 1):
        sign = 1 if at > lat * 1e6 else -1
        out_lat, out_lon = at, box.east_e6 - 1
        for bit in reversed(range(20)):
            if abs(out_lat + sign * (1 << bit)) <= 90_000_000 and grid.within_margin(
                out_lat + sign * (1 << bit), out_lon, cell
            ):
                out_lat += sign * (1 << bit)
        if box.east_e6 - box.west_e6 < 90_000_000:
            for bit in reversed(range(24)):
                if out_lon + (1 << bit) < lon * 1e6 + 170e6 and grid.within_margin(
                    out_lat, out_lon + (1 << bit), cell
                ):
                    out_lon += 1 << bit
        assert wgs84.geodesic_m(lat, lon, out_lat / 1e6, out_lon / 1e6) <= cells.uncertainty_m(*cell)


@pytest.mark.parametrize(("tier", "scale_m", "outside", "beyond"), [(3, 250, 0.52, 0.23), (4, 50, 0.35, 0.07)])
def test_where_positions_are_moved_uncertainty_is_of_the_cell_told(
    tier: int, scale_m: int, outside: float, beyond: float
) -> None:
    """What docs/location.md says of it: many places lie outside the cell told for them, or beyond its reach."""
    rng, found = random.Random(6), []
    for _ in range(3000):
        lat, lon = rng.randint(-60_000_000, 60_000_000), rng.randint(-179_000_000, 179_000_000)
        cell = scatter.cell_for(lat, lon, tier, None, scale_m, rng.randbytes(32))
        far_m = wgs84.geodesic_m(*cells.centre(*cell), lat / 1e6, lon / 1e6)
        found.append((cell != cells.locate(lat, lon, tier), far_m > cells.uncertainty_m(*cell)))
    shares = [sum(part) / len(found) for part in zip(*found, strict=True)]
    assert shares == pytest.approx([outside, beyond], abs=0.03)


def test_margin_is_the_nodes() -> None:
    assert [cells.margin_m(tier) for tier in TIERS] == [grid.margin_m(tier) for tier in TIERS]


@pytest.mark.parametrize("tier", TIERS)
def test_uncertainty_is_not_much_more_than_it_must_be(tier: int) -> None:
    for row in rows_to_try(tier)[2:-2:7]:
        box = cells.box(tier, row, 0)
        lat, lon = cells.centre(tier, row, 0)
        corners = [
            (at / 1e6, side / 1e6) for at in (box.south_e6, box.north_e6) for side in (box.west_e6, box.east_e6)
        ]
        corner_m = max(wgs84.geodesic_m(lat, lon, *corner) for corner in corners)
        assert cells.uncertainty_m(tier, row, 0) <= corner_m * (1 + 2.2 * grid.margin_m(tier) / nominal_m(tier)) + 5


@pytest.mark.parametrize("tier", TIERS)
@settings(max_examples=200, deadline=None)
@given(LATITUDES, LONGITUDES)
@example(89_999_999, 0)
@example(0, -180_000_000)
@example(0, 179_999_999)
def test_geojson_ring_is_closed_and_counter_clockwise(tier: int, lat_e6: int, lon_e6: int) -> None:
    _, row, column = cell = grid.locate(lat_e6, lon_e6, tier)
    feature = cells.feature(tier, row, column, {"serial": 7})
    assert feature["type"] == "Feature"
    assert feature["geometry"]["type"] == "Polygon"
    (ring,) = feature["geometry"]["coordinates"]
    assert len(ring) == 5
    assert ring[0] == ring[-1]
    # RFC 7946 section 3.1.6: twice the signed area is positive; section 3.1.9: nothing crosses the antimeridian.
    assert sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) > 0
    assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)
    assert feature["properties"] == {
        "tier": wire.TIERS[tier][0],
        "nominal_m": nominal_m(tier),
        "uncertainty_m": cells.uncertainty_m(*cell),
        "uncertainty_of": "the cell told; a policy with scatter moves positions further",
        "serial": 7,
    }


def test_centre_of_a_polar_cell_is_the_pole() -> None:
    for tier in TIERS:
        assert cells.centre(tier, cells.rows(tier) - 1, 0) == (90.0, 0.0)
        assert cells.centre(tier, 0, 0) == (-90.0, 0.0)


@pytest.mark.parametrize(
    "cell", [(0, 0, 0), (-1, 0, 0), (5, 0, 0), (3, -1, 0), (3, 0, -1), (3, 0, 1), (3, 10**9, 0), (3, 9000, 10**9)]
)
def test_what_is_no_cell_has_no_box(cell: tuple[int, int, int]) -> None:
    assert not cells.exists(*cell)
    for ask in (cells.box, cells.held_box, cells.centre, cells.uncertainty_m, cells.feature):
        with pytest.raises(ValueError, match="no such cell"):
            ask(*cell)


def test_the_yardstick_itself() -> None:
    """Published figures: quarter meridian, length of the equator, surface, and a line known to the millimetre."""
    quarter_m = sum(wgs84.meridian_m(lat, lat + 1) for lat in range(90))
    assert quarter_m == pytest.approx(10001965.729, abs=0.001)
    assert wgs84.geodesic_m(0, 0, 90, 0) == pytest.approx(10001965.729, abs=0.001)
    assert wgs84.parallel_m(0) == pytest.approx(40075016.686, abs=0.001)
    assert wgs84.zone_m2(-90, 90) == pytest.approx(510065621724089, rel=1e-12)
    # Flinders Peak to Buninyong (GRS 80, which differs from WGS 84 by 0.1 mm in the polar axis).
    peak, hill = (-37.95103341666667, 144.42486788888888), (-37.65282113888889, 143.92649552777777)
    assert wgs84.geodesic_m(*peak, *hill) == pytest.approx(54972.271, abs=0.001)
