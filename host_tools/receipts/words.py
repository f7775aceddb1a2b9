"""Entries of a node's log for people and as JSON. Texts in them were typed by whoever made the grant: who prints to a
terminal makes them printable (host_tools.render).
"""

from __future__ import annotations

from typing import Any

from host_tools.keys.when import moment_text
from host_tools.receipts.entries import KINDS, REFUSALS, WITHDRAWN_BY, LogEntry
from plumveil import terms, wire

WITHDRAWN_WORDS = {
    terms.BY_TOOL: "at the serial line",
    terms.BY_BUTTON: "by the button on the board",
    terms.BY_CONTROLLER: "by the controller, over the downlink",
    terms.BY_CUT: "by whom is not known: the supply went before it was written",
}
REFUSAL_WORDS = {
    terms.N_MALFORMED: "cut off, or no grant at all",
    terms.N_TENANT: "another tenant's",
    terms.N_NODE: "another node's",
    terms.N_FORGED: "its tag is neither the controller's nor a delegate's",
    terms.N_DELEGATION: "beyond what was delegated",
    terms.N_VOIDED: "its delegation was voided",
    terms.N_REPLAYED: "not newer than what was decided last",
    terms.N_EXPIRED: "expired",
    terms.N_NOT_YET: "not valid yet",
    terms.N_CEILING: "finer than the policy allows",
    terms.N_POLICY: "given before the policy was widened",
    terms.N_CLOCK: "the node had no trusted time to judge it by",
}


def tier_name(tier: int) -> str:
    """A tier's name."""
    return wire.TIERS[tier][0]


def when(t_s: int | None) -> str | None:
    """A moment of the node's clock, UTC; None where it had no trusted one."""
    return None if t_s is None else moment_text(t_s)


def text(entry: LogEntry) -> str:
    """What an entry says, in a line; the number, the kind and the time stand beside it."""
    details = entry.details
    if entry.kind == terms.LOG_GRANTED:
        return _grant_text(details)
    if entry.kind == terms.LOG_WITHDRAWN:
        return f"consent {details[0]}, {WITHDRAWN_WORDS[details[1]]}"
    if entry.kind == terms.LOG_VOIDED:
        return f"delegation {details[0]}"
    if entry.kind == terms.LOG_EXPIRED:
        return f"consent {details[0]}"
    if entry.kind == terms.LOG_INSUFFICIENT:
        return f"consent {details[0]}, under policy {details[1]}, which widened something"
    if entry.kind == terms.LOG_POLICY:
        return f"version {details[0]} in force"
    return REFUSAL_WORDS[details[0]]


def _grant_text(grant: dict[int, Any]) -> str:
    parts = [
        f"consent {grant[terms.G_SERIAL]}: {tier_name(grant[terms.G_TIER])}",
        f"{moment_text(grant[terms.G_STARTS_S])} to {moment_text(grant[terms.G_EXPIRES_S])}",
        f"for {grant[terms.G_PURPOSE]}",
        f"by {grant[terms.G_WHO]}",
        f"notice {grant[terms.G_NOTICE]}",
        f"policy {grant[terms.G_POLICY]}",
    ]
    if terms.G_DELEGATION in grant:
        caveats = grant[terms.G_DELEGATION]
        parts.append(f"made by {caveats[terms.D_PERSON]} under delegation {caveats[terms.D_ID]}")
        parts.append(f"because {grant[terms.G_REASON]}")
    return ", ".join(parts)


def as_json(entry: LogEntry) -> dict[str, Any]:
    """An entry by names; of a delegate's grant without the sealed secret."""
    return {
        "number": entry.number,
        "kind": KINDS[entry.kind],
        "time": when(entry.t_s),
        "hash": entry.hash.hex(),
        "before": entry.before.hex(),
        **_details(entry),
    }


def _details(entry: LogEntry) -> dict[str, Any]:
    details = entry.details
    if entry.kind == terms.LOG_GRANTED:
        return _grant_json(details)
    if entry.kind == terms.LOG_WITHDRAWN:
        return {"serial": details[0], "by": WITHDRAWN_BY[details[1]]}
    if entry.kind == terms.LOG_VOIDED:
        return {"delegation": details[0]}
    if entry.kind == terms.LOG_EXPIRED:
        return {"serial": details[0]}
    if entry.kind == terms.LOG_INSUFFICIENT:
        return {"serial": details[0], "policy_version": details[1]}
    if entry.kind == terms.LOG_POLICY:
        return {"policy_version": details[0]}
    return {"reason": REFUSALS[details[0]]}


def _grant_json(grant: dict[int, Any]) -> dict[str, Any]:
    found = {
        "serial": grant[terms.G_SERIAL],
        "tier": tier_name(grant[terms.G_TIER]),
        "starts": moment_text(grant[terms.G_STARTS_S]),
        "expires": moment_text(grant[terms.G_EXPIRES_S]),
        "purpose": grant[terms.G_PURPOSE],
        "notice": grant[terms.G_NOTICE],
        "who": grant[terms.G_WHO],
        "issued": moment_text(grant[terms.G_ISSUED_S]),
        "policy_version": grant[terms.G_POLICY],
    }
    if terms.G_DELEGATION in grant:
        caveats = grant[terms.G_DELEGATION]
        found |= {
            "delegation": caveats[terms.D_ID],
            "person": caveats[terms.D_PERSON],
            "scope": caveats[terms.D_SCOPE],
            "reason": grant[terms.G_REASON],
        }
    return found
