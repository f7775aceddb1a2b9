"""Shows a study: tables for the terminal, JSON for a file. Figures only; no name, key or pseudonym."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from host_tools.errors import UsageError
from host_tools.privacy.figures import BAR, Study, neighbours, score
from host_tools.privacy.linker import FOLDS, Linked

REPORT = "privacy-link.json"
NOISE_SIGMAS = 4.5  # the best of several hundred columns of noise comes to about four
LOST_MIN = 0.02


def show(study: Study, console: Console) -> None:
    """Prints the tables and the verdict."""
    console.print(_table(study))
    counts = study.counts
    console.print(
        f"seen: {counts['sessions']:.0f} sessions, {counts['messages']:.0f} messages under "
        f"{counts['observations']:.0f} client ids; {counts['boots after the first']:.0f} reboots, "
        f"{counts['access point outages']:.0f} outages, {counts['sensor faults']:.0f} sensor faults among them"
    )
    telling = [one for one in study.features if one.alone >= _noise(study) or one.lost >= LOST_MIN]
    console.print(f"what tells most: AUC alone, AUC that the best linker ({study.best.name}) loses without it")
    for one in telling:
        console.print(f"  {one.alone:.3f}  {one.lost:6.3f}  {one.feature}", markup=False)
    if not telling:
        console.print("  nothing beyond noise")
    for fault in study.faults():
        console.print(f"P6 not shown: {fault}")
    if not study.faults():
        console.print(f"P6 kept: at most {BAR:g} times chance")


def _noise(study: Study) -> float:
    """An AUC that noise does not reach, of as many right pairs as one fold asks about (Mann-Whitney's variance)."""
    right = study.nodes / FOLDS * study.epochs * (study.epochs - 1) / 2
    return 0.5 + NOISE_SIGMAS / math.sqrt(12 * right)


def _table(study: Study) -> Table:
    table = Table(
        title=f"Naming one of {study.nodes} nodes in another epoch, times chance",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("seen", no_wrap=True)
    table.add_column("linker", no_wrap=True)
    for name in ("top-1", "x chance", "95 %", "next day", "top-5", "AUC"):
        table.add_column(name, justify="right", no_wrap=True)
    mask = "masked" if study.health_mask else "mask off"
    for what, linked in ((mask, study.linked), ("unmasked", study.unmasked), ("planted", study.planted)):
        for one in linked:
            table.add_row(what, one.name, *_cells(one))
    return table


def _cells(one: Linked) -> tuple[str, ...]:
    every, next_day = score(one.queries), neighbours(one)
    return (
        f"{every.share:.1%}",
        _times(every.factor),
        f"{_times(every.low)}-{_times(every.high)}",
        _times(next_day.factor),
        f"{every.top5:.1%}",
        f"{one.auc:.3f}",
    )


def _times(factor: float) -> str:
    return f"{factor:.1f}" if factor < 10 else f"{factor:.0f}"


def prepare(out: Path) -> None:
    """Makes the folder before anything runs. Errors: UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / REPORT).touch()
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error


def write(study: Study, out: Path) -> Path:
    """Writes the JSON report. Errors: UsageError."""
    path = out / REPORT
    try:
        path.write_text(json.dumps(study.report(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    return path
