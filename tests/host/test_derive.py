"""The host's key hierarchy: published vectors, the committed ones, and what must differ, differs."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools import derive
from plumveil import wire

CORE = json.loads((Path(__file__).parents[1] / "vectors" / "core.json").read_text("utf-8"))
K_ID, K_CHAIN, SALT = bytes(range(32)), bytes(range(32, 64)), bytes(range(200, 216))
CONSENT_SECRET = bytes(range(100, 132))
START_S = 20602 * 86400 + 43200

# RFC 5869 appendix A, cases 1 to 3: (secret, salt, info, length, output key material)
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    (
        "0b" * 22,
        "",
        "",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "length", "expected"), RFC_5869)
def test_hkdf_is_rfc_5869(secret: str, salt: str, info: str, length: int, expected: str) -> None:
    made = derive.hkdf(bytes.fromhex(secret), bytes.fromhex(info), bytes.fromhex(salt), length)
    assert made.hex() == expected


def test_labels_are_arrays() -> None:
    """["a", 1] and ["a1"] must not meet, as joined strings would."""
    assert derive.label("stream", 1) == bytes.fromhex("826673747265616d01")
    assert len({derive.label("a", 1), derive.label("a1"), derive.label("a", "1")}) == 3


def step_secret(epoch: int, stream: int, step: int) -> bytes:
    secret = derive.stream_secret(derive.Chain(K_CHAIN).at(epoch), stream)
    for _ in range(step):
        secret = derive.next_step(secret)
    return secret


@pytest.mark.parametrize("case", CORE["keys"], ids=lambda case: f"{case['epoch']}-{case['stream']}-{case['step']}")
def test_committed_vectors(case: dict[str, Any]) -> None:
    epoch, stream, step = case["epoch"], case["stream"], case["step"]
    names = derive.Chain(K_ID).at(epoch)
    assert derive.pseudonym(names, "acme", stream).hex() == case["pseudonym"]
    assert derive.session_id(names, "acme") == case["session"]
    assert derive.host_name(names, "acme") == case["host"]
    assert derive.consent_key(CONSENT_SECRET, epoch).hex() == case["consent_key"]
    assert derive.consent_reference(names, "acme", 7).hex() == case["consent_reference"]
    assert [[*pair] for pair in derive.health_mask(names, "acme", START_S).items()] == case["health_mask"]
    assert derive.drops_mask(names, "acme", START_S) == case["drops_mask"]
    assert derive.receipt_mask(names, "acme", SALT, 45).hex() == case["receipt_mask"]
    key, common_iv = derive.seal_material(step_secret(epoch, stream, step), SALT)
    assert (key.hex(), common_iv.hex()) == (case["key"], case["common_iv"])


def test_the_hierarchy_spelled_out_with_the_standard_library() -> None:
    """docs/wire-format.md followed to the letter with hmac and hashlib alone."""

    def hkdf(secret: bytes, info: list[str | int], salt: bytes = bytes(32), length: int = 32) -> bytes:
        prk = hmac.digest(salt, secret, hashlib.sha256)
        out, block = b"", b""
        for n in itertools.count(1):
            block = hmac.digest(prk, block + cbor2.dumps(info) + bytes((n,)), hashlib.sha256)
            out += block
            if len(out) >= length:
                return out[:length]
        raise AssertionError

    chain = hkdf(hkdf(K_CHAIN, ["next"]), ["next"])
    assert derive.Chain(K_CHAIN).at(2) == chain
    secret = hkdf(hkdf(hkdf(chain, ["stream", 3]), ["step"]), ["step"])
    assert step_secret(2, 3, 2) == secret
    material = hkdf(secret, ["seal", 31], SALT, 45)
    assert derive.seal_material(secret, SALT) == (material[:32], material[32:])
    joined = hkdf(CONSENT_SECRET, ["consent", 2])
    assert derive.consent_key(CONSENT_SECRET, 2) == joined
    material = hkdf(secret + joined, ["seal", 31], SALT, 45)
    assert derive.seal_material(secret + joined, SALT) == (material[:32], material[32:])
    names = hkdf(hkdf(K_ID, ["next"]), ["next"])
    assert derive.pseudonym(names, "acme", 3) == hmac.digest(names, cbor2.dumps(["id", "acme", 3]), "sha256")[:8]
    assert (
        derive.session_id(names, "acme") == hmac.digest(names, cbor2.dumps(["session", "acme"]), "sha256")[:8].hex()
    )
    assert derive.host_name(names, "acme") == hmac.digest(names, cbor2.dumps(["host", "acme"]), "sha256")[:6].hex()
    reference = hmac.digest(names, cbor2.dumps(["consent", "acme", 7]), "sha256")[:8]
    assert derive.consent_reference(names, "acme", 7) == reference


def test_the_health_mask_spelled_out() -> None:
    """Four bytes a field, in the order of the format's table, whichever fields a report has."""
    mask = hmac.digest(K_ID, cbor2.dumps(["health", "acme", START_S]), "sha256")
    fields = [row[0] for row in wire.FIELDS if row[2] == wire.DEVICE]
    assert 4 * len(fields) <= len(mask)
    offsets = derive.health_mask(K_ID, "acme", START_S)
    assert offsets == {field: int.from_bytes(mask[4 * n :][:4], "big") for n, field in enumerate(fields)}


def test_the_drops_mask_spelled_out() -> None:
    """Two bytes a count, in the order of the rules whose counts are sent."""
    mask = hmac.digest(K_ID, cbor2.dumps(["drops", "acme", START_S]), "sha256")
    assert 2 * len(wire.RULES_SENT) <= len(mask)
    offsets = derive.drops_mask(K_ID, "acme", START_S)
    assert offsets == [int.from_bytes(mask[2 * n :][:2], "big") for n in range(len(wire.RULES_SENT))]


def test_consents_and_masks_differ_by_epoch_serial_time_and_tenant() -> None:
    names = [derive.Chain(K_ID).at(epoch) for epoch in range(5)]
    references = {derive.consent_reference(n, t, s) for n in names for t in ("acme", "acm") for s in (1, 2, 23, 24)}
    masks = {tuple(derive.health_mask(n, t, s).values()) for n in names for t in ("acme", "acm") for s in (0, 300)}
    drops = {tuple(derive.drops_mask(n, t, s)) for n in names for t in ("acme", "acm") for s in (0, 300)}
    keys = {derive.consent_key(secret, epoch) for secret in (CONSENT_SECRET, K_ID) for epoch in range(5)}
    hosts = {derive.host_name(n, t) for n in names for t in ("acme", "acm")}
    assert (len(references), len(masks), len(drops), len(keys), len(hosts)) == (40, 20, 20, 10, 10)
    assert {len(host) for host in hosts} == {12}
    assert {len(reference) for reference in references} == {wire.CONSENT_REF_BYTES}


def test_everything_differs_by_epoch_stream_step_salt_and_tenant() -> None:
    places = list(itertools.product(range(3), range(4), range(3), (SALT, bytes(16))))
    material = {derive.seal_material(step_secret(*place), salt) for *place, salt in places}
    assert len({key for key, _ in material}) == len({iv for _, iv in material}) == len(places)
    names = derive.Chain(K_ID)
    kids = {derive.pseudonym(names.at(e), t, s) for e in range(5) for t in ("acme", "acm") for s in range(4)}
    sessions = {derive.session_id(names.at(e), t) for e in range(5) for t in ("acme", "acm")}
    assert len(kids) == 40
    assert len(sessions) == 10
    assert not {kid.hex() for kid in kids} & sessions
    assert {len(kid) for kid in kids} == {wire.PSEUDONYM_BYTES}


def test_a_chain_goes_back_as_well_as_forth() -> None:
    chain = derive.Chain(K_CHAIN)
    far = chain.at(40)
    assert chain.at(0) == K_CHAIN
    assert chain.at(1) == derive.next_secret(K_CHAIN)
    assert chain.at(40) == far == derive.Chain(K_CHAIN).at(40)


@pytest.mark.parametrize("partial_iv", [b"\x00", b"\x01", b"\x01\x00", b"\xff\xff\xff\xff\xff"])
def test_nonce_is_the_common_iv_xor_the_padded_partial_iv(partial_iv: bytes) -> None:
    common_iv = bytes(range(100, 113))
    padded = partial_iv.rjust(13, b"\x00")
    assert derive.nonce(common_iv, partial_iv) == bytes(a ^ b for a, b in zip(common_iv, padded, strict=True))
    assert derive.nonce(bytes(13), partial_iv) == padded


def test_additional_data_byte_for_byte() -> None:
    external = derive.external_aad("acme", 2, bytes(8), 256)
    assert external.hex() == "850164" + b"acme".hex() + "0248" + "00" * 8 + "190100"
    structure = derive.enc_structure(b"\xa0", external)
    assert structure.hex() == "8368" + b"Encrypt0".hex() + "41a0" + f"54{external.hex()}"
