"""What a run says: two tables on the terminal, a JSON file with every figure, an HTML page that opens from disk.

Maps show an invented drive. Must never hold a place of the traces that were attacked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from host_tools.errors import UsageError
from host_tools.privacy.attack import generator, peers
from host_tools.privacy.attack.figures import Figure
from host_tools.privacy.attack.ours import EVERY_S, Ours
from host_tools.privacy.attack.study import Study
from host_tools.simulate import figures as drawing
from host_tools.simulate.recordings import Track

HTML, JSON = "report.html", "privacy-attack.json"
MAP_SEED = 4
PLACES = (
    ("values", "averaging.values told"),
    ("parked", "averaging.error"),
    ("home <100 m", "home.within 100 m"),
    ("<250 m", "home.within 250 m"),
    ("<1 km", "home.within 1000 m"),
    ("trip ends", "trip ends.error"),
    ("depot", "depot.error"),
    ("edge", "edge crossing.error"),
    ("middle", "edge crossing.error of the middle"),
)
DEPOTS = (
    ("error", "invented depot.error"),
    ("<100 m", "invented depot.within 100 m"),
    ("<250 m", "invented depot.within 250 m"),
    ("<1 km", "invented depot.within 1000 m"),
    ("moved", "moved.told as another cell"),
    ("1 shared", "shared places.1, times chance"),
    ("2 shared", "shared places.2, times chance"),
    ("3 shared", "shared places.3, times chance"),
)
MOVEMENT = (
    ("roads", "speed and roads.error"),
    ("speed", "speed and roads.error of the speed"),
    ("constant", "speed and roads.error of a constant speed"),
    ("x chance", "re-identification.times chance"),
    ("singled out", "fingerprint.singled out by 4 sightings"),
    ("seconds", "fingerprint.seconds, times chance"),
    ("habits", "fingerprint.habits, times chance"),
    ("zones", "zones.found"),
)
USEFUL = (
    ("error", "utility.error"),
    ("95 of 100", "utility.error, 95th percentile"),
    ("in its area", "utility.excursions in the right area"),
    ("in its district", "utility.excursions in the right district"),
    ("in its region", "utility.excursions in the right region"),
    ("commonest", "utility.in the commonest region"),
    ("routes", "utility.routes recognised"),
)


TABLES = (
    ("Places given away: different values told of a parked node, median errors in m, homes within", PLACES),
    ("Depots of invented fleets found; places told as another cell, and nodes that share places named again", DEPOTS),
    ("Movement given away: errors in m and m/s, shares, multiples of chance", MOVEMENT),
    ("What remains useful: errors in m, shares", USEFUL),
)


ALONE = (
    ("position", "utility.error"),
    ("ends", "trip ends.error"),
    ("edge", "edge crossing.error"),
    ("middle", "edge crossing.error of the middle"),
    ("in its area", "utility.excursions in the right area"),
    ("in its district", "utility.excursions in the right district"),
)


def prepare(out: Path) -> None:
    """Makes the folder before anything runs. Errors: UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in (out / HTML, out / JSON):
            new = not path.exists()
            path.touch()
            if new:
                # A run that fails leaves nothing empty behind.
                path.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None


def short(figure: Figure | None) -> str:
    """A figure with its interval in as few letters as may be."""
    if figure is None or not figure.n or math.isnan(figure.value):
        return "-"
    if figure.unit == "share" and not math.isnan(figure.low):
        return f"{figure.value:.0%} {figure.low * 100:.0f}-{figure.high * 100:.0f}"
    if figure.unit == "values":
        return f"{figure.value:g}"
    write = {"m": _metres, "share": "{:.0%}".format}.get(figure.unit, "{:.2g}".format)
    if math.isnan(figure.low):
        return write(figure.value)
    return f"{write(figure.value)} {write(figure.low)}-{write(figure.high)}"


def _metres(value: float) -> str:
    return f"{value:.0f}" if value < 9950 else f"{value / 1000:.0f}k"


def show(study: Study, console: Console) -> None:
    """Prints the tables and the verdict."""
    for title, columns in TABLES:
        _table(study, console, title, columns)
    for scene in _others(study):
        _table(study, console, f"{scene}: errors in m", [(name, f"{scene}: {key}") for name, key in ALONE])
    for fault in study.verdict.faults:
        console.print(f"missed: {fault}", markup=False)
    for one in study.verdict.unmeasured:
        console.print(f"not measured: {one}", markup=False)
    if not study.verdict.faults:
        console.print("thresholds held" + (", but for those not measured" if study.verdict.unmeasured else ""))


def _table(study: Study, console: Console, title: str, columns: Sequence[tuple[str, str]]) -> None:
    if all(short(row.get(key)) == "-" for row in study.rows for _, key in columns):
        return
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in study.rows:
        table.add_row(row.name, *(short(row.get(key)) for _, key in columns))
    console.print(table)
    console.print()


def write(study: Study, out: Path) -> tuple[Path, Path]:
    """The JSON and the page. Errors: UsageError."""
    told = {
        "settings": asdict(study.settings),
        "scenes": [{"name": name, "vehicles": vehicles} for name, vehicles in study.scenes],
        "held": not study.verdict.faults,
        "faults": list(study.verdict.faults),
        "unmeasured": list(study.verdict.unmeasured),
        "mechanisms": [
            {"name": row.name, "ours": row.ours, "figures": [_told(figure) for figure in row.figures]}
            for row in study.rows
        ],
    }
    paths = out / JSON, out / HTML
    try:
        paths[0].write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        paths[1].write_text(_page(study), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    return paths


def _others(study: Study) -> list[str]:
    """Scenes that were attacked by themselves."""
    largest = max(study.scenes, key=lambda scene: scene[1])
    return [scene[0] for scene in study.scenes if scene is not largest]


def _told(figure: Figure) -> dict[str, Any]:
    low, high = ("least", "largest") if figure.unit == "values" else ("low", "high")
    numbers = {"value": figure.value, low: figure.low, high: figure.high}
    whole = {name: None if math.isnan(value) else round(value, 4) for name, value in numbers.items()}
    return {"key": figure.key, "unit": figure.unit, "n": figure.n, **whole}


def _page(study: Study) -> str:
    environment = Environment(
        loader=PackageLoader("host_tools.privacy.attack", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = [
        {
            "title": title,
            "names": [name for name, _ in columns],
            "rows": [
                {"name": row.name, "ours": bool(row.ours), "cells": [short(row.get(key)) for _, key in columns]}
                for row in study.rows
            ],
        }
        for title, columns in TABLES
    ]
    scenes = ", ".join(f"{name} ({vehicles} vehicles)" for name, vehicles in study.scenes)
    return environment.get_template("attack.html.j2").render(
        tables=tables, maps=_maps(study), verdict=study.verdict, scenes=scenes, seed=study.settings.seed
    )


def _maps(study: Study) -> list[dict[str, str]]:
    """An invented day as each of our modes tells it, and as three peers do."""
    rng = np.random.default_rng(MAP_SEED)
    due = generator.household(rng, 1, EVERY_S).due
    track = Track(tuple(due.times_s.tolist()), tuple(due.degrees[:, 0].tolist()), tuple(due.degrees[:, 1].tolist()))
    shown: list[Any] = [Ours(row.ours.split(".")[1], row.ours.split(".")[0]) for row in study.rows if row.ours]
    shown += [peers.Truncated(16), peers.FreshLaplace(), peers.PlainSnap("area")]
    maps: list[dict[str, str]] = []
    for mechanism in shown:
        told = mechanism.tell(due, rng)
        _, first = np.unique(told.values, return_index=True)
        rings = [_ring(mechanism, point) for point in told.points[first].tolist()]
        label = f"An invented day as {mechanism.name} tells it: {len(rings)} values"
        maps.append(
            {
                "name": mechanism.name,
                "svg": drawing.track_map(track, rings, f"attack-{len(maps)}", label),
                "caption": f"{len(told)} reports, {len(rings)} different values",
            }
        )
    return maps


def _ring(mechanism: Any, point: list[float]) -> list[tuple[float, float]]:
    """The cell told; a small square where it is a point."""
    south, west, north, east = mechanism.cell(*(round(part * 1e6) for part in point)) or (
        point[0] - 2e-4,
        point[1] - 3e-4,
        point[0] + 2e-4,
        point[1] + 3e-4,
    )
    return [(south, west), (south, east), (north, east), (north, west)]
