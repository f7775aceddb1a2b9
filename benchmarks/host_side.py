"""The host's half of the bench: open, decode and validate a batch beside the bare cbor2.loads + AES-CCM decrypt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive
from host_tools.registry import Registry
from host_tools.validate import Validator
from plumveil import wire

ROUNDS = 15


@dataclass(frozen=True)
class HostFigures:
    """Times in us a batch, the least of several rounds."""

    ours_us: float
    bare_us: float


def _ciphers(messages: Sequence[bytes], registry: Registry) -> list[tuple[AESCCM, bytes, bytes]]:
    """What the bare peer is spared: [(cipher, nonce, additional data)], found beforehand."""
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
        out.append((AESCCM(key, wire.TAG_BYTES), nonce, derive.enc_structure(protected, external)))
    return out


def _least_us(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        since = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - since)
    return best * 1e6


def run(messages: Sequence[bytes], registry: Registry) -> HostFigures:
    """Both over the same messages in one run. The epochs' keys are derived before, as for any but the first batch."""
    ciphers = _ciphers(messages, registry)

    def bare() -> None:
        for message, (cipher, nonce, additional) in zip(messages, ciphers, strict=True):
            cbor2.loads(cipher.decrypt(nonce, cbor2.loads(message).value[2], additional))

    validator = Validator(registry)
    if not all(validator.check(message).valid for message in messages):
        raise AssertionError("a message of the bench is not valid")

    def ours() -> None:
        for message in messages:
            validator.check(message)

    # In turns, so that a busy moment falls on both.
    pairs = [(_least_us(ours), _least_us(bare)) for _ in range(3)]
    n = len(messages)
    return HostFigures(min(pair[0] for pair in pairs) / n, min(pair[1] for pair in pairs) / n)
