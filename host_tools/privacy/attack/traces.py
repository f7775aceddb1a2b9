"""Traces to attack: a CSV of vehicles (gzip or not), or NMEA logs; and what of them is due when a node takes
positions.

Names of vehicles are dropped on reading. Must never repeat a coordinate in a message.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from host_tools.errors import UsageError
from host_tools.simulate.nmea_log import read_nmea
from plumveil import wire

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

M_PER_DEGREE = (
    111_195.0  # a sphere of the mean radius (6,371,008.8 m): distances here are city-wide, and good to 0.5 %
)
COLUMNS = ("vehicle_id", "timestamp", "latitude", "longitude")
FIXES_MIN = 10  # a vehicle with fewer is not looked at


@dataclass(frozen=True)
class Frame:
    """Metres east and north of a place, for traces around it."""

    lat: float
    lon: float

    def metres(self, degrees: Floats) -> Floats:
        """(n, 2) latitude, longitude in degrees -> (n, 2) metres north, east."""
        squeeze = np.cos(np.radians(self.lat))
        away: Floats = (degrees - np.array((self.lat, self.lon))) * np.array((M_PER_DEGREE, M_PER_DEGREE * squeeze))
        return away

    def degrees(self, metres: Floats) -> Floats:
        """The way back."""
        squeeze = np.cos(np.radians(self.lat))
        there: Floats = metres / np.array((M_PER_DEGREE, M_PER_DEGREE * squeeze)) + np.array((self.lat, self.lon))
        return there


@dataclass(frozen=True)
class Due:
    """Fixes taken when a position was due: slot and time of the fix (Unix s, each (n,)), place in 1e-6 degree."""

    slots_s: Ints
    times_s: Ints
    lat_e6: Ints
    lon_e6: Ints

    def __len__(self) -> int:
        return len(self.slots_s)

    @property
    def degrees(self) -> Floats:
        """(n, 2) latitude, longitude."""
        return np.stack((self.lat_e6, self.lon_e6), axis=-1) / 1e6

    def part(self, keep: NDArray[np.bool_]) -> Due:
        """Those alone."""
        return Due(self.slots_s[keep], self.times_s[keep], self.lat_e6[keep], self.lon_e6[keep])


@dataclass(frozen=True)
class Trace:
    """One vehicle: times ascending (Unix s), places in 1e-6 degree, and the route it was on, where that is known."""

    times_s: Ints
    lat_e6: Ints
    lon_e6: Ints
    routes: tuple[str, ...] = ()

    def due(self, every_s: int) -> Due:
        """At each slot the newest fix since the last one; a slot without a fix is left out."""
        slots = -(-self.times_s // every_s) * every_s
        last = np.append(slots[1:] != slots[:-1], True)
        return Due(slots[last], self.times_s[last], self.lat_e6[last], self.lon_e6[last])


@dataclass(frozen=True)
class Scene:
    """Traces from one region: a file's, or generated ones."""

    name: str
    traces: tuple[Trace, ...]
    frame: Frame

    def first(self, count: int) -> Scene:
        """With fewer vehicles."""
        return Scene(self.name, self.traces[:count], self.frame)


def scene(name: str, traces: Sequence[Trace]) -> Scene:
    """Traces with the frame around their middle."""
    lat = float(np.median(np.concatenate([trace.lat_e6 for trace in traces]))) / 1e6
    lon = float(np.median(np.concatenate([trace.lon_e6 for trace in traces]))) / 1e6
    return Scene(name, tuple(traces), Frame(lat, lon))


def load(paths: Iterable[Path]) -> list[Scene]:
    """A scene a file. Errors: UsageError."""
    return [scene(path.name, _read(path)) for path in paths]


def epochs(times_s: Ints) -> Ints:
    """The pseudonym epoch of each moment."""
    return times_s // wire.EPOCH_S


def _read(path: Path) -> list[Trace]:
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'a damaged gzip file'}") from None
    if b"$G" in data[:65536]:
        track = read_nmea(path, data).log.track
        traces = [_trace(track.times_s, track.lat_deg, track.lon_deg, ())]
    else:
        traces = _csv(path, data)
    traces = [trace for trace in traces if len(trace.times_s) >= FIXES_MIN]
    if not traces:
        raise UsageError(f"{path.name}: no trace of at least {FIXES_MIN} fixes in it")
    return traces


def _csv(path: Path, data: bytes) -> list[Trace]:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8", "replace")))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise UsageError(f"{path.name}: neither an NMEA log nor a CSV with the columns {', '.join(COLUMNS)}")
    found: dict[str, list[tuple[float, float, float, str]]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        try:
            moment = datetime.fromisoformat(row["timestamp"]).timestamp()
            place = float(row["latitude"]), float(row["longitude"])
        except (TypeError, ValueError):
            raise UsageError(f"{path.name}: line {number}: not a time (ISO 8601) and a place in degrees") from None
        if not (abs(place[0]) <= 90 and abs(place[1]) <= 180):
            raise UsageError(f"{path.name}: line {number}: not a place on Earth")
        found[row["vehicle_id"]].append((moment, *place, row.get("route_id") or ""))
    traces = []
    for name in sorted(found):
        times, lats, lons, routes = zip(*sorted(found[name]), strict=True)
        traces.append(_trace(times, lats, lons, routes if any(routes) else ()))
    return traces


def _trace(times_s: Sequence[float], lats: Sequence[float], lons: Sequence[float], routes: Sequence[str]) -> Trace:
    lat, lon = (np.round(np.asarray(part, dtype=np.float64) * 1e6).astype(np.int64) for part in (lats, lons))
    return Trace(np.asarray(times_s).astype(np.int64), lat, lon, tuple(routes))
