"""The command `cells show`: what each tier would tell of a place, before anyone agrees to it.

Must never print a coordinate, not even one that it was given.
"""

from __future__ import annotations

import decimal
import json
import math
import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from host_tools import cell_shapes, cells, usage
from host_tools.errors import UsageError
from host_tools.policy.profile import PROFILES_DIR, load_profile
from plumveil import wire

WIDTH = 100
# The Degree of Urbanisation (Eurostat, FAO, UN-Habitat, OECD, World Bank, 2021): people per square kilometre from
# which a place counts as an urban centre, below which as rural, and as thinly settled.
URBAN_FROM, RURAL_BELOW, THIN_BELOW = 1500, 300, 50
_DEGREES = re.compile(r"[-+]?[0-9]{1,3}(\.[0-9]{1,12})?")
WORDS = f"""
A node that may report this tier reports this cell, and nothing finer: its number and a time. North-south, east-west,
km2: at least so large is it. Within: how far the true place lies at most from the cell's middle, where positions are
not moved first. Held: a node keeps to its cell until it is so far beyond the edge.

A policy can move positions first ("scatter", with a scale in metres), and says so: by two scales on average, about
one in twenty by more than 4.7. Then another cell than this may be told, the one told need not hold the true place,
and Within says nothing of it. The same place has the same answer while the node has its keys, so that no number
of stays there tells more; a track through many places does.

Urban, country, thin: people in it. At least so many in an urban centre (from {URBAN_FROM:,} a km2 on); fewer than so
many in the country (below {RURAL_BELOW}), and where it is thinly settled (below {THIN_BELOW}). Fewer than a few
dozen, and the cell may be one farm or one house: then it names who is there as an address does. Nobody counted them
here: look at a map of the cell.

A cell hides a place, not a habit. Where a node stays by night and where by day can together single people out, and
the moment at which a cell changes tells where its edge was crossed. Both are measured: plumveil privacy attack.
"""


def place_e6(lat: str, lon: str) -> tuple[int, int]:
    """Decimal degrees as typed -> 1e-6 degree. Errors: UsageError, which does not repeat them."""
    for text, name, most in ((lat, "latitude", 90), (lon, "longitude", 180)):
        if text.startswith("--") and usage.is_name(text):
            raise UsageError(f"no such option {text}; see plumveil cells show --help")
        if not _DEGREES.fullmatch(text) or abs(float(text)) > most:
            raise UsageError(
                f"{name}: not in decimal degrees from -{most} to {most}; latitude first, for example:"
                " plumveil cells show 12.5 -7.25"
            )
    return round(float(lat) * cells.DEGREE_E6), round(float(lon) * cells.DEGREE_E6)


def shown(lat: str, lon: str, tier: str | None, geojson: Path | None) -> int:
    """Prints the tiers (tier: that one alone), writes the GeoJSON. Errors: UsageError."""
    lat_e6, lon_e6 = place_e6(lat, lon)
    names = [name for name, _ in wire.TIERS]
    asked = range(1, len(names)) if tier is None else [names.index(tier)]
    found = [cells.locate(lat_e6, lon_e6, one) for one in asked]
    console = Console(width=WIDTH, highlight=False)
    console.print(_table(found))
    console.print()
    for cell in found:
        console.print(_allowed(cell[0]), markup=False)
    console.print()
    for paragraph in WORDS.strip().split("\n\n"):
        console.print(" ".join(paragraph.split()), markup=False)
        console.print()
    if geojson is not None:
        try:
            geojson.write_text(json.dumps(cell_shapes.collection(found), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write to {geojson}: {error.strerror}") from None
        console.print(f"outlines: {geojson}", markup=False)
    return 0


def _table(found: list[tuple[int, int, int]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("tier", "cell"):
        table.add_column(name, no_wrap=True)
    for name in ("north-south", "east-west", "km2", "within", "held", "urban", "country", "thin"):
        table.add_column(name, justify="right", no_wrap=True)
    for cell in found:
        size = cell_shapes.size(*cell)
        km2 = size.area_m2 / 1e6
        table.add_row(
            wire.TIERS[cell[0]][0],
            f"{cell[1]}/{cell[2]}",
            metres(size.north_south_m, up=False),
            metres(size.east_west_m, up=False),
            figures(km2, up=False),
            metres(cells.uncertainty_m(*cell), up=True),
            metres(cells.margin_m(cell[0]), up=True),
            figures(km2 * URBAN_FROM, up=False),
            figures(km2 * RURAL_BELOW, up=True),
            figures(km2 * THIN_BELOW, up=True),
        )
    return table


def metres(value_m: float, *, up: bool) -> str:
    """A length, rounded up for a bound from above and down for one from below: what is said of a cell must hold."""
    whole = math.ceil if up else math.floor
    if value_m < 10_000:
        return f"{whole(value_m):,} m"
    return f"{whole(value_m / 100) / 10:,.1f} km"


def figures(value: float, *, up: bool) -> str:
    """The first two figures, rounded as a length is."""
    rounding = decimal.ROUND_CEILING if up else decimal.ROUND_FLOOR
    return f"{decimal.Context(prec=2, rounding=rounding).create_decimal(value):,f}"


def _allowed(tier: int) -> str:
    """Which profiles let a consent name the tier."""
    names = sorted(path.stem for path in PROFILES_DIR.glob("*.toml"))
    allowing = [name for name in names if load_profile(name).ceiling >= tier]
    return f"{wire.TIERS[tier][0]}: allowed by {', '.join(allowing) or 'no profile'}"
