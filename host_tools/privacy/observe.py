"""What one holds who sees the wire and has the processor's keys of all streams: per client id its sessions and
messages, opened, with all but the sensors' values.

Must never look at a node's own secrets: what is seen here is opened with a processor's table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from host_tools import derive
from host_tools.content import entries
from host_tools.envelope import Envelope, parse
from host_tools.errors import PlumveilError
from host_tools.keyring import Ring
from host_tools.privacy.life import Trace
from host_tools.privacy.tap import Publish, Session
from host_tools.registry import Node
from plumveil import wire

_TOLD_BY_SENSORS = (wire.K_COLUMNS, wire.K_CELL)
_ALARMS = (wire.E_TEMPERATURE_HIGH, wire.E_TEMPERATURE_LOW, wire.E_SHOCK)


@dataclass(frozen=True)
class Message:
    """A message on its way: how it was published, its outside, and its entries but for the sensors' values."""

    sent: Publish
    envelope: Envelope
    stream: int
    entries: Mapping[int, Any]

    @property
    def late_s(self) -> float:
        """From what it tells of to its passing, in s."""
        return self.sent.time_ms / 1000 - float(self.entries[wire.K_TIME])


@dataclass(frozen=True)
class Observation:
    """All that is seen under one client id. node, day: whose it is, for the score alone. host_names: those that the
    network knows it by in its sessions of the day, and those it announces on that day."""

    node: int
    day: int
    client_id: bytes
    sessions: tuple[Session, ...]
    messages: tuple[Message, ...]
    host_names: tuple[str, ...]
    joins: int
    asked_time_ms: tuple[int, ...]

    def of(self, stream: int) -> list[Message]:
        """Its messages of one stream, as they came."""
        return [message for message in self.messages if message.stream == stream]


def observe(traces: Sequence[Trace], nodes: Sequence[Node], ring: Ring, days: range) -> list[Observation]:
    """One observation per node and epoch in `days` (Unix days) in which it said anything.

    Errors: PlumveilError when a client id or a message is nobody's.
    """
    seen = []
    for number, (trace, node) in enumerate(zip(traces, nodes, strict=True)):
        owners = _client_ids(node, range(node.epoch0_day, days.stop + 1))
        by_day: dict[int, list[Session]] = {}
        for session in trace.sessions:
            if session.client_id not in owners:
                raise PlumveilError(f"{trace.plan.name}: a client id that is none of its own")
            by_day.setdefault(owners[session.client_id], []).append(session)
        for day in days:
            if day in by_day:
                seen.append(_observation(trace, number, day, by_day[day], ring))
    return seen


def _client_ids(node: Node, days: range) -> dict[bytes, int]:
    names = derive.Chain(bytes.fromhex(node.k_id))
    return {derive.session_id(names.at(day - node.epoch0_day), node.tenant).encode(): day for day in days}


def _observation(trace: Trace, node: int, day: int, sessions: list[Session], ring: Ring) -> Observation:
    start_ms, end_ms = (unix_day * wire.EPOCH_S * 1000 for unix_day in (day, day + 1))
    within = [session.time_ms for session in sessions if start_ms <= session.time_ms < end_ms]
    return Observation(
        node=node,
        day=day,
        client_id=sessions[0].client_id,
        sessions=tuple(sessions),
        messages=tuple(_opened(sent, ring) for session in sessions for sent in session.published),
        host_names=(
            *(_in_force(trace.host_names, at_ms) for at_ms in within),
            *(name for at_ms, name in trace.host_names if start_ms <= at_ms < end_ms),
        ),
        joins=sum(start_ms <= at_ms < end_ms for at_ms, _ in trace.host_names),
        asked_time_ms=tuple(at_ms for at_ms in trace.asked_time_ms if start_ms <= at_ms < end_ms),
    )


def _in_force(host_names: Sequence[tuple[int, str]], at_ms: int) -> str:
    return [name for announced_ms, name in host_names if announced_ms <= at_ms][-1]


def _opened(sent: Publish, ring: Ring) -> Message:
    envelope = parse(sent.payload)
    keys = ring.find(envelope.kid)
    if keys is None:
        raise PlumveilError("a message whose key id is in nobody's table")
    told = entries(keys.open(envelope), keys.stream, [])
    if told.get(wire.K_EVENT) in _ALARMS:
        told.pop(wire.K_ARGUMENT)
    told = {key: value for key, value in told.items() if key not in _TOLD_BY_SENSORS}
    return Message(sent, envelope, keys.stream, told)


def unmasked(seen: Iterable[Observation], ring: Ring) -> list[Observation]:
    """The same with the health values and counts that the controller gets to see: what the mask hides. ring: the
    controller's."""

    def bare(message: Message) -> Message:
        keys = ring.find(message.envelope.kid)
        if message.stream != wire.DEVICE or keys is None or keys.unmask is None:
            return message
        told = dict(message.entries)
        mask = keys.unmask(told[wire.K_TIME])
        told[wire.K_HEALTH] = {field: mask.value_of(field, sent) for field, sent in told[wire.K_HEALTH].items()}
        told[wire.K_DROPS] = [mask.count_of(place, sent) for place, sent in enumerate(told[wire.K_DROPS])]
        return replace(message, entries=told)

    return [replace(one, messages=tuple(bare(message) for message in one.messages)) for one in seen]


def planted(seen: Iterable[Observation], nibbles: int = 6) -> list[Observation]:
    """The same, had each node a constant at the end of its client ids: what any linker must find."""

    def marked(one: Observation) -> Observation:
        # Spread, so that neighbouring nodes differ in many bits.
        mark = f"{(one.node + 1) * 2654435761 % 16**nibbles:0{nibbles}x}".encode()
        return replace(one, client_id=one.client_id[:-nibbles] + mark)

    return [marked(one) for one in seen]
