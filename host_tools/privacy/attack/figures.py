"""Figures with their uncertainty: shares after Wilson (1927), medians by bootstrap over vehicles.

Must never give a figure without the number of cases it stands on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host_tools.privacy.attack.traces import Floats

Z_95 = 1.959_964
RESAMPLES = 200
DRAWN_MAX = 250  # values of a group that the interval is made of; evenly spread over it
BOOTSTRAP_SEED = 1


@dataclass(frozen=True)
class Figure:
    """value with its 95 % interval, of n cases. unit: "share", "m", "m/s", "x chance", or "" for a plain number."""

    attack: str
    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str

    @property
    def key(self) -> str:
        """As thresholds name it."""
        return f"{self.attack}.{self.name}"

    def text(self) -> str:
        """With its interval, as tables show it."""
        if self.unit == "share":
            return f"{self.value:.1%} ({self.low:.1%}-{self.high:.1%})"
        return f"{_short(self.value)} ({_short(self.low)}-{_short(self.high)}){' ' + self.unit if self.unit else ''}"


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}" if abs(value) >= 20 else f"{value:.2g}"


def share(attack: str, name: str, hits: float, n: int) -> Figure:
    """hits of n; ties may count in part."""
    if not n:
        return Figure(attack, name, math.nan, math.nan, math.nan, 0, "share")
    p, z = hits / n, Z_95
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return Figure(attack, name, p, max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole), n, "share")


def times_chance(attack: str, name: str, hits: float, n: int, by_chance: float) -> Figure:
    """Hits in multiples of those that guessing gives."""
    found = share(attack, name, hits, n)
    factor = n / by_chance if by_chance else math.nan
    return Figure(attack, name, found.value * factor, found.low * factor, found.high * factor, n, "x chance")


def median(attack: str, name: str, groups: Sequence[Floats], unit: str = "m", level: float = 50) -> Figure:
    """The median (or another percentile) of all values; the interval by drawing whole groups (vehicles) again."""
    there = [np.asarray(group) for group in groups if len(group)]
    if not there:
        return Figure(attack, name, math.nan, math.nan, math.nan, 0, unit)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    whole = np.concatenate(there)
    thin = [group[:: -(-len(group) // DRAWN_MAX)] for group in there]
    drawn = [
        np.percentile(np.concatenate([thin[at] for at in rng.integers(0, len(there), len(there))]), level)
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5)).tolist()
    return Figure(attack, name, float(np.percentile(whole, level)), low, high, len(whole), unit)


def within(attack: str, errors_m: Floats, radii_m: Sequence[int] = (100, 250, 1000)) -> list[Figure]:
    """Shares of errors within so many metres."""
    return [
        share(attack, f"within {radius_m} m", int(np.sum(errors_m <= radius_m)), len(errors_m))
        for radius_m in radii_m
    ]


def count(attack: str, name: str, values: Sequence[float]) -> Figure:
    """The largest of some numbers, with the least and the largest as its interval."""
    if not values:
        return Figure(attack, name, math.nan, math.nan, math.nan, 0, "")
    return Figure(attack, name, float(max(values)), float(min(values)), float(max(values)), len(values), "")
