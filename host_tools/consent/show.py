"""How `consent list` shows consents and delegations: a line each, or JSON. Never a secret, nor a key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from host_tools.consent import receipts
from host_tools.consent.caveats import Delegated, Delegation
from host_tools.keys import when
from host_tools.keys.entries import Entry
from host_tools.registry import ConsentRecord
from host_tools.render import printable
from plumveil import terms, wire

_CONSENTS = ("node", "serial", "state", "tier", "from", "until", "purpose", "notice", "given by", "receipt")
_DELEGATIONS = ("delegation", "person", "state", "tier", "from", "until", "purpose", "notice", "for")


def state(record: ConsentRecord, over: int | None, now_s: int) -> str:
    """How a consent stands by what is on record; the node itself is asked with `plumveil gps status`. over: why it
    ended by the node's log (terms.LOG_*), None when that does not say so."""
    if over is not None:
        return dict(terms.LOG_KINDS)[over]
    if record.revoked_s is not None:
        return "taken back"
    if now_s >= record.expires_s:
        return "expired"
    return "given" if now_s >= record.starts_s else "not yet"


def consents_json(entry: Entry, now_s: int) -> list[dict[str, Any]]:
    """A node's consents, without their secrets."""
    over = receipts.ended(entry)
    return [_consent_json(entry, record, over.get(record.serial), now_s) for record in entry.consents]


def _consent_json(entry: Entry, record: ConsentRecord, over: int | None, now_s: int) -> dict[str, Any]:
    return {
        "node": entry.name,
        "serial": record.serial,
        "state": state(record, over, now_s),
        "tier": wire.TIERS[record.tier][0],
        "from": when.moment_text(record.starts_s),
        "until": when.moment_text(record.expires_s),
        "purpose": record.purpose,
        "notice": record.notice,
        "given_by": record.who,
        "issued": when.moment_text(record.issued_s),
        "policy": record.policy,
        "delegation": record.delegation or None,
        "person": record.person,
        "taken_back": None if record.revoked_s is None else when.moment_text(record.revoked_s),
        "receipt": record.receipted,
        "end_receipt": over is not None,
    }


def delegation_json(one: Delegation, names: Sequence[str], now_s: int) -> dict[str, Any]:
    """A delegation as the controller keeps it."""
    return {
        "delegation": one.id,
        "person": one.person,
        "state": _standing(one.starts_s, one.until_s, one.voided_s, now_s),
        "tier": wire.TIERS[one.tier][0],
        "from": when.moment_text(one.starts_s),
        "until": when.moment_text(one.until_s),
        "purpose": one.purpose,
        "notice": one.notice,
        "for": one.scope,
        "nodes": list(names),
        "voided": None if one.voided_s is None else when.moment_text(one.voided_s),
    }


def held_json(entry: Entry, held: Delegated, now_s: int) -> dict[str, Any]:
    """A delegation as a technician holds it."""
    one = held.caveats
    return {
        "delegation": one.id,
        "person": one.person,
        "state": _standing(one.starts_s, one.until_s, None, now_s),
        "tier": wire.TIERS[one.tier][0],
        "from": when.moment_text(one.starts_s),
        "until": when.moment_text(one.until_s),
        "purpose": one.purpose,
        "notice": one.notice,
        "for": one.scope,
        "nodes": [entry.name],
    }


def _standing(starts_s: int, until_s: int, voided_s: int | None, now_s: int) -> str:
    if voided_s is not None:
        return "void"
    if now_s >= until_s:
        return "ended"
    return "in force" if now_s >= starts_s else "not yet"


def listing(consents: Sequence[dict[str, Any]], delegations: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Prints both."""
    if as_json:
        print(json.dumps({"consents": consents, "delegations": delegations}))
        return
    tables = [(_CONSENTS, _consent_rows(consents)), (_DELEGATIONS, _delegation_rows(delegations))]
    shown = [_table(head, rows) for head, rows in tables if rows]
    print("\n\n".join(shown) if shown else "no consent and no delegation on record")


def _consent_rows(consents: Iterable[dict[str, Any]]) -> list[list[str]]:
    names = ("node", "serial", "state", "tier", "from", "until", "purpose", "notice")
    return [
        [
            *(str(one[name]) for name in names),
            one["given_by"] if one["delegation"] is None else f"{one['given_by']} (delegation {one['delegation']})",
            ", ".join(word for word, key in (("given", "receipt"), ("ended", "end_receipt")) if one[key]),
        ]
        for one in consents
    ]


def _delegation_rows(delegations: Iterable[dict[str, Any]]) -> list[list[str]]:
    names = ("delegation", "person", "state", "tier", "from", "until", "purpose", "notice")
    return [[*(str(one[name]) for name in names), f"{one['for']}: {', '.join(one['nodes'])}"] for one in delegations]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
