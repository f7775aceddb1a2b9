"""What `plumveil audit --messages` does: reads messages with the controller's keystore, puts on record whom they are
about, and only then shows what they and the receipts say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from host_tools import audit_show, message_keys, sources
from host_tools.accesslog import AccessLog
from host_tools.audit_show import Wanted
from host_tools.auditing import page, report, text
from host_tools.auditing.books import Book, Books, Period
from host_tools.auditing.iso27560 import Context, Service
from host_tools.configure import nodetoml
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import UsageError
from host_tools.keyring import Ring, StreamKeys
from host_tools.keys import files, roles, when
from host_tools.keys.commands import Where, opened
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER
from host_tools.message_keys import Checked, Gate, MessageKeys
from host_tools.policy.reach import Reach
from host_tools.validate import Validator
from plumveil import wire

AUDIT = "audit"  # of accesslog_format.ACTIONS, and of its details
FOUND, SOUND = 1, 0
_EXPORTED = re.compile(r"role processor expires (\S+) streams [a-z ]*\blocation\b[a-z ]* from (\S+) to (\S+)")


@dataclass(frozen=True)
class Task:
    """What is to be audited: messages (a path, or -) with which log; of one node or all, in a period (Unix s); as at
    which time; with a node.toml that says where data may go; and where the page goes."""

    messages: str
    wanted: Wanted
    period: Period
    log: Path | None = None
    expected: str | None = None
    now_s: int | None = None
    node_toml: Path | None = None
    html: Path | None = None


class OnlyNode:
    """A ring's pseudonyms of one node: what others sent is not opened."""

    def __init__(self, ring: Ring, name: str) -> None:
        self._ring = ring
        self._name = name

    def find(self, kid: bytes) -> StreamKeys | None:
        """The stream whose pseudonym `kid` is, None when it is another node's or nobody's."""
        keys = self._ring.find(kid)
        return keys if keys is not None and keys.rules.name == self._name else None


def run(where: Where, task: Task, *, as_json: bool) -> int:
    """Audits and prints. Returns the exit code."""
    sources.require(task.messages)
    mark = audit_show.mark_of(task.expected)
    file = None if task.node_toml is None else nodetoml.load(task.node_toml)
    if task.html is not None:
        roles.check_out(task.html)
    now_s = when.now_s() if task.now_s is None else task.now_s
    with opened(where) as store:
        store.require("audit consent", CONTROLLER)
        services = {} if file is None else _services(file, store, task.wanted.about)
        books, entries = _read(store, task)
        _put_on_record(store, entries, task.period)
        due = audit_show.prepared(store, task.log, task.wanted, mark)
    access, recipients = _access(due)
    nodes = [
        report.node_part(
            entry,
            books.nodes.get(entry.name, Book(entry.name)),
            Context(
                store.tenant, entry.name, services.get(entry.name), recipients, now_s, _retention_days(entry, now_s)
            ),
            task.period,
        )
        for entry in entries
    ]
    document = _document(store.tenant, now_s, task, books, nodes, access)
    document["faults"] = report.faults(document)
    if task.html is not None:
        files.write_private(task.html, page.render(document).encode("utf-8"), "report", fresh=True)
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        text.show(document, due.verdict())
    return FOUND if document["faults"] else SOUND


def _retention_days(entry: Entry, now_s: int) -> dict[int, int]:
    """{policy version: days that a position waits on the node}, of the policies on record: the one that the node was
    given last, and the one loaded ahead; where they share a version, of the one in force."""
    ahead = b"" if entry.policy_ahead is None else entry.policy_ahead.policy_map
    maps = [one for one in (entry.policy_map, ahead, entry.policy_at(now_s)) if one]
    return {reach.version: reach.retention[wire.LOCATION] for reach in map(Reach.of, map(cbor2.loads, maps))}


def _services(file: NodeToml, store: Keystore, about: str | None) -> dict[str, Service]:
    """{node: where its data may go}, of the one node that a node.toml, or else --node (`about`), names. UsageError
    when it is another tenant's or another node's, or names none."""
    found, name = file.service, file.node.name
    if found.tenant != store.tenant:
        raise UsageError(
            f"{file.path}: service.tenant: {found.tenant!r} is not {store.tenant!r}, whose keystore this is"
        )
    if name is None and about is None:
        raise UsageError(f"{file.path} names no node: say with --node whose it is")
    if name is not None and about is not None and name != about:
        raise UsageError(f"{file.path} is the node.toml of {name!r}, not of {about!r}: give that node's own")
    node = store.get(name or about or "").name
    return {node: Service(found.jurisdiction, found.endpoint_region, found.safeguard)}


def _read(store: Keystore, task: Task) -> tuple[Books, list[Entry]]:
    """What the messages show, and the nodes that the audit is of."""
    about = task.wanted.about
    only = None if about is None else store.get(about)
    keys = message_keys.of_store(store, task.now_s)
    books = Books(task.period)
    gate = Gate(AccessLog.beside(store), AUDIT, names=keys.searched is None)
    ring: Ring = keys.ring if only is None else OnlyNode(keys.ring, only.name)
    books.fill(gate.admit(_checked(task, keys, ring)), ring)
    if only is not None:
        return books, [only]
    return books, [entry for entry in store.nodes() if entry.name in books.nodes or entry.receipts or entry.consents]


def _checked(task: Task, keys: MessageKeys, ring: Ring) -> Iterator[Checked]:
    validator = Validator(ring, task.now_s)
    read = sources.read(task.messages)
    for source in read if keys.searched is None else keys.searched.ahead_of(read):
        yield source, validator.check(source.data)


def _put_on_record(store: Keystore, entries: list[Entry], period: Period) -> None:
    """That receipts of these nodes are read, which name persons."""
    words = ["receipts"]
    if period.begins_s is not None:
        words += ["from", when.moment_text(period.begins_s)[:10]]
    if period.ends_s is not None:
        words += ["until", when.moment_text(period.ends_s)[:10]]
    AccessLog.beside(store).append(AUDIT, [entry.name for entry in entries], len(entries), " ".join(words))


def _access(due: audit_show.Due) -> tuple[dict[str, Any], list[str]]:
    """What the access log tells, and to whom keys of positions were given, as far as it knows."""
    shown, recipients = [], []
    for line, entry in due.audit.entries():
        exported = _EXPORTED.fullmatch(entry.detail) if entry.action == "export" else None
        if exported is not None:
            recipients.append(f"a processor, days {exported[2]} to {exported[3]}, keys until {exported[1]}")
        if due.chosen.passes(entry):
            shown.append(audit_show.entry_json(line, entry))
    return {**due.summary(), "shown": shown}, recipients


def _document(
    tenant: str, now_s: int, task: Task, books: Books, nodes: list[dict[str, Any]], access: dict[str, Any]
) -> dict[str, Any]:
    begins_s, ends_s = task.period
    return {
        "schema": report.SCHEMA,
        "tenant": tenant,
        "made": when.moment_text(now_s),
        "node": task.wanted.about,
        "period": {
            "from": None if begins_s is None else when.moment_text(begins_s),
            "to": None if ends_s is None else when.moment_text(ends_s),
        },
        "messages": report.messages_part(books),
        "nodes": nodes,
        "access_log": access,
    }
