"""Cells of many places at once, in numpy: the same numbers as host_tools.cells, to the last one, a hundred times as
fast. Integers all the way; must never round where cells does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from host_tools import cells
from plumveil import wire

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_COS16 = np.array(cells.COS16, dtype=np.int64)


def row_edges_e6(tier: int, row: Ints) -> tuple[Ints, Ints]:
    """(south, north) edges of rows in 1e-6 degree, each of row's shape."""
    south = row * cells.lat_step_e6(tier) - cells.HALF_LAT_E6
    north = np.where(row == cells.rows(tier) - 1, cells.HALF_LAT_E6, south + cells.lat_step_e6(tier))
    return south, north


def cos16(abs_lat_e6: Ints) -> Ints:
    """Lower bounds of 65536 * cos(latitude) for 0..90 degrees in 1e-6 degree, of the same shape."""
    degree, rest = np.divmod(abs_lat_e6, cells.DEGREE_E6)
    here = _COS16[np.minimum(degree, 90)]
    below = _COS16[np.minimum(degree + 1, 90)]
    chord: Ints = here - -(-(here - below) * rest // cells.DEGREE_E6)
    return chord


def columns(tier: int, row: Ints) -> Ints:
    """Cells around each row, of row's shape."""
    south, north = row_edges_e6(tier, row)
    narrow = cos16(np.maximum(abs(south), abs(north)))
    return np.maximum(1, narrow * (cells.M_PER_DEGREE_LON * 360) // (65536 * wire.TIERS[tier][1]))


def locate(lat_e6: Ints, lon_e6: Ints, tier: int) -> tuple[Ints, Ints]:
    """(row, column) of the cells that places in 1e-6 degree lie in; latitude within 90 degrees. Shapes: theirs."""
    row = np.minimum((lat_e6 + cells.HALF_LAT_E6) // cells.lat_step_e6(tier), cells.rows(tier) - 1)
    # Below 2^49 for every tier: a turn is 3.6e8, and the finest tier has fewer than 2.1e5 columns.
    column = (lon_e6 + cells.TURN_E6 // 2) % cells.TURN_E6 * columns(tier, row) // cells.TURN_E6
    return row, column


def boxes_e6(tier: int, row: Ints, column: Ints) -> Ints:
    """Edges south, west, north, east in 1e-6 degree, shape (n, 4), for cells that exist (cells.exists)."""
    south, north = row_edges_e6(tier, row)
    count = columns(tier, row)
    west = -(-column * cells.TURN_E6 // count) - cells.TURN_E6 // 2
    east = -(-(column + 1) * cells.TURN_E6 // count) - cells.TURN_E6 // 2
    return np.stack((south, west, north, east), axis=-1)


def held_boxes_e6(tier: int, row: Ints, column: Ints) -> Ints:
    """cells.held_box of each cell, shape (n, 4): where nodes stand that report them and move no position."""
    south, west, north, east = boxes_e6(tier, row, column).T
    margin = cells.margin_m(tier)
    slack_lat = -(-margin * cells.DEGREE_E6 // cells.M_PER_DEGREE_LAT)
    slack_lon = -(-margin * (east - west + 1) // wire.TIERS[tier][1])
    south, north = np.maximum(south - slack_lat, -cells.HALF_LAT_E6), np.minimum(north + slack_lat, cells.HALF_LAT_E6)
    return np.stack((south, west - slack_lon, north, east + slack_lon), axis=-1)


def centres(tier: int, row: Ints, column: Ints) -> Floats:
    """(latitude, longitude) of the middles in degrees, shape (n, 2); the pole itself for a cell all around it."""
    south, west, north, east = boxes_e6(tier, row, column).T
    around = east - west == cells.TURN_E6
    lat, lon = (south + north) / 2, (west + east) / 2
    for pole in (cells.HALF_LAT_E6, -cells.HALF_LAT_E6):
        at_pole = around & ((north == pole) | (south == pole))
        lat, lon = np.where(at_pole, pole, lat), np.where(at_pole, 0, lon)
    return np.stack((lat, lon), axis=-1) / cells.DEGREE_E6
