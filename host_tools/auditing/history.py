"""What a node's log, as its receipts bring it, says of each consent; and which positions it does not stand behind.

Times are the node's own. A position's was rounded down, so it counts as too early or too late only where it is so
wherever in between it was taken.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from host_tools import derive
from host_tools.auditing.books import Book, Came, Taken
from host_tools.keys.entries import Entry, KeySet
from host_tools.receipts import chains
from host_tools.receipts import entries as log_entries
from host_tools.receipts.chains import Gap
from host_tools.receipts.entries import LogEntry
from plumveil import terms, wire

NO_RECEIPT = "the node stated the consent, and its receipt has not come"
TOO_EARLY = "taken before the receipt says that the consent was given"
TOO_LATE = "taken after the receipts say that the consent had ended"
GIVEN, SUPERSEDED, EXPIRED, NOT_RECEIPTED, REVOKED = "given", "superseded", "expired", "no receipt", "revoked"
_STATES = {
    terms.LOG_WITHDRAWN: "withdrawn",
    terms.LOG_EXPIRED: EXPIRED,
    terms.LOG_INSUFFICIENT: "insufficient",
    terms.LOG_GRANTED: SUPERSEDED,
}


@dataclass
class Log:
    """A node's log under one set of keys. since_day: Unix day of its first epoch; gaps: what has not come;
    contradicted, broken: numbers of entries that do not fit those on record."""

    since_day: int
    entries: list[LogEntry]
    gaps: list[Gap]
    contradicted: list[int]
    broken: list[int]

    @property
    def whole(self) -> bool:
        """Whether nothing up to its last entry is missing, and everything follows."""
        return not (self.gaps or self.contradicted or self.broken)


@dataclass(frozen=True)
class Granted:
    """A consent as the log has it: its receipt, and the entry that ended it, None while nothing did."""

    receipt: LogEntry
    end: LogEntry | None

    def state(self, now_s: int) -> str:
        """How it stands."""
        if self.end is not None:
            return _STATES[self.end.kind]
        return EXPIRED if now_s >= self.receipt.details[terms.G_EXPIRES_S] else GIVEN


@dataclass
class Judged:
    """Positions under one consent, those that its receipt stands behind (`covered`) and, by reason, the others."""

    serial: int
    covered: int = 0
    tiers: Counter[int] = field(default_factory=Counter)
    cells: dict[int, int] = field(default_factory=dict)
    policies: Counter[int] = field(default_factory=Counter)
    first_s: int = wire.UNIX_MAX_S
    last_s: int = 0
    against: Counter[str] = field(default_factory=Counter)


def logs_of(entry: Entry, book: Book) -> list[Log]:
    """A node's logs, oldest keys first: what the keystore has of them, and what came besides. Nothing is kept."""
    found = []
    for keys in reversed(entry.key_sets):
        known = [log_entries.read(raw) for raw in keys.receipts]
        merged = chains.merge(known, _of_keys(book.came, keys, entry.tenant))
        broken = sorted({*merged.broken, *chains.breaks(merged.entries)})
        if merged.entries or broken:
            found.append(
                Log(keys.epoch0_day, merged.entries, chains.gaps(merged.entries), merged.contradicted, broken)
            )
    return found


def _of_keys(came: Sequence[Came], keys: KeySet, tenant: str) -> list[LogEntry]:
    names = derive.Chain(keys.k_id)
    kids = {
        kid
        for kid, epoch in {(one.kid, one.epoch) for one in came}
        if derive.pseudonym(names.at(epoch), tenant, wire.EVENTS) == kid
    }
    return [one.entry for one in came if one.kid in kids]


def consents(logs: Sequence[Log]) -> dict[int, Granted]:
    """{serial: consent} of those whose receipt is there."""
    found = {}
    for log in logs:
        for place, entry in enumerate(log.entries):
            if entry.kind == terms.LOG_GRANTED and entry.serial is not None:
                found[entry.serial] = Granted(entry, _end(entry.serial, log.entries[place + 1 :]))
    return found


def _end(serial: int, later: Sequence[LogEntry]) -> LogEntry | None:
    """What ended a consent: the word of it, or the next one, which takes its place."""
    for entry in later:
        if entry.kind == terms.LOG_GRANTED or (entry.kind in log_entries.ENDS and entry.serial == serial):
            return entry
    return None


def judge(serial: int, taken: Taken, granted: Granted | None) -> Judged:
    """Holds the positions taken under a consent against its receipt."""
    found = Judged(serial)
    for (tier, policy_version), times in taken.times.items():
        covered = 0
        for t_s, against in _against(times, granted):
            if against is not None:
                found.against[against] += 1
                continue
            covered += 1
            found.first_s, found.last_s = min(found.first_s, t_s), max(found.last_s, t_s)
        found.covered += covered
        if covered:
            found.tiers[tier] += covered
            found.policies[policy_version] += covered
            found.cells[tier] = len(taken.cells[tier])
    return found


def _against(times: array[int], granted: Granted | None) -> Iterator[tuple[int, str | None]]:
    """(time, what speaks against a position of it), None: nothing."""
    begins_s = None if granted is None else granted.receipt.t_s
    end = None if granted is None else granted.end
    ends_s = None if end is None else end.t_s
    for t_s in times:
        if granted is None:
            yield t_s, NO_RECEIPT
        elif begins_s is not None and t_s + wire.POSITION_TIME_S <= begins_s:
            yield t_s, TOO_EARLY
        elif ends_s is not None and t_s > ends_s:
            yield t_s, TOO_LATE
        else:
            yield t_s, None
