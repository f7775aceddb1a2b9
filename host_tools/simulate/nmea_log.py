"""Reads a GPS receiver's NMEA 0183 log and finds when each stretch of it was received.

The bytes are kept as they came, faults included: to cope with them is the firmware's task, not this reader's.
"""

from __future__ import annotations

import re
import statistics
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

from host_tools.errors import UsageError
from host_tools.simulate.recordings import NmeaLog, Track

CENTURY_PIVOT = 80  # GPS began in 1980: two-digit years from here on are 19xx
DATE_SPREAD_MAX_S = 31 * 86400  # dates further than this from the log's median are a receiver's default date
BACKWARD_MAX_S = 2  # receivers repeat a second now and then; a larger step back is a wrong time
TIMED_SHARE_MIN = 0.5  # below this share of usable times only the order of the sentences is believed
FIXED_QUALITIES = frozenset({b"1", b"2", b"3", b"4", b"5"})  # 6 estimated, 7 manual, 8 simulator are no fix
TIME_FIELD = {b"RMC": 1, b"GGA": 1, b"GNS": 1, b"GLL": 5, b"ZDA": 1}

_LINE = re.compile(rb"[^\r\n]+[\r\n]*|[\r\n]+")
_SENTENCE = re.compile(rb"\$([^$*\r\n]{5,250})\*([0-9A-Fa-f]{2})\s*$")


@dataclass
class _Epoch:
    """One navigation solution: what the receiver sent until its time of day changed."""

    offset: int
    time_of_day_s: int | None = None
    date: tuple[int, int, int] | None = None
    valid: bool = False
    position: tuple[float, float] | None = None

    def unix_s(self) -> int | None:
        if self.date is None or self.time_of_day_s is None:
            return None
        try:
            midnight = datetime(*self.date, tzinfo=UTC)
        except ValueError:
            return None
        return int(midnight.timestamp()) + self.time_of_day_s


@dataclass(frozen=True)
class NmeaRead:
    """A log as read: the recording, how many lines were no sound sentence, and what the user should know."""

    log: NmeaLog
    sentences: int
    bad_lines: int
    notes: tuple[str, ...]


def read_nmea(path: Path, data: bytes) -> NmeaRead:
    """Turns a log's bytes into a recording.

    Times come from RMC (date and time). Where they are missing or contradict one another, sentences keep their order
    and epochs lie one second apart, and a note says so. Errors: UsageError when no position sentence with a right
    checksum is in it.
    """
    epochs, sentences, bad_lines = _epochs(data)
    if not any(epoch.time_of_day_s is not None or epoch.position is not None for epoch in epochs):
        raise UsageError(
            f"{path.name}: no NMEA position sentence with a right checksum; is this a GPS receiver's log?"
        )
    times_s, notes = _times(epochs)
    index: list[tuple[int, int]] = []
    for time_s, epoch in zip(times_s, epochs, strict=True):
        if not index or time_s > index[-1][0]:
            index.append((time_s, epoch.offset))
    fixes = [
        (time_s, *epoch.position)
        for time_s, epoch in zip(times_s, epochs, strict=True)
        if epoch.position is not None and epoch.valid
    ]
    if not fixes:
        notes.append("the NMEA log holds no valid fix")
    track = Track(tuple(f[0] for f in fixes), tuple(f[1] for f in fixes), tuple(f[2] for f in fixes))
    return NmeaRead(NmeaLog(data, tuple(index), track), sentences, bad_lines, tuple(notes))


def _epochs(data: bytes) -> tuple[list[_Epoch], int, int]:
    epochs = [_Epoch(0)]
    sentences = bad_lines = 0
    for match in _LINE.finditer(data):
        line = match.group().strip()
        if not line or line.startswith(b"#"):
            continue
        sentence = _SENTENCE.search(line)
        if sentence is None or reduce(xor, sentence[1]) != int(sentence[2], 16):
            bad_lines += 1
            continue
        sentences += 1
        parts = sentence[1].split(b",")
        kind = parts[0][2:]
        if kind not in TIME_FIELD or len(parts) <= TIME_FIELD[kind]:
            continue
        _open_epoch(epochs, kind, _time_of_day_s(parts[TIME_FIELD[kind]]), match.start())
        _note_sentence(epochs[-1], kind, parts)
    return epochs, sentences, bad_lines


def _open_epoch(epochs: list[_Epoch], kind: bytes, time_of_day_s: int | None, offset: int) -> None:
    """Begins an epoch when the time of day changes; without times every RMC begins one."""
    current = epochs[-1]
    if time_of_day_s is None:
        if kind == b"RMC":
            epochs.append(_Epoch(offset))
    elif current.time_of_day_s is None and len(epochs) == 1:
        current.time_of_day_s = time_of_day_s
    elif current.time_of_day_s != time_of_day_s:
        epochs.append(_Epoch(offset, time_of_day_s))


def _note_sentence(epoch: _Epoch, kind: bytes, parts: list[bytes]) -> None:
    if kind == b"RMC" and len(parts) > 9:
        epoch.valid = epoch.valid or parts[2] == b"A"
        epoch.date = _date(parts[9]) or epoch.date
        position = _position(parts[3:7]) if parts[2] == b"A" else None
    elif kind == b"GGA" and len(parts) > 6:
        fixed = parts[6] in FIXED_QUALITIES
        epoch.valid = epoch.valid or fixed
        position = _position(parts[2:6]) if fixed else None
    else:
        return
    epoch.position = epoch.position or position


def _time_of_day_s(text: bytes) -> int | None:
    if not re.fullmatch(rb"\d{6}(\.\d*)?", text):
        return None
    hours, minutes, seconds = int(text[:2]), int(text[2:4]), int(text[4:6])
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return hours * 3600 + minutes * 60 + min(seconds, 59)


def _date(text: bytes) -> tuple[int, int, int] | None:
    if not re.fullmatch(rb"\d{6}", text):
        return None
    year = int(text[4:6])
    return (1900 if year >= CENTURY_PIVOT else 2000) + year, int(text[2:4]), int(text[:2])


def _position(parts: list[bytes]) -> tuple[float, float] | None:
    """Reads ddmm.mmmm,N,dddmm.mmmm,E into degrees."""
    lat, lon = _degrees(parts[0], 2), _degrees(parts[2], 3)
    if lat is None or lon is None or lat > 90 or lon > 180 or parts[1] not in b"NS" or parts[3] not in b"EW":
        return None
    return (-lat if parts[1] == b"S" else lat), (-lon if parts[3] == b"W" else lon)


def _degrees(text: bytes, digits: int) -> float | None:
    if not re.fullmatch(rb"\d{%d}(\.\d*)?" % (digits + 2), text):
        return None
    return int(text[:digits]) + float(text[digits:]) / 60


def _times(epochs: list[_Epoch]) -> tuple[list[int], list[str]]:
    """Gives each epoch its Unix second, ascending, and says what had to be assumed."""
    stated = [epoch.unix_s() for epoch in epochs]
    anchors = list(_anchors(epochs, stated))
    dated = sum(1 for epoch in epochs if epoch.valid)
    if not anchors or len(anchors) < TIMED_SHARE_MIN * dated:
        base = anchors[0][1] if anchors else 0
        note = "the NMEA log's dates are missing or odd: its epochs keep their order, one second apart"
        return [base + i for i in range(len(epochs))], [note]
    times_s = _between(anchors, len(epochs))
    wrong = sum(1 for time_s, stated_s in zip(times_s, stated, strict=True) if stated_s not in (None, time_s))
    notes = (
        [f"{wrong} epochs of the NMEA log carry a date or time out of line; placed by their order"] if wrong else []
    )
    return times_s, notes


def _anchors(epochs: list[_Epoch], stated: list[int | None]) -> Iterator[tuple[int, int]]:
    """Yields (epoch number, Unix seconds) of the epochs whose stated time fits the others."""
    fixed = [time_s for epoch, time_s in zip(epochs, stated, strict=True) if time_s is not None and epoch.valid]
    if not fixed:
        return
    middle_s = statistics.median_low(fixed)
    last_s = None
    for number, time_s in enumerate(stated):
        if time_s is None or abs(time_s - middle_s) > DATE_SPREAD_MAX_S:
            continue
        if last_s is not None and time_s < last_s:
            if last_s - time_s > BACKWARD_MAX_S:
                continue
            time_s = last_s
        last_s = time_s
        yield number, time_s


def _between(anchors: list[tuple[int, int]], count: int) -> list[int]:
    """Fills in epochs without a usable time, one second apart, never past the next one that has one."""
    numbers = [number for number, _ in anchors]
    times_s = []
    for i in range(count):
        place = bisect_right(numbers, i) - 1
        if place < 0:
            times_s.append(anchors[0][1] - (numbers[0] - i))
            continue
        number, time_s = anchors[place]
        ahead = anchors[place + 1][1] if place + 1 < len(anchors) else time_s + i - number
        times_s.append(min(time_s + i - number, max(ahead, time_s)))
    return times_s
