"""What is inside a message, as plain values in wire units; and the reading of a plaintext up to its entries.

A plaintext comes from whoever holds a node's keys, which need not be the node: it is read by the strict reader before
anything else looks at it.
"""

from typing import Any, NamedTuple

from host_tools import rules, strict_cbor
from host_tools.columns import Column
from host_tools.receipts.entries import LogEntry
from host_tools.rules import Finding, Refused
from plumveil import wire

KEY_NAMES = {
    wire.K_PAD: "pad",
    wire.K_TIME: "time",
    wire.K_INTERVAL: "interval",
    wire.K_COUNT: "count",
    wire.K_FIELDS: "fields",
    wire.K_COLUMNS: "columns",
    wire.K_CELL: "cell",
    wire.K_CONSENT: "consent",
    wire.K_HEALTH: "health",
    wire.K_EVENT: "event",
    wire.K_ARGUMENT: "argument",
    wire.K_DROPS: "drops",
    wire.K_RECEIPT: "receipt",
    wire.K_NAMES: "names",
}
# Per stream: {key: type}; K_PAD may stand in all of them.
LAYOUTS: dict[int, dict[int, type]] = {
    wire.READINGS: {
        wire.K_TIME: int,
        wire.K_INTERVAL: int,
        wire.K_COUNT: int,
        wire.K_FIELDS: list,
        wire.K_COLUMNS: bytes,
    },
    wire.LOCATION: {wire.K_TIME: int, wire.K_CELL: list, wire.K_CONSENT: bytes},
    wire.DEVICE: {wire.K_TIME: int, wire.K_HEALTH: dict, wire.K_DROPS: list},
    wire.EVENTS: {wire.K_TIME: int, wire.K_EVENT: int, wire.K_ARGUMENT: int},
    wire.DATES: {wire.K_TIME: int, wire.K_NAMES: list},
}
# What may stand there besides, as the event demands it.
OPTIONAL: dict[int, dict[int, type]] = {wire.EVENTS: {wire.K_CONSENT: bytes, wire.K_RECEIPT: bytes}}
_TYPE_NAMES = {int: "an integer", list: "an array", bytes: "a byte string", dict: "a map"}


def _pads() -> frozenset[bytes]:
    # The pads that fill a block and are no longer than needed: with key and head a pad takes the gap, or a block more
    # where no byte string makes that gap.
    gaps = {2 + n if n < 24 else 3 + n: n for n in range(2 * wire.PAD_BLOCK_BYTES)}
    block = wire.PAD_BLOCK_BYTES
    return frozenset(bytes(gaps[gap] if gap in gaps else gaps[gap + block]) for gap in range(1, block))


PADS = _pads()


class Batch(NamedTuple):
    """`readings` readings: reading j was taken at start_s + j * interval_s (Unix s); one column per field, None where
    a value is missing."""

    start_s: int
    interval_s: int
    readings: int
    fields: tuple[int, ...]
    columns: list[Column]


class Position(NamedTuple):
    """A location cell, its time rounded down to wire.POSITION_TIME_S, and the consent for it: the reference that
    stands in the message, and the serial it stands for, None for who may not know it."""

    t_s: int
    tier: int
    row: int
    column: int
    consent: bytes
    serial: int | None


class Health(NamedTuple):
    """The node's own state: {field id: value}, and what was dropped since its last report: {rule: count}, no zeros.

    masked: the values are not the node's, and who reads here cannot take the mask off; drops is None then.
    """

    t_s: int
    values: dict[int, int]
    drops: dict[int, int] | None
    masked: bool = False


class Event(NamedTuple):
    """An alarm, a consent statement or a receipt, how far the node runs ahead of the calendar, or how long it has had
    no route.

    consent: beside a statement of a consent in force, its reference, and serial, what that stands for, None for who
    may not know it. entry: of the node's log, from a receipt; None for who cannot take its mask off.
    """

    t_s: int
    event: int
    argument: int
    consent: bytes | None = None
    serial: int | None = None
    entry: LogEntry | None = None


class Dates(NamedTuple):
    """Which day an epoch is: its 00:00 UTC in Unix s, and the other streams' pseudonyms in it."""

    t_s: int
    names: tuple[bytes, ...]


Content = Batch | Position | Health | Event | Dates


def entries(plaintext: bytes, stream: int, findings: list[Finding]) -> dict[int, Any]:
    """The plaintext's map, its entries all there and of their types, padding looked at and taken out.

    Raises Refused (`cbor`, `structure`); a breach of `padding` goes to `findings`.
    """
    try:
        body = strict_cbor.loads(plaintext)
    except (strict_cbor.NotWellFormed, strict_cbor.NotStrict) as fault:
        raise Refused(rules.CBOR, f"plaintext, byte {fault.offset_bytes}", str(fault)) from None
    if type(body) is not dict:
        raise Refused(rules.STRUCTURE, "plaintext", "not a map")
    if wire.K_PAD in body:
        pad = body.pop(wire.K_PAD)
        if type(pad) is not bytes:
            raise Refused(rules.STRUCTURE, KEY_NAMES[wire.K_PAD], "not a byte string")
        check_pad(pad, findings)
    layout = LAYOUTS[stream]
    for key in layout:
        if key not in body:
            raise Refused(rules.STRUCTURE, "plaintext", f"{KEY_NAMES[key]} is missing")
    known = layout | OPTIONAL.get(stream, {})
    for key in body:
        if key in known:
            if type(body[key]) is not known[key]:
                raise Refused(rules.STRUCTURE, KEY_NAMES[key], f"not {_TYPE_NAMES[known[key]]}")
        else:
            name = KEY_NAMES.get(key, "an entry the format does not know")
            raise Refused(rules.STRUCTURE, "plaintext", f"{name} does not belong in it")
    return body


def check_pad(pad: bytes, findings: list[Finding]) -> None:
    """Adds a finding unless `pad` is zeros and as short as the block allows."""
    if pad not in PADS:
        what = "longer than the block needs" if not any(pad) else "not zeros"
        findings.append(Finding(rules.PADDING, KEY_NAMES[wire.K_PAD], what))
