"""NMEA digits against exact fractions, and the parser on input that nobody meant for it."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor

from hypothesis import assume, example, given
from hypothesis import strategies as st

from plumveil.sense.nmea import Parser

SENTENCE_MAX = 96


def sentence(body: str) -> bytes:
    check = 0
    for byte in body.encode("ascii"):
        check ^= byte
    return f"${body}*{check:02X}\r\n".encode("ascii")


def fed(data: bytes, sizes: list[int] | None = None) -> tuple[list[tuple[int, int]], Parser]:
    """Positions found in data, fed in chunks of the given sizes over and over, or byte by byte."""
    parser = Parser()
    found = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else 1
        chunk = data[at : at + size]
        parser.feed(chunk, len(chunk))
        at, turn = at + size, turn + 1
        if (fix := parser.take()) is not None:
            found.append(fix)
    return found, parser


def nearest_e6(degrees: Fraction) -> int:
    """1e-6 degree to the nearest, halves up; of a value without sign."""
    return floor(degrees * 1_000_000 + Fraction(1, 2))


decimals = st.text("0123456789", max_size=12)


@st.composite
def coordinates(draw: st.DrawFn, width: int, limit: int) -> tuple[str, Fraction]:
    degrees = draw(st.integers(0, limit))
    minutes = draw(st.integers(0, 59))
    digits = draw(decimals)
    dot = "." if digits else draw(st.sampled_from(["", "."]))
    exact = degrees + (minutes + Fraction(int(digits or "0"), 10 ** len(digits))) / 60
    assume(exact <= limit)
    return f"{degrees:0{width}d}{minutes:02d}{dot}{digits}", exact


@given(coordinates(2, 90), st.sampled_from("NS"), coordinates(3, 180), st.sampled_from("EW"))
@example(
    ("4804.0000300", Fraction(48) + Fraction(40000300, 600000000)),
    "N",
    ("00000.0000299", Fraction(299, 6 * 10**8)),
    "W",
)
def test_digits_are_exact_to_the_nearest(
    latitude: tuple[str, Fraction], north: str, longitude: tuple[str, Fraction], east: str
) -> None:
    found, parser = fed(sentence(f"GPGLL,{latitude[0]},{north},{longitude[0]},{east},120000.00,A,A"))
    lat_e6 = nearest_e6(latitude[1]) * (1 if north == "N" else -1)
    lon_e6 = nearest_e6(longitude[1]) * (1 if east == "E" else -1)
    assert found == [(lat_e6, lon_e6)]
    assert parser.bad_sentences == 0


FORMS = {
    "RMC": re.compile(
        r"[A-Z0-9]*,A,(\d{4}(?:\.\d*)?),([NS]),(\d{5}(?:\.\d*)?),([EW])(?:,[^,]*){5}(?:,[ADPRF](?:,.*)?)?"
    ),
    "GGA": re.compile(r"[^,]*,(\d{4}(?:\.\d*)?),([NS]),(\d{5}(?:\.\d*)?),([EW]),[1-5](?:,.*)?"),
    "GLL": re.compile(r"(\d{4}(?:\.\d*)?),([NS]),(\d{5}(?:\.\d*)?),([EW]),[^,]*,A(?:,[ADPRF](?:,.*)?)?"),
    "GNS": re.compile(
        r"[^,]*,(\d{4}(?:\.\d*)?),([NS]),(\d{5}(?:\.\d*)?),([EW]),(?=[ADPRFN]*[ADPRF])[ADPRFN]+(?:,.*)?"
    ),
}
tokens = st.sampled_from(
    [
        *(
            "",
            "A",
            "V",
            "N",
            "S",
            "E",
            "W",
            "D",
            "R",
            "AN",
            "NN",
            "AE",
            "0",
            "1",
            "2",
            "6",
            "8",
            "120000.00",
            "0.25",
            "M",
        ),
        *(
            "4804.14539",
            "9000.0",
            "9000.1",
            "0000",
            "01621.54005",
            "18000.0",
            "18000.1",
            "12360.0",
            "-804.1",
            "4804,1",
        ),
    ]
)


@given(st.sampled_from(sorted(FORMS)), st.lists(tokens, max_size=15))
@example("RMC", ["", "A", "4804.14539", "N", "01621.54005", "E", "", "", "", "", "", "A"])
@example("GGA", ["", "4804.14539", "N", "01621.54005", "E", "6"])
@example("GNS", ["", "4804.14539", "N", "01621.54005", "E", "AN"])
def test_a_position_comes_from_nothing_but_a_valid_sentence(kind: str, parts: list[str]) -> None:
    body = ",".join(parts)
    found, _ = fed(sentence(f"GN{kind},{body}"))
    match = FORMS[kind].fullmatch(body)
    possible = match is not None and int(match[1][2:4]) < 60 and int(match[3][3:5]) < 60
    if possible and match is not None:
        lat = int(match[1][:2]) + Fraction(match[1][2:]) / 60
        lon = int(match[3][:3]) + Fraction(match[3][3:]) / 60
        possible = lat <= 90 and lon <= 180 and len(body) + 10 <= SENTENCE_MAX
    assert bool(found) == possible


@given(st.binary(max_size=2000))
@example(b"$GPRMC," * 300)
@example(b"$" * 500)
@example(b"$GPGLL,*00\r\n")
def test_random_bytes_never_crash_and_are_not_held(data: bytes) -> None:
    found, parser = fed(data, [len(data) or 1])
    assert found == []
    assert len(parser._line) == SENTENCE_MAX
    assert parser._held <= SENTENCE_MAX
    assert parser.bad_sentences <= data.count(b"$")
    # Whatever came before, the next whole sentence is understood.
    after = sentence("GPGLL,4804.14539,N,01621.54005,E,092835.00,A,A")
    parser.feed(after, len(after))
    assert parser.take() == (48069090, 16359001)


pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            sentence("GPGLL,4804.14539,N,01621.54005,E,092835.00,A,A"),
            sentence("GNRMC,092835.00,A,4804.14539,S,01621.54005,W,0.250,,210615,,,A"),
            sentence("GPGGA,,,,,,0,00,99.99,,,,,,"),
            sentence("GPGSV,1,1,00"),
            b"$GPRMC,092835.00,A,48",
        ]
    ),
)


@given(st.lists(pieces, max_size=12), st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_chunks_do_not_matter(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    one, by_byte = fed(data)
    many, by_chunk = fed(data, sizes)
    assert by_byte.bad_sentences == by_chunk.bad_sentences
    # A chunk may hold several positions, of which the newest is taken.
    assert set(many) <= set(one)
    assert (by_byte._held, bytes(by_byte._line)) == (by_chunk._held, bytes(by_chunk._line))
