"""Commands `demo` and `simulate`: whole nodes in MicroPython, over generated or recorded input, and their report."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from host_tools.errors import UsageError

if TYPE_CHECKING:
    from host_tools.simulate.jobs import Job
    from host_tools.simulate.results import Outcome

DEMO_OUT = Path("build/demo")
SIMULATE_OUT = Path("build/simulate")
FAILURES_SHOWN = 5
EPILOG = "Exit codes: 0 all messages valid, 1 some invalid or the run failed, 2 wrong usage, 130 interrupted."

Out = Annotated[Path, typer.Option(help="Folder for messages, keys.json, summary.json and report.html.")]
Broker = Annotated[
    str | None,
    typer.Option(
        help="MQTT broker to use: mqtt://127.0.0.1:1883 or mqtts://HOST:8883. Default: embedded.", metavar="URL"
    ),
]
BrokerCa = Annotated[
    Path | None, typer.Option(help="Authority (PEM) that nodes trust at an mqtts:// broker.", metavar="FILE")
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("demo", epilog=EPILOG)(demo)
    app.command("simulate", epilog=EPILOG)(simulate)


def demo(out: Out = DEMO_OUT, broker: Broker = None, broker_ca: BrokerCa = None) -> None:
    """Run three virtual nodes for a day each over generated input, and report what they let out."""
    from host_tools.simulate.jobs import demo_job

    _carry_out(demo_job, out, broker, broker_ca)


def simulate(
    temperature: Annotated[Path, typer.Option(help="CSV (time, value) or Fridge-tag export.", metavar="FILE")],
    nmea: Annotated[Path | None, typer.Option(help="GPS receiver's NMEA log.", metavar="FILE")] = None,
    temperature_unit: Annotated[Literal["C", "F"], typer.Option(help="Unit of a CSV's values.")] = "C",
    board: Annotated[str, typer.Option(help="Board whose wiring the node has.")] = "virtual",
    profile: Annotated[str, typer.Option(help="Policy profile.")] = "general",
    consent: Annotated[str, typer.Option(help="Location consent: off, region, district, area.")] = "off",
    hours: Annotated[float | None, typer.Option(help="Simulated hours. Default: as recorded, at most 24.")] = None,
    out: Out = SIMULATE_OUT,
    broker: Broker = None,
    broker_ca: BrokerCa = None,
) -> None:
    """Run one virtual node over your own recordings, and report what it lets out."""
    from host_tools.simulate.jobs import recorded_job

    _carry_out(
        lambda: recorded_job(temperature, nmea, temperature_unit, board, profile, consent, hours),
        out,
        broker,
        broker_ca,
    )


def _carry_out(make_job: Callable[[], Job], out: Path, broker: str | None, broker_ca: Path | None) -> None:
    """Makes the job, runs it with a progress bar, prints the summary; exit code 1 when a message is not valid."""
    began = time.monotonic()
    # Matplotlib and numpy take a second to import: other commands do without.
    from host_tools.simulate.jobs import Target, run
    from host_tools.simulate.runner import broker_for

    ca_pem = _read(broker_ca) if broker_ca else None
    if broker is not None:
        broker_for(broker, ca_pem)
    console = Console(stderr=True)
    job = make_job()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[hours]} h"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}
        for spec in job.specs:
            total_s = spec.surroundings.end_s - spec.surroundings.start_s
            tasks[spec.name] = bars.add_task(spec.name, total=total_s, hours=" 0.0")

        def progress(name: str, elapsed_s: int) -> None:
            bars.update(tasks[name], completed=elapsed_s, hours=f"{elapsed_s / 3600:4.1f}")

        outcome = run(job, Target(out, broker, ca_pem), progress, began)
    _print(outcome, out)
    if outcome.verdict.invalid:
        raise typer.Exit(1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _print(outcome: Outcome, out: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(
        title="Bytes per reading: sealed as sent, beside the same readings unsealed",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0),
    )
    table.add_column("node", no_wrap=True)
    for name in ("messages", "readings", "positions", "sealed", "SenML-CBOR", "JSON"):
        table.add_column(name, justify="right", no_wrap=True)
    for node in outcome.nodes:
        own = node.figures
        sizes = (own.sealed_bytes_per_reading, own.senml_cbor_bytes_per_reading, own.json_bytes_per_reading)
        counts = (own.messages, own.readings, own.locations)
        table.add_row(own.name, *map(str, counts), *(f"{size:.1f}" for size in sizes))
    console.print(table)
    for node in outcome.nodes:
        dropped = ", ".join(f"{rule} {count}" for rule, count in sorted(node.figures.dropped.items()))
        console.print(f"dropped by {node.figures.name}: {dropped or 'nothing'}", markup=False)
    for note in outcome.notes:
        console.print(f"note: {note}", markup=False, style="dim")
    verdict = outcome.verdict
    console.print(f"validator: {verdict.valid} valid, {verdict.invalid} invalid")
    for failure in verdict.failures[:FAILURES_SHOWN]:
        console.print(f"  {failure}", markup=False)
    console.print(f"report: {out / 'report.html'} ({outcome.seconds:.1f} s)", markup=False)
