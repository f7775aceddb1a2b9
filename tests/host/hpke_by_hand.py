"""HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, by RFC 9180 sections 4 and 5."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEM_ID = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE_ID = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))


def _extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block = b"", b""
    for counter in range(1, 256):
        block = hmac.digest(key, block + labelled + bytes([counter]), "sha256")
        out += block
        if len(out) >= length:
            break
    return out[:length]


def _schedule(dh: bytes, enc: bytes, public: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Shared secret (section 4.1) and key schedule (section 5.1) -> AEAD key and base nonce."""
    shared = _expand(KEM_ID, _extract(KEM_ID, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
    context = b"\x00" + _extract(SUITE_ID, b"", b"psk_id_hash", b"") + _extract(SUITE_ID, b"", b"info_hash", info)
    secret = _extract(SUITE_ID, shared, b"secret", b"")
    return _expand(SUITE_ID, secret, b"key", context, 32), _expand(SUITE_ID, secret, b"base_nonce", context, 12)


def open_base(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    private = X25519PrivateKey.from_private_bytes(private_key)
    enc, ciphertext = sealed[:32], sealed[32:]
    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    key, nonce = _schedule(dh, enc, private.public_key().public_bytes_raw(), info)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def seal_base(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    own = X25519PrivateKey.generate()
    enc = own.public_key().public_bytes_raw()
    key, nonce = _schedule(own.exchange(X25519PublicKey.from_public_bytes(public_key)), enc, public_key, info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")
