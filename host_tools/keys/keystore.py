"""The tenant's keystore: one encrypted file of nodes with their keys, or what was handed out of it to a role.

Opened for reading by any number, for writing by one; replaced whole or not at all. Never hands out what its role does
not hold: who lacks a key is told so in one line, and it is the key's absence that keeps him out, not the line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.errors import PlumveilError
from host_tools.keys import container, files, meta, sealing, when
from host_tools.keys.container import META, NODES, TABLE, Opening, Reader
from host_tools.keys.entries import Entry
from host_tools.keys.faults import BeyondRole, Expired
from host_tools.keys.meta import AUDITOR, CONTROLLER, PROCESSOR, TECHNICIAN, Meta, OtherVersion
from host_tools.keys.nodelist import BAD, NodeList, chunks_of, encode_all
from host_tools.keys.sealing import STRONG, Cost
from host_tools.keytable import ProcessorTable
from host_tools.registry import Registry

TABLE_PIECE_BYTES = 4 * 1024 * 1024
WHAT = "keystore"
INDEX, OUTBOX = ".index", ".outbox"  # ends of the names of what lies beside it


class Keystore:
    """An open keystore; close it, or use it as a context manager. Changes are on disk after `save` only."""

    def __init__(self, path: Path, reader: Reader, *, writable: bool) -> None:
        self.path = path
        self._writable = writable
        self.meta: Meta
        self._reader: Reader
        self._nodes: NodeList
        self._attach(reader)

    @property
    def role(self) -> str:
        """controller, technician, processor or auditor."""
        return self.meta.role

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.meta.tenant

    @property
    def expires_s(self) -> int | None:
        """When it may no longer be opened, Unix s; None for the tenant's own."""
        return self.meta.expires_s

    @property
    def count(self) -> int:
        """How many nodes it has, retired ones too; numbers go from 0 up to it."""
        return self._nodes.count

    @property
    def store_id(self) -> bytes:
        """The same as long as the file lives, whatever is written to it."""
        return self.meta.store_id

    @property
    def generation(self) -> bytes:
        """Another one whenever a node or its keys changed."""
        return self.meta.generation

    @property
    def signing_key(self) -> Ed25519PrivateKey | None:
        """Signs log entries, receipts and enrolments; an auditor has none."""
        seed = self.meta.signing_seed
        return None if seed is None else Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def log_public_keys(self) -> tuple[bytes, ...]:
        """Raw public keys that ever signed a log of the tenant, as far as this store knows."""
        return self.meta.log_keys

    @property
    def subject_keys(self) -> tuple[bytes, ...]:
        """Keys under which the log hashes subjects; the first is in force. An auditor has none."""
        return self.meta.subject_keys

    @property
    def index_key(self) -> bytes:
        """The key of the index beside the keystore; another after a rotation."""
        return sealing.subkey(self._reader.opening.master, "index")

    def beside(self, suffix: str) -> Path:
        """The path of a file that belongs to this keystore: INDEX, OUTBOX."""
        return self.path.with_name(self.path.name + suffix)

    def require(self, what: str, *roles: str) -> None:
        """Raises BeyondRole unless this store's role is one of `roles`. what: "retire a node"."""
        if self.role not in roles:
            article = "an" if self.role == AUDITOR else "a"
            raise BeyondRole(
                f"{self.path} is {article} {self.role}'s keystore and cannot {what}: that takes the {roles[0]}'s"
            )

    def nodes(self) -> Iterator[Entry]:
        """All nodes in the order of their numbers, retired ones too. BeyondRole when the role has none."""
        self.require("list nodes", CONTROLLER, TECHNICIAN)
        return iter(self._nodes)

    def node(self, number: int) -> Entry:
        """The node of a number, at the cost of one chunk. IndexError when there is none."""
        self.require("show a node", CONTROLLER, TECHNICIAN)
        return self._nodes[number]

    def find(self, name: str) -> Entry | None:
        """The node of that name, retired or not."""
        self.require("find a node", CONTROLLER, TECHNICIAN)
        return self._nodes.named(name)

    def find_board(self, board_hash: bytes) -> Entry | None:
        """The node on that board."""
        self.require("find a node", CONTROLLER, TECHNICIAN)
        return self._nodes.on_board(board_hash)

    def get(self, name: str) -> Entry:
        """The node of that name; PlumveilError when there is none."""
        entry = self.find(name)
        if entry is None:
            raise PlumveilError(f"{self.path} has no node named {name!r}; `plumveil keys list` shows them all")
        return entry

    def registry(self) -> Registry:
        """All nodes with their keys, and earlier keys as nodes of their own (`NAME~1`), for a key ring."""
        self.require("open what nodes sealed", CONTROLLER)
        return Registry(nodes=tuple(record for entry in self._nodes for record in entry.records()))

    def table(self) -> ProcessorTable:
        """The processor's table of pseudonyms and keys."""
        self.require("read a processor's table", PROCESSOR)
        pieces = [self._reader.chunk(TABLE, index) for index in range(self._reader.count(TABLE))]
        try:
            return ProcessorTable.model_validate_json(b"".join(pieces))
        except ValueError:
            raise container.damaged(self.path) from None

    def add(self, entry: Entry) -> Entry:
        """A new node, to be saved; it gets its number here."""
        return self._nodes.add(entry)

    def put(self, entry: Entry) -> None:
        """Puts an entry in the place of the one of its number, to be saved."""
        self._nodes.put(entry)

    def drop_last(self) -> None:
        """Takes back the node added last."""
        self._nodes.drop_last()
        self.meta = self.meta.with_keys_changed()

    def save(self, *, opening: Opening | None = None, destroy_old: bool = False) -> bool:
        """Writes the changes: a new file in the old one's place, or on any error the old one as it was.

        opening: for a new passphrase and master. destroy_old: overwrite the old file's keys where they lay; False
        when that failed, with the new file in place all the same.
        """
        if not self._writable:
            raise ValueError("opened for reading")
        if self._nodes.changed:
            self.meta = self.meta.with_keys_changed()
        old = self._reader
        opening = opening or old.opening
        kept: BinaryIO | None = None
        try:
            with files.replacing(self.path, WHAT) as new:
                # The lock goes with the new file: another writer would else come in between two saves.
                files.lock_open(new, self.path)
                container.write(new, opening, self._counts(), self._chunks())
                kept = cast(BinaryIO, os.fdopen(os.dup(new.fileno()), "r+b"))
        except BaseException:
            if kept is not None:
                kept.close()
            raise
        try:
            self._attach(container.reopen(kept, self.path, opening))
        except BaseException:
            old.close()
            raise
        return _put_away(old, destroy=destroy_old)

    def close(self) -> None:
        """Closes the file, and lets others write it."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Keystore({str(self.path)!r}, {self.role!r})"

    def _attach(self, reader: Reader) -> None:
        try:
            self.meta = meta.decode(reader.chunk(META, 0))
        except OtherVersion as other:
            which = "a later" if other.later else "an earlier"
            raise PlumveilError(f"{self.path} was written by {which} version of Plumveil") from None
        except BAD:
            raise container.damaged(self.path) from None
        self._reader = reader
        self._nodes = NodeList(reader, self.path, self.meta.tenant, self.meta.policies)

    def _counts(self) -> dict[int, int]:
        return {META: 1, NODES: self._nodes.chunk_count, TABLE: self._reader.count(TABLE)}

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        for content in self._nodes.chunks():
            yield NODES, content
        for index in range(self._reader.count(TABLE)):
            yield TABLE, self._reader.chunk(TABLE, index)
        # Last: by now the list has every policy that a node names.
        self.meta = dataclasses.replace(self.meta, policies=tuple(self._nodes.policies))
        yield META, meta.encode(self.meta)


def _put_away(old: Reader, *, destroy: bool) -> bool:
    """Closes the reader of a file that was replaced -> False when the disk did not let go of its keys."""
    try:
        with contextlib.closing(old):
            if destroy:
                old.destroy()
    except OSError:
        return False
    return True


def is_keystore(path: Path) -> bool:
    """Whether the file is a keystore, and not a plain keys.json. UsageError when it cannot be read."""
    return container.is_container(path)


def create(path: Path, passphrase: str, tenant: str, *, cost: Cost = STRONG) -> Keystore:
    """A new tenant's keystore, empty and open for writing. UsageError when there is something at `path`.

    cost: scrypt's work; the command line makes none weaker than STRONG.
    """
    write_new(path, passphrase, meta.new_controller(tenant), cost=cost)
    return open_store(path, passphrase, write=True)


def write_new(
    path: Path,
    passphrase: str,
    content: Meta,
    nodes: Iterable[Entry] = (),
    count: int = 0,
    table: ProcessorTable | None = None,
    *,
    cost: Cost = STRONG,
) -> None:
    """Writes a new store of any role. nodes: `count` of them. UsageError when there is something at `path`."""
    path = Path(os.path.realpath(path))
    opening = container.new_opening(passphrase, cost)
    text = b"" if table is None else table.model_dump_json().encode("utf-8")
    pieces = [text[at : at + TABLE_PIECE_BYTES] for at in range(0, len(text), TABLE_PIECE_BYTES)]
    policies = list(content.policies)

    def chunks() -> Iterator[tuple[int, bytes]]:
        yield from ((NODES, rows) for rows in encode_all(nodes, policies))
        yield from ((TABLE, piece) for piece in pieces)
        yield META, meta.encode(dataclasses.replace(content, policies=tuple(policies)))

    with files.replacing(path, WHAT, fresh=True) as file:
        container.write(file, opening, {META: 1, NODES: chunks_of(count), TABLE: len(pieces)}, chunks())


def open_store(path: Path, passphrase: str, *, write: bool = False, now_s: int | None = None) -> Keystore:
    """Opens a keystore. write: keep others from writing it until it is closed, and let `save` do so.

    Raises UsageError when it cannot be read or others may read it, WrongPassphrase, Damaged, Expired, Busy.
    """
    path = Path(os.path.realpath(path))
    file = files.lock(path) if write else files.open_private(path, WHAT)
    try:
        store = Keystore(path, container.unlock(file, path, passphrase), writable=write)
    except BaseException:
        file.close()
        raise
    expires_s = store.expires_s
    if expires_s is not None and (when.now_s() if now_s is None else now_s) >= expires_s:
        store.close()
        raise Expired(f"{path} was handed out until {when.moment_text(expires_s)}: ask the controller for a new one")
    return store
