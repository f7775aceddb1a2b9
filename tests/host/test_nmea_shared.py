"""Recorded receiver logs: the positions that gpsd reported for each (.chk), and a second opinion on each sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Set
from fractions import Fraction
from pathlib import Path

import pytest

from plumveil.sense.nmea import Parser

NMEA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nmea"
LOGS = sorted(NMEA.glob("*.log")) + sorted(NMEA.glob("*.txt"))
CHECKED = [path for path in LOGS if path.with_name(path.name + ".chk").exists()]

pytestmark = pytest.mark.skipif(not LOGS, reason="no shared data beside the checkout")

Position = tuple[int, int]

# Reported by gpsd, and not ours to report.
NOT_OURS: dict[str, set[Position]] = {
    # The receiver's demonstration mode: quality 8, mode S.
    "garmin-geko201.log": {(40397667, -3652717)},
    # From $POLYN, a maker's sentence, which has no checksum.
    "mtk-3301.log": {(52216317, 6884965)},
}
# Of valid sentences, and gpsd did not report: it reports once a cycle, and the recording broke off within one.
CUT_OFF: dict[str, set[Position]] = {
    "bt451.log": {(55797026, 23569014), (55780272, 23578347)},
    "neo-m8n.log": {(44068984, -121314229)},
    "ublox-lea-4h.log": {(49126136, -122710177)},
}
# Sentences that the recording itself cut: its last line.
BAD: dict[str, int] = {"ublox-8.log": 1}

LAST = b"\n$GPGLL,0000.0000,N,00000.0000,E,120000.00,A,A*6A\r\n"


def positions(data: bytes, size: int) -> tuple[list[Position], int]:
    """(positions, bad sentences) of data fed in chunks; at its end the parser has to be listening still."""
    parser = Parser()
    found = []
    for at in range(0, len(data), size):
        chunk = data[at : at + size]
        parser.feed(chunk, len(chunk))
        if (fix := parser.take()) is not None:
            found.append(fix)
    bad = parser.bad_sentences
    parser.feed(LAST, len(LAST))
    assert parser.take() == (0, 0)
    return found, bad


def reported(log: Path) -> set[tuple[float, float]]:
    """What gpsd made of a log, with a fix, in 1e-6 degree; it prints nine decimals of a degree."""
    found = set()
    for line in log.with_name(log.name + ".chk").read_text(encoding="latin-1").splitlines():
        if line.startswith('{"class":"TPV"'):
            report = json.loads(line)
            if report["mode"] >= 2 and "lat" in report:
                found.add((report["lat"] * 1e6, report["lon"] * 1e6))
    return found


def apart(some: Set[tuple[float, float]], others: Set[tuple[float, float]]) -> set[Position]:
    """Those of `some` that are not the same as one of `others` once rounded to 1e-6 degree."""
    return {
        (round(lat), round(lon))
        for lat, lon in some
        if not any(abs(lat - other[0]) < 0.502 and abs(lon - other[1]) < 0.502 for other in others)
    }


@pytest.mark.parametrize("log", CHECKED, ids=lambda log: log.name)
def test_the_positions_are_those_of_gpsd(log: Path) -> None:
    found, bad = positions(log.read_bytes(), 1)
    ours, theirs = set(found), reported(log)
    assert apart(theirs, ours) == NOT_OURS.get(log.name, set())
    assert apart(ours, theirs) == CUT_OFF.get(log.name, set())
    assert bad == BAD.get(log.name, 0)


def e6(digits: bytes, width: int, sign: int) -> int:
    degrees = int(digits[:width]) + Fraction(digits[width:].decode()) / 60
    return sign * int(degrees * 1_000_000 + Fraction(1, 2))


def opinion(line: bytes) -> Position | None:
    """The position of one line by regular expressions and fractions: another way to the same answer."""
    match = re.search(rb"\$((?!P)..(RMC|GGA|GNS|GLL),[^$]*)\*([0-9A-Fa-f]{2})\r?$", line)
    if match is None:
        return None
    check = 0
    for byte in match[1]:
        check ^= byte
    if check != int(match[3], 16):
        return None
    parts = match[1].split(b",")
    kind = match[2]
    at = {b"RMC": 3, b"GGA": 2, b"GNS": 2, b"GLL": 1}[kind]
    mode = {b"RMC": parts[12:13], b"GLL": parts[7:8]}.get(kind, [])
    vouched = {
        b"RMC": parts[2] == b"A",
        b"GLL": parts[6] == b"A",
        b"GGA": parts[6] in (b"1", b"2", b"3", b"4", b"5"),
        b"GNS": parts[6].strip(b"N") != b"" and not set(parts[6]) & set(b"EMS"),
    }[kind]
    if not vouched or mode not in ([], [b"A"], [b"D"], [b"P"], [b"R"], [b"F"]):
        return None
    lat = e6(parts[at], 2, 1 if parts[at + 1] == b"N" else -1)
    return lat, e6(parts[at + 2], 3, 1 if parts[at + 3] == b"E" else -1)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_every_sentence_has_its_position(log: Path) -> None:
    data = log.read_bytes()
    expected = [fix for line in data.split(b"\n")[:-1] if (fix := opinion(line)) is not None]
    found, _ = positions(data, 1)
    assert found == expected
    # In pieces as a port hands them out, a second of positions gives its newest.
    assert set(positions(data, 128)[0]) <= set(expected)


def test_the_logs_are_worth_it() -> None:
    assert len(CHECKED) == 20
    assert len(LOGS) == 22
    assert sum(len(positions(log.read_bytes(), 1)[0]) for log in LOGS) > 4000
