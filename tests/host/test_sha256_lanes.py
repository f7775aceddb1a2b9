"""SHA-256, HMAC and HKDF in lanes: published vectors, hashlib, host_tools.derive, and arrays of the wrong shape."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding  # type: ignore[import-untyped]

from host_tools import derive
from host_tools.errors import PlumveilError
from host_tools.keys import sha256_lanes
from host_tools.keys.hmac_lanes import HmacLanes, Message
from host_tools.keys.sha256_lanes import compiled, compress, group, run, start_state, to_bytes, to_words
from plumveil import wire

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "crypto"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data")

# FIPS 180-4 examples (NIST, "SHA256.pdf"), and the empty message.
FIPS_180_4 = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
]
# RFC 4231, cases 1 to 4, 6 and 7: (key, message, HMAC-SHA-256)
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
            b"be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


def sha256(messages: list[bytes], lanes: int, code: sha256_lanes._Code | None = None) -> list[bytes]:
    """Digests of messages of one length, padded as FIPS 180-4 section 5.1.1 says."""
    length = len(messages[0])
    padding = b"\x80" + bytes(-(length + 9) % 64) + struct.pack(">Q", 8 * length)
    rows = np.frombuffer(b"".join(message + padding for message in messages), np.uint8).reshape(len(messages), -1)
    state = start_state(lanes)
    words = to_words(rows, lanes)
    for at in range(0, len(words), 16):
        run(code, state, words[at : at + 16]) if code else compress(state, words[at : at + 16])
    return [bytes(lane) for lane in to_bytes(state)[: len(messages)]]


def keys_in_lanes(keys: list[bytes], lanes: int) -> sha256_lanes.Words:
    """Keys as RFC 2104 takes them: hashed when longer than a block, filled up with zeros."""
    short = [hashlib.sha256(key).digest() if len(key) > 64 else key for key in keys]
    filled = b"".join(key.ljust(32, b"\0") for key in short)
    return to_words(np.frombuffer(filled, np.uint8).reshape(len(keys), 32), lanes)


@pytest.mark.parametrize(("message", "expected"), FIPS_180_4)
def test_digests_are_fips_180_4(message: bytes, expected: str) -> None:
    assert {digest.hex() for digest in sha256([message] * group(), group())} == {expected}


@given(st.data())
def test_each_lane_is_hashlib(data: st.DataObject) -> None:
    """Every lane its own message, one block or several, one turn or several: nothing crosses from lane to lane."""
    length = data.draw(st.sampled_from([0, 1, 55, 56, 64, 119, 120, 200]))
    lanes = group() * data.draw(st.integers(1, 3))
    messages = data.draw(st.lists(st.binary(min_size=length, max_size=length), min_size=1, max_size=lanes))
    assert sha256(messages, lanes) == [hashlib.sha256(message).digest() for message in messages]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 32])
def test_code_of_any_width_is_hashlib(lanes: int) -> None:
    """Other processors get narrower vectors than this one."""
    code = compiled(lanes)
    messages = [struct.pack(">I", number) * 30 for number in range(3 * lanes)]
    assert sha256(messages, 3 * lanes, code) == [hashlib.sha256(message).digest() for message in messages]


def test_code_for_a_lesser_processor_is_hashlib() -> None:
    wide = [name for name, there in binding.get_host_cpu_features().items() if there and name.startswith("avx")]
    code = compiled(8, ",".join(f"-{name}" for name in wide))
    messages = [struct.pack(">I", number) for number in range(8)]
    assert sha256(messages, 8, code) == [hashlib.sha256(message).digest() for message in messages]


def test_code_that_computes_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine whose processor says it can what it cannot."""
    monkeypatch.setattr(sha256_lanes, "K", [*sha256_lanes.K[:63], sha256_lanes.K[63] ^ 1])
    sha256_lanes._code.cache_clear()
    try:
        with pytest.raises(PlumveilError, match="wrong results"):
            group()
    finally:
        sha256_lanes._code.cache_clear()


def test_arrays_that_the_code_would_run_past_are_refused() -> None:
    lanes = group()
    state, block = start_state(lanes), np.zeros((16, lanes), np.uint32)
    wrong_blocks: list[Any] = [
        block[:15],
        np.zeros((16, lanes - 1), np.uint32),
        np.zeros((16, 2 * lanes), np.uint32),
        block.astype(np.uint64),
        np.zeros((lanes, 16), np.uint32).T,
        np.zeros((16, 2 * lanes), np.uint32)[:, ::2],
        block.reshape(-1),
    ]
    for wrong in wrong_blocks:
        with pytest.raises(ValueError, match="lanes need"):
            compress(state, wrong)
    fixed: Any = start_state(lanes)
    fixed.flags.writeable = False
    for wrong in (start_state(lanes + 1), fixed):
        with pytest.raises(ValueError, match="multiple of"):
            compress(wrong, np.zeros((16, wrong.shape[1]), np.uint32))
    wrong_states: list[Any] = [state[:7], state.astype(np.int64), state[0]]
    for wrong in wrong_states:
        with pytest.raises(ValueError, match="lanes need"):
            compress(wrong, block)
    assert (state == start_state(lanes)).all()


def test_hmac_is_rfc_4231() -> None:
    """All six keys beside each other, under each of the messages."""
    lanes = group()
    hmac_lanes = HmacLanes(lanes)
    hmac_lanes.key(keys_in_lanes([key for key, _, _ in RFC_4231], lanes))
    for lane, (_, message, expected) in enumerate(RFC_4231):
        assert bytes(to_bytes(hmac_lanes.digest(Message(message, lanes)))[lane]).hex() == expected


@needs_shared
def test_hmac_is_as_published_elsewhere() -> None:
    lanes, seen = group(), 0
    hmac_lanes = HmacLanes(lanes)
    for test_group in json.loads((SHARED / "hmac_sha256_test.json").read_text("utf-8"))["testGroups"]:
        for case in test_group["tests"]:
            hmac_lanes.key(keys_in_lanes([bytes.fromhex(case["key"])] * lanes, lanes))
            made = bytes(to_bytes(hmac_lanes.digest(Message(bytes.fromhex(case["msg"]), lanes)))[lanes - 1])
            same = made[: test_group["tagSize"] // 8].hex() == case["tag"]
            assert same == (case["result"] == "valid"), case["tcId"]
            seen += 1
    assert seen > 150


@needs_shared
def test_chain_is_hkdf_as_published_elsewhere() -> None:
    """The first 32 bytes do not depend on how many are asked for (RFC 5869 section 2.3)."""
    lanes, seen = group(), 0
    hmac_lanes = HmacLanes(lanes)
    for test_group in json.loads((SHARED / "hkdf_sha256_test.json").read_text("utf-8"))["testGroups"]:
        for case in test_group["tests"]:
            if test_group["keySize"] == 256 and not case["salt"] and case["size"] <= 8160:
                secrets = keys_in_lanes([bytes.fromhex(case["ikm"])] * lanes, lanes)
                made = to_bytes(hmac_lanes.chain(secrets, Message(bytes.fromhex(case["info"]) + b"\x01", lanes)))
                assert bytes(made[0]).hex()[: 2 * case["size"]] == case["okm"][:64], case["tcId"]
                seen += 1
    assert seen >= 6


# The longest tenant's label runs over several blocks.
@pytest.mark.parametrize("tenant", ["t", "acme", "x" * 46, "x" * 47, "\U0001d11e" * 64])
def test_names_are_those_of_derive(tenant: str) -> None:
    lanes = 2 * group()
    secrets = [hashlib.sha256(bytes([number])).digest() for number in range(lanes)]
    hmac_lanes = HmacLanes(lanes)
    words, step = keys_in_lanes(secrets, lanes), Message(derive.label(wire.L_NEXT) + b"\x01", lanes)
    ids = [Message(derive.label(wire.L_ID, tenant, stream), lanes) for stream in range(len(wire.STREAMS))]
    for _ in range(3):
        hmac_lanes.key(words)
        for stream, message in enumerate(ids):
            made = [bytes(digest)[: wire.PSEUDONYM_BYTES] for digest in to_bytes(hmac_lanes.digest(message))]
            assert made == [derive.pseudonym(secret, tenant, stream) for secret in secrets]
        words = hmac_lanes.chain(words, step).copy()
        secrets = [derive.next_secret(secret) for secret in secrets]
        assert [bytes(secret) for secret in to_bytes(words)] == secrets


def test_a_digest_leaves_key_and_message_as_they_are() -> None:
    lanes = group()
    hmac_lanes, message = HmacLanes(lanes), Message(b"m" * 100, lanes)
    words = keys_in_lanes([bytes([number]) * 32 for number in range(lanes)], lanes)
    before = words.copy()
    hmac_lanes.key(words)
    first = to_bytes(hmac_lanes.digest(message))
    assert (to_bytes(hmac_lanes.digest(message)) == first).all()
    hmac_lanes.chain(words, message)
    assert (words == before).all()
    hmac_lanes.key(words)
    assert (to_bytes(hmac_lanes.digest(message)) == first).all()
    assert bytes(first[1]) == hmac.digest(bytes([1]) * 32, b"m" * 100, "sha256")
