"""A fleet with a real fleet's differences, drawn from a seed: signal, clock, memory, sensors, outages, power cuts.

All nodes have one kind of goods, sensors and policy: what a node is used for is no secret, which of them it is should
be. Must never make nodes more alike than a depot full of refrigerators is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_tools.simulate.receiver import nmea_of
from host_tools.simulate.recordings import NmeaLog, Series, Surroundings, Track
from host_tools.simulate.route import Drive
from plumveil import wire

START_DAY = 20_490  # Unix day of the first epoch observed: 2026-02-06
BEFORE_S = (1800, 3 * 3600)  # nodes boot so long before it, so that their first day is like any other
AFTER_S = 2 * 3600  # and go on so long after the last one, for what is still queued
CURVE_S = 300  # a point of the curves that sensors feel
DRIVE_AROUND_S = (60, 120)  # the receiver's output begins and ends so long before and after a position is due
PLACES_M = ((0.0, 0.0), (60_000.0, 0.0), (0.0, 60_000.0))
KIB = 1024
HARD_RESET, WATCHDOG, BROWN_OUT = 2, 3, 1  # machine.reset_cause() of the ESP32 port; power-on and brown-out are one
NIGHT_SHARE = 0.7  # of the power cuts: somebody switches things off after work
NIGHT_HOURS = (21.0, 30.0)  # from evening to six in the morning
BOOT_MIN_S = 300  # two boots are no closer

Floats = NDArray[np.float64]
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Boot:
    """From one start of the firmware to the loss of power that ends it: true Unix milliseconds. cause: as
    machine.reset_cause() says it; ntp_error_ms: of the time server's answer as it arrives."""

    start_ms: int
    end_s: int
    cause: int
    rssi_dbm: int
    ntp_error_ms: int


@dataclass(frozen=True)
class NodePlan:
    """One node's life. drift_ppb: of its crystal; ballast_bytes: memory it lacks; heap_kib: memory it has; outages:
    spans of Unix seconds in which its access point is away."""

    name: str
    boots: tuple[Boot, ...]
    drift_ppb: int
    ballast_bytes: int
    heap_kib: int
    outages: Spans
    around: Surroundings


@dataclass(frozen=True)
class Traits:
    """What stays with a node: how often a day things happen to it, and how it is built."""

    rssi_dbm: float
    faults_per_day: float
    outages_per_day: float
    cuts_per_day: float
    resets_per_day: float
    reset_cause: int
    set_point_c: float
    swing_c: float
    cycle_s: float
    humidity: float
    volts: float


def make_fleet(seed: int, nodes: int, epochs: int, position_s: int) -> list[NodePlan]:
    """Plans the lives of `nodes` nodes over `epochs` days; same arguments, same fleet. position_s: the policy's."""
    return [_node(np.random.default_rng([seed, number]), number, epochs, position_s) for number in range(nodes)]


def _node(rng: np.random.Generator, number: int, epochs: int, position_s: int) -> NodePlan:
    traits = _traits(rng)
    first_s = START_DAY * wire.EPOCH_S - int(rng.integers(*BEFORE_S))
    end_s = (START_DAY + epochs) * wire.EPOCH_S + AFTER_S
    return NodePlan(
        name=f"node-{number}",
        boots=_boots(rng, traits, first_s, end_s),
        drift_ppb=int(rng.normal(0, 10_000)),
        ballast_bytes=int(rng.integers(0, 48)) * KIB,
        heap_kib=int(rng.choice([96, 112, 128, 160])),
        outages=_spans(rng, traits.outages_per_day, (20 * 60, 1.0), first_s, end_s),
        around=_around(rng, traits, first_s, end_s, position_s),
    )


def _traits(rng: np.random.Generator) -> Traits:
    flaky = rng.random() < 0.2
    return Traits(
        rssi_dbm=float(np.clip(rng.normal(-67, 9), -90, -40)),
        faults_per_day=float(rng.gamma(2.0, 1.5)) if flaky else 0.05,
        outages_per_day=float(rng.gamma(1.0, 0.4)),
        cuts_per_day=float(rng.gamma(1.0, 0.15)),
        resets_per_day=float(rng.gamma(1.0, 0.1)),
        reset_cause=int(rng.choice([HARD_RESET, WATCHDOG, BROWN_OUT])),
        set_point_c=float(rng.normal(5.0, 0.3)),
        swing_c=float(rng.uniform(0.3, 0.9)),
        cycle_s=float(rng.uniform(25, 70) * 60),
        humidity=float(rng.normal(48, 7)),
        volts=float(rng.uniform(3.7, 4.1)),
    )


def _times(rng: np.random.Generator, per_day: float, first_s: int, end_s: int) -> list[int]:
    count = int(rng.poisson(per_day * (end_s - first_s) / wire.EPOCH_S))
    return sorted(int(at) for at in rng.uniform(first_s, end_s, count))


def _spans(rng: np.random.Generator, per_day: float, length: tuple[float, float], first_s: int, end_s: int) -> Spans:
    """Spans that do not touch; length: (median in s, sigma) of a log-normal."""
    spans: list[tuple[int, int]] = []
    for at_s in _times(rng, per_day, first_s, end_s):
        to_s = at_s + max(30, int(length[0] * rng.lognormal(0.0, length[1])))
        if not spans or at_s > spans[-1][1] + 60:
            spans.append((at_s, to_s))
    return tuple(spans)


def _boots(rng: np.random.Generator, traits: Traits, first_s: int, end_s: int) -> tuple[Boot, ...]:
    """Boots between power cuts, mostly at night and for minutes, and resets, at any time and for seconds."""
    cuts: list[tuple[int, int, int]] = []
    for at_s in _times(rng, traits.cuts_per_day, first_s, end_s):
        if rng.random() < NIGHT_SHARE:
            at_s += int(rng.uniform(*NIGHT_HOURS) * 3600) - at_s % wire.EPOCH_S
        cuts.append((at_s, max(5, int(600 * rng.lognormal(0.0, 1.2))), BROWN_OUT))
    for at_s in _times(rng, traits.resets_per_day, first_s, end_s):
        cuts.append((at_s, 2, traits.reset_cause))
    boots: list[Boot] = []
    start_s, cause = first_s, BROWN_OUT
    for at_s, off_s, next_cause in sorted(cuts):
        if at_s < start_s + BOOT_MIN_S or at_s + off_s > end_s - BOOT_MIN_S:
            continue
        boots.append(_boot(rng, traits, start_s, at_s, cause))
        start_s, cause = at_s + off_s, next_cause
    boots.append(_boot(rng, traits, start_s, end_s, cause))
    return tuple(boots)


def _boot(rng: np.random.Generator, traits: Traits, start_s: int, end_s: int, cause: int) -> Boot:
    return Boot(
        start_ms=start_s * 1000 + int(rng.integers(0, 1000)),
        end_s=end_s,
        cause=cause,
        rssi_dbm=int(np.clip(rng.normal(traits.rssi_dbm, 2.0), -95, -30)),
        ntp_error_ms=int(rng.normal(0, 25)),
    )


def _around(rng: np.random.Generator, traits: Traits, first_s: int, end_s: int, position_s: int) -> Surroundings:
    count = (end_s - first_s) // CURVE_S + 1
    clock_s = np.arange(count) * float(CURVE_S)
    phase = rng.uniform(0, 2 * np.pi)
    cooling = traits.swing_c * np.sin(2 * np.pi * clock_s / traits.cycle_s + phase)
    air_c = traits.set_point_c + cooling + rng.normal(0, 0.08, count)
    humidity = traits.humidity + 4 * np.sin(2 * np.pi * clock_s / wire.EPOCH_S + phase) + rng.normal(0, 0.6, count)
    volts = traits.volts - 0.01 * clock_s / wire.EPOCH_S + rng.normal(0, 0.002, count)
    faults = _spans(rng, traits.faults_per_day, (25 * 60, 0.6), first_s, end_s)
    kinds = ("crc", "absent", "timeout")
    return Surroundings(
        start_s=first_s,
        end_s=end_s,
        temperature=_series(air_c, first_s),
        humidity=_series(np.clip(humidity, 5, 95), first_s),
        battery=_series(volts, first_s),
        faults=tuple(("sht4x", str(rng.choice(kinds)), from_s, to_s) for from_s, to_s in faults),
        nmea=_drives(rng, first_s, end_s, position_s),
        gps_ttff_s=int(rng.integers(2, 15)),
        noise_seed=int(rng.integers(1, 2**30)),
    )


def _series(curve: Floats, start_s: int) -> Series:
    times_s = range(start_s, start_s + len(curve) * CURVE_S, CURVE_S)
    return Series(tuple(times_s), tuple(np.rint(curve * 1000).astype(int).tolist()))


def _drives(rng: np.random.Generator, first_s: int, end_s: int, position_s: int) -> NmeaLog:
    """What the receiver says whenever a position is due: the node is taken from place to place, so each is new."""
    # Far apart, so that every move shows as a new cell, and as many messages come from each node.
    places_m = rng.uniform(-8_000, 8_000, (3, 2)) + np.array(PLACES_M)
    data, index = b"", []
    seconds = sum(DRIVE_AROUND_S)
    for visit, due_s in enumerate(range(first_s - first_s % position_s, end_s, position_s)):
        at_m = places_m[visit % len(places_m)]
        still = np.zeros(seconds)
        stay = Drive(still + at_m[0], still + at_m[1], still, still.astype(bool), (), 0.0)
        log = nmea_of(rng, stay, due_s - DRIVE_AROUND_S[0])
        index += [(time_s, len(data) + offset) for time_s, offset in log.index]
        data += log.data
    return NmeaLog(data, tuple(index), Track((), (), ()))
