"""Puts a user's recordings on the simulated clock: a common start, no earlier than the wire format's first second.

Curves and tracks are moved in time as a whole, never bent; every move is put into words for the report.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from host_tools.errors import UsageError
from host_tools.simulate.inputs import SeriesRead
from host_tools.simulate.nmea_log import NmeaRead
from host_tools.simulate.recordings import Surroundings
from host_tools.simulate.scenario import unrecorded
from plumveil import wire

SIMULATED_DAY_S = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
DAY_S = 86400
HOURS_DEFAULT_MAX = 24.0
HOURS_DEFAULT_MIN = 2.0  # a batch of readings has to fill before it is sent
HOURS_MAX = 24.0 * 31
SWITCH_ON_S = 10  # the node is switched on so long before the recording, to join its network and get the time
SLACK_S = 3600  # a recording that ends this close to the simulation's end needs no word


def surroundings_of(
    temperature: SeriesRead, nmea: NmeaRead | None, hours: float | None = None, now_s: int | None = None
) -> Surroundings:
    """Builds a node's surroundings from recordings.

    hours: None for as long as they are, at most a day. now_s: the host's clock; nothing may be sent from after it.
    Errors: UsageError when hours is out of bounds.
    """
    curve, log = temperature.series, nmea.log if nmea else None
    apart = log is not None and max(curve.start_s, log.start_s) > min(curve.end_s, log.end_s)
    if apart and log is not None:
        recorded_s = log.start_s
        curve = curve.shifted(recorded_s - curve.start_s)
    else:
        recorded_s = max(curve.start_s, log.start_s) if log else curve.start_s
    seconds = _span_s(max(curve.end_s, log.end_s if log else 0) - recorded_s, hours)
    begin_s = _clock_start_s(recorded_s, seconds, int(time.time()) if now_s is None else now_s)
    curve = curve.shifted(begin_s - recorded_s)
    log = log.shifted(begin_s - recorded_s) if log else None
    start_s, end_s = begin_s - SWITCH_ON_S, begin_s + seconds
    notes = list(_moved(temperature, nmea, apart, recorded_s, begin_s))
    notes += _ends("temperature", curve.end_s, end_s, seconds, "its last value holds")
    notes += _ends("NMEA", log.end_s, end_s, seconds, "the receiver is silent") if log else ()
    humidity, battery = unrecorded(start_s, end_s - start_s)
    return Surroundings(
        start_s=start_s,
        end_s=end_s,
        temperature=curve.window(start_s, end_s),
        humidity=humidity,
        battery=battery,
        nmea=log.window(start_s, end_s) if log else None,
        notes=(*notes, "humidity and battery voltage were not recorded: they are generated"),
    )


def _span_s(recorded_s: int, hours: float | None) -> int:
    if hours is None:
        hours = min(max(recorded_s / 3600, HOURS_DEFAULT_MIN), HOURS_DEFAULT_MAX)
    if not 0 < hours <= HOURS_MAX:
        raise UsageError(f"--hours must be above 0 and at most {HOURS_MAX:.0f}")
    return max(int(hours * 3600), 60)


def _clock_start_s(recorded_s: int, seconds: int, now_s: int) -> int:
    """Keeps a start that the wire format can express and that is over by now; else the same hour on another day."""
    if wire.UNIX_MIN_S + SWITCH_ON_S <= recorded_s <= now_s - seconds:
        return recorded_s
    return SIMULATED_DAY_S + recorded_s % DAY_S


def _moved(
    temperature: SeriesRead, nmea: NmeaRead | None, apart: bool, recorded_s: int, begin_s: int
) -> Iterator[str]:
    """Says how the recordings were moved in time."""
    if apart and nmea is not None:
        yield (
            f"the recordings lie at different times (temperature from {_date(temperature.series.start_s)}, NMEA from "
            f"{_date(nmea.log.start_s)}): both are moved to begin together at {_date(begin_s)}"
        )
    elif begin_s != recorded_s:
        yield f"recorded from {_date(recorded_s)}; moved to {_date(begin_s)}, where a node's clock can be"


def _ends(name: str, recorded_end_s: int, end_s: int, seconds: int, after: str) -> Iterator[str]:
    """Says when a recording and the simulation do not end together."""
    if recorded_end_s < end_s - SLACK_S:
        yield f"the {name} recording ends {_hours(end_s - recorded_end_s)} before the simulation; then {after}"
    elif recorded_end_s > end_s + SLACK_S:
        yield f"of the {name} recording the simulation uses the first {_hours(seconds)}"


def _date(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.1f} h"
