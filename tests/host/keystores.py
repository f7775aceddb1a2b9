"""A tenant's keystore for tests: nodes with keys told by their name, what is handed out, and all bytes in a file.

scrypt is as cheap as a keystore may have it; the command line itself makes none like that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cbor2

from host_tools.keys import container, files, keystore, roles, sealing
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.registry import ConsentRecord, Node, Policy
from plumveil import wire
from tests.host.command_line import Ended, run

TENANT = "acme"
PASSPHRASE = "correct horse battery staple"
EXPORTED = "another horse, another staple"
RENEWED = "a third horse and its staple"
CHEAP = sealing.Cost(10, 8, 1)
DAY = 20_650  # 2026-07-16, the tests' present
NOW_S = DAY * wire.EPOCH_S + 30_000
POLICY = Policy(version=1, fields={row[0]: 1 for row in wire.FIELDS}, location_ceiling=3, health_mask=True)
NAMES = ("Kühlschrank 7", "lorry-of-J-Doe", "freezer-3")
SHARE_ARGUMENTS = ("--streams", "location,readings", "--from", "2026-07-15", "--to", "2026-07-16")
PURPOSE = "delivery to ward nine"
WHO = "Dr. A. Nurse"


def secret(name: str, kind: str) -> bytes:
    """32 bytes that stand for a node's secret, and can be looked for."""
    return hashlib.sha256(f"{name}/{kind}".encode()).digest()


def key_set(name: str, epoch0_day: int = DAY - 20, last_day: int | None = None) -> KeySet:
    k_id, k_chain, k_config, k_consent = (secret(name, kind) for kind in ("id", "chain", "config", "consent key"))
    return KeySet(k_id, k_chain, k_config, k_consent, epoch0_day, last_day)


def consent(name: str, serial: int = 77, days: int = 10) -> ConsentRecord:
    return ConsentRecord(
        serial=serial,
        tier=3,
        starts_s=NOW_S - days * wire.EPOCH_S,
        expires_s=NOW_S + days * wire.EPOCH_S,
        purpose=PURPOSE,
        secret=secret(name, f"consent {serial}").hex(),
        notice="2026-06",
        who=WHO,
        issued_s=NOW_S - days * wire.EPOCH_S,
        policy=POLICY.version,
    )


def entry(name: str, **changes: Any) -> Entry:
    keys = key_set(name)
    parts: dict[str, Any] = {
        "state": ACTIVE,
        "board": "virtual",
        "board_hash": secret(name, "board")[:16],
        "k_config": keys.k_config,
        "keys": keys,
        "policies": (POLICY,),
        "consents": (consent(name),),
    }
    return Entry(0, name, TENANT, **{**parts, **changes})


def node(name: str) -> Node:
    """The registry's record of a node without consents."""
    record = entry(name, consents=()).node
    assert record is not None
    return record


def make(folder: Path, *entries: Entry) -> Path:
    """`acme.keystore` with these nodes, by default one for each of NAMES."""
    path = folder / "acme.keystore"
    with keystore.create(path, PASSPHRASE, TENANT, cost=CHEAP) as store:
        for one in entries or map(entry, NAMES):
            store.add(one)
        store.save()
    return path


def opened(path: Path, passphrase: str = PASSPHRASE, *, write: bool = False, now_s: int = NOW_S) -> Keystore:
    return keystore.open_store(path, passphrase, write=write, now_s=now_s)


def hand_out(
    path: Path, role: str, share: roles.Share | None = None, expires_s: int = NOW_S + 86400, name: str = ""
) -> Path:
    """`ROLE.keystore`, or `NAME.keystore`, beside the controller's."""
    out = path.with_name(f"{name or role}.keystore")
    with opened(path, write=True) as store:
        roles.export(store, role, out, EXPORTED, expires_s, share, cost=CHEAP)
    return out


def keys(*arguments: str | Path, **more: Any) -> Ended:
    """Runs `plumveil keys ...`, passphrases in the environment; what it makes is cheap."""
    return cheaply("keys", *arguments, **more)


def consent_command(*arguments: str | Path, **more: Any) -> Ended:
    """The same for `plumveil consent ...`."""
    return cheaply("consent", *arguments, **more)


def cheaply(
    command: str, *arguments: str | Path, stdin: bytes = b"", passphrase: str = PASSPHRASE, **more: str
) -> Ended:
    given = {"PLUMVEIL_PASSPHRASE": passphrase, "PLUMVEIL_EXPORT_PASSPHRASE": EXPORTED, **more}
    strong = container.new_opening
    with mock.patch.object(container, "new_opening", lambda passphrase, _cost: strong(passphrase, CHEAP)):
        return run(command, *arguments, stdin=stdin, **given)


def error_line(ended: Ended, code: int = 1) -> str:
    """The one line a refused command says; nothing else is printed."""
    assert (ended.code, ended.out) == (code, ""), ended
    assert ended.err.startswith("plumveil: error: "), ended
    assert ended.err.count("\n") == 1, ended
    return ended.err


def contents(path: Path, passphrase: str) -> Iterator[Any]:
    """Everything that is in a keystore, opened: whole chunks, then each value in them."""
    with files.open_private(path, "keystore") as file:
        reader = container.unlock(file, path, passphrase)
        for kind in (container.META, container.NODES):
            for index in range(reader.count(kind)):
                chunk = reader.chunk(kind, index)
                yield chunk
                yield from _values(cbor2.loads(chunk))
        table = [reader.chunk(container.TABLE, index) for index in range(reader.count(container.TABLE))]
    if table:
        yield b"".join(table)
        yield from _values(json.loads(b"".join(table)))


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner)
    else:
        yield value


def secrets_in(path: Path, passphrase: str) -> set[bytes]:
    """Every 32-byte string in a keystore, those in hexadecimal too."""
    found = set()
    for value in contents(path, passphrase):
        if isinstance(value, str) and len(value) == 64:
            try:
                value = bytes.fromhex(value)
            except ValueError:
                continue
        if isinstance(value, bytes) and len(value) == 32:
            found.add(value)
    return found
