"""What a keystore holds beside its nodes: whose it is, for which role and how long, and the tenant's own keys.

Which of these a role has is decided in roles.py; here they are only kept, and checked when they are read.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.consent.caveats import Delegation
from host_tools.keys import sealing
from host_tools.registry import Policy

VERSION = 3
CONTROLLER, TECHNICIAN, PROCESSOR, AUDITOR = ROLES = ("controller", "technician", "processor", "auditor")
ID_BYTES = 16


class OtherVersion(Exception):
    """Written by another Plumveil, in a way that this one does not know. later: than this one."""

    def __init__(self, *, later: bool) -> None:
        super().__init__()
        self.later = later


@dataclass(frozen=True)
class Handout:
    """A store that was exported: for whom, when and until when (Unix s), and its public key (b"": none)."""

    role: str
    made_s: int
    expires_s: int
    public_key: bytes


@dataclass(frozen=True)
class Meta:
    """The content of the META chunk.

    store_id: the same for the life of the store; generation: another whenever a node's keys change. expires_s: None
    for a store that was not handed out. signing_seed: Ed25519, signs log entries, receipts and enrolments. log_keys:
    raw public keys that ever signed a log of the tenant, newest last. subject_keys: hash subjects in the log, newest
    first. board_key: hashes hardware ids; it outlives a rotation, because the ids are not there to be hashed anew.
    enrol_private, enrol_public: X25519, for what technicians enrol. streams, first_day, last_day: what a processor's
    table is of. groups: name -> numbers of its nodes, ascending; delegations: all that were ever given, by id.
    """

    role: str
    tenant: str
    expires_s: int | None = None
    store_id: bytes = b""
    generation: bytes = b""
    signing_seed: bytes | None = field(repr=False, default=None)
    log_keys: tuple[bytes, ...] = ()
    subject_keys: tuple[bytes, ...] = field(repr=False, default=())
    board_key: bytes | None = field(repr=False, default=None)
    enrol_private: bytes | None = field(repr=False, default=None)
    enrol_public: bytes | None = None
    policies: tuple[Policy, ...] = ()
    handouts: tuple[Handout, ...] = ()
    streams: tuple[int, ...] = ()
    first_day: int | None = None
    last_day: int | None = None
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)
    delegations: tuple[Delegation, ...] = ()

    def with_keys_changed(self) -> Meta:
        """The same with another generation."""
        return dataclasses.replace(self, generation=secrets.token_bytes(ID_BYTES))


def public_of(seed: bytes) -> bytes:
    """The 32 public bytes of an Ed25519 seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def signing_part(old: Meta | None = None) -> dict[str, Any]:
    """A new signing key and what follows from it; public keys and subject keys of `old` are kept behind it."""
    seed = secrets.token_bytes(sealing.KEY_BYTES)
    return {
        "signing_seed": seed,
        "log_keys": (*(old.log_keys if old else ()), public_of(seed)),
        "subject_keys": (secrets.token_bytes(sealing.KEY_BYTES), *(old.subject_keys if old else ())),
    }


def enrol_part() -> dict[str, Any]:
    """A new pair of enrolment keys."""
    private = secrets.token_bytes(sealing.KEY_BYTES)
    return {"enrol_private": private, "enrol_public": sealing.x25519_public(private)}


def new_controller(tenant: str) -> Meta:
    """A tenant's first: all keys drawn independently of each other."""
    return Meta(
        CONTROLLER,
        tenant,
        store_id=secrets.token_bytes(ID_BYTES),
        generation=secrets.token_bytes(ID_BYTES),
        board_key=secrets.token_bytes(sealing.KEY_BYTES),
        **signing_part(),
        **enrol_part(),
    )


def encode(meta: Meta) -> bytes:
    """The chunk's content."""
    content: dict[str, Any] = {f.name: getattr(meta, f.name) for f in dataclasses.fields(meta)}
    content["policies"] = [policy.model_dump() for policy in meta.policies]
    content["handouts"] = [dataclasses.astuple(handout) for handout in meta.handouts]
    content["delegations"] = [dataclasses.astuple(delegation) for delegation in meta.delegations]
    return cbor2.dumps({"version": VERSION, **content}, canonical=True)


def decode(data: bytes) -> Meta:
    """Raises ValueError, TypeError, KeyError or CBORError when it is none, OtherVersion when it is not for us."""
    content = cbor2.loads(data)
    if not isinstance(content, dict) or not isinstance(content.get("version"), int):
        raise TypeError("no map with a version")
    version = content.pop("version")
    if version != VERSION:
        raise OtherVersion(later=version > VERSION)
    for name, check in _CHECKS.items():
        check(content[name])
    content["policies"] = tuple(Policy.model_validate(policy) for policy in content["policies"])
    content["handouts"] = tuple(Handout(*handout) for handout in content["handouts"])
    content["groups"] = {name: tuple(numbers) for name, numbers in content["groups"].items()}
    content["delegations"] = tuple(Delegation.of(row) for row in content["delegations"])
    for name in ("log_keys", "subject_keys", "streams"):
        content[name] = tuple(content[name])
    return Meta(**content)


def _is(*types: type) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if not isinstance(value, types):
            raise TypeError("a part of another type")

    return check


def _key(value: Any) -> None:
    if value is not None and (not isinstance(value, bytes) or len(value) != sealing.KEY_BYTES):
        raise TypeError("a key of another length")


def _keys(value: Any) -> None:
    for key in value:
        _key(key)


def _groups(value: Any) -> None:
    for name, numbers in value.items():
        if not isinstance(name, str) or not all(type(number) is int for number in numbers):
            raise TypeError("a group of another type")


def _role(value: Any) -> None:
    if value not in ROLES:
        raise ValueError("no role")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "role": _role,
    "tenant": _is(str),
    "expires_s": _is(int, type(None)),
    "store_id": _is(bytes),
    "generation": _is(bytes),
    "signing_seed": _key,
    "log_keys": _keys,
    "subject_keys": _keys,
    "board_key": _key,
    "enrol_private": _key,
    "enrol_public": _key,
    "groups": _groups,
}
