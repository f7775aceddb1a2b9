"""Chains of old nodes as they stood on an index's first day, so that the next index need not start at enrolment.

They name those nodes' pseudonyms from that day on: always sealed on disk, under a key of that one file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from host_tools.keys import sealing
from host_tools.keys.index_format import CHECKPOINT_BYTES, CHECKPOINT_CHUNK

TAG_BYTES = 8
_RECORD = np.dtype([("tag", "<u8"), ("epoch0_day", "<i4"), ("secret", "u1", (32,))])


@dataclass(frozen=True)
class Checkpoints:
    """D of each old node on `day`; a tag tells whose it is and follows from K_id alone.

    tags: (n,) uint64, epoch0_days: (n,) int32, secrets: (n, 32) uint8.
    """

    day: int
    tags: NDArray[np.uint64]
    epoch0_days: NDArray[np.int32]
    secrets: NDArray[np.uint8] = field(repr=False)

    def rows_of(self, tags: NDArray[np.uint64], epoch0_days: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each tag and first day the row here that continues it, or -1."""
        if not len(self.tags):
            return np.full(len(tags), -1, np.int64)
        order = np.argsort(self.tags, kind="stable")
        at = np.minimum(np.searchsorted(self.tags, tags, sorter=order), len(order) - 1)
        rows = order[at]
        same = (self.tags[rows] == tags) & (self.epoch0_days[rows] == epoch0_days)
        return np.where(same, rows, -1)


def sealed(key: bytes, checkpoints: Checkpoints) -> bytes:
    """The checkpoints as they stand in the file: AES-256-GCM, CHECKPOINT_CHUNK records under one seal."""
    records = np.empty(len(checkpoints.tags), _RECORD)
    records["tag"], records["epoch0_day"] = checkpoints.tags, checkpoints.epoch0_days
    records["secret"] = checkpoints.secrets
    parts = []
    for number, at in enumerate(range(0, len(records), CHECKPOINT_CHUNK)):
        plain = records[at : at + CHECKPOINT_CHUNK].tobytes()
        # The key is the file's own, so a chunk's number is a nonce that comes once.
        parts.append(sealing.seal(key, _nonce(number), plain, _bound(checkpoints.day, len(records))))
    return b"".join(parts)


def unsealed(key: bytes, day: int, rows: int, data: bytes) -> Checkpoints:
    """What `sealed` made. ValueError when it was changed."""
    step = CHECKPOINT_CHUNK * CHECKPOINT_BYTES + sealing.TAG_BYTES
    try:
        parts = [
            sealing.unseal(key, _nonce(number), data[at : at + step], _bound(day, rows))
            for number, at in enumerate(range(0, len(data), step))
        ]
    except sealing.Unsealed:
        raise ValueError("checkpoints do not open") from None
    records = np.frombuffer(b"".join(parts), _RECORD)
    tags = records["tag"].astype(np.uint64)
    return Checkpoints(day, tags, records["epoch0_day"].astype(np.int32), np.ascontiguousarray(records["secret"]))


def _nonce(number: int) -> bytes:
    return number.to_bytes(sealing.NONCE_BYTES, "big")


def _bound(day: int, rows: int) -> bytes:
    return day.to_bytes(8, "big") + rows.to_bytes(8, "big")
