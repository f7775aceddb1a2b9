"""What messages show of each node, one book a node: filled message by message, kept small however many there are.

Holds when and how finely positions were taken and in how many cells, and must never let out in which.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from host_tools import rules
from host_tools.content import Content, Event, Health, Position
from host_tools.envelope import Envelope
from host_tools.keyring import Ring
from host_tools.message_keys import Checked
from host_tools.receipts.entries import LogEntry
from host_tools.render import place_text
from host_tools.rules import Finding
from host_tools.sources import Source
from host_tools.validate import Message
from plumveil import wire

UNOPENED = "not to be opened: no consent on record has its key, or it is forged"
EXAMPLES_MAX = 5  # places named of each kind of fault


class Period(NamedTuple):
    """From a time on and before another, Unix s; None: any."""

    begins_s: int | None = None
    ends_s: int | None = None

    def meets(self, day: int | None) -> bool:
        """Whether some of a Unix day lies within; one that is not known does."""
        if day is None:
            return True
        start_s, end_s = day * wire.EPOCH_S, (day + 1) * wire.EPOCH_S
        return (self.begins_s is None or end_s > self.begins_s) and (self.ends_s is None or start_s < self.ends_s)

    def holds(self, t_s: int | None) -> bool:
        """Whether a time lies within; one that is not known does."""
        if t_s is None:
            return True
        return (self.begins_s is None or t_s >= self.begins_s) and (self.ends_s is None or t_s < self.ends_s)


@dataclass
class Places:
    """How often something was seen, and where first."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, source: Source) -> None:
        """One more, in that message."""
        self.count += 1
        if len(self.first) < EXAMPLES_MAX:
            self.first.append(place_text(source))


class Came(NamedTuple):
    """An entry of a log as it came: its stream's pseudonym and epoch tell of which keys the log is."""

    entry: LogEntry
    kid: bytes
    epoch: int


@dataclass
class Taken:
    """Sound positions under one consent: times (Unix s) by tier and policy version, and cells (row, column) by
    tier."""

    times: dict[tuple[int, int], array[int]] = field(default_factory=dict)
    cells: dict[int, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set), repr=False)

    def add(self, position: Position, policy_version: int) -> None:
        """Takes in one."""
        self.times.setdefault((position.tier, policy_version), array("q")).append(position.t_s)
        self.cells[position.tier].add((position.row, position.column))


@dataclass
class Span:
    """Messages and the times between which they lie, Unix s."""

    messages: int = 0
    first_s: int = wire.UNIX_MAX_S
    last_s: int = 0

    def add(self, t_s: int) -> None:
        """Takes in one."""
        self.messages += 1
        self.first_s, self.last_s = min(self.first_s, t_s), max(self.last_s, t_s)


@dataclass
class Book:
    """One node's."""

    name: str
    came: list[Came] = field(default_factory=list)
    taken: dict[int, Taken] = field(default_factory=lambda: defaultdict(Taken))
    without: dict[str, Places] = field(default_factory=lambda: defaultdict(Places))
    policies: dict[int, Span] = field(default_factory=lambda: defaultdict(Span))
    drops: Counter[int] = field(default_factory=Counter)
    reports: int = 0


@dataclass
class Books:
    """All nodes', and what messages came to. unknown: of nobody here, or of a node that was not asked for."""

    period: Period
    nodes: dict[str, Book] = field(default_factory=dict)
    messages: int = 0
    valid: int = 0
    duplicates: int = 0
    unknown: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)

    def fill(self, checked: Iterable[Checked], ring: Ring) -> None:
        """Takes in messages and the verdicts on them, by that ring."""
        for source, message in checked:
            self._count(source, message)
            envelope = message.envelope
            keys = None if envelope is None else message.keys or ring.find(envelope.kid)
            if envelope is None or keys is None or message.duplicate:
                continue
            book = self.nodes.setdefault(keys.rules.name or "", Book(keys.rules.name or ""))
            if message.keys is not None:
                _enter(book, source, message, envelope, self.period)
            elif keys.stream == wire.LOCATION and self.period.meets(keys.day):
                book.without[UNOPENED].add(source)

    def _count(self, source: Source, message: Message) -> None:
        self.messages += 1
        self.duplicates += message.duplicate
        if source.broken:
            self.cut.append(place_text(source))
        if message.keys is None and any(finding.rule == rules.PSEUDONYM for finding in message.findings):
            self.unknown += 1
            return
        self.valid += message.valid
        self.broken.update({finding.rule for finding in message.findings})


def _enter(book: Book, source: Source, message: Message, envelope: Envelope, period: Period) -> None:
    content, keys = message.content, message.keys
    if keys is None:
        return
    if keys.stream == wire.LOCATION and not message.valid:
        # Whatever rule it breaks: it came, and no receipt stands behind it.
        if _may_meet(period, message.findings, content, keys.day):
            book.without[_reason(message.findings)].add(source)
        return
    if content is None:
        return
    if message.valid and isinstance(content, Event) and content.entry is not None:
        # Of any time: what was granted before the period is what stands behind its positions.
        book.came.append(Came(content.entry, envelope.kid, keys.epoch or 0))
    if not period.holds(content[0]):
        return
    if isinstance(content, Position):
        # Serials begin at 1: for one that is not known there is no receipt.
        book.taken[content.serial or 0].add(content, envelope.policy_version)
    if message.valid and isinstance(content, Health):
        book.reports += 1
        book.drops.update(content.drops or {})
    if message.valid:
        book.policies[envelope.policy_version].add(content[0])


def _may_meet(period: Period, findings: Sequence[Finding], content: Content | None, day: int | None) -> bool:
    """Whether an invalid message may be of a period: by its time, or by its pseudonym's day where that time is wrong
    or could not be read."""
    if content is None or any(finding.rule in (rules.TIME, rules.EPOCH) for finding in findings):
        return period.meets(day)
    return period.holds(content[0])


def _reason(findings: Sequence[Finding]) -> str:
    """What is wrong with a position: with its consent, before anything else."""
    for finding in findings:
        if finding.rule == rules.CONSENT:
            return finding.what
    return f"{findings[0].rule}: {findings[0].what}"
