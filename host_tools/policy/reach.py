"""How far a policy reaches, from the map a node has it as, and what another lets out more or less than it does.

A consent was given to a policy's reach: to more than that it does not extend. Compares; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from host_tools.policy.hours import Compiled, Hours, open_minutes
from host_tools.policy.profile import FIELD_NAMES, TIER_NAMES
from host_tools.policy.words import step_text
from host_tools.policy.zones import Cell, text
from plumveil import wire

Alarms = tuple[int | None, int | None, int | None]  # below, above, from: wire units; None: no such alarm
INTERVALS = {"sample_s": "a reading", "position_s": "a position", "device_s": "a report of health"}


@dataclass(frozen=True)
class Reach:
    """A policy's version and reach. fields: id -> step; retention: days per stream; hours, limits, scatter (scale in
    metres, positions a day): None without; widened: version that last let out more."""

    version: int
    widened: int
    fields: dict[int, int]
    ceiling: int
    health_mask: bool
    split_dates: bool
    intervals: dict[str, int]
    retention: tuple[int, ...]
    hours: Compiled | None
    alarm_only: bool
    zones: frozenset[Cell]
    limits: tuple[int, int, int] | None
    scatter: tuple[int, int] | None = None

    @property
    def alarms(self) -> Alarms:
        """The limits that a reading can cross: a node judges by what may leave, after all else was dropped."""
        low, high, shock = self.limits or (None, None, None)
        if not self.fields.keys() & {wire.F_TEMPERATURE, wire.F_PROBE_TEMPERATURE}:
            low = high = None
        return low, high, shock if wire.F_SHOCK_PEAK in self.fields else None

    @classmethod
    def of(cls, parts: Mapping[Any, Any]) -> Reach:
        """Of a map with keys wire.P_*. Raises KeyError, TypeError or ValueError when it is none."""
        hours, limits = parts.get(wire.P_SCHEDULE), parts.get(wire.P_LIMITS)
        if hours is not None:
            Hours.of(hours)
        keys = (wire.P_SAMPLE_S, wire.P_POSITION_S, wire.P_DEVICE_S)
        found = cls(
            parts[wire.P_VERSION],
            parts[wire.P_WIDENED],
            dict(parts[wire.P_FIELDS]),
            parts[wire.P_LOCATION_CEILING],
            parts[wire.P_HEALTH_MASK],
            parts.get(wire.P_SPLIT_DATES, False),
            dict(zip(INTERVALS, (parts[key] for key in keys), strict=True)),
            tuple(parts[wire.P_RETENTION]),
            None if hours is None else (hours[0], hours[1], hours[2], hours[3]),
            parts.get(wire.P_ALARM_ONLY, False),
            frozenset((tier, row, column) for tier, row, column in parts.get(wire.P_ZONES, [])),
            None if limits is None else (limits[0], limits[1], limits[2]),
            (parts[wire.P_SCATTER_M], parts.get(wire.P_SCATTER_DAY, 0)) if parts.get(wire.P_SCATTER_M, 0) else None,
        )
        numbers = (
            *(found.scatter or ()),
            found.version,
            found.widened,
            found.ceiling,
            *found.intervals.values(),
            *found.retention,
        )
        if not all(type(n) is int for n in (*numbers, *found.fields, *found.fields.values())):
            raise TypeError("not a number")
        if not found.fields.keys() <= FIELD_NAMES.keys() or len(found.retention) != len(wire.STREAMS):
            raise ValueError("no policy")
        if not 0 <= found.ceiling < len(wire.TIERS):
            raise ValueError("no tier")
        return found


class Change(NamedTuple):
    """One respect in which two policies differ, in words before and after; it may be wider, narrower, both, or
    neither."""

    what: str
    words: tuple[str, str]
    wider: bool
    narrower: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.words[0]} -> {self.words[1]}"


def changes(old: Reach, new: Reach) -> list[Change]:
    """All in which they differ in reach. Versions are not compared."""
    found = [*_fields(old, new), *_everywhere(old, new), *_alarm_limits(old, new)]
    # Where one of them has no positions, how it would take them says nothing.
    return found if wire.TIER_OFF in (old.ceiling, new.ceiling) else [*found, *_positions(old, new)]


def wider(old: Reach, new: Reach) -> list[Change]:
    """Those in which `new` lets out more, longer, or more often."""
    return [change for change in changes(old, new) if change.wider]


def _fields(old: Reach, new: Reach) -> Iterator[Change]:
    def words(field: int, step: int | None) -> str:
        return "does not leave" if step is None else f"in steps of {step_text(field, step)}"

    for field in sorted(old.fields.keys() | new.fields.keys()):
        before, after = old.fields.get(field), new.fields.get(field)
        if before != after:
            finer = before is None or (after is not None and after < before)
            yield Change(FIELD_NAMES[field], (words(field, before), words(field, after)), finer, not finer)


def _everywhere(old: Reach, new: Reach) -> Iterator[Change]:
    if old.ceiling != new.ceiling:
        names = TIER_NAMES[old.ceiling], TIER_NAMES[new.ceiling]
        yield Change("finest position", names, new.ceiling > old.ceiling, new.ceiling < old.ceiling)
    for name in ("sample_s", "device_s"):
        yield from _interval(old, new, name)
    for stream in (wire.READINGS, wire.DEVICE, wire.EVENTS):
        yield from _retention(old, new, stream)
    if old.health_mask != new.health_mask:
        yield _flag("health values", ("for whoever has the stream", "masked"), old.health_mask)
    if old.split_dates != new.split_dates:
        yield _flag("dates", ("in every message", "in a stream of their own"), old.split_dates)


def _flag(what: str, words: tuple[str, str], before: bool) -> Change:
    """A change of something that narrows when it is set; words: of what is without it, and with it."""
    return Change(what, (words[before], words[not before]), before, not before)


def _interval(old: Reach, new: Reach, name: str) -> Iterator[Change]:
    before, after = old.intervals[name], new.intervals[name]
    if before != after:
        yield Change(INTERVALS[name], (f"every {before} s", f"every {after} s"), after < before, after > before)


def _retention(old: Reach, new: Reach, stream: int) -> Iterator[Change]:
    before, after = old.retention[stream], new.retention[stream]
    if before != after:
        words = f"{before} days", f"{after} days"
        yield Change(f"longest wait of {wire.STREAMS[stream]}", words, after > before, after < before)


def _positions(old: Reach, new: Reach) -> Iterator[Change]:
    yield from _interval(old, new, "position_s")
    yield from _retention(old, new, wire.LOCATION)
    before, after = open_minutes(old.hours), open_minutes(new.hours)
    if before != after:
        words = _hours_text(old.hours), _hours_text(new.hours)
        yield Change("positions", words, bool(after & ~before), bool(before & ~after))
    if old.alarm_only != new.alarm_only:
        yield _flag("positions", ("with an alarm or without", "at an alarm only"), old.alarm_only)
    yield from _scatter(old.scatter, new.scatter)
    if old.zones != new.zones:
        words = _zones_text(old.zones), _zones_text(new.zones)
        yield Change("private zones", words, bool(old.zones - new.zones), bool(new.zones - old.zones))


def _scatter(old: tuple[int, int] | None, new: tuple[int, int] | None) -> Iterator[Change]:
    words = scatter_text(old), scatter_text(new)
    if old is None or new is None:
        if old != new:
            yield Change("positions", words, new is None, old is None)
    elif old != new:
        yield Change("positions", words, new[0] < old[0] or new[1] > old[1], new[0] > old[0] or new[1] < old[1])


def scatter_text(scatter: tuple[int, int] | None) -> str:
    """How positions are moved, in words."""
    if scatter is None:
        return "where they are"
    return f"moved by {2 * scatter[0]} m on average, {scatter[1]} a day at most"


def _alarm_limits(old: Reach, new: Reach) -> Iterator[Change]:
    if old.alarms == new.alarms:
        return
    words = limit_text(old.alarms), limit_text(new.alarms)
    # Other alarms let out other events, and neither more nor less of them; but with them come positions that wait.
    if wire.TIER_OFF not in (old.ceiling, new.ceiling) and old.alarm_only and new.alarm_only:
        more, fewer = _more_alarms(old.alarms, new.alarms), _more_alarms(new.alarms, old.alarms)
        yield Change("alarms that let positions out", words, more, fewer)
    else:
        yield Change("alarms", words, wider=False, narrower=False)


def _more_alarms(old: Alarms, new: Alarms) -> bool:
    """Whether there are alarms under `new` that there are not under `old`."""
    # Low alarms are more where the limit is higher, the others where it is lower.
    for before, after, sign in zip(old, new, (1, -1, -1), strict=True):
        if after is not None and (before is None or sign * after > sign * before):
            return True
    return False


def _hours_text(hours: Compiled | None) -> str:
    return "at all hours" if hours is None else str(Hours.of(hours))


def _zones_text(zones: frozenset[Cell]) -> str:
    return ", ".join(map(text, sorted(zones))) or "none"


def limit_text(alarms: Alarms) -> str:
    """What raises an alarm, in words."""
    low, high, shock = alarms
    words = [] if low is None or high is None else [f"below {low / 10:g} or above {high / 10:g} degC"]
    words += [] if shock is None else [f"from {shock / 10:g} g"]
    return ", ".join(words) or "none"
