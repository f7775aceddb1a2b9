"""What an observer is told of a trace, by whatever way of coarsening: times, points, and the ground that each may
mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from host_tools.privacy.attack.traces import Due, Floats, Ints


@dataclass(frozen=True)
class Told:
    """n reports. times_s (n,): as told, ascending. points (n, 2): latitude, longitude in degrees, a cell's middle.
    values (n,): equal where the same was told. boxes (n, 4): south, west, north, east in degrees of where the true
    place may lie; NaN where anything may."""

    times_s: Ints
    points: Floats
    values: Ints
    boxes: Floats

    def __len__(self) -> int:
        return len(self.times_s)

    def at(self, times_s: Ints) -> Ints:
        """Index of the last report at each of these moments; -1 before the first."""
        return np.searchsorted(self.times_s, times_s, side="right") - 1

    def part(self, keep: Ints) -> Told:
        """Those alone, by index or mask."""
        return Told(self.times_s[keep], self.points[keep], self.values[keep], self.boxes[keep])

    def between(self, start_s: int, end_s: int) -> Told:
        """Reports in [start_s, end_s)."""
        return self.part(np.flatnonzero((self.times_s >= start_s) & (self.times_s < end_s)))


class Mechanism(Protocol):
    """A way of coarsening. margin_m: how far beyond its cell's edge it may still tell that cell; spread_m: mean
    distance of its noise, 0 where it draws none; holds: whether it tells a value again only after another."""

    name: str
    margin_m: float
    spread_m: float
    holds: bool

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """What it tells of one vehicle's fixes, in order of time."""
        ...

    def cell(self, lat_e6: int, lon_e6: int) -> tuple[float, float, float, float] | None:
        """South, west, north, east in degrees of the cell that a place lies in; None where there are none."""
        ...

    def brink(self, lat_e6: int, lon_e6: int) -> tuple[float, float, float, float] | None:
        """The box around a place at whose edges another answer begins; None where there is none."""
        ...
