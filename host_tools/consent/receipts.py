"""What a node's log says of consents, as the controller keeps it: its entries, and the consents that they tell of, a
delegate's too, whose secret came sealed.

Keeps whatever fits the chain (host_tools.receipts.chains), also where a consent cannot be put on record for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from host_tools import derive
from host_tools.consent.caveats import Caveats
from host_tools.consent.delegating import sealing_info
from host_tools.errors import UsageError
from host_tools.keys import sealing
from host_tools.keys.entries import Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER
from host_tools.receipts import chains
from host_tools.receipts.chains import Merged
from host_tools.receipts.entries import ENDS, LogEntry, read
from host_tools.registry import ConsentRecord
from plumveil import terms

UNKNOWN = "a consent of the controller's that is not on record here"
UNOPENED = "a delegate's, whose secret is not sealed to the enrolment key in force: its positions cannot be opened"
OTHER = "not what is on record under its serial"
REPEATED = "a delegate's, whose secret is another consent's: what was taken under the two cannot be told apart"


@dataclasses.dataclass(frozen=True)
class Received:
    """What came of entries of a node's log: the node's own entry, to be put into the keystore; how they fit those on
    record; how many consents of delegates' are new; and what stands against others, by serial."""

    entry: Entry
    merged: Merged
    delegated: int
    against: dict[int, str]

    @property
    def sound(self) -> bool:
        """Whether all of it fits what is on record."""
        return self.merged.sound and not self.against


def with_receipts(store: Keystore, entry: Entry, received: Iterable[LogEntry], place: int = 0) -> Received:
    """The entry with what its node's log says, as far as it fits what is on record.

    received: entries in any order, known ones among them; place: under which keys the node wrote them, of
    `Entry.key_sets`. UsageError, BeyondRole.
    """
    store.require("take in receipts", CONTROLLER)
    private = store.meta.enrol_private
    if private is None:
        raise UsageError(f"{store.path} has no enrolment key")
    keys = entry.key_sets[place]
    merged = chains.merge([read(raw) for raw in keys.receipts], received)
    consents = {record.serial: record for record in entry.consents}
    against: dict[int, str] = {}
    for one in merged.entries:
        if one.kind == terms.LOG_GRANTED and one.serial is not None:
            known = consents.get(one.serial)
            record = _record(entry.tenant, keys, one, known, private)
            if isinstance(record, str):
                against[one.serial] = record
            elif known is None and record.secret in {other.secret for other in consents.values()}:
                against[one.serial] = REPEATED
            else:
                consents[one.serial] = record
    changed = dataclasses.replace(keys, receipts=tuple(one.raw for one in merged.entries))
    kept = dataclasses.replace(
        entry,
        keys=changed if entry.keys is keys else entry.keys,
        history=tuple(changed if earlier is keys else earlier for earlier in entry.history),
        consents=tuple(consents.values()),
    )
    return Received(kept, merged, len(consents) - len(entry.consents), against)


def ended(entry: Entry) -> dict[int, int]:
    """{serial: terms.LOG_*} of the consents that are over by the node's log, as far as it came."""
    over = {}
    for one in map(read, entry.receipts):
        if one.kind in ENDS and one.serial is not None:
            over[one.serial] = one.kind
    return over


def over_below(entry: Entry) -> int:
    """The serial below which no consent is in force or can be given any more, by the node's log as far as it came."""
    decided = [one for one in map(read, entry.receipts) if one.serial is not None]
    return max((one.serial + (one.kind in ENDS) for one in decided if one.serial is not None), default=0)


def voided(entry: Entry) -> set[int]:
    """The delegations that are void by the node's log under its keys in force, as far as it came."""
    log = () if entry.keys is None else entry.keys.receipts
    return {one.details[0] for one in map(read, log) if one.kind == terms.LOG_VOIDED}


def _record(
    tenant: str, keys: KeySet, granted: LogEntry, known: ConsentRecord | None, private: bytes
) -> ConsentRecord | str:
    """The record of a consent that the node says it was given, or what stands against it."""
    if known is not None:
        return known.model_copy(update={"receipted": True}) if _is_of(granted, known) else OTHER
    grant = granted.details
    if terms.G_DELEGATION not in grant:
        return UNKNOWN
    serial = grant[terms.G_SERIAL]
    info = sealing_info(tenant, derive.grant_node(keys.k_consent, tenant), serial)
    try:
        caveats = Caveats.of(grant[terms.G_DELEGATION])
        return ConsentRecord(
            serial=serial,
            tier=grant[terms.G_TIER],
            starts_s=grant[terms.G_STARTS_S],
            expires_s=grant[terms.G_EXPIRES_S],
            purpose=grant[terms.G_PURPOSE],
            secret=sealing.unseal_own(private, grant[terms.G_SEALED], info).hex(),
            notice=grant[terms.G_NOTICE],
            who=grant[terms.G_WHO],
            issued_s=grant[terms.G_ISSUED_S],
            policy=grant[terms.G_POLICY],
            delegation=caveats.id,
            person=caveats.person,
            receipted=True,
        )
    except (sealing.Unsealed, ValueError):
        return UNOPENED


def _is_of(granted: LogEntry, known: ConsentRecord) -> bool:
    """Whether what the node says of a grant is what is on record."""
    grant = granted.details
    return bool(
        grant[terms.G_TIER] == known.tier
        and grant[terms.G_STARTS_S] == known.starts_s
        and grant[terms.G_EXPIRES_S] == known.expires_s
        and grant[terms.G_PURPOSE] == known.purpose
        and grant[terms.G_NOTICE] == known.notice
        and grant[terms.G_WHO] == known.who
        and grant[terms.G_ISSUED_S] == known.issued_s
        and grant[terms.G_POLICY] == known.policy
    )
