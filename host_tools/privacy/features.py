"""An observation as numbers and byte strings: all that could stay with a node from one epoch to the next.

Must never see a sensor's value; whose an observation is stays out as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from host_tools.privacy.observe import Message, Observation
from plumveil import wire

HOUR_S = 3600.0
BIN_H = 4
_HEALTH = {row[0]: row[1] for row in wire.FIELDS if row[2] == wire.DEVICE}
_RULES = dict(wire.RULES)
_EVENTS = {row[0]: row[1] for row in wire.EVENT_NAMES}

Numbers = dict[str, float]


def numbers(one: Observation) -> Numbers:
    """Name -> number; NaN where there is nothing to count."""
    found = _sessions(one)
    for stream, name in enumerate(wire.STREAMS):
        found |= _stream(name, one.of(stream))
    return found | _health(one.of(wire.DEVICE)) | _events(one.of(wire.EVENTS)) | _batches(one.of(wire.READINGS))


def strings(one: Observation) -> dict[str, bytes]:
    """Name -> the byte string of that name; empty where there is none."""
    found = {
        "client id": _unhexed(one.client_id),
        "connect": one.sessions[0].without_id(),
        "host name": _unhexed(one.host_names[0].encode()) if one.host_names else b"",
    }
    for stream, name in enumerate(wire.STREAMS):
        messages = one.of(stream)
        first = messages[0] if messages else None
        found[f"{name} topic"] = _unhexed(first.sent.topic.rpartition("/")[2].encode()) if first else b""
        found[f"{name} kid"] = first.envelope.kid if first else b""
        found[f"{name} salt"] = first.envelope.boot_salt if first else b""
    located = one.of(wire.LOCATION)
    found["consent"] = bytes(located[0].entries[wire.K_CONSENT]) if located else b""
    return found


def pieces(one: Observation) -> set[bytes]:
    """Every byte string that the observation holds, of any name: for what returns in another place."""
    found = {one.client_id, _unhexed(one.client_id)}
    found |= {form for name in one.host_names for form in (name.encode(), _unhexed(name.encode()))}
    for message in one.messages:
        found |= {message.envelope.kid, message.envelope.boot_salt, message.sent.topic.rpartition("/")[2].encode()}
        if wire.K_CONSENT in message.entries:
            found.add(bytes(message.entries[wire.K_CONSENT]))
    return found


def _unhexed(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return text


def _sessions(one: Observation) -> Numbers:
    times_s = [session.time_ms / 1000 - one.day * wire.EPOCH_S for session in one.sessions]
    counts = [float(len(session.published)) for session in one.sessions]
    hours = [min(max(int(time_s // 3600), 0), 24) for time_s in times_s]
    first = one.sessions[0].connect
    found = {
        "sessions": float(len(times_s)),
        "sessions after the epoch": float(sum(time_s >= wire.EPOCH_S for time_s in times_s)),
        "sessions cut off": float(sum(not session.ended for session in one.sessions)),
        "connect bytes": float(len(first)),
        "connect flags": float(first[7]),
        "keep alive": float(int.from_bytes(first[8:10], "big")),
        "client id bytes": float(len(one.client_id)),
        "publish flags": _mean(message.sent.flags for message in one.messages),
        "packet id": _mean(message.sent.packet_id for message in one.messages),
        "topic bytes": _mean(len(message.sent.topic) for message in one.messages),
        "host names": float(len(set(one.host_names))),
        "host name bytes": float(len(one.host_names[0])) if one.host_names else math.nan,
        "joins": float(one.joins),
        "time servers asked": float(len(one.asked_time_ms)),
    }
    found |= _spread("session time", times_s) | _spread("session gap", np.diff(times_s).tolist())
    found |= _spread("session messages", counts)
    for modulus_s in (1, 60, 3600):
        found |= _spread(f"session phase in {modulus_s} s", [time_s % modulus_s for time_s in times_s])
    for begin in range(0, 28, BIN_H):
        found[f"sessions from {begin} h"] = float(sum(begin <= hour < begin + BIN_H for hour in hours))
    return found


def _stream(name: str, messages: Sequence[Message]) -> Numbers:
    counters = [float(message.envelope.partial_iv) for message in messages]
    jumps = np.diff(counters)
    found = {
        f"{name} messages": float(len(messages)),
        f"{name} counter gaps": float(np.sum(jumps > 1)),
        f"{name} largest counter gap": float(jumps.max()) if len(jumps) else math.nan,
        f"{name} salts": float(len({message.envelope.boot_salt for message in messages})),
        f"{name} policy": _mean(message.envelope.policy_version for message in messages),
        f"{name} steps": float(len({message.envelope.step for message in messages})),
    }
    found |= _spread(f"{name} counter", counters)
    found |= _spread(f"{name} step", [float(message.envelope.step) for message in messages])
    found |= _spread(f"{name} size", [float(len(message.sent.payload)) for message in messages])
    found |= _spread(f"{name} late", [message.late_s for message in messages])
    told_s = [float(message.entries[wire.K_TIME] % wire.EPOCH_S) for message in messages]
    return found | _spread(f"{name} time", told_s)


def _health(messages: Sequence[Message]) -> Numbers:
    found: Numbers = {}
    for field, name in _HEALTH.items():
        values = [message.entries[wire.K_HEALTH].get(field) for message in messages]
        there = [float(value) for value in values if value is not None]
        found[f"health {name} there"] = float(len(there))
        found |= _spread(f"health {name}", there)
    for place, rule in enumerate(wire.RULES_SENT):
        found |= _spread(f"drops {_RULES[rule]}", [float(m.entries[wire.K_DROPS][place]) for m in messages])
    return found


def _events(messages: Sequence[Message]) -> Numbers:
    found = {f"event {name}": 0.0 for name in _EVENTS.values()}
    for message in messages:
        found[f"event {_EVENTS[message.entries[wire.K_EVENT]]}"] += 1
    arguments = [float(m.entries[wire.K_ARGUMENT]) for m in messages if wire.K_ARGUMENT in m.entries]
    return found | _spread("event argument", arguments)


def _batches(messages: Sequence[Message]) -> Numbers:
    counts = [float(message.entries[wire.K_COUNT]) for message in messages]
    found = {
        "readings": sum(counts),
        "readings interval": _mean(message.entries[wire.K_INTERVAL] for message in messages),
        "readings fields": _mean(len(message.entries[wire.K_FIELDS]) for message in messages),
        "readings field ids": _mean(sum(1 << field for field in m.entries[wire.K_FIELDS]) for m in messages),
    }
    return found | _spread("readings in a batch", counts)


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return sum(found) / len(found) if found else math.nan


def _spread(name: str, values: Sequence[float]) -> Numbers:
    """First, last, least, most, middle and spread of what may be nothing."""
    keys = ("first", "last", "least", "most", "median", "deviation")
    if not values:
        return {f"{name}, {key}": math.nan for key in keys}
    data = np.asarray(values)
    told = (data[0], data[-1], data.min(), data.max(), np.median(data), data.std())
    return {f"{name}, {key}": float(value) for key, value in zip(keys, told, strict=True)}
