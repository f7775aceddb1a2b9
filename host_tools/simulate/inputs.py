"""Reads a user's temperature recordings: CSV (time, value) and the exports of Fridge-tag loggers.

Lines that cannot be read are counted and reported, never guessed; a file of another kind is refused in one line.
"""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from host_tools.errors import UsageError
from host_tools.simulate.nmea_log import NmeaRead, read_nmea
from host_tools.simulate.recordings import Series

INPUT_MAX_BYTES = 256 * 1024 * 1024
TEMPERATURE_MIN_C, TEMPERATURE_MAX_C = -100.0, 200.0  # beyond any sensor here: a wrong column, not a temperature
LIKELY_FAHRENHEIT_C = 45.0  # hotter than this half of the time: ask whether the unit is right
BAD_SHARE_MAX = 0.5  # more bad than good lines: not this kind of file
UNIX_MS_FROM = 10_000_000_000  # a "Unix time" from here on counts milliseconds

Unit = Literal["C", "F"]

_FRIDGE_HEAD = re.compile(r"^Device: .*Fridge-tag", re.MULTILINE)
_FRIDGE_UNIT = re.compile(r"^ Temp unit: ([CF])\s*$", re.MULTILINE)
_FRIDGE_RECORD = re.compile(r"^\t(\d{4}-\d\d-\d\d \d\d:\d\d)\t([+-]?\d+(?:\.\d+)?)(?:\t|\s*$)")
_FRIDGE_COLUMNS = "\tyyyy-MM-dd"


@dataclass(frozen=True)
class SeriesRead:
    """A temperature recording as read: m degC over Unix seconds, lines refused, and what the user should know."""

    series: Series
    kind: str
    bad_lines: int
    notes: tuple[str, ...]


def load_temperature(path: Path, unit: Unit = "C") -> SeriesRead:
    """Reads a temperature recording of either kind.

    unit is the unit of a CSV's values; a Fridge-tag export states its own. Errors: UsageError, one line, for a file
    that cannot be read or is something else.
    """
    text = _bytes(path).decode("utf-8-sig", errors="replace")
    if _FRIDGE_HEAD.search(text[:400]):
        return _fridge_tag(path, text)
    if re.match(r"(#[^\n]*\n|\s)*\$[A-Z]{4}", text):
        raise UsageError(f"{path.name} looks like an NMEA log; give it with --nmea")
    return _csv(path, text, unit)


def load_nmea(path: Path) -> NmeaRead:
    """Reads a GPS receiver's log. Errors: UsageError, one line, for a file that is none."""
    return read_nmea(path, _bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > INPUT_MAX_BYTES:
            raise UsageError(f"{path.name}: larger than {INPUT_MAX_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if not data.strip():
        raise UsageError(f"{path.name}: the file is empty")
    return data


def _fridge_tag(path: Path, text: str) -> SeriesRead:
    stated = _FRIDGE_UNIT.search(text)
    unit: Unit = "F" if stated and stated[1] == "F" else "C"
    rows: list[tuple[int, int]] = []
    bad_lines = 0
    for line in text.splitlines():
        if not line.startswith("\t") or line.startswith(_FRIDGE_COLUMNS):
            continue
        record = _FRIDGE_RECORD.match(line)
        row = _row(record[1], record[2], unit) if record else None
        if row is None:
            bad_lines += 1
        else:
            rows.append(row)
    if not rows:
        raise UsageError(
            f"{path.name}: this Fridge-tag export has daily summaries only, no detail records; "
            "export it from a logger that keeps them (Fridge-tag 2 L), or give a CSV of time and value"
        )
    series, notes = _series(rows)
    return SeriesRead(series, "Fridge-tag export", bad_lines, notes)


def _csv(path: Path, text: str, unit: Unit) -> SeriesRead:
    if "\0" in text:
        raise UsageError(f"{path.name}: neither a CSV of time and temperature nor a Fridge-tag export")
    delimiter = max(",;\t", key=text[:4096].count)
    rows: list[tuple[int, int]] = []
    bad_lines = lines = 0
    header_allowed = True
    for cells in _csv_rows(path, text.splitlines(), delimiter):
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        row = _row(cells[0], cells[1], unit, delimiter) if len(cells) >= 2 else None
        if row is not None:
            rows.append(row)
        elif not header_allowed:
            bad_lines += 1
        header_allowed = False
        lines += 1
    if not rows or bad_lines > BAD_SHARE_MAX * lines:
        raise UsageError(
            f"{path.name}: {bad_lines or lines} of {lines} lines are no 'time,value' with an ISO or Unix time and a "
            "temperature; neither a CSV of temperatures nor a Fridge-tag export"
        )
    series, notes = _series(rows)
    middle_c = statistics.median(series.values_milli) / 1000
    if unit == "C" and middle_c > LIKELY_FAHRENHEIT_C:
        hint = f"half of the temperatures lie above {middle_c:.0f} degC; if they are Fahrenheit: --temperature-unit F"
        notes = (*notes, hint)
    return SeriesRead(series, "CSV", bad_lines, notes)


def _csv_rows(path: Path, lines: Iterable[str], delimiter: str) -> Iterable[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise UsageError(f"{path.name}: not a CSV file: {error}") from error


def _row(time_text: str, value_text: str, unit: Unit, delimiter: str = ",") -> tuple[int, int] | None:
    """Returns (Unix seconds, m degC), or None when either cannot be read."""
    if delimiter == ";":
        value_text = value_text.replace(",", ".")  # decimal comma, as spreadsheets write beside semicolons
    try:
        value = float(value_text)
    except ValueError:
        return None
    celsius = (value - 32) * 5 / 9 if unit == "F" else value
    time_s = _time_s(time_text.strip())
    if time_s is None or not math.isfinite(celsius) or not TEMPERATURE_MIN_C <= celsius <= TEMPERATURE_MAX_C:
        return None
    return time_s, round(celsius * 1000)


def _time_s(text: str) -> int | None:
    """Reads an ISO 8601 time (UTC unless it names an offset) or a Unix time in seconds or milliseconds."""
    readers: tuple[Callable[[str], float], ...] = (_iso_s, _unix_s)
    for reader in readers:
        try:
            time_s = reader(text)
        except (ValueError, OverflowError):
            continue
        if 0 <= time_s < 2**32:
            return int(time_s)
    return None


def _iso_s(text: str) -> float:
    if text.isdigit() and len(text) != 8:
        raise ValueError(text)
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _unix_s(text: str) -> float:
    value = float(text)
    return value / 1000 if value >= UNIX_MS_FROM else value


def _series(rows: list[tuple[int, int]]) -> tuple[Series, tuple[str, ...]]:
    """Sorts, and keeps the first of values that claim the same second."""
    ordered = sorted(rows, key=lambda row: row[0])
    notes = [] if ordered == rows else ["the temperature recording was not in order of time; it was sorted"]
    unique = dict(reversed(ordered))
    if len(unique) < len(ordered):
        notes.append(
            f"{len(ordered) - len(unique)} temperature values share their second with another; the first counts"
        )
    times_s = tuple(sorted(unique))
    return Series(times_s, tuple(unique[time_s] for time_s in times_s)), tuple(notes)
