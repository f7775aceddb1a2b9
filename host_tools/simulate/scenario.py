"""The demo's day, generated from a seed: a vaccine refrigerator and a delivery truck. No recorded data is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from host_tools.simulate.receiver import autocorrelated, nmea_of
from host_tools.simulate.recordings import Series, Surroundings
from host_tools.simulate.route import Floats, drive

# 06:00 UTC, so that one simulated day crosses a pseudonym epoch (00:00 UTC).
DAY_START_S = int(datetime(2026, 1, 5, 6, tzinfo=UTC).timestamp())
DAY_S = 86400
SAMPLE_S = 10
DEPART_S = 75 * 60
SEED = 20260105

Openings = list[tuple[int, int]]  # (second, for how long)


@dataclass(frozen=True)
class Box:
    """A cooled box: time constants and powers that give a curve like a real cabinet's."""

    ambient_c: float
    low_c: float
    high_c: float
    leak_s: float
    open_s: float
    cooling_c_per_s: float


FRIDGE = Box(ambient_c=23.5, low_c=3.3, high_c=5.4, leak_s=13_000.0, open_s=800.0, cooling_c_per_s=0.0045)
CARGO = Box(ambient_c=14.0, low_c=4.1, high_c=5.9, leak_s=9_000.0, open_s=900.0, cooling_c_per_s=0.0042)


def refrigerator(seed: int = SEED, seconds: int = DAY_S, start_s: int = DAY_START_S) -> Surroundings:
    """A vaccine refrigerator's day: compressor cycles, doors, one excursion above 8 degC, a probe unplugged."""
    rng = np.random.default_rng([seed, 1])
    visits = np.sort(rng.uniform(1.0 * 3600, 12.0 * 3600, 16)).astype(int)
    openings = [(int(at), int(rng.integers(15, 75))) for at in visits]
    openings.append((9 * 3600 + 1260, 7 * 60))
    fridge = _surroundings(rng, FRIDGE, openings, seconds, start_s, shocks=[(9 * 3600 + 1255, 1900)])
    unplugged_s = start_s + 7 * 3600 + 600
    return replace(fridge, faults=(("ds18b20", "absent", unplugged_s, unplugged_s + 1200),))


def truck(seed: int = SEED, seconds: int = DAY_S, start_s: int = DAY_START_S) -> Surroundings:
    """A delivery truck's day: depot, some 25 stops over at least 60 km, parked nights; cargo box and shocks."""
    rng = np.random.default_rng([seed, 2])
    day = drive(rng, seconds, DEPART_S)
    openings = [(arrive_s + 20, int(rng.integers(40, 130))) for arrive_s, _ in day.stop_seconds]
    rough = [leave_s for _, leave_s in day.stop_seconds if rng.random() < 0.5]
    shocks = [(leave_s - 60, int(rng.integers(1_100, 2_700))) for leave_s in rough]
    shocks.append((day.stop_seconds[16][0] + 95, 5_400))  # a parcel dropped
    surroundings = _surroundings(rng, CARGO, openings, seconds, start_s, shocks)
    return replace(surroundings, nmea=nmea_of(rng, day, start_s))


def unrecorded(start_s: int, seconds: int, seed: int = SEED) -> tuple[Series, Series]:
    """Humidity and battery for a user's recordings, which hold neither: generated, and named so in the report."""
    rng = np.random.default_rng([seed, 3])
    count = max(seconds // SAMPLE_S, 1)
    humidity = 47.0 + autocorrelated(rng, count, 2.5, 400.0)
    return _series(np.clip(humidity, 0.0, 100.0), start_s), _series(_battery(rng, count), start_s)


def _battery(rng: np.random.Generator, count: int) -> Floats:
    """A lithium cell's volts over a day of use."""
    return np.linspace(4.06, 3.91, count) + autocorrelated(rng, count, 0.003, 30.0)


def _surroundings(
    rng: np.random.Generator,
    box: Box,
    openings: Openings,
    seconds: int,
    start_s: int,
    shocks: list[tuple[int, int]],
) -> Surroundings:
    count = seconds // SAMPLE_S
    opened = _opened(openings, count)
    air = _air(box, opened) + autocorrelated(rng, count, 0.04, 4.0)
    humidity = 44.0 + _smoothed(opened * 26.0, 40.0) + autocorrelated(rng, count, 1.2, 90.0)
    return Surroundings(
        start_s=start_s,
        end_s=start_s + seconds,
        temperature=_series(air, start_s),
        humidity=_series(np.clip(humidity, 0.0, 100.0), start_s),
        battery=_series(_battery(rng, count), start_s),
        probe=_series(_smoothed(air, 24.0), start_s),
        shocks=tuple((start_s + at, peak_mg) for at, peak_mg in sorted(shocks) if at < seconds),
        noise_seed=int(rng.integers(1, 2**30)),
    )


def _opened(openings: Openings, count: int) -> Floats:
    """Returns, per sample, for what share of it the door stood open."""
    opened = np.zeros(count)
    for at_s, for_s in openings:
        first = at_s // SAMPLE_S
        opened[first : first + max(1, round(for_s / SAMPLE_S))] = 1.0
    return opened


def _air(box: Box, opened: Floats) -> Floats:
    """Integrates the box's air temperature (degC) under a two-point thermostat."""
    air_c, cooling = (box.low_c + box.high_c) / 2, False
    curve = []
    for door in opened.tolist():
        cooling = air_c > box.high_c or (cooling and air_c > box.low_c)
        leak = 1.0 / box.leak_s + door / box.open_s
        air_c += SAMPLE_S * ((box.ambient_c - air_c) * leak - (box.cooling_c_per_s if cooling else 0.0))
        curve.append(air_c)
    return np.array(curve)


def _smoothed(curve: Floats, time_constant: float) -> Floats:
    """Returns the curve as something with heat capacity follows it; time_constant in samples."""
    keep = np.exp(-1.0 / time_constant)
    value = float(curve[0])
    out = []
    for sample in curve.tolist():
        value = keep * value + (1 - keep) * sample
        out.append(value)
    return np.array(out)


def _series(curve: Floats, start_s: int) -> Series:
    times_s = range(start_s, start_s + len(curve) * SAMPLE_S, SAMPLE_S)
    return Series(tuple(times_s), tuple(np.rint(curve * 1000).astype(int).tolist()))
