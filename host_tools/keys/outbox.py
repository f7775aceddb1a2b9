"""What a technician enrolled, on its way to the controller: the file `<keystore>.outbox` beside his keystore.

An item is sealed to the controller's public key (HPKE, see sealing.py), so that who drew the secrets cannot read them
again, and signed with the technician's key, so that nobody else can slip a node in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from host_tools import derive
from host_tools.errors import PlumveilError
from host_tools.keys import files, sealing
from host_tools.keys.entries import KeySet, decode_keys, encode_keys
from host_tools.keys.faults import Damaged
from host_tools.registry import Policy

MAGIC = b"PVOUTB\x01\n"
FILE_MAX_BYTES = 64 * 1024 * 1024
ENROL, REKEY = "enrol", "rekey"
WHAT = "outbox"
_BAD = (cbor2.CBORError, ValueError, TypeError, KeyError, IndexError)


@dataclass(frozen=True)
class Delivery:
    """What a technician did to a node: `kind` ENROL or REKEY, the node's new keys, when (Unix s)."""

    kind: str
    name: str
    board: str
    board_hash: bytes | None = field(repr=False)
    keys: KeySet = field(repr=False)
    policies: tuple[Policy, ...]
    made_s: int


@dataclass(frozen=True)
class Item:
    """A delivery as it stands in the file."""

    signer: bytes
    sealed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def signed(self, tenant: str) -> bool:
        """Whether `signer` signed it for that tenant."""
        try:
            Ed25519PublicKey.from_public_bytes(self.signer).verify(self.signature, _to_sign(tenant, self.sealed))
        except (InvalidSignature, ValueError):
            return False
        return True


def _info(tenant: str) -> bytes:
    return derive.label("outbox", tenant)


def _to_sign(tenant: str, sealed: bytes) -> bytes:
    return cbor2.dumps(["outbox", tenant, sealed])


def seal(delivery: Delivery, tenant: str, enrol_public: bytes, signing_key: Ed25519PrivateKey) -> Item:
    """A delivery for the holder of the enrolment key alone."""
    content = [
        delivery.kind,
        delivery.name,
        delivery.board,
        delivery.board_hash,
        encode_keys(delivery.keys),
        [policy.model_dump() for policy in delivery.policies],
        delivery.made_s,
    ]
    sealed = sealing.seal_to(enrol_public, cbor2.dumps(content), _info(tenant))
    signature = signing_key.sign(_to_sign(tenant, sealed))
    return Item(signing_key.public_key().public_bytes_raw(), sealed, signature)


def unseal(item: Item, tenant: str, enrol_private: bytes) -> Delivery | None:
    """The delivery; None when it was not sealed to this key, or is none. The signature is the caller's to check."""
    try:
        content = cbor2.loads(sealing.unseal_own(enrol_private, item.sealed, _info(tenant)))
        kind, name, board, board_hash, keys, policies, made_s = content
        if kind not in (ENROL, REKEY) or not isinstance(made_s, int):
            return None
        if not all(isinstance(text, str) for text in (name, board)) or not isinstance(board_hash, bytes | None):
            return None
        found = tuple(Policy.model_validate(policy) for policy in policies)
        return Delivery(kind, name, board, board_hash, decode_keys(keys), found, made_s)
    except (sealing.Unsealed, ValidationError, *_BAD):
        return None


def is_outbox(path: Path) -> bool:
    """Whether a file begins as an outbox does."""
    with files.open_private(path, "file") as file:
        return file.read(len(MAGIC)) == MAGIC


def load(path: Path) -> list[Item]:
    """The items of an outbox. Raises Damaged, UsageError."""
    with files.open_private(path, WHAT) as file:
        data = file.read(FILE_MAX_BYTES + 1)
    try:
        if not data.startswith(MAGIC) or len(data) > FILE_MAX_BYTES:
            raise ValueError
        rows = cbor2.loads(data[len(MAGIC) :])
        # Else something could stand behind the end, or be cut off it with a shorter count.
        if MAGIC + cbor2.dumps(rows) != data:
            raise ValueError
        return [_item(row) for row in rows]
    except _BAD:
        raise Damaged(f"{path} is damaged, or no outbox") from None


def _item(row: Any) -> Item:
    signer, sealed, signature = row
    if not all(isinstance(part, bytes) for part in (signer, sealed, signature)):
        raise TypeError("an item is of byte strings")
    return Item(signer, sealed, signature)


def store(path: Path, items: list[Item]) -> None:
    """Writes an outbox, whole or not at all."""
    data = MAGIC + cbor2.dumps([[item.signer, item.sealed, item.signature] for item in items])
    if len(data) > FILE_MAX_BYTES:
        raise PlumveilError(f"{path} is full: have the controller import it, then move it away")
    files.write_private(path, data, WHAT)


def existing(path: Path) -> list[Item]:
    """The items of an outbox, none when there is no file."""
    return load(path) if path.exists() else []
