"""The index file's layout and its keys: where each table stands, what authenticates it, how an entry hides its node.

Without the index key the file must tell nothing but the window of days and how many nodes each day has.

    header       HEADER, then per day the number of entries in each of its tables (u64), then HMAC-SHA256 of it all
    directory    per block: its first entry (u64), BLAKE2b of the block (RFC 7693), keyed, 8 bytes
    tables       day by day, stream by stream: entries (u64, ascending); a block is BLOCK_ENTRIES of them or the rest
    checkpoints  chains as they stood on the window's first day, sealed (host_tools.keys.index_checkpoints)

Numbers are little-endian. An entry is AES-256(names key, pseudonym and 8 zeros): of the first 8 bytes the upper bits,
in place of the lower ones the node's number xor the same bits of the other 8 bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from host_tools import derive
from host_tools.errors import UsageError
from plumveil import wire

MAGIC = b"PLVINDEX"
VERSION = 2
SALT_BYTES = 16
MAC_BYTES = 32
BLOCK_ENTRIES = 1024
ENTRY_BYTES = 8
WINDOW_DAYS_MAX = 400
NUMBER_BITS_MAX = 32
CHECKPOINT_BYTES = 44
CHECKPOINT_CHUNK = 65536  # checkpoints under one seal
SEAL_BYTES = 16
# magic, version, salt, bits of a node number, first day, days, digest of the keystore's id, digest of the generation,
# MAC of the directory
HEADER = struct.Struct("<8sH16sB5xII32s32s32s")
SALT_AT = struct.calcsize("<8sH")
DIRECTORY = np.dtype([("first", "<u8"), ("mac", "<u8")])


class IndexStale(UsageError):
    """The index is missing, damaged, another keystore's, or of another window or set of nodes: build it anew."""


class Table(NamedTuple):
    """Where the entries of one day and stream stand."""

    day: int
    stream: int
    entries: int
    at: int  # offset of the first entry, bytes
    block: int  # number of the first block, which is its place in the directory
    blocks: int


@dataclass(frozen=True)
class FileKeys:
    """The keys of one index file; each file has a salt of its own, so no two files show an equal entry."""

    header: bytes = field(repr=False)
    blocks: bytes = field(repr=False)
    names: bytes = field(repr=False)
    checkpoints: bytes = field(repr=False)

    @classmethod
    def of(cls, index_key: bytes, salt: bytes) -> FileKeys:
        """index_key: 32 bytes; salt: SALT_BYTES, random."""
        material = derive.hkdf(index_key, derive.label("index", VERSION), salt, 4 * wire.KEY_BYTES)
        return cls(*(material[at : at + wire.KEY_BYTES] for at in range(0, len(material), wire.KEY_BYTES)))

    def block_mac(self, data: bytes | memoryview) -> int:
        """The digest that stands for a block in the directory."""
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self.blocks).digest(), "little")

    def directory_mac(self, directory: NDArray[np.void]) -> bytes:
        """The digest of the whole directory that stands in the header."""
        return hashlib.blake2b(directory.tobytes(), digest_size=MAC_BYTES, key=self.blocks).digest()


class Cloak:
    """Pseudonyms and node numbers -> entries. One thread's own: the cipher keeps a buffer."""

    def __init__(self, names_key: bytes, number_bits: int) -> None:
        # One block each, all different and none chained: a pseudorandom permutation is what is wanted, not a mode.
        self._cipher = Cipher(algorithms.AES(names_key), modes.ECB()).encryptor()  # noqa: S305
        self._low = np.uint64((1 << number_bits) - 1)

    def _hidden(self, kids: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        blocks = np.zeros((len(kids), 2), ">u8")
        blocks[:, 0] = kids
        hidden = np.frombuffer(self._cipher.update(blocks.tobytes()), "<u8").reshape(-1, 2)
        return hidden[:, 0] & ~self._low, hidden[:, 1] & self._low

    def entries(self, kids: NDArray[np.uint64], numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """kids: pseudonyms as big-endian numbers, shape (n,); numbers: their nodes', shape (n,)."""
        upper, mask = self._hidden(kids)
        return upper | (mask ^ numbers)

    def bounds(self, kid: bytes) -> tuple[np.uint64, np.uint64, np.uint64]:
        """Lowest and highest entry a pseudonym can have, and the mask of its node's number."""
        upper, mask = self._hidden(np.frombuffer(kid, ">u8").astype(np.uint64))
        return upper[0], upper[0] | self._low, mask[0]


@dataclass(frozen=True)
class Layout:
    """Where everything stands: it follows from the number of entries of each day."""

    first_day: int
    counts: tuple[int, ...]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """All tables in the order of the file."""
        found, block, at = [], 0, self.directory_at + DIRECTORY.itemsize * self.blocks
        for (offset, entries), stream in itertools.product(enumerate(self.counts), range(len(wire.STREAMS))):
            blocks = -(-entries // BLOCK_ENTRIES)
            found.append(Table(self.first_day + offset, stream, entries, at, block, blocks))
            block += blocks
            at += ENTRY_BYTES * entries
        return tuple(found)

    @cached_property
    def blocks(self) -> int:
        """Blocks of all tables together."""
        return len(wire.STREAMS) * sum(-(-entries // BLOCK_ENTRIES) for entries in self.counts)

    @property
    def checkpoints(self) -> int:
        """One for each chain that has begun by the window's first day."""
        return self.counts[0]

    @property
    def directory_at(self) -> int:
        """Offset of the directory, which is the length of the header."""
        return HEADER.size + 8 * len(self.counts) + MAC_BYTES

    @property
    def checkpoints_at(self) -> int:
        """Offset of the checkpoints, which is the end of the tables."""
        last = self.tables[-1]
        return last.at + ENTRY_BYTES * last.entries

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        seals = -(-self.checkpoints // CHECKPOINT_CHUNK)
        return self.checkpoints_at + CHECKPOINT_BYTES * self.checkpoints + SEAL_BYTES * seals


def digest(what: bytes) -> bytes:
    """How the caller's keystore id and generation stand in the header."""
    return hashlib.sha256(what).digest()


@dataclass(frozen=True)
class Header:
    """The authenticated head of the file; `keystore` and `generation` are digests of what the caller gave."""

    salt: bytes
    number_bits: int
    layout: Layout
    keystore: bytes
    generation: bytes
    directory_mac: bytes

    def packed(self, keys: FileKeys) -> bytes:
        """The header's bytes, MAC included."""
        layout = self.layout
        fixed = (MAGIC, VERSION, self.salt, self.number_bits, layout.first_day, len(layout.counts))
        content = HEADER.pack(*fixed, self.keystore, self.generation, self.directory_mac)
        content += struct.pack(f"<{len(layout.counts)}Q", *layout.counts)
        return content + hmac.digest(keys.header, content, "sha256")

    @classmethod
    def parse(cls, data: bytes, index_key: bytes) -> tuple[Header, FileKeys]:
        """The header at the start of `data` and the keys of its file. ValueError says what is wrong with it."""
        if data[: len(MAGIC)] != MAGIC or len(data) < HEADER.size:
            raise ValueError("is no index, or cut short")
        _, version, salt, bits, first_day, days, *digests = HEADER.unpack_from(data)
        if version != VERSION:
            raise ValueError(f"is of version {version}, this is {VERSION}")
        end = HEADER.size + 8 * days
        if not 1 <= days <= WINDOW_DAYS_MAX or len(data) < end + MAC_BYTES:
            raise ValueError("is damaged or cut short")
        keys = FileKeys.of(index_key, salt)
        if not hmac.compare_digest(hmac.digest(keys.header, data[:end], "sha256"), data[end : end + MAC_BYTES]):
            raise ValueError("is damaged or another keystore's")
        counts = struct.unpack_from(f"<{days}Q", data, HEADER.size)
        return cls(salt, bits, Layout(first_day, counts), *digests), keys


HEADER_BYTES_MAX = HEADER.size + 8 * WINDOW_DAYS_MAX + MAC_BYTES
