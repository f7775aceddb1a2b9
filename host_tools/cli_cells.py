"""The commands `cells ...`: options and help only; host_tools.cells_show does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools.cli_shared import finish

EPILOG = "Nothing is sent anywhere or kept. Exit codes: 0 done, 2 wrong usage, 130 interrupted."

app = typer.Typer(help="Location cells: what a tier tells of a place.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Adds the commands to the command line."""
    parent.add_typer(app, name="cells")


@app.callback()
def _cells() -> None:
    """Location cells: what a tier tells of a place."""


# A latitude may begin with a minus sign.
@app.command(epilog=EPILOG, context_settings={"ignore_unknown_options": True})
def show(
    lat: Annotated[str, typer.Argument(metavar="LAT", help="Latitude in decimal degrees.", show_default=False)],
    lon: Annotated[str, typer.Argument(metavar="LON", help="Longitude in decimal degrees.", show_default=False)],
    tier: Annotated[
        Literal["region", "district", "area", "street"] | None,
        typer.Option(help="This tier alone.", show_default=False),
    ] = None,
    geojson: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the outlines as GeoJSON (RFC 7946).", show_default=False),
    ] = None,
) -> None:
    """Show the cell in which each tier would report a place: how large, how uncertain, how many may live there."""
    from host_tools import cells_show

    finish(lambda: cells_show.shown(lat, lon, tier, geojson))
