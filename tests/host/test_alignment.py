"""Recordings on the simulated clock: a common start, no earlier than the wire format's, and the stand-ins' files."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from host_tools import boards
from host_tools.errors import UsageError
from host_tools.simulate.alignment import HOURS_MAX, SWITCH_ON_S, surroundings_of
from host_tools.simulate.inputs import SeriesRead
from host_tools.simulate.nmea_log import NmeaRead, read_nmea
from host_tools.simulate.recordings import STOP_S, Series
from plumveil import wire

BOARD = boards.load("virtual")


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def rmc(clock: str, date: str) -> bytes:
    body = f"GPRMC,{clock},A,4800.0000,N,01100.0000,E,1.0,2.0,{date},,,A"
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def read(data: bytes) -> NmeaRead:
    return read_nmea(Path("x.nmea"), data)


def temperature(start: str, hours: int) -> SeriesRead:
    times_s = tuple(range(unix(start), unix(start) + hours * 3600, 300))
    return SeriesRead(Series(times_s, tuple(range(len(times_s)))), "CSV", 0, ())


def test_recordings_of_different_dates_begin_together_in_2026() -> None:
    nmea = read(b"".join(rmc(f"1657{i:02d}", "110410") for i in range(60)))
    placed = surroundings_of(temperature("2022-05-02 04:44", 100), nmea)
    assert placed.start_s == unix("2026-01-05 16:57:00") - SWITCH_ON_S
    assert placed.temperature.start_s == placed.start_s + SWITCH_ON_S
    assert placed.nmea is not None
    assert placed.nmea.start_s == placed.start_s + SWITCH_ON_S
    assert placed.end_s - placed.start_s == 86400 + SWITCH_ON_S
    assert any("different times" in note and "2010-04-11" in note and "2026-01-05" in note for note in placed.notes)
    assert any("receiver is silent" in note for note in placed.notes)


def test_recordings_that_overlap_keep_their_alignment() -> None:
    nmea = read(b"".join(rmc(f"{h:02d}0000", "020522") for h in range(10, 14)))
    placed = surroundings_of(temperature("2022-05-02 04:00", 20), nmea)
    assert placed.start_s == unix("2026-01-05 10:00:00") - SWITCH_ON_S
    assert placed.temperature.values_milli[:2] == (6 * 12 - 1, 6 * 12)
    assert any("2022-05-02 10:00; moved to 2026-01-05 10:00" in note for note in placed.notes)


def test_a_recording_the_wire_format_can_date_stays_where_it_is() -> None:
    placed = surroundings_of(temperature("2026-08-05 03:00", 30), None, now_s=unix("2026-08-07"))
    assert placed.start_s == unix("2026-08-05 03:00") - SWITCH_ON_S
    assert not any("moved" in note for note in placed.notes)
    assert placed.start_s >= wire.UNIX_MIN_S


def test_nothing_is_sent_from_the_future() -> None:
    now_s = unix("2026-08-05 20:00")
    placed = surroundings_of(temperature("2026-08-05 03:00", 16), None, 20.0, now_s)
    assert placed.start_s == unix("2026-01-05 03:00") - SWITCH_ON_S
    assert any("moved to 2026-01-05 03:00" in note for note in placed.notes)


@pytest.mark.parametrize(("hours", "expected_h"), [(None, 24), (3.0, 3), (30.0, 30)])
def test_hours(hours: float | None, expected_h: int) -> None:
    placed = surroundings_of(temperature("2026-08-05 03:00", 30), None, hours)
    assert placed.end_s - placed.start_s == expected_h * 3600 + SWITCH_ON_S


@pytest.mark.parametrize("hours", [0.0, -1.0, HOURS_MAX + 1, float("nan"), float("inf")])
def test_hours_out_of_bounds(hours: float) -> None:
    with pytest.raises(UsageError, match="--hours"):
        surroundings_of(temperature("2026-08-05 03:00", 30), None, hours)


def test_world_files_are_what_the_stand_ins_read() -> None:
    nmea = read(b"junk\r\n" + b"".join(rmc(f"0300{i:02d}", "050826") for i in range(0, 60, 20)))
    placed = surroundings_of(temperature("2026-08-05 02:58", 3), nmea, 1.0)
    files = placed.files(BOARD)
    spec = json.loads(files["world.json"])
    assert (spec["start_unix_s"], spec["end_unix_s"]) == (
        placed.start_s,
        placed.start_s + SWITCH_ON_S + 3600 + STOP_S,
    )
    assert spec["sensors"] == list(BOARD.sensors)
    assert spec["pins"]["gps_power"] == BOARD.pins.gps_power
    assert list(struct.iter_unpack(">Ii", files["temperature.bin"]))[:3] == [
        (0, 0),
        (SWITCH_ON_S + 180, 1),
        (SWITCH_ON_S + 480, 2),
    ]
    assert files["probe_temperature.bin"] == files["temperature.bin"]
    index = list(struct.iter_unpack(">II", files["nmea.idx"]))
    length = len(rmc("030000", "050826"))
    assert index == [(SWITCH_ON_S + 20 * j, (6 + j * length) if j else 0) for j in range(3)]
    named = ("temperature", "humidity", "battery", "probe_temperature", "nmea", "nmea_index")
    assert set(files) == {"world.json", *(spec[name] for name in named)}


def test_a_board_without_a_receiver_gets_no_nmea() -> None:
    placed = surroundings_of(temperature("2010-04-11 16:00", 3), read(rmc("165744", "110410")))
    files = placed.files(BOARD.without("gps"))
    assert "nmea.bin" not in files
    assert "nmea" not in json.loads(files["world.json"])
