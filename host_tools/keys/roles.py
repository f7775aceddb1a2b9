"""What each role is handed out: a store of its own, under its own passphrase, holding the keys of that role and no
others. Rules stand here as what is put into a file, never as a check of whoever reads it.

controller  all secrets. It signs its own log and receipts with a signing key of its own.
technician  of each node its name, board, keyed hash of the board's id, state and k_config; the key that hashes ids,
            a key to sign enrolments with, and the controller's public key to seal them to. Nothing that opens a
            message, and of consents the keys of such delegations as it was given, never the node's own.
processor   a table of pseudonym -> key for some streams and days (host_tools.keytable), and a key to sign its log.
auditor     public keys.

A store says how long it may be used. That binds Plumveil, not somebody who takes the file and its passphrase apart:
what such a person could read, then and later, is what is in the file.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.accesslog import AccessLog
from host_tools.consent.caveats import Delegated
from host_tools.errors import UsageError
from host_tools.keys import keystore, meta, when
from host_tools.keys.entries import Entry
from host_tools.keys.faults import BeyondRole
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import AUDITOR, CONTROLLER, PROCESSOR, ROLES, TECHNICIAN, Handout, Meta
from host_tools.keys.sealing import STRONG, Cost
from host_tools.keytable import ProcessorTable, make_table
from host_tools.registry import Node
from plumveil import wire

DAYS_DEFAULT = 90
DAYS_MAX = 366
Held = Mapping[int, tuple[Delegated, ...]]  # number of a node -> what of delegations is held for it
ROWS_MAX = 500_000  # of a processor's table: some gigabyte while it is made


@dataclass(frozen=True)
class Share:
    """What a processor asks for: stream numbers, first and last Unix day."""

    streams: tuple[int, ...]
    first_day: int
    last_day: int


def streams_of(text: str) -> tuple[int, ...]:
    """ "readings,device" -> stream numbers, ascending. UsageError names those there are."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in wire.STREAMS]
    if unknown:
        raise UsageError(f"--streams takes names out of {', '.join(wire.STREAMS)}, not {unknown[0]!r}")
    return tuple(sorted({wire.STREAMS.index(name) for name in names}))


def expiry_s(last_day: int | None, now_s: int) -> int:
    """When a store ends, Unix s: with the last day of its use, by default in 90 days. UsageError out of bounds."""
    today = now_s // wire.EPOCH_S
    last_day = today + DAYS_DEFAULT if last_day is None else last_day
    if not today <= last_day <= today + DAYS_MAX:
        raise UsageError(f"--expires takes a date from today to {when.date_text(today + DAYS_MAX)}")
    return (last_day + 1) * wire.EPOCH_S


def export(
    store: Keystore,
    role: str,
    out: Path,
    passphrase: str,
    expires_s: int,
    share: Share | None = None,
    *,
    held: Held | None = None,
    cost: Cost = STRONG,
) -> None:
    """Writes a store for a role and records it in the controller's, which has to be open for writing.

    share: a processor's, and no other's; held: delegations that a technician gets. BeyondRole when `store` is no
    controller's, UsageError when the request is not what the role can have or `out` cannot be written.
    """
    check_source(store, role)
    _check(role, expires_s, share)
    check_out(out)
    table = None if share is None else _table(store, share)
    content = _content(store.meta, role, expires_s, share)
    AccessLog.beside(store).append("export", (), 1, _detail(role, expires_s, share))
    # Recorded first: an enrolment signed by a key that is in no record would be lost.
    public_key = b"" if content.signing_seed is None else meta.public_of(content.signing_seed)
    handout = Handout(role, when.now_s(), expires_s, public_key)
    store.meta = dataclasses.replace(store.meta, handouts=(*store.meta.handouts, handout))
    store.save()
    nodes = _nodes(store, role, held or {})
    count = store.count if role in (CONTROLLER, TECHNICIAN) else 0
    keystore.write_new(out, passphrase, content, nodes, count, table, cost=cost)


def check_source(store: Keystore, role: str) -> None:
    """BeyondRole unless a store of that role is handed out of this one."""
    store.require(f"hand out the {role}'s keys", CONTROLLER)
    if role == TECHNICIAN:
        # What technicians enrol is taken in by a keystore that knows theirs.
        require_lasting(store, "hand out the technician's keys")


def require_lasting(store: Keystore, what: str) -> None:
    """Raises BeyondRole in a controller's copy: it ends one day, and all that is known to it alone ends with it.

    what: "enrol a node".
    """
    if store.role == CONTROLLER and store.expires_s is not None:
        raise BeyondRole(
            f"{store.path} is a copy, handed out until {when.moment_text(store.expires_s)}, and cannot {what}: that"
            " would be lost with it; use the keystore it was exported from"
        )


def _check(role: str, expires_s: int, share: Share | None) -> None:
    if (share is not None) != (role == PROCESSOR) or role not in ROLES:
        raise UsageError("a processor needs --streams, --from and --to; no other role takes them")
    if share is not None and share.last_day > (expires_s - 1) // wire.EPOCH_S:
        # Plumveil would not use them, and whoever takes the file apart would.
        raise UsageError("--to is later than the keystore may be used: give an earlier one, or a later --expires")


def _content(of: Meta, role: str, expires_s: int, share: Share | None) -> Meta:
    fields: dict[str, Any] = {"expires_s": expires_s, "store_id": _id(), "generation": _id()}
    content = dataclasses.replace(_CONTENT[role](of), **fields)
    return content if share is None else dataclasses.replace(content, **dataclasses.asdict(share))


def check_out(out: Path) -> None:
    """UsageError when a new file cannot be put there: better said before work is done, and logged, than after."""
    try:
        if out.exists():
            raise UsageError(f"{out} is there already; name another file")
        folder = stat.S_ISDIR(out.parent.stat().st_mode)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}; name another file") from None
    if not folder or not os.access(out.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {out}: no file can be made in {out.parent}; name another folder")


def _detail(role: str, expires_s: int, share: Share | None) -> str:
    detail = f"role {role} expires {when.date_text(expires_s // wire.EPOCH_S - 1)}"
    if share is None:
        return detail
    streams = " ".join(wire.STREAMS[stream] for stream in share.streams)
    return f"{detail} streams {streams} from {when.date_text(share.first_day)} to {when.date_text(share.last_day)}"


def _id() -> bytes:
    return secrets.token_bytes(meta.ID_BYTES)


def _controller(of: Meta) -> Meta:
    return dataclasses.replace(of, **meta.signing_part(of))


def _technician(of: Meta) -> Meta:
    own = meta.signing_part()
    return Meta(TECHNICIAN, of.tenant, board_key=of.board_key, enrol_public=of.enrol_public, **own)


def _processor(of: Meta) -> Meta:
    return Meta(PROCESSOR, of.tenant, **meta.signing_part())


def _auditor(of: Meta) -> Meta:
    return Meta(AUDITOR, of.tenant, log_keys=of.log_keys, handouts=of.handouts)


_CONTENT = {CONTROLLER: _controller, TECHNICIAN: _technician, PROCESSOR: _processor, AUDITOR: _auditor}


def _for_technician(entry: Entry, delegations: tuple[Delegated, ...]) -> Entry:
    return Entry(
        entry.number,
        entry.name,
        entry.tenant,
        entry.state,
        entry.board,
        entry.board_hash,
        entry.k_config,
        keys=None,
        config_version=entry.config_version,
        delegations=delegations,
    )


def _nodes(store: Keystore, role: str, held: Held) -> Iterable[Entry]:
    if role == TECHNICIAN:
        return (_for_technician(entry, held.get(entry.number, ())) for entry in store.nodes())
    return store.nodes() if role == CONTROLLER else ()


def _table(store: Keystore, share: Share) -> ProcessorTable:
    records = list(_records(store.nodes(), share))
    if not records:
        raise UsageError("no node has keys in those days; give others with --from and --to")
    rows = sum(_days(record, share) for record in records) * len(share.streams)
    if rows > ROWS_MAX:
        raise UsageError(f"that is {rows} rows, and {ROWS_MAX} fit into one store: give fewer days or streams")
    return make_table(records, share.streams, share.first_day, share.last_day)


def _records(nodes: Iterable[Entry], share: Share) -> Iterator[Node]:
    """Records of the keys that served on any of the days."""
    for entry in nodes:
        for keys, record in zip(entry.key_sets, entry.records(), strict=True):
            if keys.epoch0_day <= share.last_day and (keys.last_day is None or keys.last_day >= share.first_day):
                yield record


def _days(record: Node, share: Share) -> int:
    return share.last_day - max(share.first_day, record.epoch0_day) + 1
