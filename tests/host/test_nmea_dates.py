"""A recorded log that is moved to another day: its dates move with it, all else is as it was received."""

from __future__ import annotations

from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from host_tools.simulate.nmea_log import read_nmea
from plumveil.sense.nmea import Parser

NMEA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nmea"
DAY_S = 86400


def sentence(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


RMC = "GPRMC,235959.00,A,4804.14539,N,01621.54005,E,0.250,,{},,,A"
GOOD = sentence(RMC.format("281228"))
GGA = sentence("GPGGA,235959.00,4804.14539,N,01621.54005,E,1,10,0.96,205.3,M,42.0,M,,")
BAD = GOOD[:-4] + b"00\r\n"
NO_DATE = sentence(RMC.format("310229"))
LOG = GOOD + GGA + b"\xb5\x62noise" + BAD + sentence("GPGSV,1,1,00") + NO_DATE + sentence("GPRMC,,V,,,,,,,,,,N")


def test_dates_move_by_whole_days_and_nothing_else_does() -> None:
    log = read_nmea(Path("x.log"), LOG).log
    moved = log.shifted(65 * DAY_S)
    new = sentence(RMC.format("030329"))
    # A wrong checksum is as wrong as before.
    wrong = int(GOOD[-4:-2], 16) ^ int(new[-4:-2], 16)
    assert moved.data == LOG.replace(GOOD, new).replace(BAD, new[:-4] + b"%02X\r\n" % wrong)
    assert log.shifted(0).data == LOG
    assert moved.shifted(-65 * DAY_S) == log
    assert moved.index == tuple((time_s + 65 * DAY_S, offset) for time_s, offset in log.index)


def believed(data: bytes, date: bytes) -> int:
    parser = Parser()
    parser.dates = [date]
    found = 0
    for at in range(0, len(data), 40):
        part = data[at : at + 40]
        parser.feed(part, len(part))
        found += parser.take() is not None
    return found


@pytest.mark.skipif(not NMEA.exists(), reason="no shared data beside the checkout")
def test_a_moved_drive_is_believed_on_its_new_day() -> None:
    data = (NMEA / "20100403_Z205_Switzerland_short.txt").read_bytes()
    log = read_nmea(Path("drive.txt"), data).log
    days = log.start_s // DAY_S
    assert believed(log.data, b"030410") > 100
    assert believed(log.data, b"020326") == 0
    # 2026-03-02 is day 20514.
    assert believed(log.shifted((20514 - days) * DAY_S).data, b"020326") == believed(log.data, b"030410")
