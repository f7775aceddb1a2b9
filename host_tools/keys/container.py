"""The keystore's file format: a header, sealed chunks, a sealed directory. Does not look into the chunks.

    magic 8 | log2 N, r, p: 3 x u8 | salt 16 | sealed master 60 | file id 32 | sealed file key 60 |
    directory offset u64, length u32 | check 8 (SHA-256 of all before, cut) | chunks | directory

The master is sealed under scrypt(passphrase) and stays; the file key is new with each write and sealed under the
master, tied to all of the header before it. A chunk is AES-256-GCM under the file key with the nonce [kind u8, index
u32, 0...], which no other chunk of that key has, tied to [file id, kind, index, count of the kind]: none can be left
out, put elsewhere, or taken from another file. The directory, CBOR [[kind, length], ...], is a chunk of its own.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import cbor2

from host_tools.errors import UsageError
from host_tools.keys import sealing
from host_tools.keys.faults import Damaged, WrongPassphrase
from host_tools.keys.sealing import Cost

MAGIC = b"PVKEYS\x01\n"
CHUNK_MAX_BYTES = 32 * 1024 * 1024
DIRECTORY, META, NODES, TABLE = range(4)  # kinds
_COST = struct.Struct(">BBB")
_PLACE = struct.Struct(">QI")
_ID_BYTES = 32
_CHECK_BYTES = 8
_MASTER_AT = len(MAGIC) + _COST.size + sealing.SALT_BYTES
_ID_AT = _MASTER_AT + sealing.SEALED_KEY_BYTES
_FILE_KEY_AT = _ID_AT + _ID_BYTES
_PLACE_AT = _FILE_KEY_AT + sealing.SEALED_KEY_BYTES
_CHECK_AT = _PLACE_AT + _PLACE.size
HEADER_BYTES = _CHECK_AT + _CHECK_BYTES


@dataclass(frozen=True)
class Opening:
    """What opens a file: the header's part up to the sealed master, and the master."""

    wrapped: bytes = field(repr=False)
    master: bytes = field(repr=False)


def new_opening(passphrase: str, cost: Cost) -> Opening:
    """A new master under a passphrase."""
    if not cost.bounded:
        raise ValueError("scrypt cost outside what a keystore may have")
    salt, master = secrets.token_bytes(sealing.SALT_BYTES), secrets.token_bytes(sealing.KEY_BYTES)
    before = MAGIC + _COST.pack(*cost) + salt
    key = sealing.from_passphrase(passphrase, salt, cost)
    return Opening(before + _seal_key(key, master, before), master)


def _seal_key(key: bytes, secret: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(sealing.NONCE_BYTES)
    return nonce + sealing.seal(key, nonce, secret, bound)


def _unseal_key(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    return sealing.unseal(key, sealed[: sealing.NONCE_BYTES], sealed[sealing.NONCE_BYTES :], bound)


def _nonce(kind: int, index: int) -> bytes:
    return struct.pack(">BI7x", kind, index)


class Reader:
    """An open file: hands out chunks by kind and index, each read and opened when asked for."""

    def __init__(self, file: BinaryIO, path: Path, header: bytes, opening: Opening) -> None:
        self._file = file
        self._path = path
        self.opening = opening
        self.file_id = header[_ID_AT:_FILE_KEY_AT]
        file_key = _file_key(opening.master, self.file_id)
        try:
            self._key = _unseal_key(file_key, header[_FILE_KEY_AT:_PLACE_AT], header[:_FILE_KEY_AT])
        except sealing.Unsealed:
            raise damaged(path) from None
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._load_directory(*_PLACE.unpack(header[_PLACE_AT:_CHECK_AT]))

    def count(self, kind: int) -> int:
        """How many chunks of a kind there are."""
        return len(self._places.get(kind, ()))

    def chunk(self, kind: int, index: int) -> bytes:
        """One chunk's content. Raises Damaged, and IndexError when there is none such."""
        places = self._places.get(kind, [])
        return self._open(kind, index, len(places), *places[index])

    def destroy(self) -> None:
        """Overwrites the sealed keys of a file opened for writing; for one that another has taken the place of.

        As good as the disk is: one that writes elsewhere than it was told keeps the old blocks for a while.
        """
        self._file.seek(0)
        self._file.write(secrets.token_bytes(HEADER_BYTES))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file, which unlocks it if it was locked."""
        self._file.close()

    def _open(self, kind: int, index: int, count: int, offset: int, length: int) -> bytes:
        try:
            self._file.seek(offset)
            sealed = self._file.read(length)
            return sealing.unseal(self._key, _nonce(kind, index), sealed, _bound(self.file_id, kind, index, count))
        except sealing.Unsealed:
            raise damaged(self._path) from None
        except OSError as error:
            raise UsageError(f"cannot read the keystore {self._path}: {error.strerror}") from None

    def _load_directory(self, offset: int, length: int) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if offset < HEADER_BYTES or length > CHUNK_MAX_BYTES or offset + length != size:
            raise damaged(self._path)
        at = HEADER_BYTES
        try:
            for kind, chunk_bytes in cbor2.loads(self._open(DIRECTORY, 0, 1, offset, length)):
                if not isinstance(chunk_bytes, int) or not 0 < chunk_bytes <= CHUNK_MAX_BYTES:
                    raise ValueError
                self._places.setdefault(kind, []).append((at, chunk_bytes))
                at += chunk_bytes
        except (cbor2.CBORError, ValueError, TypeError):
            raise damaged(self._path) from None
        if at != offset:
            raise damaged(self._path)


def _file_key(master: bytes, file_id: bytes) -> bytes:
    return sealing.subkey(master, "file", file_id)


def _bound(file_id: bytes, kind: int, index: int, count: int) -> bytes:
    return cbor2.dumps([file_id, kind, index, count])


def damaged(path: Path) -> Damaged:
    """The one line for a file that is not as it was written."""
    return Damaged(f"{path} is damaged: put back a backup")


def is_container(path: Path) -> bool:
    """Whether the file at `path` begins as a keystore does. UsageError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def unlock(file: BinaryIO, path: Path, passphrase: str) -> Reader:
    """Opens a keystore's file under its passphrase. Raises Damaged, WrongPassphrase; it trusts no number before."""
    try:
        header = file.read(HEADER_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the keystore {path}: {error.strerror}") from None
    if header[: len(MAGIC)] != MAGIC[: len(header)] or not header:
        raise Damaged(f"{path} is no keystore")
    # Not authentic, but it tells damage from a wrong passphrase, and comes before scrypt's work.
    if len(header) < HEADER_BYTES or _check(header[:_CHECK_AT]) != header[_CHECK_AT:]:
        raise damaged(path)
    before, sealed = header[:_MASTER_AT], header[_MASTER_AT:_ID_AT]
    cost = Cost(*_COST.unpack_from(before, len(MAGIC)))
    if not cost.bounded:
        raise damaged(path)
    key = sealing.from_passphrase(passphrase, before[-sealing.SALT_BYTES :], cost)
    try:
        master = _unseal_key(key, sealed, before)
    except sealing.Unsealed:
        raise WrongPassphrase(f"wrong passphrase for {path}") from None
    return Reader(file, path, header, Opening(header[:_ID_AT], master))


def reopen(file: BinaryIO, path: Path, opening: Opening) -> Reader:
    """A file just written, from its start."""
    file.seek(0)
    return Reader(file, path, file.read(HEADER_BYTES), opening)


def _check(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()[:_CHECK_BYTES]


def write(file: BinaryIO, opening: Opening, counts: dict[int, int], chunks: Iterable[tuple[int, bytes]]) -> bytes:
    """Writes a whole keystore: chunks come as (kind, content), as many of each kind as `counts` says.

    Returns the file's id. Raises ValueError when they are not so many.
    """
    file_id, file_key = secrets.token_bytes(_ID_BYTES), secrets.token_bytes(sealing.KEY_BYTES)
    file.write(bytes(HEADER_BYTES))
    directory = []
    for kind, sealed in _sealed(file_id, file_key, counts, chunks):
        directory.append([kind, len(sealed)])
        file.write(sealed)
    place = file.tell()
    sealed = sealing.seal(file_key, _nonce(DIRECTORY, 0), cbor2.dumps(directory), _bound(file_id, DIRECTORY, 0, 1))
    file.write(sealed)
    before = opening.wrapped + file_id
    header = before + _seal_key(_file_key(opening.master, file_id), file_key, before)
    header += _PLACE.pack(place, len(sealed))
    file.seek(0)
    file.write(header + _check(header))
    return file_id


def _sealed(
    file_id: bytes, file_key: bytes, counts: dict[int, int], chunks: Iterable[tuple[int, bytes]]
) -> Iterator[tuple[int, bytes]]:
    done = dict.fromkeys(counts, 0)
    for kind, content in chunks:
        index, count = done[kind], counts[kind]
        if index == count or len(content) + sealing.TAG_BYTES > CHUNK_MAX_BYTES:
            raise ValueError("more chunks than announced, or one too long")
        yield kind, sealing.seal(file_key, _nonce(kind, index), content, _bound(file_id, kind, index, count))
        done[kind] += 1
    if done != counts:
        raise ValueError("fewer chunks than announced")
