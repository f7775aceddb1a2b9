"""Keystores for tests: a controller's with the node of tests.host.messages, and what is handed out of it. Their
scrypt is as cheap as a keystore may have it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from host_tools import accesslog
from host_tools.accesslog_format import Entry as LogEntry
from host_tools.accesslog_format import subject
from host_tools.keys import keystore, roles, when
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.keys.sealing import Cost
from host_tools.registry import Node
from plumveil import wire
from tests.host import messages
from tests.host.command_line import NOW, Ended, run

PASSPHRASE = "correct horse battery staple"
CHEAP = Cost(10, 8, 1)
OTHER = messages.NODE.model_copy(
    update={"name": "truck", "k_id": "12" * 32, "k_chain": "34" * 32, "k_config": "56" * 32, "k_consent": "78" * 32}
)


def key_set(node: Node, last_day: int | None = None) -> KeySet:
    """A node's secrets as a keystore has them."""
    return KeySet(
        k_id=bytes.fromhex(node.k_id),
        k_chain=bytes.fromhex(node.k_chain),
        k_config=bytes.fromhex(node.k_config),
        k_consent=bytes.fromhex(node.k_consent),
        epoch0_day=node.epoch0_day,
        last_day=last_day,
    )


def entry(node: Node, *earlier: Node) -> Entry:
    """A keystore's entry; `earlier` is the node under keys that it had before."""
    history = tuple(key_set(one, messages.EPOCH0_DAY) for one in earlier)
    keys = key_set(node)
    return Entry(
        0, node.name, node.tenant, ACTIVE, "virtual", None, keys.k_config, keys, history, node.policies, node.consents
    )


def controller(folder: Path, *entries: Entry) -> Path:
    """`tenant.keys`, the controller's keystore; of the node of tests.host.messages when no entries are given."""
    path = folder / "tenant.keys"
    with keystore.create(path, PASSPHRASE, messages.TENANT, cost=CHEAP) as store:
        for one in entries or (entry(messages.NODE),):
            store.add(one)
        store.save()
    return path


def handed_out(path: Path, role: str) -> Path:
    """`ROLE.keys` beside the controller's keystore; a processor's opens all streams of the messages' day."""
    out = path.with_name(f"{role}.keys")
    day = messages.EPOCH0_DAY + messages.EPOCH
    share = roles.Share(tuple(range(len(wire.STREAMS))), day, day) if role == "processor" else None
    with open_store(path, write=True) as store:
        roles.export(store, role, out, PASSPHRASE, when.now_s() + 86400, share, cost=CHEAP)
    return out


def open_store(path: Path, *, write: bool = False) -> Keystore:
    """Opens a keystore of these."""
    return keystore.open_store(path, PASSPHRASE, write=write)


def with_store(command: str, path: Path, *arguments: str | Path, **more: Any) -> Ended:
    """Runs a command with a keystore, its passphrase in the environment."""
    more = {"PLUMVEIL_PASSPHRASE": PASSPHRASE, **more}
    return run(command, *arguments, "--keys", path, "--now", NOW, **more)


def logged(path: Path) -> list[LogEntry]:
    """The entries of a keystore's log."""
    log = accesslog.log_path(path)
    lines = log.read_bytes().splitlines() if log.exists() else []
    return [LogEntry.model_validate_json(line) for line in lines]


def told(path: Path) -> list[tuple[str, tuple[str, ...], int, str]]:
    """The same, short: subjects as the names that this keystore's key makes out."""
    with open_store(path) as opened:
        key = opened.subject_keys[0]
    kids = [messages.sender(stream).kid.hex() for stream in range(len(wire.STREAMS))]
    names = {subject(key, name): name for name in ("fridge", "truck", *kids)}
    return [
        (entry.action, tuple(names[one] for one in entry.subjects), entry.count, entry.detail)
        for entry in logged(path)
    ]


def truck(stream: int, **changes: Any) -> bytes:
    """A message of the other node; changes: of its position."""
    with mock.patch.multiple(messages, K_ID=bytes.fromhex(OTHER.k_id), K_CHAIN=bytes.fromhex(OTHER.k_chain)):
        return messages.sealed(stream, messages.location(**changes) if stream == wire.LOCATION else None)
