"""Commands `privacy ...`: options and help only; host_tools.privacy does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from host_tools import cli_privacy_attack

OUT = Path("build/privacy")
NODES_MIN, EPOCHS_MIN = 20, 2  # fewer tell nothing
EPILOG = "Exit codes: 0 at most twice chance, 1 linked better or the run failed, 2 wrong usage, 130 interrupted."

app = typer.Typer(help="How well pseudonyms keep, and what positions give away.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Adds the commands to the command line."""
    parent.add_typer(app, name="privacy")


@app.callback()
def _privacy() -> None:
    """How well pseudonyms keep, and what positions give away."""


app.command("attack", epilog=cli_privacy_attack.EPILOG)(cli_privacy_attack.attack)


@app.command("link", epilog=EPILOG)
def link(
    nodes: Annotated[int, typer.Option(min=NODES_MIN, max=10_000, help="Virtual nodes.")] = 200,
    epochs: Annotated[int, typer.Option(min=EPOCHS_MIN, max=60, help="Pseudonym epochs (days) that each lives.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Fleet, keys and linkers follow from it.")] = 1,
    health_mask: Annotated[bool, typer.Option(help="Whether the policy masks health values.")] = True,
    out: Annotated[Path, typer.Option(help="Folder for privacy-link.json.")] = OUT,
) -> None:
    """Run a fleet of virtual nodes, and measure how well a linker finds each again in another epoch."""
    # scikit-learn takes seconds to import: other commands do without.
    from host_tools.privacy import report, study

    report.prepare(out)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {"live": bars.add_task(f"{nodes} nodes live", total=1.0), "link": bars.add_task("linkers", total=1.0)}

        def progress(what: str, share: float) -> None:
            bars.update(tasks[what], completed=share)

        done = study.run(study.Settings(nodes, epochs, seed, health_mask), progress)
    shown = Console(highlight=False, soft_wrap=True)
    report.show(done, shown)
    shown.print(f"report: {report.write(done, out)}", markup=False)
    if done.faults():
        raise typer.Exit(1)
