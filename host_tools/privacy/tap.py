"""What passes the wire between node and broker, taken apart: sessions, their CONNECT and PUBLISH packets, in time.

Reads MQTT 3.1.1 as an observer at the broker sees it. Must never be given anything that did not pass the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from host_tools.errors import PlumveilError

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14  # MQTT 3.1.1 section 2.2.1
_CONNECT_HEAD_BYTES = 10  # name, level, flags, keep alive (section 3.1.2)


@dataclass(frozen=True)
class Packet:
    """One control packet: type (4 bits), flags (4 bits), what follows the fixed header, when its first byte came."""

    kind: int
    flags: int
    body: bytes
    time_ms: int


@dataclass(frozen=True)
class Publish:
    """A message as the broker gets it; time in true Unix milliseconds."""

    time_ms: int
    flags: int
    topic: str
    packet_id: int
    payload: bytes


@dataclass(frozen=True)
class Session:
    """One MQTT session. connect: the whole body of CONNECT; ended: whether DISCONNECT came."""

    time_ms: int
    connect: bytes
    client_id: bytes
    published: tuple[Publish, ...]
    ended: bool

    def without_id(self) -> bytes:
        """CONNECT's body less the client id."""
        end = _CONNECT_HEAD_BYTES + 2 + len(self.client_id)
        return self.connect[:_CONNECT_HEAD_BYTES] + self.connect[end:]


def session(pieces: Iterable[tuple[int, bytes]]) -> Session | None:
    """The session in what one connection's node end wrote, as (Unix ms, bytes); None when no CONNECT got through.

    Errors: PlumveilError when it is not MQTT.
    """
    packets = list(_packets(pieces))
    if not packets:
        return None
    first = packets[0]
    if first.kind != CONNECT or len(first.body) < _CONNECT_HEAD_BYTES + 2:
        raise PlumveilError("the observer saw a connection that does not open with CONNECT")
    return Session(
        time_ms=first.time_ms,
        connect=first.body,
        client_id=_text(first.body, _CONNECT_HEAD_BYTES),
        published=tuple(_publish(packet) for packet in packets if packet.kind == PUBLISH),
        ended=packets[-1].kind == DISCONNECT,
    )


def _text(body: bytes, at: int) -> bytes:
    """A length-prefixed string (section 1.5.3)."""
    return body[at + 2 : at + 2 + int.from_bytes(body[at : at + 2], "big")]


def _publish(packet: Packet) -> Publish:
    topic = _text(packet.body, 0)
    at = 2 + len(topic)
    acknowledged = bool(packet.flags & 0b0110)
    packet_id = int.from_bytes(packet.body[at : at + 2], "big") if acknowledged else 0
    payload = packet.body[at + 2 * acknowledged :]
    return Publish(packet.time_ms, packet.flags, topic.decode(), packet_id, payload)


def _packets(pieces: Iterable[tuple[int, bytes]]) -> Iterator[Packet]:
    data, times = b"", []
    for time_ms, piece in pieces:
        times += [(len(data), time_ms)]
        data += piece
    at = 0
    while at + 2 <= len(data):
        length, start = _remaining(data, at + 1)
        if start + length > len(data):
            return  # cut off by a power cut or a lost link
        time_ms = next(time_ms for offset, time_ms in reversed(times) if offset <= at)
        yield Packet(data[at] >> 4, data[at] & 0xF, data[start : start + length], time_ms)
        at = start + length


def _remaining(data: bytes, at: int) -> tuple[int, int]:
    """(remaining length, where what it counts begins), section 2.2.3."""
    length = shift = 0
    while at < len(data):
        byte = data[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return length, at
