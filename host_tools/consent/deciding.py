"""What the controller decides about consents, in the keystore: given, and taken back. Each is in the access log, then
in the keystore, before anything of it leaves. Prints nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cbor2

from host_tools.accesslog import AccessLog
from host_tools.consent import grants, receipts
from host_tools.consent.delegating import check_text
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import groups, roles, when
from host_tools.keys.entries import ACTIVE, Entry
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER
from host_tools.policy.reach import Reach
from host_tools.registry import ConsentRecord, Node, Policy
from plumveil import terms, wire

ISSUE, REVOKE = "consent_issue", "consent_revoke"  # of accesslog_format.ACTIONS


@dataclass(frozen=True)
class Given:
    """A consent that was given: to which node, its record, and the grant to be handed over."""

    entry: Entry
    record: ConsentRecord
    grant: bytes = field(repr=False)


@dataclass(frozen=True)
class Decided:
    """What a node is to be told: number is a serial, or a delegation's id."""

    entry: Entry
    number: int


def require(store: Keystore) -> None:
    """BeyondRole where consents are not to be decided about: in a controller's copy they would be lost with it."""
    store.require("decide about consents", CONTROLLER)
    roles.require_lasting(store, "decide about consents")


def chosen(store: Keystore, names: Sequence[str], group: str | None) -> list[Entry]:
    """The nodes of these names, or of a group, to decide about. Raises UsageError unless it is one of both,
    PlumveilError when a node is not there or retired, BeyondRole."""
    require(store)
    if bool(names) == (group is not None):
        raise UsageError("say for which nodes: --node, as often as it takes, or --group")
    entries = [store.get(name) for name in dict.fromkeys(names)] if group is None else groups.members(store, group)
    for entry in entries:
        if entry.state != ACTIVE or entry.keys is None:
            raise PlumveilError(f"{entry.name!r} is retired, and has no keys any more")
    return entries


def check_terms(given: Terms) -> None:
    """UsageError when no node would take a consent to this."""
    for text, option in ((given.purpose, "--purpose"), (given.notice, "--notice"), (given.who, "--by")):
        check_text(text, option)
    check_span(given.starts_s, given.expires_s)


def check_span(starts_s: int, until_s: int) -> None:
    """UsageError when a span of Unix s is none that is still to come."""
    if not wire.UNIX_MIN_S <= starts_s < until_s <= wire.UNIX_MAX_S:
        raise UsageError("--until has to be later than --from, and both between 2026 and 2100")
    if until_s <= when.now_s():
        raise UsageError("--until is over already")


def issue(store: Keystore, entries: Sequence[Entry], given: Terms) -> list[Given]:
    """A grant for each node, recorded in a keystore open for writing. PlumveilError when the policy of one does not
    allow it; nothing is given then."""
    require(store)
    check_terms(given)
    now_s = when.now_s()
    made = []
    for entry in entries:
        policy = allowed(entry, given.tier, max(given.starts_s, now_s))
        serial = grants.serial_at(now_s, _newest(entry))
        issued = grants.issue(node_of(entry), given, now_s, serial, policy.version)
        changed = dataclasses.replace(entry, consents=(*entry.consents, issued.record), serial=serial)
        made.append(Given(changed, issued.record, issued.data))
    detail = f"tier {wire.TIERS[given.tier][0]} from {date(given.starts_s)} until {date(given.expires_s)}"
    keep(store, ISSUE, [one.entry for one in made], detail)
    return made


def revoke(store: Keystore, entries: Sequence[Entry]) -> list[Decided]:
    """Takes back every consent of these nodes, recorded in a keystore open for writing -> what each is to be told.

    A serial is taken up to which none is believed: the highest that the node can hold by now, so that one made on
    site and not known here ends as well. What is given within the second is too early for the node.
    """
    require(store)
    now_s = when.now_s()
    decided = []
    for entry in entries:
        serial = max(now_s + terms.AHEAD_MAX_S - wire.UNIX_MIN_S, _newest(entry))
        consents = tuple(taken_back(record, now_s) for record in entry.consents)
        decided.append(Decided(dataclasses.replace(entry, consents=consents, serial=serial), serial))
    keep(store, REVOKE, [one.entry for one in decided], "")
    return decided


def revocation_unconfirmed(entry: Entry) -> bool:
    """Whether a consent was taken back that the node may still hold, or be given, by what its log says so far."""
    over, now_s = receipts.over_below(entry), when.now_s()
    return any(one.revoked_s is not None and one.expires_s > now_s and one.serial >= over for one in entry.consents)


def allowed(entry: Entry, tier: int, at_s: int) -> Policy:
    """The policy on record that is in force at a time (Unix s), which has to allow the tier."""
    policy = _in_force(entry, at_s)
    if policy is None:
        raise PlumveilError(f"no policy of {entry.name!r} is on record: configure it with this keystore first")
    if tier > policy.location_ceiling:
        finest = wire.TIERS[policy.location_ceiling][0]
        allows = f"{finest} at the finest: give that" if policy.location_ceiling else "no location at all: leave it"
        raise PlumveilError(
            f"policy version {policy.version} of {entry.name!r} allows {allows}, or configure the node with a profile"
            " that allows more"
        )
    return policy


def _in_force(entry: Entry, at_s: int) -> Policy | None:
    """By what was written to the node from here; before that by what it was enrolled with, the newest."""
    in_force = entry.policy_at(at_s)
    if in_force:
        version = Reach.of(cbor2.loads(in_force)).version
        return next((one for one in entry.policies if one.version == version), None)
    ahead = entry.policy_ahead
    waiting = None if ahead is None else Reach.of(cbor2.loads(ahead.policy_map)).version
    # The one that waits may be a narrower one of the same version: then it is all there is of it.
    known = [one for one in entry.policies if one.version != waiting] or entry.policies
    return max(known, key=lambda one: one.version, default=None)


def node_of(entry: Entry) -> Node:
    if entry.node is None:
        raise ValueError("an entry without keys")
    return entry.node


def _newest(entry: Entry) -> int:
    return max([entry.serial, *(record.serial for record in entry.consents)])


def taken_back(record: ConsentRecord, now_s: int) -> ConsentRecord:
    if record.revoked_s is not None or record.expires_s <= now_s:
        return record
    return record.model_copy(update={"revoked_s": now_s})


def keep(store: Keystore, action: str, entries: Iterable[Entry], detail: str) -> None:
    entries = list(entries)
    AccessLog.beside(store).append(action, [entry.name for entry in entries], len(entries), detail)
    for entry in entries:
        store.put(entry)
    store.save()


def date(unix_s: int) -> str:
    return when.date_text(unix_s // wire.EPOCH_S)
