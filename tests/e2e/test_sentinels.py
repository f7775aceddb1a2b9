"""P1: no raw coordinate, hardware id or field off the allow-list reaches flash, network or log, sealed or opened."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

import pytest

from host_tools import keyring
from host_tools.envelope import parse
from host_tools.registry import Registry
from host_tools.simulate import runner
from tests.e2e.days import TIER, Lived, Place, angle, day, live, receiver  # noqa: F401

MAC = "3c61d7e9b25f"
BSSID = "7ad1539ec846"
SSID = "neighbours-network-5c1d"
SHT4X_SERIAL = 0x5EC29A17
DS18B20_SERIAL = "91b7d3e5a64c"
PLACES = [
    Place(49.0265731, 12.0652719, 6351.9, 83.47, 217.31),
    Place(49.1371593, 12.1826447, 6352.9, 84.47, 218.31),
    Place(48.9173852, 11.9735168, 6353.9, 85.47, 219.31),
    Place(-33.8567844, -151.2152967, 6354.9, 86.47, 220.31),
]


def numbers() -> Iterator[int]:
    """Every raw integer that a careless node could write."""
    for place in PLACES:
        for degrees in (place.lat_deg, place.lon_deg):
            for scale in (10**5, 10**6, 10**7):
                value = abs(degrees) * scale
                yield from {int(value), round(value)}
            yield int(angle(degrees, 3).replace(".", ""))
        yield round(place.altitude_m * 10_000_000)
    yield SHT4X_SERIAL


def sentinels() -> set[bytes]:
    """Each raw value as text, decimal, hexadecimal, base64 and binary, and all of them backwards."""
    plain: set[bytes] = {SSID.encode()}
    for value in (bytes.fromhex(text) for text in (MAC, BSSID, DS18B20_SERIAL)):
        plain |= {value, value.hex().encode(), value.hex().upper().encode(), value.hex(":").encode()}
    for number in numbers():
        plain.add(str(number).encode())
        for layout in (">i", "<i"):
            if number < 2**31:
                plain.add(struct.pack(layout, number))
    for place in PLACES:
        for degrees, digits in ((place.lat_deg, 2), (place.lon_deg, 3)):
            text = angle(degrees, digits)
            plain |= {text.encode(), text[:-1].encode(), f"{abs(degrees):.5f}"[:-1].encode()}
            plain |= {struct.pack(layout, abs(degrees)) for layout in (">d", "<d", ">f", "<f")}
        plain |= {f"{value}".encode() for value in (place.altitude_m, place.speed_kn, place.course_deg)}
    coded = {base64.b64encode(value).rstrip(b"=") for value in plain} | {value.hex().encode() for value in plain}
    return {form for value in plain | coded for form in (value, value[::-1]) if len(form) >= 4}


def opened(lived: Lived) -> list[bytes]:
    """The plaintexts of everything that was sent."""
    ring = keyring.KeyRing(Registry(nodes=(lived.run.record,)), lived.run.spec.surroundings.end_s)
    plain = []
    for message in lived.run.messages:
        envelope = parse(message.payload)
        keys = ring.find(envelope.kid)
        assert keys is not None
        plain.append(keys.open(envelope))
    return plain


def hits(pieces: list[bytes]) -> list[bytes]:
    """Sentinels found; pieces are searched joined as well, since a value may be written in parts."""
    everything = b"\x00".join(pieces) + b"\x00" + b"".join(pieces)
    return [sentinel for sentinel in sentinels() if sentinel in everything]


def marked_day(nmea: bool = True):
    network = {"ssid": SSID, "bssid": BSSID}
    log = receiver(PLACES) if nmea else None
    return day(log, mac=MAC, sht4x_serial=SHT4X_SERIAL, ds18b20_serial=DS18B20_SERIAL, network=network)


def test_the_search_finds_what_is_there() -> None:
    for place in PLACES:
        assert hits([b"x" + angle(place.lat_deg, 2).encode() + b"y"])
        assert hits([struct.pack(">i", round(abs(place.lon_deg) * 1e6))])
    assert hits([bytes.fromhex(MAC)])
    assert hits([base64.b64encode(b"..." + BSSID.encode())[4:]])
    assert hits([b"3c61", b"d7e9b25f"])


@pytest.fixture(autouse=True)
def joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node knows its access point's name; even that must not come out of it."""
    monkeypatch.setattr(runner, "WIFI", (SSID, "correct horse"))


@pytest.mark.parametrize("tier", ["area", "off"])
def test_nothing_raw_is_written_sent_or_printed(live, tier: str) -> None:  # noqa: F811
    lived = live(marked_day(), TIER[tier])
    locations = [message for message in lived.run.messages if "/l/" in message.topic]
    assert len(locations) == (len(PLACES) if tier == "area" else 0)
    written = [data for path, data in lived.flash] + [path.encode() for path, _ in lived.flash]
    assert min(sum(map(len, written)), sum(map(len, lived.sent))) > 500
    assert hits(written + lived.sent + opened(lived) + [lived.output.encode()]) == []


def test_a_field_off_the_list_does_not_leave(live) -> None:  # noqa: F811
    everything, less = (live(marked_day(False), 0, fields) for fields in (None, {"temperature": 1}))
    named = {field for plain in opened(less) for field in _fields(plain)}
    assert named == {1}
    assert {field for plain in opened(everything) for field in _fields(plain)} >= {1, 2, 4, 5}
    assert less.run.dropped["not_on_list"] > 0


def _fields(plain: bytes) -> list[int]:
    import cbor2

    body = cbor2.loads(plain)
    return list(body.get(4, [])) + list(body.get(8, {}))
