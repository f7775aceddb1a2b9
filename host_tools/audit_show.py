"""What `plumveil audit` does: verifies a log with a keystore's keys, prints the entries asked for and the verdict.

Must never tell which node an entry is about: it looks for a node that is named to it, and only with the key to do so.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from host_tools import accesslog_format, render
from host_tools.accesslog import log_path
from host_tools.accesslog_chain import Remark
from host_tools.accesslog_format import Entry
from host_tools.audit import HEAD_LINE, Audit, Mark, Signer
from host_tools.commands import TABLE_ROWS, console_for_output
from host_tools.errors import UsageError
from host_tools.keys import when
from host_tools.keys.commands import Where, opened
from host_tools.keys.keystore import Keystore
from plumveil import wire

SOUND, CHANGED = 0, 1
_PSEUDONYM = re.compile(rf"[0-9a-fA-F]{{{2 * wire.PSEUDONYM_BYTES}}}", re.ASCII)
_MARK = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", re.ASCII)


class Wanted(NamedTuple):
    """Which entries are shown: from a time on, before another (as in the log; "": any), about a node or pseudonym."""

    begins: str
    ends: str
    about: str | None


class _Filter(NamedTuple):
    wanted: Wanted
    subjects: frozenset[str] | None

    def passes(self, entry: Entry) -> bool:
        begins, ends, _ = self.wanted
        if entry.time < begins or (ends and entry.time >= ends):
            return False
        return self.subjects is None or not self.subjects.isdisjoint(entry.subjects)


def moment(typed: datetime | None) -> str:
    """A moment as it stands in a log; "" for none."""
    return "" if typed is None else f"{typed.isoformat(timespec='seconds')}Z"


def run(
    where: Where,
    log: Path | None,
    wanted: Wanted,
    expected: str | None,
    *,
    as_json: bool,
) -> int:
    """Verifies and prints. Returns the exit code."""
    mark = mark_of(expected)
    with opened(where) as store:
        due = prepared(store, log, wanted, mark)
    return _print_json(due) if as_json else _print_text(due)


class Due(NamedTuple):
    """An audit that is to be made: iterate over `entries`, once, before anything else is asked of it."""

    path: Path
    audit: Audit
    chosen: _Filter

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """(line, entry) of the entries that are shown."""
        return (found for found in self.audit.entries() if self.chosen.passes(found[1]))

    def summary(self) -> dict[str, Any]:
        """How the log stands."""
        audit = self.audit
        return {
            "log": str(self.path),
            "sound": not audit.faults,
            "entries": audit.count,
            "signed_by": [signer.text for signer in audit.signed_by],
            "mark": str(audit.mark) if audit.count else None,
            "faults": [_remark_json(fault) for fault in audit.faults],
            "more_faults": audit.more_faults,
            "notes": [_remark_json(note) for note in audit.notes],
        }

    def verdict(self) -> Iterator[str]:
        """The same in lines."""
        return _verdict(self.path, self.audit)


def prepared(store: Keystore, log: Path | None, wanted: Wanted, mark: Mark | None) -> Due:
    """The audit of a log with an open keystore's keys. UsageError when there is none, or nobody to look for it."""
    if log is None and store.signing_key is None:
        raise UsageError(f"{store.path} is an {store.role}'s and has no log of its own: give --log FILE")
    path = log or log_path(store.path)
    key = store.signing_key if log is None else None
    own = None if key is None else accesslog_format.public_bytes(key)
    audit = Audit(path, _signers(store, own=own is not None), own=own, expected=mark)
    return Due(path, audit, _Filter(wanted, _subjects(store, wanted.about)))


def _signers(store: Keystore, *, own: bool) -> dict[bytes, Signer]:
    """Whose entries are believed: in its own log the keystore's, in another also those of keystores handed out."""
    role = "controller" if store.role == "auditor" else store.role
    known = {key: Signer(role, f"the {role}'s key") for key in store.log_public_keys}
    if not own:
        for handout in store.meta.handouts:
            text = f"the {handout.role}'s keystore made {when.moment_text(handout.made_s)}"
            known.setdefault(handout.public_key, Signer(handout.role, text))
        known.pop(b"", None)
    return known


def mark_of(text: str | None) -> Mark | None:
    """What --expect was given. UsageError when it is no mark."""
    if text is None:
        return None
    found = _MARK.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError("--expect takes what an earlier audit printed: an entry's number, a colon, 64 hex digits")
    return Mark(int(found[1]), found[2])


def _subjects(store: Keystore, about: str | None) -> frozenset[str] | None:
    """What stands for a node, or a pseudonym, in entries of all times; None when none is asked for."""
    if about is None:
        return None
    if not store.subject_keys:
        raise UsageError(f"{store.path} holds no key to look for a node; the keystore beside the log does")
    texts = {about, about.lower()} if _PSEUDONYM.fullmatch(about) else {about}
    return frozenset(accesslog_format.subject(key, text) for key in store.subject_keys for text in texts)


def entry_json(line: int, entry: Entry) -> dict[str, Any]:
    """An entry, and where it stands."""
    return {"line": line, **entry.model_dump(include=set(_JSON_FIELDS))}


_JSON_FIELDS = ("seq", "time", "actor", "uid", "role", "action", "subjects", "count", "detail")


def _print_json(due: Due) -> int:
    print('{"entries": [', end="")
    separator = "\n"
    for line, entry in due.entries():
        print(separator + json.dumps(entry_json(line, entry)), end="")
        separator = ",\n"
    print(f'\n], "summary": {json.dumps(due.summary())}}}')
    return CHANGED if due.audit.faults else SOUND


def _remark_json(remark: Remark) -> dict[str, Any]:
    return {"line": None if remark.line == HEAD_LINE else remark.line, "what": remark.what}


def _print_text(due: Due) -> int:
    console = console_for_output()
    table = _table(header=True)
    for _, entry in due.entries():
        table.add_row(*map(Text, _cells(entry)))
        if table.row_count >= TABLE_ROWS:
            console.print(table)
            table = _table(header=False)
    if table.row_count or table.show_header:
        console.print(table)
    for line in due.verdict():
        console.print(Text(line), soft_wrap=True)
    return CHANGED if due.audit.faults else SOUND


def _table(*, header: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD if header else None, show_header=header, expand=True, pad_edge=header)
    table.add_column("entry", width=7, justify="right", no_wrap=True)
    table.add_column("time (UTC)", width=20, no_wrap=True)
    table.add_column("who (uid)", ratio=2, overflow="fold")
    table.add_column("as", width=10, no_wrap=True)
    table.add_column("what", width=13, no_wrap=True)
    table.add_column("about", width=6, justify="right", no_wrap=True)
    table.add_column("count", width=6, justify="right", no_wrap=True)
    table.add_column("detail", ratio=4, overflow="fold")
    return table


def _cells(entry: Entry) -> Iterator[str]:
    yield str(entry.seq)
    yield entry.time
    yield f"{render.printable(entry.actor)} ({entry.uid})"
    yield entry.role
    yield entry.action
    yield str(len(entry.subjects))
    yield str(entry.count)
    yield entry.detail


def _verdict(path: Path, audit: Audit) -> Iterator[str]:
    for note in audit.notes:
        yield f"note, {_place(note)}: {note.what}"
    for fault in audit.faults:
        yield f"{_place(fault)}: {fault.what}"
    if audit.more_faults:
        yield f"and {audit.more_faults} more"
    name = render.printable(str(path))
    signers = " and ".join(signer.text for signer in audit.signed_by) or "nobody known here"
    if audit.faults:
        yield f"{name} is not as it was written; {audit.count} entries are signed, by {signers}"
    else:
        yield f"{name} is sound: {audit.count} entries, signed by {signers}; the last:"
        yield str(audit.mark)


def _place(remark: Remark) -> str:
    return "head" if remark.line == HEAD_LINE else f"line {remark.line}"
