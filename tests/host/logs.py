"""Access logs for tests: fixed keys, a log of five entries, and the judgement of an audit on what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.accesslog import AccessLog, head_path
from host_tools.accesslog_chain import Remark
from host_tools.accesslog_format import Entry, Head, line_hash, public_bytes
from host_tools.audit import Audit, Mark, Signer

SUBJECT_KEY = bytes(range(32, 64))
NODES = ["fridge-of-dr-huber", "truck-17", "ward-3"]


def signing_key(number: int = 0) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)


def public(*numbers: int) -> list[bytes]:
    """Raw public keys by number."""
    return [public_bytes(signing_key(number)) for number in numbers]


def signers(*numbers: int) -> dict[bytes, Signer]:
    """The same as an audit takes them, all the controller's."""
    return {key: Signer("controller", "the controller's key") for key in public(*numbers)}


class Logged(NamedTuple):
    """What stands on disk."""

    log: bytes
    head: bytes


def open_log(folder: Path, key: int = 0, others: tuple[int, ...] = (), role: str = "controller") -> AccessLog:
    """The log `store.log` in a folder, to be written under a key."""
    return AccessLog(folder / "store.log", role, signing_key(key), public(key, *others), SUBJECT_KEY)


def fill(log: AccessLog) -> None:
    """Five entries."""
    log.append("create", detail="role controller")
    log.append("enrol", NODES, 3)
    log.append("resolve", NODES[:1], 1)
    log.append("export", (), 3, "role processor streams readings location from 2026-01-01 to 2026-01-31")
    log.append("open_location", NODES[1:2], 12, "decode")


def saved(log: AccessLog) -> Logged:
    """The bytes of a log and its head."""
    return Logged(log.path.read_bytes(), log.head.read_bytes())


def put_back(folder: Path, log: bytes | None, head: bytes | None) -> Path:
    """Writes a log and its head as given (None: gone); returns the log's path."""
    path = folder / "store.log"
    for where, content in ((path, log), (head_path(path), head)):
        where.unlink(missing_ok=True)
        if content is not None:
            where.write_bytes(content)
    return path


class Verdict(NamedTuple):
    """What an audit found."""

    entries: list[Entry]
    faults: list[Remark]
    notes: list[Remark]
    mark: Mark

    @property
    def sound(self) -> bool:
        return not self.faults


def audited(path: Path, *keys: int, own: int | None = 0, expected: Mark | None = None) -> Verdict:
    """An audit's findings, under the public keys given by number (none given: number 0); own: the one that is the
    keystore's, None for an auditor's."""
    audit = Audit(path, signers(*(keys or (0,))), own=None if own is None else public(own)[0], expected=expected)
    entries = [entry for _, entry in audit.entries()]
    return Verdict(entries, audit.faults, audit.notes, audit.mark)


def states(logged: Logged) -> Iterator[tuple[bytes, bytes]]:
    """(lines so far, head) after 0, 1, ... 5 entries."""
    lines = logged.log.splitlines(keepends=True)
    at = b""
    prev = "0" * 64
    for seq in range(len(lines) + 1):
        yield at, Head.of(seq, prev, len(at), signing_key()).line()
        if seq < len(lines):
            at += lines[seq]
            prev = line_hash(lines[seq])


def lines(logged: Logged) -> list[bytes]:
    """The log's lines, their ends included."""
    return logged.log.splitlines(keepends=True)


def again(line: bytes, key: int = 0, **changes: object) -> bytes:
    """An entry with changes, signed anew."""
    content = Entry.model_validate_json(line).model_dump() | changes
    return Entry.model_validate(content).sealed(signing_key(key)).line()


def first_fault(found: Verdict) -> tuple[int, str]:
    """The first of the faults; fails when there is none."""
    assert found.faults
    return found.faults[0]


def head_of(count: int, log: list[bytes], key: int = 0) -> bytes:
    """The head as it stood behind so many lines."""
    hash_ = line_hash(log[count - 1]) if count else "0" * 64
    return Head.of(count, hash_, sum(map(len, log[:count])), signing_key(key)).line()
