"""Grants on the controller's behalf: made on a technician's laptop, within the caveats of a delegation, for the node
on the line. The consent's secret is drawn here and kept nowhere: it goes to the node, and sealed to the controller.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import cbor2

from host_tools import derive
from host_tools.accesslog import AccessLog
from host_tools.consent import grants
from host_tools.consent.caveats import Caveats, Delegated, Delegation
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import sealing, when
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import TECHNICIAN
from host_tools.registry import Node
from plumveil import terms, wire

# A grant begins so long before it is made: the node's clock may be behind the laptop's.
CLOCK_SLACK_S = 900
GRANT = "consent_grant"  # of accesslog_format.ACTIONS


def key_for(node: Node, delegation: Delegation, policy: int) -> Delegated:
    """What a technician is given of a delegation for one node. policy: the node's version when it was given."""
    k_consent = bytes.fromhex(node.k_consent)
    caveats = delegation.caveats(policy)
    key = derive.grant_key(k_consent, caveats.array())
    return Delegated(key, derive.grant_node(k_consent, node.tenant), caveats)


def check_room(node: Node, delegation: Delegation) -> None:
    """UsageError when the delegation's texts leave no room in a grant for a reason."""
    held = key_for(node, delegation, wire.POLICY_VERSION_MAX)
    sealed = bytes(wire.KEY_BYTES + sealing.SEALED_MORE_BYTES)
    given = _terms(held.caveats, held.caveats.tier, wire.UNIX_MAX_S, wire.UNIX_MAX_S)
    secret, reason = bytes(wire.KEY_BYTES), "x" * terms.TEXT_MAX
    _sealed(held, node.tenant, given, wire.UNIX_MAX_S, wire.UNIX_MAX_S, secret, reason, sealed)


def sealing_info(tenant: str, node: bytes, serial: int) -> bytes:
    """What G_SEALED is tied to: the consent of that serial of that node."""
    return cbor2.dumps(["consent", tenant, node, serial])


def delegated(
    store: Keystore, entry: Entry, newest_serial: int, tier: int, reason: str, until_s: int | None = None
) -> bytes:
    """A grant for a node, made now by the holder of a technician's keystore; it is in the access log before it is
    there.

    newest_serial: the newest that the node has decided on, as it says; tier: index into wire.TIERS; until_s: Unix s,
    by default as long as the delegation allows. Raises PlumveilError when no delegation in the keystore allows it,
    UsageError when what is asked for is none, BeyondRole.
    """
    store.require("make a delegated grant", TECHNICIAN)
    public = store.meta.enrol_public
    if public is None:
        raise UsageError(f"{store.path} has no controller to make a grant for")
    check_text(reason, "--reason")
    now_s = when.now_s()
    chosen = _chosen(entry, now_s, tier, until_s)
    caveats = chosen.caveats
    expires_s = caveats.until_s if until_s is None else until_s
    given = _terms(caveats, tier, max(now_s - CLOCK_SLACK_S, caveats.starts_s), expires_s)
    secret = secrets.token_bytes(wire.KEY_BYTES)
    serial = grants.serial_at(now_s, newest_serial)
    sealed = sealing.seal_to(public, secret, sealing_info(store.tenant, chosen.node, serial))
    data = _sealed(chosen, store.tenant, given, now_s, serial, secret, reason, sealed)
    until = when.date_text(expires_s // wire.EPOCH_S)
    detail = f"tier {wire.TIERS[tier][0]} delegation {caveats.id} until {until}"
    AccessLog.beside(store).append(GRANT, [entry.name], 1, detail)
    return data


def _terms(caveats: Caveats, tier: int, starts_s: int, expires_s: int) -> Terms:
    return Terms(tier, caveats.purpose, caveats.notice, caveats.person, starts_s, expires_s)


def _sealed(
    held: Delegated, tenant: str, given: Terms, now_s: int, serial: int, secret: bytes, reason: str, sealed: bytes
) -> bytes:
    parts = grants.parts_of(given, held.node, tenant, secret, now_s, serial, held.caveats.policy)
    parts[terms.G_DELEGATION] = held.caveats.array()
    parts[terms.G_REASON] = reason
    parts[terms.G_SEALED] = sealed
    return grants.seal(held.key, parts)


def check_text(text: str, option: str) -> str:
    """`text`, when it may stand in a grant; UsageError names the option it came from."""
    if not 0 < len(text) <= terms.TEXT_MAX or not text.isprintable():
        raise UsageError(f"{option} takes 1 to {terms.TEXT_MAX} printable characters")
    return text


def _chosen(entry: Entry, now_s: int, tier: int, until_s: int | None) -> Delegated:
    """The delegation that allows it, the one that lasts longest."""
    if not 1 <= tier < len(wire.TIERS):
        raise UsageError(f"a grant is for one of {', '.join(name for name, _ in wire.TIERS[1:])}")
    if until_s is not None and until_s <= now_s:
        raise UsageError("--until is over already")
    held = sorted(entry.delegations, key=lambda one: (one.caveats.until_s, one.caveats.id), reverse=True)
    if not held:
        raise PlumveilError(
            f"this keystore holds no delegation for {entry.name!r}: ask the controller for one (`plumveil consent"
            " delegate`), or for a grant"
        )
    for one in held:
        if _against(one.caveats, now_s, tier, until_s) is None:
            return one
    raise PlumveilError(_why_not(entry, held, now_s, tier, until_s))


def _why_not(entry: Entry, held: Sequence[Delegated], now_s: int, tier: int, until_s: int | None) -> str:
    caveats = held[0].caveats
    why = _against(caveats, now_s, tier, until_s)
    return f"no delegation allows it for {entry.name!r}: number {caveats.id} {why}; ask the controller for another"


def _against(caveats: Caveats, now_s: int, tier: int, until_s: int | None) -> str | None:
    """What a delegation has against a grant, as the node will have it; None: nothing."""
    if now_s >= caveats.until_s:
        return f"ended {when.moment_text(caveats.until_s)}"
    if now_s < caveats.starts_s:
        return f"begins {when.moment_text(caveats.starts_s)}"
    if tier > caveats.tier:
        return f"is for {wire.TIERS[caveats.tier][0]} and coarser"
    if until_s is not None and until_s > caveats.until_s:
        return f"ends {when.moment_text(caveats.until_s)}"
    return None
