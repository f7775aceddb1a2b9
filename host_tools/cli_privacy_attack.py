"""The command `privacy attack`: options and help only; host_tools.privacy.attack does the work."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

OUT = Path("build/privacy")
WIDTH = 120  # of the tables where no terminal says
EPILOG = "Exit codes: 0 thresholds held, 1 missed or the run failed, 2 wrong usage, 130 interrupted."


class Tier(StrEnum):
    """Finest first would be a suggestion: coarsest first."""

    REGION = "region"
    DISTRICT = "district"
    AREA = "area"
    STREET = "street"


class Mode(StrEnum):
    """As host_tools.privacy.attack.ours has them."""

    CELLS = "cells"
    SCATTER = "scatter"


Traces = Annotated[
    list[Path] | None,
    typer.Option(
        "--traces",
        metavar="FILE",
        help="NMEA log, or CSV of vehicle_id, timestamp (ISO 8601 with its zone), latitude, longitude and perhaps"
        " route_id; .gz as well. May be given more than once; vehicles are compared within the largest. Without it:"
        " an invented fleet.",
        show_default=False,
    ),
]


def attack(
    traces: Traces = None,
    tier: Annotated[
        list[Tier] | None, typer.Option(help="May be given more than once. Without it: all.", show_default=False)
    ] = None,
    mode: Annotated[
        list[Mode] | None,
        typer.Option(help="May be given more than once. Without it: both.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Homes, parked nodes, noise and draws follow from it.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of it, with wider intervals.")] = False,
    with_peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Whether to attack what others do as well.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for report.html and privacy-attack.json.")] = OUT,
) -> None:
    """Attack positions as the firmware tells them: homes, edges, roads, pseudonyms, zones; and what stays useful."""
    # scikit-learn's and matplotlib's imports take seconds: other commands do without.
    from host_tools.privacy.attack import command

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("reading traces", total=1.0)

        def progress(what: str, share: float) -> None:
            bars.update(task, completed=share, description=what or "done")

        asked = command.Asked(traces or [], tier or [], mode or [], seed, quick, with_peers, out)
        done = command.run(asked, progress)
    shown = Console(highlight=False)
    if not shown.is_terminal:
        shown = Console(highlight=False, width=WIDTH)
    if command.finish(done, out, shown):
        raise typer.Exit(1)
