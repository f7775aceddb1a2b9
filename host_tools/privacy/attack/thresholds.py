"""The bounds that our modes are held to, and what misses one. Must never pass over a figure that a bound names."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from host_tools.privacy.attack.study import Row

FILE = Path(__file__).with_name("thresholds.toml")

Bounds = Mapping[str, Mapping[str, float]]


def load(path: Path = FILE) -> dict[str, Bounds]:
    """ "mode.tier" -> figure's key -> {"max" or "min": bound}."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{mode}.{tier}": bounds for mode, tiers in text.items() for tier, bounds in tiers.items()}


def faults(rows: Iterable[Row], bounds: Mapping[str, Bounds]) -> tuple[str, ...]:
    """A line for each figure that lies beyond its bound with all of its interval, or that is not there."""
    found = []
    for row in rows:
        for key, bound in bounds.get(row.ours, {}).items():
            figure = row.get(key)
            if figure is None:
                found.append(f"{row.ours}: {key} was not measured")
                continue
            # Nothing to measure it on: no traces, or too few of them.
            if not figure.n:
                continue
            if "max" in bound and (figure.low if figure.unit else figure.value) > bound["max"]:
                found.append(f"{row.ours}: {key} is {figure.text()}, where {bound['max']:g} is allowed")
            if "min" in bound and figure.high < bound["min"]:
                found.append(f"{row.ours}: {key} is {figure.text()}, where at least {bound['min']:g} is asked")
    return tuple(found)
