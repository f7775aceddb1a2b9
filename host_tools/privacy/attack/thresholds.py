"""The bounds that our modes are held to, and what misses one. Must never pass over a figure that a bound names: what
was not measured is said to be that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from host_tools.privacy.attack.study import Row, Verdict

FILE = Path(__file__).with_name("thresholds.toml")

Bounds = Mapping[str, Mapping[str, float]]


def load(path: Path = FILE) -> dict[str, Bounds]:
    """ "mode.tier" -> figure's key -> {"max" and "min": bound}."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{mode}.{tier}": bounds for mode, tiers in text.items() for tier, bounds in tiers.items()}


def judge(rows: Iterable[Row], bounds: Mapping[str, Bounds]) -> Verdict:
    """A fault for each figure that lies beyond its bound with all of its interval; the least and the largest of
    several values are held to it themselves."""
    faults, unmeasured = [], []
    for row in rows:
        for key, bound in bounds.get(row.ours, {}).items():
            figure = row.get(key)
            if figure is None or not figure.n:
                unmeasured.append(f"{row.ours}: {key}")
                continue
            low, high = figure.reach
            if figure.unit == "values":
                low, high = high, low
            if "max" in bound and low > bound["max"]:
                faults.append(f"{row.ours}: {key} is {figure.text()}, where {bound['max']:g} is allowed")
            if "min" in bound and high < bound["min"]:
                faults.append(f"{row.ours}: {key} is {figure.text()}, where at least {bound['min']:g} is asked")
    return Verdict(tuple(faults), tuple(unmeasured))
