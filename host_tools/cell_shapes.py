"""A cell's true size on WGS 84, and the ground on which a node stands that reports it and moves no position: the
cell, and the margin within which it keeps to it. As GeoJSON (RFC 7946). Must never draw less ground than that.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from host_tools import cells
from plumveil import wire

# WGS 84 (NGA.STND.0036): equatorial radius and the first eccentricity squared.
A_M = 6_378_137.0
E2 = 0.006_694_379_990_141
REACH = "where a node may be that reports it, unless its policy moves positions (scatter)"


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


def reach(tier: int, row: int, column: int) -> dict[str, Any]:
    """cells.held_box as a GeoJSON geometry: a Polygon, or a MultiPolygon where the antimeridian cuts it (RFC 7946
    section 3.1.9). ValueError when there is no such cell."""
    held = cells.held_box(tier, row, column)
    half, turn = cells.TURN_E6 // 2, cells.TURN_E6
    if held.east_e6 - held.west_e6 >= turn:
        parts = [(-half, half)]
    elif held.west_e6 < -half:
        parts = [(held.west_e6 + turn, half), (-half, held.east_e6)]
    elif held.east_e6 > half:
        parts = [(held.west_e6, half), (-half, held.east_e6 - turn)]
    else:
        parts = [(held.west_e6, held.east_e6)]
    polygons = [[cells.ring(held._replace(west_e6=west, east_e6=east))] for west, east in parts]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def collection(found: list[tuple[int, int, int]]) -> dict[str, Any]:
    """A FeatureCollection: of each cell its outline and its reach."""
    features = []
    for cell in found:
        features.append(cells.feature(*cell, {"shows": "cell", "row": cell[1], "column": cell[2]}))
        name, nominal_m = wire.TIERS[cell[0]]
        own = {"tier": name, "nominal_m": nominal_m, "shows": REACH}
        features.append({"type": "Feature", "geometry": reach(*cell), "properties": own})
    return {"type": "FeatureCollection", "features": features}
