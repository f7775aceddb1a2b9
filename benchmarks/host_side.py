"""The host's half of the bench: open, decode and validate a batch beside bare cbor2.loads + AES-CCM decrypt.

Two peers, since a packed batch is not readings yet: the same readings sealed as plain CBOR, a row of integers each,
which is what those two calls alone would have to turn into readings; and our own message, left packed.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cbor2
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import cell_arrays, cells, derive
from host_tools.content import Batch
from host_tools.keyring import KeyRing
from host_tools.registry import Registry
from host_tools.validate import Validator
from plumveil import wire

ROUNDS = 2000


@dataclass(frozen=True)
class HostFigures:
    """Times in us a batch, the least of several rounds."""

    ours_us: float
    plain_us: float
    packed_us: float


CELL_FIXES = 100_000


def cells_s() -> float:
    """Seconds for so many fixes to become cells with their edges, by the host's code for many at once; the least of
    three. Places all over the Earth, finest tier."""
    rng = np.random.default_rng(1)
    lat_e6 = rng.integers(-cells.HALF_LAT_E6, cells.HALF_LAT_E6 + 1, CELL_FIXES)
    lon_e6 = rng.integers(-cells.TURN_E6 // 2, cells.TURN_E6 // 2 + 1, CELL_FIXES)
    finest = len(wire.TIERS) - 1

    def work() -> object:
        return cell_arrays.boxes_e6(finest, *cell_arrays.locate(lat_e6, lon_e6, finest))

    return min(_us(work) for _ in range(3)) / 1e6


@dataclass(frozen=True)
class Opening:
    """What the bare peers are spared: the cipher, nonce and additional data of a message, found beforehand."""

    cipher: AESCCM
    nonce: bytes
    additional: bytes

    def bare(self, message: bytes) -> object:
        """cbor2.loads and decrypt, alone."""
        return cbor2.loads(self.cipher.decrypt(self.nonce, cbor2.loads(message).value[2], self.additional))

    def plain(self, message: bytes, content: Batch) -> bytes:
        """The same readings as plain CBOR in the same envelope."""
        rows = [list(row) for row in zip(*content.columns, strict=True)]
        body = {wire.K_TIME: content[0], wire.K_INTERVAL: content.interval_s, wire.K_COLUMNS: rows}
        tag = cbor2.loads(message)
        sealed = self.cipher.encrypt(self.nonce, cbor2.dumps(body), self.additional)
        return cbor2.dumps(cbor2.CBORTag(tag.tag, [tag.value[0], {}, sealed]))


def _openings(messages: Sequence[bytes], registry: Registry) -> list[Opening]:
    node = registry.nodes[0]
    chain, ids = derive.Chain(bytes.fromhex(node.k_chain)), derive.Chain(bytes.fromhex(node.k_id))
    epochs = {derive.pseudonym(ids.at(epoch), node.tenant, wire.READINGS): epoch for epoch in range(400)}
    out = []
    for message in messages:
        protected = cbor2.loads(message).value[0]
        header = cbor2.loads(protected)
        kid, (_, step, policy_version, salt) = header[wire.COSE_HDR_KID], header[wire.HDR_PLUMVEIL]
        secret = derive.stream_secret(chain.at(epochs[kid]), wire.READINGS)
        for _ in range(step):
            secret = derive.next_step(secret)
        key, common_iv = derive.seal_material(secret, salt)
        nonce = derive.nonce(common_iv, header[wire.COSE_HDR_PARTIAL_IV])
        external = derive.external_aad(node.tenant, wire.READINGS, kid, policy_version)
        out.append(Opening(AESCCM(key, wire.TAG_BYTES), nonce, derive.enc_structure(protected, external)))
    return out


def _us(work: Callable[[], object]) -> float:
    since = time.perf_counter()
    work()
    return (time.perf_counter() - since) * 1e6


def run(messages: Sequence[bytes], registry: Registry) -> HostFigures:
    """Both over the same messages in one run. The epochs' keys are derived before, as for any but the first batch."""
    openings = _openings(messages, registry)
    validator = Validator(KeyRing(registry))
    verdicts = [validator.check(message) for message in messages]
    if not all(verdict.valid for verdict in verdicts):
        raise AssertionError("a message of the bench is not valid")
    plain = [
        opening.plain(message, verdict.content)
        for opening, message, verdict in zip(openings, messages, verdicts, strict=True)
        if isinstance(verdict.content, Batch)
    ]

    def ours() -> None:
        for message in messages:
            validator.check(message)

    def bare(these: Sequence[bytes]) -> None:
        for opening, message in zip(openings, these, strict=True):
            opening.bare(message)

    # Each in turn, many times: a machine that changes its pace changes it for all.
    works = (ours, lambda: bare(plain), lambda: bare(messages))
    # As timeit does: no garbage collection of the rest of the process in between.
    gc.disable()
    try:
        rounds = [tuple(_us(work) for work in works) for _ in range(ROUNDS)]
    finally:
        gc.enable()
    return HostFigures(*(min(column) / len(messages) for column in zip(*rounds, strict=True)))
