"""One entry of a node's log, as a receipt brings it: read strictly, since whoever holds a node's keys may have made
it.

What the entries say beside one another is host_tools.receipts.chains' to judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from host_tools import strict_cbor
from plumveil import terms, wire

HASH_BYTES = 32
FIRST = bytes(HASH_BYTES)  # stands for the entry before the first
KINDS = dict(terms.LOG_KINDS)
REFUSALS = dict(terms.REFUSALS)
ENDS = (terms.LOG_WITHDRAWN, terms.LOG_EXPIRED, terms.LOG_INSUFFICIENT)  # kinds that end the consent of a serial
WITHDRAWN_BY = {
    terms.BY_TOOL: "tool",
    terms.BY_BUTTON: "button",
    terms.BY_CONTROLLER: "controller",
    terms.BY_CUT: "cut",
}


class NotAnEntry(ValueError):
    """Bytes are no entry of a log; the text says why and repeats nothing of them."""


class LogEntry(NamedTuple):
    """`number` counts from 1; `before` is the hash of the entry before; t_s: Unix s, None where the node had no
    trusted clock; details: by kind, see `plumveil.terms`, a granted consent's as {terms.G_*: value}; raw: the entry
    itself."""

    number: int
    before: bytes
    kind: int
    t_s: int | None
    details: Any
    raw: bytes

    @property
    def hash(self) -> bytes:
        """What the next entry's `before` is."""
        return hashlib.sha256(self.raw).digest()

    @property
    def serial(self) -> int | None:
        """Serial of the consent that it is about, if it is about one."""
        if self.kind == terms.LOG_GRANTED:
            return int(self.details[terms.G_SERIAL])
        return int(self.details[0]) if self.kind in ENDS else None


def read(raw: bytes) -> LogEntry:
    """An entry's bytes -> the entry. Raises NotAnEntry."""
    if len(raw) > terms.ENTRY_MAX_BYTES:
        raise NotAnEntry(f"longer than {terms.ENTRY_MAX_BYTES} bytes")
    try:
        body = strict_cbor.loads(raw, text=True)
    except (strict_cbor.NotWellFormed, strict_cbor.NotStrict) as fault:
        raise NotAnEntry(f"not deterministic CBOR: {fault}, byte {fault.offset_bytes}") from None
    if type(body) is not list or len(body) != 5:
        raise NotAnEntry("not an array of five")
    number, before, kind, t_s, details = body
    if not _is_uint(number) or number < 1:
        raise NotAnEntry("its number is none")
    if type(before) is not bytes or len(before) != HASH_BYTES:
        raise NotAnEntry(f"the hash in it has not {HASH_BYTES} bytes")
    if (number == 1) != (before == FIRST):
        raise NotAnEntry("its number and its hash do not fit: the first entry alone follows none")
    if not _is_uint(kind) or kind not in KINDS:
        raise NotAnEntry("of a kind that the format does not know")
    if t_s is not None and not (_is_uint(t_s) and wire.UNIX_MIN_S <= t_s <= wire.UNIX_MAX_S):
        raise NotAnEntry("its time is outside the limits of the format")
    if not _DETAILS[kind](details):
        raise NotAnEntry(f"its details are not those of {KINDS[kind]}")
    return LogEntry(number, before, kind, t_s, details, raw)


def _is_uint(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_time(value: Any) -> bool:
    return _is_uint(value) and value <= wire.UNIX_MAX_S


def _is_version(value: Any) -> bool:
    return _is_uint(value) and value <= wire.POLICY_VERSION_MAX


def _is_text(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= terms.TEXT_MAX


def _is_tier(value: Any) -> bool:
    return _is_uint(value) and 0 < value < len(wire.TIERS)


def _is_sealed(value: Any) -> bool:
    return type(value) is bytes and 0 < len(value) <= terms.SEALED_MAX_BYTES


def _is_delegation(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) == len(_CAVEATS)
        and all(check(one) for check, one in zip(_CAVEATS, value, strict=True))
    )


_CAVEATS: tuple[Callable[[Any], bool], ...] = (
    _is_uint,
    _is_text,
    _is_text,
    _is_tier,
    _is_time,
    _is_time,
    _is_text,
    _is_text,
    _is_version,
)
_GRANT: dict[int, Callable[[Any], bool]] = {
    terms.G_SERIAL: lambda serial: _is_uint(serial) and serial > 0,
    terms.G_TIER: _is_tier,
    terms.G_STARTS_S: _is_time,
    terms.G_EXPIRES_S: _is_time,
    terms.G_PURPOSE: _is_text,
    terms.G_NOTICE: _is_text,
    terms.G_WHO: _is_text,
    terms.G_ISSUED_S: _is_time,
    terms.G_POLICY: _is_version,
}
_DELEGATED: dict[int, Callable[[Any], bool]] = {
    terms.G_DELEGATION: _is_delegation,
    terms.G_REASON: _is_text,
    terms.G_SEALED: _is_sealed,
}


def _is_grant(details: Any) -> bool:
    if type(details) is not dict:
        return False
    parts = _GRANT | _DELEGATED if terms.G_DELEGATION in details else _GRANT
    return details.keys() == parts.keys() and all(check(details[key]) for key, check in parts.items())


def _numbers(*allowed: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def check(details: Any) -> bool:
        return (
            type(details) is list
            and len(details) == len(allowed)
            and all(one(value) for one, value in zip(allowed, details, strict=True))
        )

    return check


_DETAILS: dict[int, Callable[[Any], bool]] = {
    terms.LOG_GRANTED: _is_grant,
    terms.LOG_WITHDRAWN: _numbers(_is_uint, lambda by: _is_uint(by) and by in WITHDRAWN_BY),
    terms.LOG_VOIDED: _numbers(_is_uint),
    terms.LOG_EXPIRED: _numbers(_is_uint),
    terms.LOG_INSUFFICIENT: _numbers(_is_uint, _is_version),
    terms.LOG_POLICY: _numbers(_is_version),
    terms.LOG_REFUSED: _numbers(lambda reason: _is_uint(reason) and reason in REFUSALS),
}
