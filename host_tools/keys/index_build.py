"""Builds the index from pseudonym to node, in place of the one before.

Memory stays within some 400 bytes a node: one day's tables are made, written and forgotten before the next. The
old index, if it is this keystore's, gives the chains a start; it is replaced when the new one is whole.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from host_tools.errors import UsageError
from host_tools.keys import files, index_checkpoints
from host_tools.keys.faults import Busy
from host_tools.keys.index import Index, forget
from host_tools.keys.index_checkpoints import Checkpoints
from host_tools.keys.index_format import SALT_BYTES, WINDOW_DAYS_MAX, FileKeys, Header, Layout, digest
from host_tools.keys.index_tables import Builder, Chains, Progress, tags, write_at
from plumveil import wire

__all__ = ["Progress", "Rows", "build"]


@dataclass(frozen=True)
class Rows:
    """What is indexed: chains, each with the number of the node it belongs to; a rekeyed node has several.

    secrets: K_id, (n, 32) uint8; epoch0_days: Unix day of each chain's epoch 0, (n,) int64; numbers: (n,) uint32. The
    day that is found is the nominal one, epoch0_day + epoch, also of a node that runs ahead of the calendar.
    """

    tenant: str
    secrets: NDArray[np.uint8] = field(repr=False)
    epoch0_days: NDArray[np.int64]
    numbers: NDArray[np.uint32]

    def __post_init__(self) -> None:
        rows = len(self.secrets)
        shapes = (self.secrets.shape, self.epoch0_days.shape, self.numbers.shape)
        types = [array.dtype.name for array in (self.secrets, self.epoch0_days, self.numbers)]
        if shapes != ((rows, wire.KEY_BYTES), (rows,), (rows,)) or types != ["uint8", "int64", "uint32"]:
            raise ValueError("rows are secrets (n, 32) uint8, epoch0_days (n,) int64, numbers (n,) uint32")

    @classmethod
    def collect(cls, tenant: str, items: Iterable[tuple[bytes, int, int]]) -> Rows:
        """Rows from (K_id, epoch0_day, node number), taken one at a time."""
        secrets, days, numbers = bytearray(), [], []
        for secret, epoch0_day, number in items:
            secrets += secret
            days.append(epoch0_day)
            numbers.append(number)
        table = np.frombuffer(secrets, np.uint8).reshape(-1, wire.KEY_BYTES)
        return cls(tenant, table, np.array(days, np.int64), np.array(numbers, np.uint32))


def build(
    path: Path,
    rows: Rows,
    index_key: bytes,
    first_day: int,
    last_day: int,
    progress: Progress | None = None,
    *,
    keystore_id: bytes,
    generation: bytes,
    workers: int | None = None,
) -> None:
    """Writes the index of all rows and streams from Unix day `first_day` to `last_day`, both included.

    index_key: 32 bytes. keystore_id and generation are what `Index.open` compares: whose nodes, which set of them.
    progress(done, total) is called from this thread, in node days. workers: threads, by default one a core. The file
    is the owner's alone (0600); whatever goes wrong, what stood at `path` still stands. Raises UsageError when the
    window is not 1 to WINDOW_DAYS_MAX days or there is no space.
    """
    if not 0 <= first_day <= last_day < first_day + WINDOW_DAYS_MAX:
        raise UsageError(f"an index holds 1 to {WINDOW_DAYS_MAX} days, the first one first")
    known = tags(rows.secrets)
    chains, order = _continued(rows, known, last_day, _checkpoints(path, index_key, keystore_id, first_day))
    days = np.arange(first_day, last_day + 1)
    layout = Layout(first_day, tuple(int(count) for count in np.searchsorted(chains.starts, days, "right")))
    salt = os.urandom(SALT_BYTES)
    keys = FileKeys.of(index_key, salt)
    number_bits = max(int(rows.numbers.max(initial=1)).bit_length(), 1)
    _sweep(path)
    with _in_place_of(path) as file, ThreadPoolExecutor(workers or _cores(), "index") as pool:
        _reserve(file.fileno(), path, layout.size_bytes)
        builder = Builder(chains, layout, keys, number_bits, file.fileno())
        secrets, directory_mac = builder.run(pool, progress or _silent)
        old = order[: layout.checkpoints]
        found = Checkpoints(first_day, known[old], rows.epoch0_days[old].astype(np.int32), secrets)
        write_at(file.fileno(), layout.checkpoints_at, index_checkpoints.sealed(keys.checkpoints, found))
        header = Header(salt, number_bits, layout, digest(keystore_id), digest(generation), directory_mac)
        write_at(file.fileno(), 0, header.packed(keys))


@contextlib.contextmanager
def _in_place_of(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of the old index when the block ends well. The old one then opens no more: a
    retired node's names are not to stand in what the disk still has of it."""
    with contextlib.ExitStack() as cleanup:
        old = None
        with contextlib.suppress(OSError):
            old = cleanup.enter_context(path.open("r+b"))
        with files.replacing(path, "index") as file:
            files.lock_open(file, path)
            yield file
        try:
            if old is not None:
                forget(old.fileno())
        except OSError as error:
            raise UsageError(f"cannot overwrite the old index {path}: {error.strerror}") from None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _silent(_done: int, _total: int) -> None:
    pass


def _checkpoints(path: Path, index_key: bytes, keystore_id: bytes, first_day: int) -> Checkpoints | None:
    """What the index that stands there knows of the chains; None when it is no help."""
    # Damaged, another's, unreadable: this build is the answer to that.
    with contextlib.suppress(UsageError), Index.open(path, index_key, keystore_id=keystore_id) as old:
        if old.first_day <= first_day:
            return old.checkpoints()
    return None


def _continued(
    rows: Rows, known: NDArray[np.uint64], last_day: int, old: Checkpoints | None
) -> tuple[Chains, NDArray[np.int64]]:
    """The chains that begin by `last_day`, each from its checkpoint where there is one, and the rows they are."""
    starts, secrets = rows.epoch0_days, rows.secrets
    if old is not None:
        at = old.rows_of(known, rows.epoch0_days)
        known_rows = np.flatnonzero(at >= 0)
        secrets, starts = secrets.copy(), starts.copy()
        secrets[known_rows], starts[known_rows] = old.secrets[at[known_rows]], old.day
    order = np.argsort(starts, kind="stable")
    order = order[: np.searchsorted(starts, last_day, "right", sorter=order)]
    return Chains(rows.tenant, starts[order], rows.numbers[order], secrets[order]), order


def _sweep(path: Path) -> None:
    """Removes what builds left that were killed: each is as large as an index. One that runs holds a lock."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        with contextlib.suppress(OSError, Busy), left.open("r+b") as file:
            files.lock_open(file, path)
            left.unlink()


def _reserve(handle: int, path: Path, size_bytes: int) -> None:
    """Takes the whole file's space at once: better now than after a minute."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size_bytes)
    except OSError as error:
        size_mib = -(-size_bytes // 2**20)
        raise UsageError(f"no space for the index {path}, which takes {size_mib} MiB: {error.strerror}") from None
