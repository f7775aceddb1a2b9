"""Delegations as the controller gives them, and declares them void. Each is in the access log, then in the keystore,
before anything of it leaves. Prints nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from host_tools.accesslog import AccessLog
from host_tools.consent import deciding, delegating, receipts
from host_tools.consent.caveats import Delegated, Delegation
from host_tools.consent.deciding import Decided
from host_tools.consent.delegating import check_text
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import roles, when
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import TECHNICIAN
from host_tools.keys.sealing import STRONG, Cost
from plumveil import wire

DELEGATE, VOID = "consent_delegate", "consent_void"  # of accesslog_format.ACTIONS


def delegate(
    store: Keystore,
    entries: Sequence[Entry],
    scope: str,
    given: Terms,
    out: Path,
    passphrase: str,
    *,
    cost: Cost = STRONG,
) -> Delegation:
    """Gives a delegation, and makes a technician's keystore that holds it and what else the person may still use.

    scope: for which nodes, in words; given: what may be granted at most, and `who` by. UsageError when it cannot be,
    PlumveilError when the policy of a node does not allow it.
    """
    deciding.require(store)
    check(given)
    expires_s = expiry_s(given.expires_s)
    roles.check_out(out)
    meta, now_s = store.meta, when.now_s()
    starts_s = max(given.starts_s, now_s)
    delegation = Delegation(
        max((one.id for one in meta.delegations), default=0) + 1,
        given.who,
        scope,
        given.tier,
        given.starts_s,
        given.expires_s,
        given.purpose,
        given.notice,
        tuple((entry.number, deciding.allowed(entry, given.tier, starts_s).version) for entry in entries),
        now_s,
    )
    for entry in entries:
        delegating.check_room(deciding.node_of(entry), delegation)
    detail = f"delegation {delegation.id} tier {wire.TIERS[given.tier][0]} until {deciding.date(given.expires_s)}"
    AccessLog.beside(store).append(DELEGATE, [entry.name for entry in entries], len(entries), detail)
    store.meta = dataclasses.replace(meta, delegations=(*meta.delegations, delegation))
    roles.export(store, TECHNICIAN, out, passphrase, expires_s, held=_held(store, given.who), cost=cost)
    return delegation


def check(given: Terms) -> None:
    """UsageError when there can be no delegation of this; given: as of `delegate`."""
    check_text(given.who, "--person")
    deciding.check_terms(given)
    expiry_s(given.expires_s)


def expiry_s(until_s: int) -> int:
    """When a keystore ends that holds a delegation up to `until_s` (Unix s). UsageError when that is too late."""
    now_s = when.now_s()
    last_day = (until_s - 1) // wire.EPOCH_S
    latest = now_s // wire.EPOCH_S + roles.DAYS_MAX
    if last_day > latest:
        raise UsageError(f"--until takes up to {when.date_text(latest)}: no keystore is handed out for longer")
    return roles.expiry_s(last_day, now_s)


def void(store: Keystore, number: int, names: Sequence[str]) -> list[Decided]:
    """Declares a delegation void, in a keystore open for writing -> what its nodes are to be told; names: of them
    only these. Its consents count as taken back. PlumveilError when there is none such."""
    deciding.require(store)
    delegation = delegation_of(store, number)
    now_s = when.now_s()
    changed = dataclasses.replace(delegation, voided_s=delegation.voided_s or now_s)
    entries = [entry for entry in map(store.node, (n for n, _ in delegation.nodes)) if entry.keys is not None]
    strangers = set(names) - {entry.name for entry in entries}
    if strangers:
        raise PlumveilError(f"delegation {number} is not for {sorted(strangers)[0]!r}")
    store.meta = dataclasses.replace(
        store.meta, delegations=tuple(changed if one.id == number else one for one in store.meta.delegations)
    )
    entries = [_without_delegate(entry, number, now_s) for entry in entries]
    deciding.keep(store, VOID, entries, f"delegation {number}")
    return [Decided(entry, number) for entry in entries if not names or entry.name in names]


def voids_unconfirmed(store: Keystore, entry: Entry) -> bool:
    """Whether a delegation is void of which the node did not say so yet."""
    known, now_s = receipts.voided(entry), when.now_s()
    return any(
        one.voided_s is not None and one.until_s > now_s and one.id not in known
        for one in store.meta.delegations
        if entry.number in dict(one.nodes)
    )


def delegation_of(store: Keystore, number: int) -> Delegation:
    """The delegation of that number. PlumveilError when there is none."""
    for one in store.meta.delegations:
        if one.id == number:
            return one
    raise PlumveilError(f"there is no delegation {number}; `plumveil consent list` shows them")


def _held(store: Keystore, person: str) -> dict[int, tuple[Delegated, ...]]:
    """What a person holds of delegations that are in force, by the number of the node."""
    found: dict[int, tuple[Delegated, ...]] = {}
    now_s = when.now_s()
    for one in store.meta.delegations:
        if one.person != person or one.voided_s is not None or one.until_s <= now_s:
            continue
        for number, policy in one.nodes:
            node = store.node(number).node
            if node is not None:
                found[number] = (*found.get(number, ()), delegating.key_for(node, one, policy))
    return found


def _without_delegate(entry: Entry, number: int, now_s: int) -> Entry:
    consents = tuple(
        deciding.taken_back(record, now_s) if record.delegation == number else record for record in entry.consents
    )
    return dataclasses.replace(entry, consents=consents)
