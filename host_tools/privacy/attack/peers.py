"""What others do with a position, from their published descriptions, each with its source.

Must never be made weaker than described: what a peer hides, an attacker here does not see.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from host_tools import cell_arrays
from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import M_PER_DEGREE, Due, Floats

# Andres, Bordenabe, Chatzikokolakis, Palamidessi: Geo-Indistinguishability, CCS 2013: epsilon = ln 4 within 200 m.
GEO_SCALE_M = 200 / math.log(4)
# Location Guard (browser extension by Chatzikokolakis and Stronati), level "low": epsilon 2 over a radius of 200 m,
# and the answer kept for 10 minutes.
MEMO_SCALE_M, MEMO_S = 100.0, 600

Box = tuple[float, float, float, float]


def laplace(due: Due, scale_m: float, rng: np.random.Generator) -> Floats:
    """(n, 2) degrees: planar Laplace noise (radius Gamma of shape 2, mean 2 * scale_m; any direction) on each fix."""
    radius_m, angle = rng.gamma(2.0, scale_m, len(due)), rng.uniform(0, 2 * math.pi, len(due))
    squeeze = np.cos(np.radians(due.degrees[:, 0]))
    moved = np.stack((radius_m * np.cos(angle), radius_m * np.sin(angle) / squeeze), axis=-1)
    return due.degrees + moved / M_PER_DEGREE


class Peer(ABC):
    """What all of them have: no memory but where said."""

    name, margin_m, spread_m, holds = "", 0.0, 0.0, False

    @abstractmethod
    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """What it tells of one vehicle's fixes."""

    def cell(self, lat_e6: int, lon_e6: int) -> Box | None:
        """The box told of a place, where it is larger than a point."""
        at = np.array([lat_e6]), np.array([lon_e6])
        south, west, north, east = self.tell(Due(at[0], at[0], *at), np.random.default_rng(0)).boxes[0].tolist()
        return (south, west, north, east) if north > south else None

    def brink(self, lat_e6: int, lon_e6: int) -> Box | None:
        """The same box: beyond its edges lies the next."""
        return self.cell(lat_e6, lon_e6)


class Raw(Peer):
    """Every fix as it is."""

    name = "raw"

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """Points are places; each is its own box."""
        points = due.degrees
        return Told(due.times_s, points, (due.lat_e6 << 32) + due.lon_e6, np.hstack((points, points)))


class _Grid(Peer):
    """Steps in degrees, everywhere the same; no memory."""

    step_deg, shift_deg = 0.0, 0.0

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """Points are the cells' middles."""
        number = np.floor((due.degrees - self.shift_deg) / self.step_deg + 1e-9).astype(np.int64)
        low = (number * self.step_deg + self.shift_deg).astype(np.float64)
        boxes = np.hstack((low, low + self.step_deg))
        return Told(due.times_s, low + self.step_deg / 2, (number[:, 0] << 32) + number[:, 1], boxes)


class Decimals(_Grid):
    """Degrees rounded to so many decimals."""

    def __init__(self, decimals: int = 3) -> None:
        self.name = f"{decimals} decimals"
        self.step_deg = 10.0**-decimals
        self.shift_deg = -self.step_deg / 2


class Truncated(_Grid):
    """As Meshtastic's firmware does (PositionModule, "position precision"): of 32 bits in units of 1e-7 degree the
    highest so many are kept, and half a step added."""

    def __init__(self, bits: int) -> None:
        self.name = f"{bits} bits"
        self.step_deg = (1 << (32 - bits)) * 1e-7


class FreshLaplace(Peer):
    """Planar Laplace, drawn anew for each fix (Andres and others 2013)."""

    def __init__(self, scale_m: float = GEO_SCALE_M) -> None:
        self.name, self._scale_m, self.spread_m = "fresh Laplace", scale_m, 2 * scale_m

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """A new point each time."""
        return Told(
            due.times_s, laplace(due, self._scale_m, rng), np.arange(len(due)), np.full((len(due), 4), np.nan)
        )


class Memo(FreshLaplace):
    """Planar Laplace whose answer is kept for ten minutes, wherever the device goes meanwhile (Location Guard)."""

    def __init__(self, scale_m: float = MEMO_SCALE_M, keep_s: int = MEMO_S) -> None:
        super().__init__(scale_m)
        self.name, self._keep_s = "10-minute memo", keep_s

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """The answer of the last draw, while that is young enough."""
        drawn = super().tell(due, rng)
        source, last = np.arange(len(due)), 0
        for at in range(len(due)):
            if due.times_s[at] - due.times_s[last] >= self._keep_s:
                last = at
            source[at] = last
        return Told(due.times_s, drawn.points[source], source, drawn.boxes)


class PlainSnap(Peer):
    """Our own grid without a held cell: what snapping alone does."""

    def __init__(self, tier: str) -> None:
        self.name, self._tier = f"{tier}, no hysteresis", TIER_NAMES.index(tier)

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """The cell of each fix."""
        row, column = cell_arrays.locate(due.lat_e6, due.lon_e6, self._tier)
        boxes = cell_arrays.boxes_e6(self._tier, row, column) / 1e6
        return Told(due.times_s, cell_arrays.centres(self._tier, row, column), (row << 32) + column, boxes)


def every() -> list[Peer]:
    """All peers, in the order of the report."""
    bits = [Truncated(number) for number in range(16, 11, -1)]
    return [Raw(), Decimals(), *bits, FreshLaplace(), Memo(), PlainSnap("area"), PlainSnap("street")]
