"""Reads and checks a batch of readings. Nearly all messages are batches, so a sound one takes a short way: one walk
along the bytes its deterministic encoding must have. Whatever that does not accept is read again by the strict
reader, which says what is wrong.
"""

import cbor2

from host_tools import columns, rules
from host_tools.content import KEY_NAMES, PADS, Batch, entries
from host_tools.limits import FIELDS, Limits, Plan
from host_tools.rules import Finding, Refused
from plumveil import wire

_Parts = tuple[int, int, int, Plan, bytes]
_PAD_ENTRIES = frozenset(cbor2.dumps(wire.K_PAD) + cbor2.dumps(pad) for pad in PADS)
_TIME_HEAD = bytes((wire.K_TIME, 0x1A))


def read(plaintext: bytes, limits: Limits, findings: list[Finding]) -> Batch:
    """Plaintext of the readings stream -> Batch. Raises Refused when it cannot be followed; lesser breaches go to
    `findings`.
    """
    start_s, interval_s, count, chosen, packed = _quick(plaintext, limits) or _careful(plaintext, limits, findings)
    if not 1 <= count <= wire.BATCH_MAX:
        raise Refused(rules.TIME, KEY_NAMES[wire.K_COUNT], f"not 1 to {wire.BATCH_MAX} readings")
    if not 1 <= interval_s <= wire.INTERVAL_MAX_S:
        findings.append(Finding(rules.TIME, KEY_NAMES[wire.K_INTERVAL], f"not 1 to {wire.INTERVAL_MAX_S} s"))
    try:
        values, suspect = columns.decode(packed, chosen.specs, count)
    except columns.Malformed as fault:
        raise Refused(rules.STRUCTURE, f"columns: {fault.field}", str(fault)) from None
    if chosen.coarse:
        _check_steps(values, chosen, findings)
    if suspect:
        _check_ranges(values, chosen, findings)
    return Batch(start_s, interval_s, count, chosen.fields, values)


def _quick(plaintext: bytes, limits: Limits) -> _Parts | None:
    """The parts of a plaintext with nothing to say against up to its columns; None: ask `_careful`.

    Walks the one deterministic encoding such a plaintext has, byte by byte.
    """
    try:
        at = 1
        if plaintext[0] == 0xA6:
            at = 3 + plaintext[2] - 0x40 if plaintext[2] != 0x58 else 4 + plaintext[3]
            if plaintext[1:at] not in _PAD_ENTRIES:
                return None
        elif plaintext[0] != 0xA5:
            return None
        if plaintext[at : at + 2] != _TIME_HEAD or plaintext[at + 6] != wire.K_INTERVAL:
            return None
        start_s = int.from_bytes(plaintext[at + 2 : at + 6], "big")
        interval_s, at = _uint(plaintext, at + 7)
        if plaintext[at] != wire.K_COUNT:
            return None
        count, at = _uint(plaintext, at + 1)
        end = at + 3 + (plaintext[at + 1] & 0x1F)
        chosen = limits.plans.get(plaintext[at:end])
        head = plaintext[end]
        if head == 0x58:
            packed = plaintext[end + 2 :]
            size = plaintext[end + 1] if plaintext[end + 1] >= 24 else -1
        elif head == 0x59:
            packed = plaintext[end + 3 :]
            size = plaintext[end + 1] << 8 | plaintext[end + 2] if plaintext[end + 1] else -1
        else:
            packed = plaintext[end + 1 :]
            size = head - 0x40 if head < 0x58 else -1
    except IndexError:
        return None
    # A time below 2**31 (2038) or above has the same head; one below 2**16 would need a shorter one.
    if chosen is None or interval_s < 0 or count < 0 or size != len(packed) or start_s < 65536:
        return None
    return start_s, interval_s, count, chosen, packed


def _uint(data: bytes, at: int) -> tuple[int, int]:
    """(unsigned integer below 65536 at `at`, offset behind it); -1 when it is none in its shortest form."""
    value = data[at]
    if value < 24:
        return value, at + 1
    if value == 0x18:
        return (data[at + 1] if data[at + 1] >= 24 else -1), at + 2
    if value == 0x19:
        return (data[at + 1] << 8 | data[at + 2] if data[at + 1] else -1), at + 3
    return -1, at + 1


def _careful(plaintext: bytes, limits: Limits, findings: list[Finding]) -> _Parts:
    body = entries(plaintext, wire.READINGS, findings)
    fields = body[wire.K_FIELDS]
    where = KEY_NAMES[wire.K_FIELDS]
    if not fields or any(type(field) is not int for field in fields):
        raise Refused(rules.STRUCTURE, where, "not a list of field ids")
    if fields != sorted(set(fields)):
        raise Refused(rules.STRUCTURE, where, "not ascending")
    for j, field in enumerate(fields):
        check_field(field, wire.READINGS, limits, f"{where}[{j}]", findings)
    chosen = limits.plan(tuple(fields))
    return body[wire.K_TIME], body[wire.K_INTERVAL], body[wire.K_COUNT], chosen, body[wire.K_COLUMNS]


def check_field(field: int, stream: int, limits: Limits, where: str, findings: list[Finding]) -> None:
    """Raises Refused (`field`) for a field nobody can decode here; adds a finding for one that is not on the list."""
    if field not in FIELDS:
        raise Refused(rules.FIELD, where, "a field the format does not know")
    if FIELDS[field].stream != stream:
        raise Refused(rules.FIELD, where, f"{FIELDS[field].name} belongs to another stream")
    if field not in limits.steps:
        findings.append(Finding(rules.FIELD, where, f"{FIELDS[field].name} is not on the policy's list"))


def _check_steps(values: list[columns.Column], chosen: Plan, findings: list[Finding]) -> None:
    for one, step, column in zip(chosen.specs, chosen.steps, values, strict=True):
        if step > 1:
            _report(
                rules.RESOLUTION,
                one.name,
                [j for j, value in enumerate(column) if value is not None and value % step],
                "not a multiple of the policy's step",
                findings,
            )


def _check_ranges(values: list[columns.Column], chosen: Plan, findings: list[Finding]) -> None:
    for one, column in zip(chosen.specs, values, strict=True):
        _report(rules.RANGE, one.name, columns.outside(column, one), "outside the field's limits", findings)


def _report(rule: str, name: str, at: list[int], what: str, findings: list[Finding]) -> None:
    """One finding per column, however many values are at fault."""
    if at:
        more = f", and {len(at) - 1} more" if len(at) > 1 else ""
        findings.append(Finding(rule, f"columns: {name}[{at[0]}]{more}", what))
