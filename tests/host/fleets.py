"""Observations made up for the linker's tests: all bytes are drawn anew each day, but for what a test adds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import numpy as np

from host_tools.envelope import parse
from host_tools.privacy.observe import Message, Observation
from host_tools.privacy.tap import Publish, Session, session
from plumveil import wire

DAY = 20_490
SLOT_S = 3600

Change = Callable[[Observation, np.random.Generator], Observation]


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT control packet (3.1.1 section 2)."""
    length, head = len(body), bytearray()
    while True:
        head.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes([kind]) + bytes(head) + body


def text(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def connect(client_id: bytes) -> bytes:
    return packet(0x10, text(b"MQTT") + b"\x04\x02" + struct.pack(">H", 60) + text(client_id))


def publish(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    return packet(0x32, text(topic) + struct.pack(">H", packet_id) + payload)


def message(kid: bytes, counter: int, step: int, salt: bytes, size: int = 64) -> bytes:
    """A COSE_Encrypt0 whose ciphertext says nothing."""
    header = {
        wire.COSE_HDR_ALG: wire.COSE_ALG_AES_CCM_16_128_256,
        wire.COSE_HDR_KID: kid,
        wire.COSE_HDR_PARTIAL_IV: counter.to_bytes(max(1, (counter.bit_length() + 7) // 8), "big"),
        wire.HDR_PLUMVEIL: [wire.WIRE_VERSION, step, 1, salt],
    }
    return cbor2.dumps(cbor2.CBORTag(wire.COSE_TAG_ENCRYPT0, [cbor2.dumps(header), {}, bytes(size)]))


def told(rng: np.random.Generator, stream: int, t_s: int) -> dict[int, Any]:
    """Entries of a message as masked ones look."""
    if stream == wire.READINGS:
        return {wire.K_TIME: t_s, wire.K_INTERVAL: 1800, wire.K_COUNT: 8, wire.K_FIELDS: [1, 2, 4]}
    if stream == wire.LOCATION:
        return {wire.K_TIME: t_s, wire.K_CONSENT: rng.bytes(wire.CONSENT_REF_BYTES)}
    if stream == wire.EVENTS:
        return {wire.K_TIME: t_s, wire.K_EVENT: wire.E_CONSENT, wire.K_ARGUMENT: 2}
    rows = [row for row in wire.FIELDS if row[2] == wire.DEVICE]
    health = {row[0]: int(rng.integers(row[4], row[5] + 1)) for row in rows}
    drops = rng.integers(0, wire.DROPS_MAX + 1, len(wire.RULES_SENT)).tolist()
    return {wire.K_TIME: t_s, wire.K_HEALTH: health, wire.K_DROPS: drops}


def observation(rng: np.random.Generator, node: int, day: int) -> Observation:
    """A day of a node of which nothing returns."""
    client_id = rng.bytes(8).hex().encode()
    kids = [rng.bytes(wire.PSEUDONYM_BYTES) for _ in wire.STREAMS]
    salts = [rng.bytes(wire.BOOT_SALT_BYTES) for _ in wire.STREAMS]
    sessions: list[Session] = []
    messages: list[Message] = []
    for slot in range(0, 24, 6):
        at_ms = (day * wire.EPOCH_S + slot * SLOT_S) * 1000 + int(rng.integers(0, SLOT_S * 1000))
        sent: list[Publish] = []
        for stream, kid in enumerate(kids):
            payload = message(kid, slot // 6, slot, salts[stream])
            topic = f"{wire.TOPIC_PREFIX}{wire.TOPIC_LETTERS[stream]}/{kid.hex()}"
            sent.append(Publish(at_ms, 2, topic, stream + 1, payload))
            entries = told(rng, stream, day * wire.EPOCH_S + slot * SLOT_S)
            messages.append(Message(sent[-1], parse(payload), stream, entries))
        opened = session([(at_ms, connect(client_id))])
        assert opened is not None
        sessions.append(replace(opened, published=tuple(sent), ended=True))
    names = (rng.bytes(6).hex(),)
    return Observation(node, day, client_id, tuple(sessions), tuple(messages), names, 1, ())


def fleet(nodes: int, days: int, seed: int = 1, change: Change = lambda one, _: one) -> list[Observation]:
    """Observations of all nodes on all days. change adds what stays with a node: its generator is the node's own."""
    rng = np.random.default_rng(seed)
    return [
        change(observation(rng, node, DAY + day), np.random.default_rng([seed, node]))
        for node in range(nodes)
        for day in range(days)
    ]


def with_entries(one: Observation, stream: int, **changes: Any) -> Observation:
    """The observation with entries of one stream's messages replaced; keys are names in wire, as K_COUNT."""
    new = {getattr(wire, name): value for name, value in changes.items()}
    return replace(
        one,
        messages=tuple(
            replace(message, entries={**message.entries, **new}) if message.stream == stream else message
            for message in one.messages
        ),
    )


def moved(one: Observation, ms: int) -> Observation:
    """The observation with each session's moment within its second replaced."""
    sessions = tuple(replace(s, time_ms=s.time_ms // 1000 * 1000 + ms) for s in one.sessions)
    return replace(one, sessions=sessions)
