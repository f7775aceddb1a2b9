"""The firmware's codec against other people's: cbor2 and cryptography must agree with it on every byte, both ways."""

import importlib
import itertools
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from plumveil import cbor, cose, crypto, errors, wire

VECTORS = Path(__file__).parents[1] / "vectors"

integers = st.one_of(st.integers(-(2**64), 2**64 - 1), st.integers(-300, 70000))
leaves = st.one_of(integers, st.binary(max_size=300), st.text(max_size=80), st.booleans(), st.none())
keys = st.one_of(integers, st.text(max_size=30))
level1 = st.one_of(leaves, st.lists(leaves, max_size=30), st.dictionaries(keys, leaves, max_size=30))
level2 = st.one_of(level1, st.lists(level1, max_size=5), st.dictionaries(keys, level1, max_size=5))
items = st.one_of(level2, st.lists(level2, max_size=4), st.dictionaries(keys, level2, max_size=4))


def ordered(item: Any) -> Any:
    """The item with its maps in RFC 8949's order, bytewise by encoded key (cbor2's canonical order is RFC 7049's)."""
    if isinstance(item, list):
        return [ordered(one) for one in item]
    if isinstance(item, dict):
        return {key: ordered(item[key]) for key in sorted(item, key=cbor2.dumps)}
    return item


def accepted(data: bytes) -> Any:
    """What the firmware's decoder makes of bytes, as a list of one; empty when it refuses."""
    try:
        return [cbor.loads(data)]
    except errors.Malformed:
        return []


def plain(item: Any) -> Any:
    """The firmware's tag as cbor2's."""
    return cbor2.CBORTag(item.tag, plain(item.value)) if isinstance(item, cbor.Tagged) else item


@given(items)
def test_cbor_is_what_cbor2_writes_in_order(item: Any) -> None:
    data = cbor.dumps(item)
    assert data == cbor2.dumps(ordered(item))
    assert cbor.dumps(cbor.loads(data)) == data
    assert cbor2.dumps(ordered(cbor2.loads(data))) == data


@given(items, st.binary(min_size=1, max_size=9))
def test_cbor_refuses_every_cut_and_tail(item: Any, tail: bytes) -> None:
    data = cbor.dumps(item)
    for cut in range(min(len(data), 200)):
        assert not accepted(data[:cut])
    assert not accepted(data + tail)


def judged(data: bytes) -> bool:
    """Whatever is accepted has no second encoding, and cbor2 reads the same from it."""
    for item in accepted(data):
        assert cbor.dumps(item) == data
        assert cbor2.dumps(ordered(cbor2.loads(data))) == cbor2.dumps(plain(item))
        return True
    return False


@given(items, st.data())
def test_cbor_flipped_bits_give_no_second_encoding(item: Any, data: st.DataObject) -> None:
    encoded = bytearray(cbor.dumps(item))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(encoded) - 1), min_size=1, max_size=4)):
        encoded[bit >> 3] ^= 1 << (bit & 7)
    judged(bytes(encoded))


@given(st.binary(max_size=120))
def test_cbor_any_bytes(data: bytes) -> None:
    judged(data)


def test_cbor_all_inputs_of_up_to_two_bytes() -> None:
    found = sum(judged(bytes(data)) for n in range(3) for data in itertools.product(range(256), repeat=n))
    # 24 integers of each sign, empty string, bytes, array, map, and false, true, null
    in_one = 2 * 24 + 4 + 3
    # 232 integers of each sign, strings of a byte or a letter, an array of one such item, the tag on an empty array
    in_two = 2 * 232 + 256 + 128 + in_one + 1
    assert found == in_one + in_two


def sealed_cases() -> st.SearchStrategy[tuple[bytes, bytes, bytes, bytes, int]]:
    key = st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
    nonce = st.binary(min_size=7, max_size=13)
    return st.tuples(key, nonce, st.binary(max_size=300), st.binary(max_size=600), st.sampled_from(range(4, 17, 2)))


@given(sealed_cases())
def test_ccm_is_what_cryptography_makes(case: tuple[bytes, bytes, bytes, bytes, int]) -> None:
    key, nonce, aad, text, tag_bytes = case
    sealed = crypto.AesCcm(key).encrypt(nonce, aad, text, tag_bytes)
    assert sealed == AESCCM(key, tag_bytes).encrypt(nonce, text, aad)
    assert crypto.AesCcm(key).decrypt(nonce, aad, sealed, tag_bytes) == text


@given(sealed_cases(), st.integers(0, 2**31))
def test_ccm_refuses_a_flipped_bit(case: tuple[bytes, bytes, bytes, bytes, int], at: int) -> None:
    key, nonce, aad, text, _ = case
    ccm = crypto.AesCcm(key)
    sealed = bytearray(ccm.encrypt(nonce, aad, text))
    at %= 8 * len(sealed)
    sealed[at >> 3] ^= 1 << (at & 7)
    with pytest.raises(errors.Malformed):
        ccm.decrypt(nonce, aad, bytes(sealed))


@pytest.mark.parametrize(("n", "aad_bytes"), [(4080, 0), (4079, 1), (1024, 65279), (0, 65279), (0, 0)])
def test_ccm_at_its_limits(n: int, aad_bytes: int) -> None:
    key, nonce = bytes(range(32)), bytes(range(13))
    text, aad = bytes(i & 0xFF for i in range(n)), bytes(aad_bytes)
    assert crypto.AesCcm(key).encrypt(nonce, aad, text) == AESCCM(key).encrypt(nonce, text, aad)


@given(
    st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)),
    st.binary(min_size=16, max_size=16),
)
def test_plain_python_aes_is_aes(key: bytes, text: bytes) -> None:
    aes = importlib.import_module("_aes")
    block = bytearray(text)
    aes.encrypt_block(aes.expand(key), block)
    assert block == Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(text)
    aes.decrypt_block(aes.expand(key), block)
    assert block == text


BACKENDS = ("_run_plain", "_run_cryptography")


@given(
    st.binary(min_size=32, max_size=32),
    st.lists(st.binary(min_size=16, max_size=16), max_size=4),
    st.one_of(st.none(), st.binary(min_size=16, max_size=16)),
    st.sampled_from((1, -1)),
)
def test_back_ends_of_the_stand_in_agree(key: bytes, blocks: list[bytes], iv: bytes | None, way: int) -> None:
    cryptolib = importlib.import_module("cryptolib")
    source, results = b"".join(blocks), []
    for name in BACKENDS:
        target = bytearray(source)
        getattr(cryptolib, name)(key, way * (2 if iv else 1), iv, target, target)
        results.append(target)
    assert results[0] == results[1]


def opened(key: bytes, common_iv: bytes, external_aad: bytes, message: bytes) -> tuple[dict[int, Any], bytes]:
    """(protected header, plaintext) of a COSE_Encrypt0, by cbor2 and AESCCM alone (RFC 9052 sections 5.2, 5.3)."""
    tagged = cbor2.loads(message)
    protected, unprotected, sealed = tagged.value
    if tagged.tag != 16 or unprotected != {}:
        raise ValueError("not ours")
    header = cbor2.loads(protected)
    nonce = bytes(a ^ b for a, b in zip(common_iv, header[6].rjust(13, b"\0"), strict=True))
    aad = cbor2.dumps(["Encrypt0", protected, external_aad])
    return header, AESCCM(key, tag_length=16).decrypt(nonce, sealed, aad)


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=13, max_size=13),
    st.one_of(st.integers(0, 2**40 - 1), st.integers(0, 70000)),
    st.binary(max_size=16),
    st.lists(st.one_of(st.integers(0, 2**31), st.binary(max_size=16)), max_size=4),
    st.binary(max_size=40),
    st.binary(max_size=300),
)
def test_cose_opens_elsewhere(
    key: bytes, iv: bytes, partial: int, kid: bytes, own: list[Any], aad: bytes, text: bytes
) -> None:
    message = cose.encrypt0(crypto.AesCcm(key), iv, partial, kid, own, aad, text)
    header, plaintext = opened(key, iv, aad, message)
    assert plaintext == text
    assert list(header) == [1, 4, 6, wire.HDR_PLUMVEIL]
    assert header == {1: 31, 4: kid, 6: partial.to_bytes(max(1, (partial.bit_length() + 7) // 8), "big"), -65537: own}
    with pytest.raises(InvalidTag):
        opened(key, iv, aad + b"\0", message)


def fixed() -> tuple[dict[str, Any], bytes, bytes, crypto.AesCcm]:
    vectors = json.loads((VECTORS / "cose.json").read_text())
    key, iv = bytes.fromhex(vectors["key"]), bytes.fromhex(vectors["common_iv"])
    return vectors, key, iv, crypto.AesCcm(key)


def test_cose_fixed_vectors_are_made_again() -> None:
    vectors, key, iv, _ = fixed()
    kid, salt = bytes.fromhex(vectors["kid"]), bytes.fromhex(vectors["boot_salt"])
    for case in vectors["cases"]:
        aad, text = bytes.fromhex(case["external_aad"]), bytes.fromhex(case["plaintext"])
        number = case["partial_iv"]
        short = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
        own = [1, case["step"], vectors["policy_version"], salt]
        protected = cbor2.dumps({1: 31, 4: kid, 6: short, -65537: own})
        nonce = bytes(a ^ b for a, b in zip(iv, short.rjust(13, b"\0"), strict=True))
        assert nonce.hex() == case["nonce"]
        sealed = AESCCM(key).encrypt(nonce, text, cbor2.dumps(["Encrypt0", protected, aad]))
        assert cbor2.dumps(cbor2.CBORTag(16, [protected, {}, sealed])).hex() == case["message"]


def refused(ccm: crypto.AesCcm, key: bytes, iv: bytes, aad: bytes, message: bytes) -> bool:
    """Neither the firmware's own parts nor cbor2 and AESCCM give anything for a message."""
    try:
        opened(key, iv, aad, message)
    except (InvalidTag, ValueError, TypeError, AttributeError, LookupError, cbor2.CBORDecodeError):
        pass
    else:
        return False
    try:
        protected, unprotected, sealed = cbor.loads(message).value
        number = int.from_bytes(cbor.loads(protected)[6], "big") ^ int.from_bytes(iv, "big")
        nonce = number.to_bytes(13, "big")
        ccm.decrypt(nonce, cose.enc_structure(protected, aad), sealed)
    except (errors.Malformed, ValueError, TypeError, AttributeError, LookupError, OverflowError):
        return True
    return unprotected != {}


def test_cose_every_cut_and_every_flipped_bit_is_refused() -> None:
    vectors, key, iv, ccm = fixed()
    case = vectors["cases"][1]
    message, aad = bytes.fromhex(case["message"]), bytes.fromhex(case["external_aad"])
    assert opened(key, iv, aad, message)[1].hex() == case["plaintext"]
    assert not refused(ccm, key, iv, aad, message)
    for cut in range(len(message)):
        assert refused(ccm, key, iv, aad, message[:cut]), cut
    for bit in range(8 * len(message)):
        bad = bytearray(message)
        bad[bit >> 3] ^= 1 << (bit & 7)
        assert refused(ccm, key, iv, aad, bytes(bad)), bit


def test_cbor_working_group_vectors_as_cbor2_judges_them() -> None:
    """The rule once more, by values: in the subset, and cbor2 writes the same bytes from what it read."""

    def inside(item: Any, depth: int) -> bool:
        if type(item) is int:
            return -(2**64) <= item < 2**64
        if type(item) is list:
            return depth > 0 and all(inside(one, depth - 1) for one in item)
        if type(item) is dict:
            named = all(type(key) in (int, str) for key in item)
            return named and depth > 0 and all(inside(one, depth - 1) for one in item.values())
        return item is None or type(item) in (bytes, str, bool)

    path = Path(__file__).parents[3] / "shared" / "data" / "cbor" / "cbor_wg_vectors.json"
    if not path.exists():
        pytest.skip("no shared data")
    found = {True: 0, False: 0}
    for vector in json.loads(path.read_text()):
        data = bytes.fromhex(vector["hex"])
        try:
            item = cbor2.loads(data)
            good = inside(item, wire.CBOR_DEPTH_MAX) and cbor2.dumps(ordered(item)) == data
        except (cbor2.CBORDecodeError, TypeError):
            good = False
        assert bool(accepted(data)) == (good and not vector["fail"]), vector["hex"]
        found[bool(accepted(data))] += 1
    assert found == {True: 298, False: 1083}
