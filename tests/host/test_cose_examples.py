"""Every AES-CCM Encrypt0, HMAC and MAC0 example of the COSE working group, opened or verified by the host's means:
cbor2, cryptography and the Enc_structure that host_tools.derive makes. What an example marks as failing is refused.

tests/firmware/test_cose_examples.py does the same with the node's code.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cose"
FOLDERS = {"aes-ccm-examples": 4, "hmac-examples": 10, "mac0-tests": 10}
FILES = sorted(path for folder in FOLDERS for path in (EXAMPLES / folder).glob("*.json"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]


def load(path: Path) -> tuple[dict[str, Any], bytes]:
    example = json.loads(path.read_text(encoding="utf-8"))
    return example, bytes.fromhex(example["output"]["cbor"])


PASSING = [path for path in FILES if not load(path)[0].get("fail")]
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no shared data")

ENCRYPT0, MAC0, MAC = 16, 17, 97
CONTEXTS = {MAC0: "MAC0", MAC: "MAC"}
# RFC 9053 section 4.2: algorithm -> (key bytes, nonce bytes, tag bytes); section 3.1: -> (hash, tag bytes).
CCM = {10: (16, 13, 8), 30: (16, 13, 16), 12: (16, 7, 8), 32: (16, 7, 16)}
HMACS = {4: ("sha256", 8), 5: ("sha256", 32), 6: ("sha384", 48), 7: ("sha512", 64)}


class NotOpened(Exception):
    """The message is not what it claims to be."""


def untagged(message: bytes, tag: int, tag_left_out: bool) -> list[Any]:
    """The array inside the one tag that is expected (RFC 9052 section 2)."""
    item = cbor2.loads(message)
    if tag_left_out:
        return list(item)
    if not isinstance(item, cbor2.CBORTag) or item.tag != tag:
        raise NotOpened("tag")
    return list(item.value)


def headers(protected: bytes, unprotected: dict[int, Any]) -> dict[Any, Any]:
    return {**(cbor2.loads(protected) if protected else {}), **unprotected}


def open_encrypt0(message: bytes, key: bytes) -> bytes:
    """The plaintext of a COSE_Encrypt0 (RFC 9052 section 5.2) without external data."""
    protected, unprotected, ciphertext = untagged(message, ENCRYPT0, False)
    found = headers(protected, unprotected)
    key_bytes, nonce_bytes, tag_bytes = CCM[found[1]]
    assert (len(key), len(found[5])) == (key_bytes, nonce_bytes)
    try:
        return AESCCM(key, tag_bytes).decrypt(found[5], ciphertext, derive.enc_structure(protected, b""))
    except InvalidTag:
        raise NotOpened("seal") from None


def verify_mac(message: bytes, key: bytes, tag: int, external: bytes, tag_left_out: bool = False) -> bytes:
    """The payload of a COSE_Mac or COSE_Mac0 (RFC 9052 section 6) once its MAC is found good."""
    protected, unprotected, payload, mac, *_ = untagged(message, tag, tag_left_out)
    if protected == b"\xa0":
        protected = b""  # section 6.3: an empty map counts as an empty string
    algorithm = headers(protected, unprotected).get(1)
    if algorithm not in HMACS:
        raise NotOpened("algorithm")
    name, mac_bytes = HMACS[algorithm]
    structure = cbor2.dumps([CONTEXTS[tag], protected, external, payload])
    if len(mac) != mac_bytes or not hmac.compare_digest(hmac.digest(key, structure, name)[:mac_bytes], mac):
        raise NotOpened("mac")
    return payload


def read(example: dict[str, Any], message: bytes) -> bytes:
    """Opens `message` as the example says it is made."""
    given = example["input"]
    key = bytes.fromhex(example["intermediates"]["CEK_hex"])
    if "encrypted" in given:
        return open_encrypt0(message, key)
    tag = MAC0 if "mac0" in given else MAC
    external = bytes.fromhex(given.get("mac0", {}).get("external", ""))
    return verify_mac(message, key, tag, external, "RemoveCBORTag" in given.get("failures", {}))


def test_all_are_there() -> None:
    assert {folder: len(list((EXAMPLES / folder).glob("*.json"))) for folder in FOLDERS} == FOLDERS
    assert len(FILES) - len(PASSING) == 8


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_example(path: Path) -> None:
    example, message = load(path)
    if example.get("fail"):
        with pytest.raises(NotOpened):
            read(example, message)
    else:
        assert read(example, message) == example["input"]["plaintext"].encode()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_its_key_and_structure_are_the_published_ones(path: Path) -> None:
    example, message = load(path)
    given, inside = example["input"], example["intermediates"]
    (recipient,) = next(given[kind]["recipients"] for kind in ("encrypted", "mac", "mac0") if kind in given)
    text = recipient["key"]["k"].replace("-", "+").replace("_", "/")
    assert b64decode(text + "=" * (-len(text) % 4)) == bytes.fromhex(inside["CEK_hex"])
    if "AAD_hex" in inside:
        protected = untagged(message, ENCRYPT0, False)[0]
        assert derive.enc_structure(protected, b"").hex().upper() == inside["AAD_hex"]


@pytest.mark.parametrize("path", PASSING, ids=[f"{path.parent.name}/{path.stem}" for path in PASSING])
def test_no_flipped_bit_of_seal_or_mac_passes(path: Path) -> None:
    example, message = load(path)
    parts = cbor2.loads(message)
    seal = (parts.value if isinstance(parts, cbor2.CBORTag) else parts)[2 if "encrypted" in example["input"] else 3]
    start = message.rindex(seal)
    for bit in range(8 * start, 8 * (start + len(seal))):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotOpened):
            read(example, bytes(flipped))
