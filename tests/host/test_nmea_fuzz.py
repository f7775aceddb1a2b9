"""P13 at the receiver's line: ten megabytes that no receiver meant, with what receivers send mixed in and spoilt."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumveil.sense.nmea import Parser

NMEA = Path(__file__).resolve().parents[3] / "shared" / "data" / "nmea"
MEGABYTE = 1_000_000
CHUNK = 128  # what the receiver reads at once
SENTENCE_MAX = 96
AFTER = b"\n$GPGLL,4804.14539,N,01621.54005,E,092835.00,A,A*6E\r\n"
PLAIN = (
    b"$GNRMC,092835.00,A,4804.14539,S,01621.54005,W,0.250,,210615,,,A*60\r\n"
    b"$GPGGA,092835.00,4804.14539,N,01621.54005,E,1,10,0.96,205.3,M,42.0,M,,*57\r\n$GPGSV,1,1,00*79\r\n"
)


def mutated(rng: random.Random, size: int) -> Iterator[bytes]:
    """About `size` bytes: noise, sentences, and sentences with bytes flipped, cut out, doubled and joined."""
    logs = [path.read_bytes() for path in sorted(NMEA.glob("*.log"))] or [PLAIN * 50]
    made = 0
    while made < size:
        log = rng.choice(logs)
        at = rng.randrange(len(log))
        piece = bytearray(log[at : at + rng.randrange(400)])
        for _ in range(rng.randrange(6)):
            if piece:
                place = rng.randrange(len(piece))
                how = rng.randrange(4)
                if how == 0:
                    piece[place] ^= 1 << rng.randrange(8)
                elif how == 1:
                    del piece[place : place + rng.randrange(30)]
                elif how == 2:
                    piece[place:place] = rng.choice((b"$", b"*", b",", b"\r\n", b"\x00", b"$GPRMC,", b"\xb5\x62"))
                else:
                    piece[place:place] = piece[place : place + 60]
        noise = rng.randbytes(rng.choice((0, 0, 5, 300)))
        yield from (bytes(part) for part in (piece, noise) if part)
        made += len(piece) + len(noise)


def fed(parser: Parser, parts: Iterator[bytes]) -> int:
    """All of it in chunks as the receiver reads -> positions found, each on Earth."""
    buf = bytearray(CHUNK)
    found = 0
    for part in parts:
        for at in range(0, len(part), CHUNK):
            n = len(part[at : at + CHUNK])
            buf[:n] = part[at : at + n]
            parser.feed(buf, n)
            fix = parser.take()
            if fix is not None:
                assert abs(fix[0]) <= 90_000_000
                assert abs(fix[1]) <= 180_000_000
                found += 1
            assert parser._held <= SENTENCE_MAX
    return found


@pytest.mark.parametrize("megabytes", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dates", [(), (b"210615", b"020326")])
def test_nothing_crashes_it_and_nothing_grows(megabytes: int, dates: tuple[bytes, ...]) -> None:
    rng = random.Random(megabytes)
    parser = Parser()
    parser.dates = dates
    parts = [*mutated(rng, megabytes * MEGABYTE), rng.randbytes(megabytes * MEGABYTE // 4)]
    assert sum(map(len, parts)) >= megabytes * MEGABYTE
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        found = fed(parser, iter(parts))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert found > 0 or dates
    assert parser.bad_sentences > 100
    assert grown < 5000
    assert len(parser._line) == SENTENCE_MAX
    # Whatever came before, the next whole sentence is understood.
    parser.dates = ()
    parser.feed(AFTER, len(AFTER))
    assert parser.take() == (48069090, 16359001)
