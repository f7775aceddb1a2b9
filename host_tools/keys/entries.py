"""What a keystore holds of one node, and how it stands in a chunk: one CBOR array a node, places as in `encode`.

Secrets stand in no repr. A role that lacks a secret has none here: None in its place, never an empty or a zero one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from host_tools.errors import UsageError
from host_tools.registry import ConsentRecord, Node, Policy, Text
from plumveil import wire

ACTIVE, RETIRED = "active", "retired"
NAME_MAX = 56  # leaves room in the registry's 64 for _EARLIER
_STATES = (ACTIVE, RETIRED)
_EARLIER = re.compile(r"~\d+$")  # ends the registry's name of keys that are in force no more
NAME, BOARD_HASH = 0, 3  # places in a node's array
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A node's two secrets and the Unix days they serve: from `epoch0_day` up to `last_day`, None while in force."""

    k_id: bytes = field(repr=False)
    k_chain: bytes = field(repr=False)
    k_config: bytes = field(repr=False)
    epoch0_day: int
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One node. `number` is its place in the keystore, for good.

    keys: the secrets in force, None when retired or not this role's. history: earlier ones, oldest first. k_config:
    authenticates the configuration, what a technician holds. board_hash: see Keystore.board_hash.
    """

    number: int
    name: str
    tenant: str
    state: str
    board: str
    board_hash: bytes | None = field(repr=False)
    k_config: bytes | None = field(repr=False)
    keys: KeySet | None = field(repr=False)
    history: tuple[KeySet, ...] = field(repr=False, default=())
    policies: tuple[Policy, ...] = ()
    consents: tuple[ConsentRecord, ...] = ()

    @property
    def node(self) -> Node | None:
        """The registry's record of the keys in force; None without such."""
        return None if self.keys is None else self._record(self.name, self.keys)

    @property
    def key_sets(self) -> tuple[KeySet, ...]:
        """The secrets in force, if any, and all earlier ones, oldest first."""
        return self.history if self.keys is None else (self.keys, *self.history)

    def records(self) -> list[Node]:
        """The registry's records of `key_sets`: as many nodes, those of earlier keys named `NAME~1`, `NAME~2`, ..."""
        earlier = [self._record(f"{self.name}~{n}", keys) for n, keys in enumerate(self.history, 1)]
        return earlier if self.keys is None else [self._record(self.name, self.keys), *earlier]

    def _record(self, name: str, keys: KeySet) -> Node:
        return Node(
            name=name,
            tenant=self.tenant,
            epoch0_day=keys.epoch0_day,
            k_id=keys.k_id.hex(),
            k_chain=keys.k_chain.hex(),
            k_config=keys.k_config.hex(),
            policies=self.policies,
            consents=self.consents,
        )


def check_name(name: str, what: str = "node's name") -> str:
    """`name`, when a node may be called so; UsageError when not."""
    try:
        _TEXT.validate_python(name)
    except ValidationError:
        raise UsageError(f"a {what} has 1 to {NAME_MAX} printable characters") from None
    if len(name) > NAME_MAX or not name.isprintable() or name != name.strip():
        raise UsageError(f"a {what} has 1 to {NAME_MAX} printable characters and no blank at its ends")
    if _EARLIER.search(name):
        raise UsageError(f"a {what} does not end in ~ and a number: earlier keys of a node are called so")
    return name


def encode(entry: Entry, policy_number: Callable[[Policy], int]) -> list[Any]:
    """The entry as it stands in a chunk. policy_number: a policy -> its place in the keystore's list."""
    return [
        entry.name,
        _STATES.index(entry.state),
        entry.board,
        entry.board_hash,
        entry.k_config,
        None if entry.keys is None else encode_keys(entry.keys),
        [encode_keys(keys) for keys in entry.history],
        [policy_number(policy) for policy in entry.policies],
        [consent.model_dump() for consent in entry.consents],
    ]


def decode(number: int, tenant: str, row: Sequence[Any], policies: Sequence[Policy]) -> Entry:
    """The entry of a chunk's array. Raises ValueError, TypeError or IndexError when it is none."""
    name, state, board, board_hash, k_config, keys, history, policy_numbers, consents = row
    if not isinstance(name, str) or not isinstance(board, str):
        raise TypeError("text")
    return Entry(
        number,
        name,
        tenant,
        _STATES[state],
        board,
        board_hash,
        None if k_config is None else _secret(k_config),
        None if keys is None else decode_keys(keys),
        tuple(decode_keys(earlier) for earlier in history),
        tuple(policies[n] for n in policy_numbers),
        tuple(ConsentRecord.model_validate(consent) for consent in consents),
    )


def encode_keys(keys: KeySet) -> list[Any]:
    """A key set as it stands in an entry."""
    return [keys.k_id, keys.k_chain, keys.k_config, keys.epoch0_day, keys.last_day]


def decode_keys(row: Sequence[Any]) -> KeySet:
    """The key set of an entry's array. Raises ValueError or TypeError when it is none."""
    k_id, k_chain, k_config, epoch0_day, last_day = row
    if not isinstance(epoch0_day, int) or not isinstance(last_day, int | None):
        raise TypeError("day")
    return KeySet(_secret(k_id), _secret(k_chain), _secret(k_config), epoch0_day, last_day)


def _secret(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != wire.KEY_BYTES:
        raise TypeError("secret")
    return value
