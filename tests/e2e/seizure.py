"""Who takes a node: every secret that can stand in its flash or its RAM is tried as every secret there is, with all
that follows from it, against messages captured earlier. Knows what such a person knows: the wire format, the messages
with their headers and topics, the tenant, and the consent's secret from the node's key slot.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive
from host_tools.envelope import Envelope, parse
from host_tools.keyring import KeyRing
from host_tools.registry import Node
from plumveil import vault, wire
from plumveil.keystate import KeyState

STEPS = wire.EPOCH_S // wire.STEP_S
EPOCHS = 3  # how far a chain's secret is taken forward: more than any test's node lives
MATERIAL_BYTES = wire.KEY_BYTES + wire.NONCE_BYTES
# 32 random bytes hold 30 different ones; fewer than 20 once in 10^11 times. Text and counters do not get as far.
DISTINCT_MIN = 20
At = tuple[int, int]  # epoch, step


class Captured(NamedTuple):
    """A message somebody recorded. It says its step itself, and its epoch by the day it was sent."""

    at: At
    stream: int
    envelope: Envelope

    def aad(self, tenant: str) -> bytes:
        own = self.envelope
        header = own.protected_item[2:] if own.protected_item[0] == 0x58 else own.protected_item[1:]
        return derive.enc_structure(header, derive.external_aad(tenant, self.stream, own.kid, own.policy_version))


def captured(messages: Iterable[bytes], node: Node, now_s: int) -> list[Captured]:
    """All messages of a node, in order of sealing within each stream."""
    ring = KeyRing([node], now_s)
    found = []
    for data in messages:
        envelope = parse(data)
        keys = ring.find(envelope.kid)
        assert keys is not None
        assert keys.epoch is not None
        keys.open(envelope)
        found.append(Captured((keys.epoch, envelope.step), keys.stream, envelope))
    return sorted(found, key=lambda one: (one.stream, one.at, one.envelope.partial_iv))


def last_of_each(messages: Iterable[Captured]) -> list[Captured]:
    """The last of each stream and epoch: whatever secret opens an earlier one leads forward to it."""
    return list({(one.stream, one.at[0]): one for one in messages}.values())


class Attack:
    """Tries candidates against targets. opened: those that one of them opened; named: pseudonyms one computed."""

    def __init__(self, node: Node, targets: Iterable[Captured], pseudonyms: Iterable[bytes] = ()) -> None:
        self._tenant = node.tenant
        self._consent = bytes.fromhex(node.consents[0].secret)
        self._targets = [(one, one.aad(node.tenant), self._joined(one)) for one in targets]
        # A secret of the seal chain leads to all streams of an epoch: the one that takes the fewest steps will do.
        first = {one[0].at[0]: one for one in sorted(self._targets, key=lambda one: -one[0].at[1])}
        self._cheapest = list(first.values())
        self._pseudonyms = set(pseudonyms)
        self.opened: set[Captured] = set()
        self.named: set[bytes] = set()
        self.tried = 0

    def _joined(self, one: Captured) -> bytes:
        return derive.consent_key(self._consent, one.at[0]) if one.stream == wire.LOCATION else b""

    def on(self, candidates: Iterable[bytes], ivs: Iterable[bytes] = ()) -> Attack:
        """Every candidate (32 bytes, or 45: a seal key with its common IV). ivs: common IVs found elsewhere."""
        ivs = list(ivs)
        for candidate in candidates:
            self.tried += 1
            secret = candidate[: wire.KEY_BYTES]
            for iv in [candidate[wire.KEY_BYTES :], *ivs]:
                if len(iv) == wire.NONCE_BYTES:
                    self._as_seal_key(secret, iv)
            self._as_stream_secret(secret)
            self._as_chain_secret(secret)
            self._as_names_secret(secret)
        return self

    def _as_seal_key(self, key: bytes, common_iv: bytes) -> None:
        for one, aad, _ in self._targets:
            self._try(one, aad, key, common_iv)

    def _as_stream_secret(self, secret: bytes) -> None:
        for later in range(STEPS):
            for target in self._targets:
                if target[0].at[1] >= later:
                    self._seal(target, secret)
            secret = derive.next_step(secret)

    def _as_chain_secret(self, secret: bytes) -> None:
        for _ in range(EPOCHS):
            for target in self._cheapest:
                one = target[0]
                step_secret = derive.stream_secret(secret, one.stream)
                for _ in range(one.at[1]):
                    step_secret = derive.next_step(step_secret)
                self._seal(target, step_secret)
            secret = derive.next_secret(secret)

    def _as_names_secret(self, secret: bytes) -> None:
        for _ in range(EPOCHS if self._pseudonyms else 0):
            names = {derive.pseudonym(secret, self._tenant, stream) for stream in range(len(wire.STREAMS))}
            self.named |= names & self._pseudonyms
            secret = derive.next_secret(secret)

    def _seal(self, target: tuple[Captured, bytes, bytes], secret: bytes) -> None:
        one, aad, joined = target
        self._try(one, aad, *derive.seal_material(secret + joined, one.envelope.boot_salt))

    def _try(self, one: Captured, aad: bytes, key: bytes, common_iv: bytes) -> None:
        nonce = (int.from_bytes(common_iv, "big") ^ one.envelope.partial_iv).to_bytes(wire.NONCE_BYTES, "big")
        try:
            AESCCM(key, wire.TAG_BYTES).decrypt(nonce, one.envelope.ciphertext, aad)
        except InvalidTag:
            return
        self.opened.add(one)


def windows(pieces: Iterable[bytes]) -> set[bytes]:
    """Every 32 bytes in a row that could be a secret, with the 13 after it where there are any."""
    found = set()
    for piece in pieces:
        for start in range(len(piece) - wire.KEY_BYTES + 1):
            window = piece[start : start + wire.KEY_BYTES]
            if len(set(window)) >= DISTINCT_MIN:
                found.add(piece[start : start + MATERIAL_BYTES])
    return found


def reachable(*roots: Any) -> set[bytes]:
    """Every byte string in RAM that an object leads to: attributes, slots, containers, closures, bound methods; large
    integers as bytes."""
    found: set[bytes] = set()
    seen: set[int] = set()
    waiting = list(roots)
    kept = []  # so that no id is given twice
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType, BuiltinFunctionType)):
            continue
        seen.add(id(one))
        kept.append(one)
        if isinstance(one, (bytes, bytearray, memoryview)):
            found.add(bytes(one))
        elif isinstance(one, int) and one.bit_length() > 200:
            found.add(one.to_bytes(-(-one.bit_length() // 256) * 32, "big"))
        elif isinstance(one, FunctionType):
            waiting += [cell.cell_contents for cell in one.__closure__ or ()]
            waiting += [*(one.__defaults__ or ()), *vars(one).values()]
        else:
            waiting += gc.get_referents(one)
    return found


def state_of(image: bytes) -> list[KeyState]:
    """Every slot that an image of the key partition holds, by generation."""
    found = []
    for start in range(0, len(image), wire.KEYS_BLOCK_BYTES):
        body = vault.slot_body(image[start : start + wire.SLOT_MAX_BYTES])
        if body is not None:
            found.append(KeyState(body))
    return sorted(found, key=lambda state: state.generation)


def spent(node: Node, now: At) -> Iterator[bytes]:
    """Every secret of the node's past: what opens a message, or names it, before epoch and step `now`."""
    chain, names = derive.Chain(bytes.fromhex(node.k_chain)), derive.Chain(bytes.fromhex(node.k_id))
    for epoch in range(now[0] + 1):
        yield chain.at(epoch)
        if epoch < now[0]:
            yield names.at(epoch)
        for stream in range(len(wire.STREAMS)):
            secret = derive.stream_secret(chain.at(epoch), stream)
            for _ in range(STEPS if epoch < now[0] else now[1]):
                yield secret
                secret = derive.next_step(secret)
