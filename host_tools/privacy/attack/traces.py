"""Traces to attack: a CSV of vehicles (gzip or not), or NMEA logs; and what of them is due when a node takes
positions. A CSV's times carry their zone: whose midnight it is decides who was at home.

Names of vehicles are dropped on reading. Must never repeat a coordinate in a message.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
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
BYTES_MAX = 1 << 27  # of a file, unpacked: some two million fixes


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
    data = _content(path)
    if b"$G" in data[:65536]:
        track = read_nmea(path, data).log.track
        traces = [_trace(track.times_s, track.lat_deg, track.lon_deg, ())]
    else:
        traces = _csv(path, data)
    traces = [trace for trace in traces if len(trace.times_s) >= FIXES_MIN]
    if not traces:
        raise UsageError(f"{path.name}: no trace of at least {FIXES_MIN} fixes in it")
    return traces


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
        if data[:2] == b"\x1f\x8b":
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'a damaged gzip file'}") from None
    if len(data) > BYTES_MAX:
        raise UsageError(f"{path.name}: more than {BYTES_MAX >> 20} MiB; split it")
    return data


def _csv(path: Path, data: bytes) -> list[Trace]:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8", "replace"), newline=""))
    found: dict[str, list[tuple[float, float, float, str]]] = defaultdict(list)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise UsageError(f"{path.name}: neither an NMEA log nor a CSV with the columns {', '.join(COLUMNS)}")
        for row in rows:
            name, at_s, lat, lon = _fix(row)
            found[name].append((at_s, lat, lon, row.get("route_id") or ""))
    except csv.Error:
        raise UsageError(f"{path.name}: line {rows.line_num + 1}: not CSV, or a field of great length") from None
    except ValueError as error:
        raise UsageError(f"{path.name}: line {rows.line_num}: {error}") from None
    traces = []
    for name in sorted(found):
        times, lats, lons, routes = zip(*sorted(found[name]), strict=True)
        traces.append(_trace(times, lats, lons, routes if any(routes) else ()))
    return traces


def _fix(row: dict[str, str | None]) -> tuple[str, float, float, float]:
    """Name, Unix s, latitude and longitude in degrees; ValueError without a value in it."""
    name, moment, lat, lon = (row[column] for column in COLUMNS)
    if name is None or moment is None or lat is None or lon is None:
        raise ValueError(f"cut short: a row has {', '.join(COLUMNS)}")
    try:
        at, lat_deg, lon_deg = datetime.fromisoformat(moment), float(lat), float(lon)
    except ValueError:
        raise ValueError("not a time (ISO 8601) and a place in degrees") from None
    if at.tzinfo is None:
        raise ValueError("a time without its zone; write 2016-11-24T06:02:09-06:00, or Z for UTC")
    at_s = at.timestamp()
    if not 0 <= at_s < wire.UNIX_MAX_S:
        raise ValueError("not a time from 1970 to 2099")
    if not (abs(lat_deg) <= 90 and abs(lon_deg) <= 180):
        raise ValueError("not a place on Earth")
    return name, at_s, lat_deg, lon_deg


def _trace(times_s: Sequence[float], lats: Sequence[float], lons: Sequence[float], routes: Sequence[str]) -> Trace:
    lat, lon = (np.round(np.asarray(part, dtype=np.float64) * 1e6).astype(np.int64) for part in (lats, lons))
    return Trace(np.asarray(times_s).astype(np.int64), lat, lon, tuple(routes))
