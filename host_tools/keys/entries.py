"""What a keystore holds of one node, and how it stands in a chunk: one CBOR array a node, places as in `encode`.

Secrets stand in no repr. A role that lacks a secret has none here: None in its place, never an empty or a zero one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from host_tools.consent.caveats import Caveats, Delegated
from host_tools.errors import UsageError
from host_tools.registry import ConsentRecord, Node, Policy, Text
from plumveil import wire

ACTIVE, RETIRED = "active", "retired"
NAME_MAX = 56  # leaves room in the registry's 64 for _EARLIER
_STATES = (ACTIVE, RETIRED)
_EARLIER = re.compile(r"~\d+$")  # ends the registry's name of keys that are in force no more
NAME, BOARD_HASH = 0, 3  # places in a node's array
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


class Ahead(NamedTuple):
    """A policy that a node was given for a time to come. from_s: Unix s from which it is in force; policy_map: as in
    Entry."""

    from_s: int
    policy_map: bytes


@dataclass(frozen=True, slots=True)
class KeySet:
    """A node's secrets and the Unix days they serve: from `epoch0_day` up to `last_day`, None while in force.
    receipts: the entries of the log that the node began with them, as far as they came, in their order."""

    k_id: bytes = field(repr=False)
    k_chain: bytes = field(repr=False)
    k_config: bytes = field(repr=False)
    k_consent: bytes = field(repr=False)
    epoch0_day: int
    last_day: int | None = None
    receipts: tuple[bytes, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Entry:
    """One node. `number` is its place in the keystore, for good.

    keys: the secrets in force, None when retired or not this role's. history: earlier ones, oldest first. k_config:
    authenticates the configuration, what a technician holds. board_hash: see Keystore.board_hash. config_version: the
    highest that a configuration was written to the node under from here. serial: the newest that a consent was given
    or taken back under from here. delegations: a technician's, to make grants by. policy_map: the policy it was given
    last to be in force at once, as CBOR with keys wire.P_*, empty before the first; policy_ahead: the one that takes
    its place at a time of its own. Which of them holds when says `policy_at`.
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
    config_version: int = 0
    serial: int = 0
    delegations: tuple[Delegated, ...] = field(repr=False, default=())
    policy_map: bytes = field(repr=False, default=b"")
    policy_ahead: Ahead | None = field(repr=False, default=None)

    def policy_at(self, at_s: int) -> bytes:
        """The policy on record that is in force at a time (Unix s), as far as is known here; empty without one."""
        ahead = self.policy_ahead
        return self.policy_map if ahead is None or at_s < ahead.from_s else ahead.policy_map

    @property
    def node(self) -> Node | None:
        """The registry's record of the keys in force; None without such."""
        return None if self.keys is None else self._record(self.name, self.keys)

    @property
    def key_sets(self) -> tuple[KeySet, ...]:
        """The secrets in force, if any, and all earlier ones, oldest first."""
        return self.history if self.keys is None else (self.keys, *self.history)

    @property
    def receipts(self) -> tuple[bytes, ...]:
        """Entries of the node's log as far as they came; under earlier keys it had another, which comes first."""
        return tuple(entry for keys in (*self.history, self.keys) if keys is not None for entry in keys.receipts)

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
            k_consent=keys.k_consent.hex(),
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
        entry.config_version,
        entry.serial,
        [[one.key, one.node, one.caveats.array()] for one in entry.delegations],
        entry.policy_map,
        None if entry.policy_ahead is None else list(entry.policy_ahead),
    ]


def decode(number: int, tenant: str, row: Sequence[Any], policies: Sequence[Policy]) -> Entry:
    """The entry of a chunk's array. Raises ValueError, TypeError or IndexError when it is none."""
    name, state, board, board_hash, k_config, keys, history, policy_numbers, consents, *last = row
    config, serial, delegations, policy_map, ahead = last
    if not isinstance(name, str) or not isinstance(board, str):
        raise TypeError("text")
    if not all(type(count) is int and count >= 0 for count in (config, serial)):
        raise TypeError("version or serial")
    if not isinstance(policy_map, bytes):
        raise TypeError("policy")
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
        config,
        serial,
        tuple(_delegated(*one) for one in delegations),
        policy_map,
        None if ahead is None else _ahead(*ahead),
    )


def encode_keys(keys: KeySet) -> list[Any]:
    """A key set as it stands in an entry."""
    secrets = [keys.k_id, keys.k_chain, keys.k_config, keys.k_consent]
    return [*secrets, keys.epoch0_day, keys.last_day, list(keys.receipts)]


def decode_keys(row: Sequence[Any]) -> KeySet:
    """The key set of an entry's array. Raises ValueError or TypeError when it is none."""
    k_id, k_chain, k_config, k_consent, epoch0_day, last_day, receipts = row
    if not isinstance(epoch0_day, int) or not isinstance(last_day, int | None):
        raise TypeError("day")
    if not isinstance(receipts, list) or not all(isinstance(entry, bytes) for entry in receipts):
        raise TypeError("receipts")
    return KeySet(
        _secret(k_id), _secret(k_chain), _secret(k_config), _secret(k_consent), epoch0_day, last_day, tuple(receipts)
    )


def _ahead(from_s: Any, policy_map: Any) -> Ahead:
    if type(from_s) is not int or not isinstance(policy_map, bytes):
        raise TypeError("policy ahead")
    return Ahead(from_s, policy_map)


def _delegated(key: Any, node: Any, caveats: Any) -> Delegated:
    if not isinstance(node, bytes) or len(node) != wire.PSEUDONYM_BYTES:
        raise TypeError("name")
    return Delegated(_secret(key), node, Caveats.of(caveats))


def _secret(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != wire.KEY_BYTES:
        raise TypeError("secret")
    return value
