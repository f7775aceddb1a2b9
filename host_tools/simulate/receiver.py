"""Writes what a GPS receiver would say on a given drive: 1 Hz RMC and GGA, with its noise, gaps and line faults."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from host_tools.simulate.recordings import NmeaLog, Track
from host_tools.simulate.route import Drive, Floats

NOISE_SIGMA_M = 5.0
NOISE_TIME_CONSTANT_S = 90.0
CORRUPTED_PER_MILLION = 5000
KNOTS_PER_M_S = 1.943_844


def autocorrelated(rng: np.random.Generator, count: int, sigma: float, time_constant: float) -> Floats:
    """Returns a first-order Gauss-Markov sequence: consecutive errors resemble each other as a receiver's do."""
    keep = math.exp(-1.0 / time_constant)
    pushes = (rng.normal(0.0, sigma * math.sqrt(1 - keep * keep), count)).tolist()
    value = float(rng.normal(0.0, sigma))
    out = []
    for push in pushes:
        value = keep * value + push
        out.append(value)
    return np.array(out)


def nmea_of(rng: np.random.Generator, drive: Drive, start_s: int) -> NmeaLog:
    """Returns the receiver's output over the drive; Unix second start_s is the drive's second 0."""
    count = len(drive.east_m)
    lat = drive.lat_deg(drive.north_m + autocorrelated(rng, count, NOISE_SIGMA_M, NOISE_TIME_CONSTANT_S))
    lon = drive.lon_deg(drive.east_m + autocorrelated(rng, count, NOISE_SIGMA_M, NOISE_TIME_CONSTANT_S))
    altitude_m = 520.0 + 90.0 * np.sin(drive.east_m / 4100.0) + autocorrelated(rng, count, 6.0, 200.0)
    bodies = _bodies(lat, lon, altitude_m, drive, start_s)
    data, offsets = _framed(rng, bodies)
    index = tuple(zip(range(start_s, start_s + count), offsets[::2].tolist(), strict=True))
    seen = np.flatnonzero(~drive.in_tunnel)
    times_s = tuple((seen + start_s).tolist())
    return NmeaLog(data, index, Track(times_s, tuple(lat[seen].tolist()), tuple(lon[seen].tolist())))


def _bodies(lat: Floats, lon: Floats, altitude_m: Floats, drive: Drive, start_s: int) -> list[str]:
    """Returns the sentences between "$" and "*", RMC and GGA in turn (NMEA 0183 4.10: FAA mode A or N)."""
    lat_text, lon_text = _angles(lat, 2), _angles(lon, 3)
    north, east = "N" if lat[0] >= 0 else "S", "E" if lon[0] >= 0 else "W"
    knots = (drive.speed_m_s * KNOTS_PER_M_S).tolist()
    headings = np.degrees(np.arctan2(np.gradient(drive.east_m), np.gradient(drive.north_m))) % 360
    courses, heights, voids = headings.tolist(), altitude_m.tolist(), drive.in_tunnel.tolist()
    bodies = []
    for i in range(len(lat_text)):
        day, tod = divmod(start_s + i, 86400)
        clock = f"{tod // 3600:02d}{tod // 60 % 60:02d}{tod % 60:02d}.00"
        date = _date_text(day)
        if voids[i]:
            bodies.append(f"GPRMC,{clock},V,,,,,,,{date},,,N")
            bodies.append(f"GPGGA,{clock},,,,,0,02,9.99,,M,,M,,")
            continue
        place = f"{lat_text[i]},{north},{lon_text[i]},{east}"
        bodies.append(f"GPRMC,{clock},A,{place},{knots[i]:.3f},{courses[i]:.1f},{date},,,A")
        bodies.append(f"GPGGA,{clock},{place},1,09,0.94,{heights[i]:.1f},M,47.6,M,,")
    return bodies


_DATES: dict[int, str] = {}


def _date_text(day: int) -> str:
    if day not in _DATES:
        _DATES[day] = datetime.fromtimestamp(day * 86400, UTC).strftime("%d%m%y")
    return _DATES[day]


def _angles(degrees: Floats, digits: int) -> list[str]:
    """Formats as [d]ddmm.mmmmm; counted in 1e-5 minutes so that rounding never shows 60 minutes."""
    whole, rest = np.divmod(np.rint(np.abs(degrees) * 6_000_000).astype(np.int64), 6_000_000)
    minutes, parts = np.divmod(rest, 100_000)
    columns = zip(whole.tolist(), minutes.tolist(), parts.tolist(), strict=True)
    return [f"{d:0{digits}d}{m:02d}.{p:05d}" for d, m, p in columns]


def _framed(rng: np.random.Generator, bodies: list[str]) -> tuple[bytes, NDArray[np.int64]]:
    """Adds "$", checksum and line end, spoils a few sentences, and returns the bytes and where each begins."""
    joined = np.frombuffer("".join(bodies).encode("ascii"), dtype=np.uint8)
    sizes = np.fromiter((len(body) for body in bodies), dtype=np.int64, count=len(bodies))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    sums = np.bitwise_xor.reduceat(joined, starts).tolist()
    lines = [f"${body}*{check:02X}\r\n" for body, check in zip(bodies, sums, strict=True)]
    spoiled = np.flatnonzero(rng.random(len(lines)) < CORRUPTED_PER_MILLION / 1e6).tolist()
    for number in spoiled:
        lines[number] = _spoil(rng, lines[number])
    ends = np.cumsum(np.fromiter((len(line) for line in lines), dtype=np.int64, count=len(lines)))
    return "".join(lines).encode("ascii"), np.concatenate(([0], ends[:-1]))


def _spoil(rng: np.random.Generator, line: str) -> str:
    """Either loses the end of the sentence or turns one character into another, as a bad serial line does."""
    place = int(rng.integers(8, len(line) - 5))
    if rng.random() < 0.5:
        return line[:place] + "\r\n"
    return line[:place] + chr(ord(line[place]) ^ 1) + line[place + 1 :]
