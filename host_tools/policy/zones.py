"""Private zones: whole cells, written as tier/row/column or by a place within. What is kept is the cell, and no place
is ever repeated in a message.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from host_tools import cells
from plumveil import wire

Cell = tuple[int, int, int]
TIER_NAMES = tuple(name for name, _ in wire.TIERS)
# No finer: the gap in a track would draw the outline of a few houses.
FINEST = TIER_NAMES.index("area")
PATTERN = r"^([a-z]+/[0-9]{1,9}/[0-9]{1,9}|-?[0-9.]{1,12}, *-?[0-9.]{1,12}, *[a-z]+)$"
_CELL = re.compile(r"([a-z]+)/([0-9]{1,9})/([0-9]{1,9})")
_PLACE = re.compile(r"(-?[0-9]{1,3}(?:\.[0-9]{1,8})?), *(-?[0-9]{1,3}(?:\.[0-9]{1,8})?), *([a-z]+)")
_FORMS = 'write a zone as "area/ROW/COLUMN", or by a place in it as "LATITUDE,LONGITUDE,area", in degrees'


def parse(text: Any) -> Cell:
    """The cell that a text names. ValueError, without the text: it may be where somebody lives."""
    if isinstance(text, tuple):
        # A model that is read once more.
        return text
    found = _CELL.fullmatch(text) if isinstance(text, str) else None
    if found:
        cell = _tier(found[1]), int(found[2]), int(found[3])
        if not cells.exists(*cell):
            raise ValueError("there is no such cell: its row or its column is beyond the last one")
        return cell
    place = _PLACE.fullmatch(text) if isinstance(text, str) else None
    if place is None:
        raise ValueError(f"not a zone: {_FORMS}")
    latitude, longitude, tier = float(place[1]), float(place[2]), _tier(place[3])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError("not a place on Earth: latitude is -90 to 90, longitude -180 to 180")
    return cells.locate(round(latitude * cells.DEGREE_E6), round(longitude * cells.DEGREE_E6), tier)


def text(cell: Cell) -> str:
    """tier/row/column."""
    return f"{TIER_NAMES[cell[0]]}/{cell[1]}/{cell[2]}"


def _tier(name: str) -> int:
    names = TIER_NAMES[1 : FINEST + 1]
    if name not in names:
        raise ValueError(f"a zone is a cell of tier {' or '.join(names)}: a finer one would show its outline")
    return TIER_NAMES.index(name)


Zone = Annotated[
    Cell,
    BeforeValidator(parse),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["area/15000/1200"]}),
]
