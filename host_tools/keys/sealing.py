"""The keystore's cryptography, all of it from `cryptography`: scrypt (RFC 7914), AES-256-GCM, HKDF, HPKE (RFC 9180).

Must never see a file, and never put a key into an error.
"""

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from host_tools import derive
from host_tools.errors import PlumveilError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SALT_BYTES = 16
SEALED_KEY_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
SEALED_MORE_BYTES = 32 + TAG_BYTES  # what `seal_to` adds: X25519 share and tag
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Unsealed(Exception):
    """A seal does not open: wrong key, or the sealed was changed. Never shown as it is."""


class Cost(NamedTuple):
    """scrypt's work: N = 2**log2_n, r, p. It takes 128 * N * r bytes."""

    log2_n: int
    r: int
    p: int

    @property
    def bounded(self) -> bool:
        """What a file may ask of whoever opens it: 1 MiB to 1 GiB, and at most 16 times the time of STRONG."""
        if not (10 <= self.log2_n <= 20 and 1 <= self.r <= 32 and 1 <= self.p <= 16):
            return False
        blocks = self.r << self.log2_n
        return 1 << 13 <= blocks <= 1 << 23 and blocks * self.p <= 1 << 24


STRONG = Cost(17, 8, 1)  # 128 MiB, near half a second: what the command line makes


def from_passphrase(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """Passphrase -> 32-byte key. PlumveilError when there is no memory for it."""
    try:
        return Scrypt(salt, KEY_BYTES, 1 << cost.log2_n, cost.r, cost.p).derive(passphrase.encode("utf-8"))
    except MemoryError:
        raise PlumveilError(f"no memory for scrypt, which takes {128 * cost.r << cost.log2_n} bytes") from None


def subkey(key: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """A key for one purpose, from which the key it came from does not follow."""
    return derive.hkdf(key, derive.label("keystore", purpose), salt)


def seal(key: bytes, nonce: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """AES-256-GCM. A (key, nonce) pair must be used once; `bound` is what the seal is tied to."""
    return AESGCM(key).encrypt(nonce, plaintext, bound)


def unseal(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    """The plaintext. Raises Unsealed."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, bound)
    except InvalidTag:
        raise Unsealed from None


def seal_to(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seals for the holder of a private X25519 key: HPKE base mode, enc || ciphertext (RFC 9180 section 5.1.1).

    Base mode says nothing of who sealed: what comes in so is to be signed besides.
    """
    return _HPKE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info)


def unseal_own(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    """What was sealed for the holder of `private_key`. Raises Unsealed."""
    try:
        return _HPKE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), info)
    except InvalidTag:
        raise Unsealed from None


def x25519_public(private_key: bytes) -> bytes:
    """The 32 public bytes of a private X25519 key."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
