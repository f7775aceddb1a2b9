"""Writes cells.json: of 100,000 points the cells and of 4,000 the places they are moved to, as CRC-32 a block,
by the host's own arithmetic.

Every interpreter's firmware must give the same (tests/firmware/test_cell_vectors.py).
Run: PYTHONPATH=tests/firmware python -m tests.vectors.make_cells
"""

from __future__ import annotations

import hmac
import json
import math
from pathlib import Path
from zlib import crc32

import cbor2
import cellpoints  # type: ignore[import-not-found]

from host_tools import cells

PATH = Path(__file__).with_name("cells.json")
KEY = bytes(range(64, 96))
SCALES_M = (1, 150, 1000, 20000)
MOVED_BLOCKS = 4
PLACE_TIER = 4
LN2 = round(65536 * math.log(2))
LOG16 = [round(65536 * math.log(64 / (32 + i))) for i in range(33)]


def exponential(drawn: bytes) -> int:
    """-ln(u / 2**24) in 1/65536 of three bytes u, 1 for 0, by a chord between 33 points of an octave."""
    u = int.from_bytes(drawn, "big") or 1
    shift = 24 - u.bit_length()
    i, rest = divmod((u << shift) - (1 << 23), 1 << 18)
    return (shift * LN2) + LOG16[i] - ((LOG16[i] - LOG16[i + 1]) * rest >> 18)


def moved(lat_e6: int, lon_e6: int, scale_m: int, key: bytes) -> tuple[int, int]:
    """Where a position is said to be: docs/location.md, "Moved positions"."""
    place = cells.locate(lat_e6, lon_e6, PLACE_TIER)
    drawn = hmac.digest(key, cbor2.dumps(list(place), canonical=True), "sha256")
    metres16 = (exponential(drawn[:3]) + exponential(drawn[3:6])) * scale_m
    far_e6 = metres16 * 1_000_000 // (cells.M_PER_DEGREE_LAT * 65536)
    angle_e6 = int.from_bytes(drawn[6:8], "big") % 16384 * 90_000_000 // 16384
    south_e6, north_e6 = cells.row_edges_e6(PLACE_TIER, place[1])
    middle_e6 = (south_e6 + north_e6) // 2
    count = cells.columns(PLACE_TIER, place[1])
    north = far_e6 * cells.cos16(angle_e6) // 65536
    east = far_e6 * cells.cos16(90_000_000 - angle_e6) // 65536 * 65536 // max(1, cells.cos16(abs(middle_e6)))
    lat = middle_e6 + (north if drawn[6] >= 128 else -north)
    x = (2 * place[2] + 1) * 180_000_000 // count + (east if drawn[6] & 64 else -east)
    if abs(lat) > cells.HALF_LAT_E6:
        lat = (180_000_000 if lat > 0 else -180_000_000) - lat
        x += 180_000_000
    return lat, x % cells.TURN_E6 - 180_000_000


def located(block: int) -> int:
    """CRC-32 of a block's rows and columns."""
    found: list[int] = []
    for n, (lat, lon) in enumerate(cellpoints.points(block)):
        found += cells.locate(lat, lon, cellpoints.tier_of(n))[1:]
    return crc32(cellpoints.written(found))


def moved_block(block: int) -> int:
    """CRC-32 of where a block's points are moved to, from the south pole and the antimeridian on."""
    found: list[int] = []
    for lat, lon in cellpoints.points(block):
        there = moved(lat, lon, SCALES_M[block], KEY)
        for number in (there[0] + cells.HALF_LAT_E6, there[1] + cells.TURN_E6 // 2):
            found += divmod(number, 1 << 20)
    return crc32(cellpoints.written(found))


def make() -> str:
    """The file's text."""
    parts = {
        "located": [located(block) for block in range(cellpoints.BLOCKS)],
        "moved": [moved_block(block) for block in range(MOVED_BLOCKS)],
    }
    return json.dumps(parts, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PATH.write_text(make(), encoding="utf-8")
