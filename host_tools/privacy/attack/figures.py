"""Figures with their uncertainty: by drawing whole vehicles again where a vehicle gives several cases (cluster
bootstrap), after Wilson (1927) where each case stands for itself.

Must never give a figure without the number of cases it stands on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from host_tools.privacy.attack.traces import Floats

Z_95 = 1.959_964
RESAMPLES = 1000
STEPS_MAX = 2000  # of a median's interval: it lies on one of so many order statistics, evenly spread
BOOTSTRAP_SEED = 1
RADII_M = (100, 250, 1000)


@dataclass(frozen=True)
class Figure:
    """value with its 95 % interval (NaN where there is none), of n cases. unit: "share", "m", "m/s", "x chance"; or
    "values": value is the largest of n numbers, low and high are the least and the largest."""

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

    @property
    def reach(self) -> tuple[float, float]:
        """(low, high), the value itself where it has no interval."""
        return (self.value, self.value) if math.isnan(self.low) else (self.low, self.high)

    def text(self) -> str:
        """With its interval, as messages show it."""
        write = "{:.1%}".format if self.unit == "share" else _short
        if self.unit == "values":
            return f"{write(self.low)} to {write(self.high)}"
        interval = "" if math.isnan(self.low) else f" ({write(self.low)}-{write(self.high)})"
        return f"{write(self.value)}{interval}{'' if self.unit == 'share' else ' ' + self.unit}"


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}" if abs(value) >= 20 else f"{value:.2g}"


def nothing(attack: str, name: str, unit: str) -> Figure:
    """A figure of no cases."""
    return Figure(attack, name, math.nan, math.nan, math.nan, 0, unit)


def share(attack: str, name: str, hits: float, n: int) -> Figure:
    """hits of n cases that do not depend on one another; ties may count in part."""
    return Figure(attack, name, hits / n, *_wilson(hits / n, n), n, "share") if n else nothing(attack, name, "share")


def _wilson(p: float, n: int) -> tuple[float, float]:
    z = Z_95
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def share_by(attack: str, name: str, groups: Sequence[Floats]) -> Figure:
    """The mean of all cases (0 to 1 each); the interval by drawing whole groups (vehicles) again. Where no case
    differs from another, or each group is one case, Wilson's over groups; of one group, none."""
    there = [np.asarray(group, dtype=float) for group in groups if len(group)]
    if not there:
        return nothing(attack, name, "share")
    sums, counts = np.array([group.sum() for group in there]), np.array([len(group) for group in there])
    value, n = float(sums.sum() / counts.sum()), int(counts.sum())
    if value in (0.0, 1.0) or n == len(there):
        return Figure(attack, name, value, *_wilson(value, len(there)), n, "share")
    if len(there) == 1:
        return Figure(attack, name, value, math.nan, math.nan, n, "share")
    times = _draws(len(there))
    return Figure(attack, name, value, *_interval((times @ sums) / (times @ counts)), n, "share")


def times_chance(found: Figure, name: str, by_chance: float) -> Figure:
    """A share in multiples of the hits that guessing gives on as many cases."""
    if not found.n or not by_chance:
        return nothing(found.attack, name, "x chance")
    factor = found.n / by_chance
    value, low, high = (part * factor for part in (found.value, found.low, found.high))
    return Figure(found.attack, name, value, low, high, found.n, "x chance")


def median(attack: str, name: str, groups: Sequence[Floats], unit: str = "m", level: float = 50) -> Figure:
    """The median (or another percentile) of all values; the interval by drawing whole groups (vehicles) again, none
    where there is one group."""
    there = [np.asarray(group, dtype=np.float64) for group in groups if len(group)]
    if not there:
        return nothing(attack, name, unit)
    whole: Floats = np.sort(np.concatenate(there))
    value = float(np.percentile(whole, level))
    if len(there) == 1:
        return Figure(attack, name, value, math.nan, math.nan, len(whole), unit)
    steps = whole[np.linspace(0, len(whole) - 1, min(len(whole), STEPS_MAX)).astype(int)]
    below = np.array([np.searchsorted(np.sort(group), steps, side="right") for group in there])
    times = _draws(len(there))
    # float32 is exact for counts below 2^24, and fast.
    counted = np.asarray(times, dtype=np.float32) @ np.asarray(below, dtype=np.float32)
    wanted = (times @ np.array([len(group) for group in there])) * level / 100
    drawn = steps[np.minimum(np.sum(counted < wanted[:, None], axis=1), len(steps) - 1)]
    low, high = _interval(drawn)
    # A step's width either way is no evidence against the value itself.
    return Figure(attack, name, value, min(low, value), max(high, value), len(whole), unit)


def _draws(groups: int) -> Floats:
    """(RESAMPLES, groups): how often each group is drawn."""
    drawn = np.random.default_rng(BOOTSTRAP_SEED).multinomial(groups, [1 / groups] * groups, RESAMPLES)
    return drawn.astype(np.float64)


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.percentile(drawn, (2.5, 97.5)).tolist()
    return low, high


def within(attack: str, groups: Sequence[Floats]) -> list[Figure]:
    """Shares of errors within RADII_M."""
    return [
        share_by(attack, f"within {radius_m} m", [(np.asarray(group) <= radius_m).astype(float) for group in groups])
        for radius_m in RADII_M
    ]


def values(attack: str, name: str, numbers: Sequence[float]) -> Figure:
    """The least and the largest of some numbers."""
    if not len(numbers):
        return nothing(attack, name, "values")
    return Figure(attack, name, float(max(numbers)), float(min(numbers)), float(max(numbers)), len(numbers), "values")
