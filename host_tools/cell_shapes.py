"""A cell's true size on WGS 84, and the ground on which a node may stand that reports it: the cell, and the margin
within which it keeps to it. As GeoJSON (RFC 7946). Must never draw less ground than the node's margin reaches.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from host_tools import cells
from plumveil import wire

# WGS 84 (NGA.STND.0036): equatorial radius and the first eccentricity squared.
A_M = 6_378_137.0
E2 = 0.006_694_379_990_141


class Size(NamedTuple):
    """Along the meridian, along the parallel through the middle, and in area."""

    north_south_m: float
    east_west_m: float
    area_m2: float


def _radii_m(lat: float) -> tuple[float, float]:
    """Radii of curvature (meridian, prime vertical) at a latitude in radians."""
    bend = 1 - E2 * math.sin(lat) ** 2
    return A_M * (1 - E2) / bend**1.5, A_M / math.sqrt(bend)


def _simpson(values: tuple[float, float, float], width: float) -> float:
    return width / 6 * (values[0] + 4 * values[1] + values[2])


def size(tier: int, row: int, column: int) -> Size:
    """The cell's size on the ellipsoid; rows are at most two degrees high, for which Simpson's rule is exact to a
    part in 1e8. ValueError when there is no such cell."""
    south, west, north, east = (math.radians(e6 / cells.DEGREE_E6) for e6 in cells.box(tier, row, column))
    lats = south, (south + north) / 2, north
    meridian, vertical = zip(*(_radii_m(lat) for lat in lats), strict=True)
    around = tuple(radius * math.cos(lat) for radius, lat in zip(vertical, lats, strict=True))
    strip = tuple(m * p for m, p in zip(meridian, around, strict=True))
    return Size(
        north_south_m=_simpson(meridian, north - south),
        east_west_m=around[1] * (east - west),
        area_m2=_simpson((strip[0], strip[1], strip[2]), north - south) * (east - west),
    )


def _reach_e6(tier: int, row: int, column: int) -> tuple[int, int, int, int]:
    """south, west, north, east of where the cell is held; west and east may lie beyond 180 degrees."""
    box, margin_m = cells.box(tier, row, column), cells.margin_m(tier)
    slack_lat = -(-margin_m * cells.DEGREE_E6 // cells.M_PER_DEGREE_LAT)
    # East and west the margin is a share of the cell's width, as the node has it.
    slack_lon = -(-margin_m * (box.east_e6 - box.west_e6 + 1) // wire.TIERS[tier][1])
    south = max(box.south_e6 - slack_lat, -cells.HALF_LAT_E6)
    north = min(box.north_e6 + slack_lat, cells.HALF_LAT_E6)
    west, east = box.west_e6 - slack_lon, box.east_e6 + slack_lon
    if east - west >= cells.TURN_E6:
        return south, -cells.TURN_E6 // 2, north, cells.TURN_E6 // 2
    return south, west, north, east


def _ring(south: int, west: int, north: int, east: int) -> list[list[float]]:
    """Counter-clockwise (RFC 7946 section 3.1.6), longitude first, closed."""
    s, w, n, e = (edge / cells.DEGREE_E6 for edge in (south, west, north, east))
    return [[w, s], [e, s], [e, n], [w, n], [w, s]]


def reach(tier: int, row: int, column: int) -> dict[str, Any]:
    """Where the node may be that reports this cell, as a GeoJSON geometry: a Polygon, or a MultiPolygon where the
    antimeridian cuts it (RFC 7946 section 3.1.9). ValueError when there is no such cell."""
    south, west, north, east = _reach_e6(tier, row, column)
    half, turn = cells.TURN_E6 // 2, cells.TURN_E6
    if west < -half:
        parts = [(west + turn, half), (-half, east)]
    elif east > half:
        parts = [(west, half), (-half, east - turn)]
    else:
        return {"type": "Polygon", "coordinates": [_ring(south, west, north, east)]}
    return {"type": "MultiPolygon", "coordinates": [[_ring(south, w, north, e)] for w, e in parts]}


def collection(found: list[tuple[int, int, int]]) -> dict[str, Any]:
    """A FeatureCollection: of each cell its outline, and where the node may be that reports it."""
    features = []
    for cell in found:
        features.append(cells.feature(*cell, {"shows": "cell", "row": cell[1], "column": cell[2]}))
        name, nominal_m = wire.TIERS[cell[0]]
        own = {"tier": name, "nominal_m": nominal_m, "shows": "where a node may be that reports it"}
        features.append({"type": "Feature", "geometry": reach(*cell), "properties": own})
    return {"type": "FeatureCollection", "features": features}
