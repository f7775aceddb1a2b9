"""Another implementation of COSE, pycose, opens what a node seals in all four streams, and seals what the host and
the node's own code open. A message with any bit flipped or any end cut off is refused before a plaintext exists.

pycose's: reading and writing the protected header, the nonce of its key's base IV and the partial IV, Enc_structure,
AES-CCM by algorithm 31. Not pycose's: the outer tag and array, read here (its own reader does not take what cbor2 6
makes of a tagged array), and the keys, from host_tools.derive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cbor2
import nodefiles  # type: ignore[import-not-found]
import pytest
from cryptography.exceptions import InvalidTag
from pycose import headers
from pycose.algorithms import AESCCM16128256
from pycose.keys.symmetric import SymmetricKey
from pycose.messages.enc0message import Enc0Message

from host_tools import derive, keyring, strict_cbor, validate
from host_tools.envelope import Envelope, parse
from host_tools.keyring import KeyRing
from host_tools.registry import Node, Policy
from host_tools.validate import Validator
from plumveil import cose, wire
from plumveil.crypto import AesCcm
from plumveil.errors import Malformed
from tests.host import messages
from tests.host.consents import consent_record

STREAMS = messages.STREAMS
NODE_POLICY = nodefiles.policy_map()
CONSENT = nodefiles.consent()
NODE = Node(
    name="van",
    tenant="acme",
    epoch0_day=nodefiles.EPOCH0_DAY,
    k_id=nodefiles.K_ID.hex(),
    k_chain=nodefiles.K_CHAIN.hex(),
    k_config=nodefiles.K_CONFIG.hex(),
    k_consent=nodefiles.K_CONSENT.hex(),
    policies=(Policy(version=1, fields=NODE_POLICY[wire.P_FIELDS], location_ceiling=3, health_mask=True),),
    consents=(consent_record().model_copy(update={"receipted": True}),),
)
EPOCH = nodefiles.NOON_S // wire.EPOCH_S - nodefiles.EPOCH0_DAY
NOW_S = nodefiles.NOON_S + wire.EPOCH_S


class Receiver:
    """A position in the node's hands."""

    def fix(self) -> tuple[int, int]:
        return 49026566, 12065272

    def take_bad(self) -> int:
        return 0


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A message of each stream, out of the node's real stages."""
    monkeypatch.setattr(wire, "FILE_CELL", str(tmp_path / "cell.bin"))
    pipeline, store, _ = nodefiles.pipeline(CONSENT)
    for n in range(12):
        warm = 8100 if n == 5 else 4800 + 30 * n
        pipeline.take(nodefiles.NOON_S + 300 * n, {wire.F_TEMPERATURE: warm, wire.F_HUMIDITY: 45_000})
    pipeline.take_position(nodefiles.NOON_S, True, Receiver())
    pipeline.take_health(nodefiles.NOON_S, {wire.F_UPTIME: 7200})
    pipeline.close()
    return [store.of(stream)[-1] for stream in STREAMS]


def material(node: Node, epoch: int, stream: int, step: int, salt: bytes) -> tuple[bytes, bytes]:
    """Seal key and common IV, as docs/wire-format.md has them."""
    secret = derive.stream_secret(derive.Chain(bytes.fromhex(node.k_chain)).at(epoch), stream)
    for _ in range(step):
        secret = derive.next_step(secret)
    if stream == wire.LOCATION:
        secret += derive.consent_key(bytes.fromhex(node.consents[0].secret), epoch)
    return derive.seal_material(secret, salt)


def cose_key(key: bytes, common_iv: bytes) -> SymmetricKey:
    made = SymmetricKey(key)
    made.base_iv = common_iv
    return made


def received(message: bytes) -> Enc0Message:
    """The message as pycose has it, not opened yet."""
    assert message[0] == 0xC0 | Enc0Message.cbor_tag
    return Enc0Message.from_cose_obj(cbor2.loads(message[1:]), True)


def other_opens(message: bytes, stream: int, external: bytes | None = None) -> bytes:
    """The plaintext by pycose: all it goes by is in the message, the keys and the external data."""
    one: Any = received(message)
    _, step, policy_version, salt = one.phdr[wire.HDR_PLUMVEIL]
    kid = one.get_attr(headers.KID)
    one.key = cose_key(*material(NODE, EPOCH, stream, step, salt))
    one.external_aad = external or derive.external_aad(NODE.tenant, stream, kid, policy_version)
    return bytes(one.decrypt())


def other_seals(stream: int, counter: int, plain: bytes) -> bytes:
    """A message of tests.host.messages' node, made by pycose from values alone."""
    own = messages.sender(stream)
    label = own.protected(messages.STEP, 1, counter)
    one = Enc0Message(
        phdr={
            headers.Algorithm: AESCCM16128256,
            headers.KID: own.kid,
            headers.PartialIV: label[wire.COSE_HDR_PARTIAL_IV],
            wire.HDR_PLUMVEIL: label[wire.HDR_PLUMVEIL],
        },
        payload=plain,
        external_aad=derive.external_aad(messages.TENANT, stream, own.kid, 1),
        key=cose_key(*material(messages.NODE, messages.EPOCH, stream, messages.STEP, messages.SALT)),
    )
    return bytes(one.encode())


@pytest.mark.parametrize("stream", STREAMS, ids=[wire.STREAMS[stream] for stream in STREAMS])
def test_what_the_node_seals_the_other_opens(sealed: list[bytes], stream: int) -> None:
    message = sealed[stream]
    plain = other_opens(message, stream)
    envelope = parse(message)
    keys = KeyRing([NODE], NOW_S).find(envelope.kid)
    assert keys is not None
    assert keys.stream == stream
    assert plain == keys.open(envelope)
    assert nodefiles.NOON_S <= cbor2.loads(plain)[wire.K_TIME] < nodefiles.NOON_S + 3600
    assert Validator(KeyRing([NODE], NOW_S), NOW_S).check(message).valid
    read = received(message)
    assert read.get_attr(headers.Algorithm) is AESCCM16128256
    assert read.uhdr == {}
    with pytest.raises(InvalidTag):
        other_opens(message, stream, derive.external_aad("others", stream, envelope.kid, 1))
    with pytest.raises(InvalidTag):
        other_opens(message, stream, derive.external_aad(NODE.tenant, (stream + 1) % 4, envelope.kid, 1))


def node_opens(message: bytes, stream: int, external: bytes) -> bytes:
    """The plaintext by the node's own crypto and its Enc_structure."""
    envelope = parse(message)
    key, common_iv = material(messages.NODE, messages.EPOCH, stream, envelope.step, envelope.boot_salt)
    protected = received(message).phdr_encoded
    nonce = (int.from_bytes(common_iv, "big") ^ envelope.partial_iv).to_bytes(wire.NONCE_BYTES, "big")
    return bytes(AesCcm(key).decrypt(nonce, cose.enc_structure(protected, external), envelope.ciphertext))


@pytest.mark.parametrize("counter", [0, 255, 65_536])
@pytest.mark.parametrize("stream", STREAMS, ids=[wire.STREAMS[stream] for stream in STREAMS])
def test_what_the_other_seals_host_and_node_open(stream: int, counter: int) -> None:
    plain = messages.encoder.plaintext(messages.BODIES[stream])
    message = other_seals(stream, counter, plain)
    assert messages.verdict(message).valid
    ring = KeyRing([messages.NODE], messages.NOW_S)
    envelope = parse(message)
    keys = ring.find(envelope.kid)
    assert keys is not None
    assert keys.open(envelope) == plain
    external = derive.external_aad(messages.TENANT, stream, envelope.kid, 1)
    assert node_opens(message, stream, external) == plain
    with pytest.raises(Malformed):
        node_opens(message, stream, external + b"\x00")
    # Deterministic on both sides: the very bytes of our encoder.
    assert message == messages.sealed(stream, counter=counter)


class Watched:
    """Notes every plaintext that came to be, every look into a content, and every bytes that a CBOR reader got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plaintexts: list[bytes] = []
        self.contents: list[Any] = []
        self.read: list[bytes] = []
        self.tried = 0
        decrypted, read, loads = keyring._decrypted, validate._read, strict_cbor.loads

        def watched_decrypted(seal: Any, envelope: Envelope) -> bytes | None:
            self.tried += 1
            plain = decrypted(seal, envelope)
            if plain is not None:
                self.plaintexts.append(plain)
            return plain

        def watched_read(plaintext: bytes, *rest: Any) -> Any:
            self.contents.append(plaintext)
            return read(plaintext, *rest)

        def watched_loads(data: bytes, *rest: Any) -> Any:
            self.read.append(data)
            return loads(data, *rest)

        monkeypatch.setattr(keyring, "_decrypted", watched_decrypted)
        monkeypatch.setattr(validate, "_read", watched_read)
        monkeypatch.setattr(strict_cbor, "loads", watched_loads)


def damaged(message: bytes) -> list[bytes]:
    """Every message one bit away, and every beginning of it."""
    flipped = []
    for bit in range(8 * len(message)):
        copy = bytearray(message)
        copy[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(copy))
    return flipped + [message[:size] for size in range(len(message))]


@pytest.mark.parametrize("stream", STREAMS, ids=[wire.STREAMS[stream] for stream in STREAMS])
def test_no_damage_gets_as_far_as_a_plaintext(
    sealed: list[bytes], monkeypatch: pytest.MonkeyPatch, stream: int
) -> None:
    seen = Watched(monkeypatch)
    validator = Validator(KeyRing([NODE], NOW_S), NOW_S)
    for wrong in damaged(sealed[stream]):
        seen.read.clear()
        verdict = validator.check(wrong)
        assert len(verdict.findings) == 1
        assert verdict.content is None
        # What was read as CBOR stood in the message itself: it came out of no decryption.
        assert all(piece in wrong for piece in seen.read)
    assert seen.plaintexts == seen.contents == []
    # The seal was truly tried on what looked whole: all bits of ciphertext and tag, and some of the header.
    assert seen.tried >= 8 * len(parse(sealed[stream]).ciphertext)
    assert validator.check(sealed[stream]).valid
    assert len(seen.plaintexts) == len(seen.contents) == 1
