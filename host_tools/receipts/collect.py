"""Collects receipts for the controller: out of messages into the keystore, where they vouch for positions from then
on.

Opens events and nothing else. What contradicts an entry on record is told and left out; the same messages once more
change nothing. Names are on record in the access log before anything is kept or shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from host_tools import derive, message_keys, sources
from host_tools.accesslog import AccessLog
from host_tools.consent import receipts as records
from host_tools.consent.receipts import Received
from host_tools.content import Event
from host_tools.keyring import Ring, StreamKeys
from host_tools.keys import roles
from host_tools.keys.entries import Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER
from host_tools.receipts.entries import LogEntry
from host_tools.sources import Source
from host_tools.validate import Message, Validator
from plumveil import wire

COLLECT = "consent_collect"  # of accesslog_format.ACTIONS


class EventsOnly:
    """A ring's pseudonyms of the events stream: whoever looks for receipts has no business with positions."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    def find(self, kid: bytes) -> StreamKeys | None:
        """The keys of the events stream whose pseudonym `kid` is, None for any other."""
        keys = self._ring.find(kid)
        return keys if keys is not None and keys.stream == wire.EVENTS else None


@dataclass
class Collected:
    """What a run came to. events: sound messages of events; passed: messages of other streams, or of nobody here;
    refused: (place, message) of events that are not sound; nodes: one for each log that something came of."""

    events: int = 0
    passed: int = 0
    receipts: int = 0
    refused: list[tuple[Source, Message]] = field(default_factory=list)
    broken: list[Source] = field(default_factory=list)
    nodes: list[Received] = field(default_factory=list)

    @property
    def added(self) -> int:
        """How many entries are new."""
        return sum(node.merged.added for node in self.nodes)

    @property
    def delegated(self) -> int:
        """How many consents of delegates' are on record now that were not."""
        return sum(node.delegated for node in self.nodes)

    @property
    def sound(self) -> bool:
        """Whether everything that was looked at was sound, and fits what is on record."""
        return not self.refused and not self.broken and all(node.sound for node in self.nodes)


@dataclass(frozen=True)
class _Came:
    """An entry, and the stream it came in: by its pseudonym of an epoch the set of keys is told."""

    entry: LogEntry
    kid: bytes
    epoch: int


def collect(store: Keystore, path: str, now_s: int | None) -> Collected:
    """Takes the receipts in messages at a path into a keystore that is open for writing.

    Raises BeyondRole where it is no controller's own, UsageError when there is nothing to read, PlumveilError when it
    cannot be logged.
    """
    store.require("collect receipts", CONTROLLER)
    roles.require_lasting(store, "collect receipts")
    found = Collected()
    came = _read(store, path, now_s, found)
    if came:
        names = sorted(came)
        AccessLog.beside(store).append(COLLECT, names, found.receipts, "receipts")
    changed = False
    for entry in store.nodes():
        if entry.name in came:
            kept = _taken_in(store, entry, came[entry.name], found)
            if kept != entry:
                store.put(kept)
                changed = True
    if changed:
        store.save()
    return found


def _read(store: Keystore, path: str, now_s: int | None, found: Collected) -> dict[str, list[_Came]]:
    """{node's name: entries} of the sound messages."""
    keys = message_keys.of_store(store, now_s)
    validator = Validator(EventsOnly(keys.ring), now_s)
    came: dict[str, list[_Came]] = defaultdict(list)
    for source in _sources(path, keys):
        message = validator.check(source.data)
        if source.broken:
            found.broken.append(source)
        if message.keys is None or message.envelope is None:
            found.passed += not source.broken
        elif not message.valid:
            found.refused.append((source, message))
        else:
            found.events += 1
            content = message.content
            if isinstance(content, Event) and content.entry is not None and not message.duplicate:
                found.receipts += 1
                one = _Came(content.entry, message.envelope.kid, message.keys.epoch or 0)
                came[message.keys.rules.name or ""].append(one)
    return came


def _sources(path: str, keys: message_keys.MessageKeys) -> Iterator[Source]:
    read = sources.read(path)
    return read if keys.searched is None else keys.searched.ahead_of(read)


def _taken_in(store: Keystore, entry: Entry, came: list[_Came], found: Collected) -> Entry:
    """The entry with what came in its place."""
    for place, keys in enumerate(entry.key_sets):
        kids = _kids(keys, entry.tenant, {(one.kid, one.epoch) for one in came})
        own = [one.entry for one in came if one.kid in kids]
        if not own:
            continue
        received = records.with_receipts(store, entry, own, place)
        found.nodes.append(received)
        entry = received.entry
    return entry


def _kids(keys: KeySet, tenant: str, seen: set[tuple[bytes, int]]) -> set[bytes]:
    """Which of the pseudonyms seen, each with its epoch, are of a set of keys."""
    names = derive.Chain(keys.k_id)
    return {kid for kid, epoch in seen if derive.pseudonym(names.at(epoch), tenant, wire.EVENTS) == kid}
