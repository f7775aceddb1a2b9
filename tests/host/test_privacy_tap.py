"""The observer's taking apart of MQTT: sessions out of whatever pieces the bytes came in."""

from __future__ import annotations

import pytest

from host_tools.errors import PlumveilError
from host_tools.privacy.tap import session
from tests.host.fleets import connect, packet, publish

CLIENT = b"0123456789abcdef"
SENT = [connect(CLIENT), publish(b"pv/1/r/aa", 1, bytes(200)), publish(b"pv/1/d/bb", 2, b"x"), packet(0xE0, b"")]


def test_a_session_in_whole_packets() -> None:
    seen = session([(1000 + 10 * n, piece) for n, piece in enumerate(SENT)])
    assert seen is not None
    assert (seen.time_ms, seen.client_id, seen.ended) == (1000, CLIENT, True)
    assert [(one.time_ms, one.topic, one.packet_id, len(one.payload)) for one in seen.published] == [
        (1010, "pv/1/r/aa", 1, 200),
        (1020, "pv/1/d/bb", 2, 1),
    ]
    assert seen.published[0].flags == 2
    assert seen.without_id() == b"\x00\x04MQTT\x04\x02\x00\x3c"


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_pieces_of_any_size_give_the_same_packets(size: int) -> None:
    data = b"".join(SENT)
    seen = session([(at, data[at : at + size]) for at in range(0, len(data), size)])
    assert seen is not None
    assert [one.payload for one in seen.published] == [bytes(200), b"x"]
    # A packet's time is that of its first byte.
    assert seen.published[0].time_ms == len(SENT[0]) // size * size


@pytest.mark.parametrize("lost", [1, 3, 30, 210])
def test_what_a_power_cut_leaves_is_read_up_to_there(lost: int) -> None:
    data = b"".join(SENT)
    seen = session([(5, data[:-lost])])
    assert seen is not None
    assert not seen.ended
    assert len(seen.published) == {1: 2, 3: 1, 30: 0, 210: 0}[lost]


def test_nothing_sent_is_no_session() -> None:
    assert session([]) is None
    assert session([(0, SENT[0][:-1])]) is None


def test_what_is_not_mqtt_is_an_error() -> None:
    for bytes_sent in (SENT[1], packet(0x10, b"\x00\x04MQTT")):
        with pytest.raises(PlumveilError):
            session([(0, bytes_sent)])


def test_quality_of_service_0_has_no_packet_id() -> None:
    seen = session([(0, SENT[0] + packet(0x30, b"\x00\x01tpayload"))])
    assert seen is not None
    assert (seen.published[0].packet_id, seen.published[0].payload) == (0, b"payload")
