"""Commands from the controller to a node: each sealed for one epoch, for the topic that the node listens to in it.
Must never show anything of the keys.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive
from host_tools.registry import Node
from plumveil import terms, wire

_NUMBER_MAX = 0x3FFFFFFF  # plumveil.grant: a small int on the node


@dataclass(frozen=True)
class Command:
    """One retained message: a command to one node, which that node reads in one epoch."""

    topic: str
    payload: bytes = field(repr=False)


def sealed(k_consent: bytes, tenant: str, epoch: int, kind: int, number: int) -> bytes:
    """A command (terms.DOWN_*) that the node reads in `epoch`."""
    if kind not in (terms.DOWN_REVOKE, terms.DOWN_VOID) or not 1 <= number <= _NUMBER_MAX:
        raise ValueError("no command")
    iv = secrets.token_bytes(wire.NONCE_BYTES)
    header = {wire.COSE_HDR_ALG: wire.COSE_ALG_AES_CCM_16_128_256, terms.COSE_HDR_IV: iv}
    protected = cbor2.dumps(header, canonical=True)
    aad = derive.enc_structure(protected, derive.label(terms.L_DOWN, tenant))
    ccm = AESCCM(derive.command_key(k_consent, epoch), wire.TAG_BYTES)
    ciphertext = ccm.encrypt(iv, cbor2.dumps([kind, number]), aad)
    return cbor2.dumps(cbor2.CBORTag(wire.COSE_TAG_ENCRYPT0, [protected, {}, ciphertext]), canonical=True)


def topic(id_secret: bytes, tenant: str) -> str:
    """Where a node listens in an epoch. id_secret: D[e]."""
    return f"{wire.TOPIC_PREFIX}{wire.TOPIC_DOWN}/{derive.session_id(id_secret, tenant)}"


def commands(node: Node, kind: int, number: int, days: range) -> list[Command]:
    """One command for each of `days` (Unix days), those before the node's first left out."""
    names, k_consent = derive.Chain(bytes.fromhex(node.k_id)), bytes.fromhex(node.k_consent)
    epochs = [day - node.epoch0_day for day in days if day >= node.epoch0_day]
    return [
        Command(topic(names.at(epoch), node.tenant), sealed(k_consent, node.tenant, epoch, kind, number))
        for epoch in epochs
    ]
