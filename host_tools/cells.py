"""Location cells on a map: (tier, row, column) -> polygon, centre and uncertainty. Independent of the firmware's
grid; both follow docs/wire-format.md. Must never invent precision: whatever is rounded is rounded outwards.
"""

import math
from typing import Any, NamedTuple

from plumveil import wire

HALF_LAT_E6 = 90_000_000
TURN_E6 = 360_000_000
DEGREE_E6 = 1_000_000
M_PER_DEGREE_LAT = 110_574  # shortest degree of latitude, at the equator (WGS 84)
M_PER_DEGREE_LON = 111_319  # a degree of longitude at the equator
# Largest radius of curvature of the WGS 84 ellipsoid, a^2 / b at the poles: distances on a sphere of it are not
# shorter than those on the ellipsoid.
RADIUS_MAX_M = 6_399_594
MARGIN_MIN_M = 100
MARGIN_PART = 10  # the margin is the nominal size's tenth where that is more
# What stands beside an uncertainty: whether a node's policy moves positions is not in its messages.
UNCERTAINTY_OF = "the cell told; a policy with scatter moves positions further"
# Only 65536 * cos of 0, 60 and 90 degrees is a whole number; no other comes closer than 1e-3 to one, so that far more
# than the last bit of a double would have to be wrong before the floor is.
COS16 = tuple(math.floor(65536 * math.cos(math.radians(degree)) + 1e-9) for degree in range(91))


class Box(NamedTuple):
    """A cell's edges in 1e-6 degree: south and west belong to it, north and east to its neighbours."""

    south_e6: int
    west_e6: int
    north_e6: int
    east_e6: int


def cos16(abs_lat_e6: int) -> int:
    """A lower bound of 65536 * cos(latitude), linear between whole degrees, for 0..90 degrees in 1e-6 degree."""
    degree, rest = divmod(abs_lat_e6, DEGREE_E6)
    if degree >= 90:
        return 0
    return COS16[degree] - -(-(COS16[degree] - COS16[degree + 1]) * rest // DEGREE_E6)


def lat_step_e6(tier: int) -> int:
    """Height of a row in 1e-6 degree."""
    return -(-wire.TIERS[tier][1] * DEGREE_E6 // M_PER_DEGREE_LAT)


def rows(tier: int) -> int:
    """Number of rows from pole to pole."""
    return 2 * HALF_LAT_E6 // lat_step_e6(tier)


def row_edges_e6(tier: int, row: int) -> tuple[int, int]:
    """(south, north) edge of a row in 1e-6 degree; the last row reaches to the pole."""
    south = row * lat_step_e6(tier) - HALF_LAT_E6
    return south, HALF_LAT_E6 if row == rows(tier) - 1 else south + lat_step_e6(tier)


def columns(tier: int, row: int) -> int:
    """Number of cells around a row."""
    narrow_e6 = max(map(abs, row_edges_e6(tier, row)))
    return max(1, cos16(narrow_e6) * M_PER_DEGREE_LON * 360 // (65536 * wire.TIERS[tier][1]))


def exists(tier: int, row: int, column: int) -> bool:
    """True when there is such a cell."""
    return 0 < tier < len(wire.TIERS) and 0 <= row < rows(tier) and 0 <= column < columns(tier, row)


def box(tier: int, row: int, column: int) -> Box:
    """The cell's edges. ValueError when there is no such cell."""
    if not exists(tier, row, column):
        raise ValueError("no such cell")
    south, north = row_edges_e6(tier, row)
    count = columns(tier, row)
    # x microdegrees east of the antimeridian is column x * count // TURN: the first x of column c is the ceiling.
    west = -(-column * TURN_E6 // count) - TURN_E6 // 2
    east = -(-(column + 1) * TURN_E6 // count) - TURN_E6 // 2
    return Box(south, west, north, east)


def locate(lat_e6: int, lon_e6: int, tier: int) -> tuple[int, int, int]:
    """The cell (tier, row, column) that a place in 1e-6 degree lies in; latitude -90 to 90 degrees."""
    row = min((lat_e6 + HALF_LAT_E6) // lat_step_e6(tier), rows(tier) - 1)
    # Of cells whose west edge is a ceiling, the last that begins no further east; 180 degrees is -180.
    column = (lon_e6 + TURN_E6 // 2) % TURN_E6 * columns(tier, row) // TURN_E6
    return tier, row, column


def _polar(edges: Box) -> bool:
    return edges.east_e6 - edges.west_e6 == TURN_E6 and HALF_LAT_E6 in (edges.north_e6, -edges.south_e6)


def centre(tier: int, row: int, column: int) -> tuple[float, float]:
    """(latitude, longitude) of the cell's middle in degrees; the pole itself for a cell all around it."""
    edges = box(tier, row, column)
    if _polar(edges):
        return (90.0 if edges.north_e6 == HALF_LAT_E6 else -90.0), 0.0
    return (edges.south_e6 + edges.north_e6) / 2 / DEGREE_E6, (edges.west_e6 + edges.east_e6) / 2 / DEGREE_E6


def margin_m(tier: int) -> int:
    """How far beyond a cell's edge a position may lie that is still reported as in it: a node keeps to its cell that
    long, so that a position at an edge does not flicker. East and west it stretches as cells do that are wider than
    their nominal size.
    """
    return max(MARGIN_MIN_M, wire.TIERS[tier][1] // MARGIN_PART)


def held_box(tier: int, row: int, column: int) -> Box:
    """Where a node stands that reports the cell and moves no position: the cell and its margin, rounded outwards.
    Ends at the poles; west and east may lie beyond 180 degrees. ValueError when there is no such cell."""
    edges, margin = box(tier, row, column), margin_m(tier)
    slack_lat = -(-margin * DEGREE_E6 // M_PER_DEGREE_LAT)
    # East and west the margin is a share of the cell's width, as the node has it.
    slack_lon = -(-margin * (edges.east_e6 - edges.west_e6 + 1) // wire.TIERS[tier][1])
    return Box(
        max(edges.south_e6 - slack_lat, -HALF_LAT_E6),
        edges.west_e6 - slack_lon,
        min(edges.north_e6 + slack_lat, HALF_LAT_E6),
        edges.east_e6 + slack_lon,
    )


def uncertainty_m(tier: int, row: int, column: int) -> int:
    """Metres around `centre` within which the cell lies, margin included, rounded up. The node as well, unless its
    policy moves positions, which no cell tells (docs/location.md, "Moved positions")."""
    edges = box(tier, row, column)
    lat = math.radians(centre(tier, row, column)[0])
    held = held_box(tier, row, column)
    south, north = math.radians(held.south_e6 / DEGREE_E6), math.radians(held.north_e6 / DEGREE_E6)
    # One microdegree more, as the middle is rounded with the edges.
    width = math.radians((held.east_e6 - held.west_e6 + 1) / DEGREE_E6)
    half_width = 0.0 if _polar(edges) else min(math.pi, width / 2)
    # cos(distance) = a sin(x) + b cos(x) for a point at latitude x on the east edge: least at the ends of the row, or
    # opposite the curve's peak.
    a, b = math.sin(lat), math.cos(lat) * math.cos(half_width)
    trough = math.atan2(a, b) - math.pi
    candidates = [south, north, *(x for x in (trough, trough + 2 * math.pi) if south <= x <= north)]
    nearest_cos = min(a * math.sin(x) + b * math.cos(x) for x in candidates)
    return math.ceil(RADIUS_MAX_M * math.acos(max(-1.0, min(1.0, nearest_cos))))


def ring(edges: Box) -> list[list[float]]:
    """A box as a GeoJSON ring in degrees: counter-clockwise (RFC 7946 section 3.1.6), longitude first, closed."""
    south, west, north, east = (e6 / DEGREE_E6 for e6 in edges)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(tier: int, row: int, column: int, properties: dict[str, Any] | None = None) -> dict[str, Any]:
    """The cell as a GeoJSON Feature (RFC 7946), with its uncertainty and what that is of."""
    reach_m = uncertainty_m(tier, row, column)
    name, nominal_m = wire.TIERS[tier]
    own = {"tier": name, "nominal_m": nominal_m, "uncertainty_m": reach_m, "uncertainty_of": UNCERTAINTY_OF}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring(box(tier, row, column))]},
        "properties": {**own, **(properties or {})},
    }
