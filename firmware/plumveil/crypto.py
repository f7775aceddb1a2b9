# HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and AES-CCM (RFC 3610, NIST SP 800-38C) on what a stock ESP32 has:
# one-shot SHA-256, AES in ECB and CBC mode. Speed comes from few calls on long inputs, never block by block.
# Must never hand out plaintext before its tag has been checked.

from hashlib import sha256

from cryptolib import aes

from plumveil.errors import Malformed

_IPAD = int.from_bytes(b"\x36" * 64, "big")
_OPAD = int.from_bytes(b"\x5c" * 64, "big")


def hmac_sha256(key, msg):
    if len(key) > 64:
        key = sha256(key).digest()
    pad = int.from_bytes(key, "big") << (8 * (64 - len(key)))
    inner = sha256((pad ^ _IPAD).to_bytes(64, "big"))
    inner.update(msg)
    outer = sha256((pad ^ _OPAD).to_bytes(64, "big"))
    outer.update(inner.digest())
    return outer.digest()


# An empty salt counts as 32 zero bytes, which HMAC's own padding makes of it (RFC 5869 section 2.2).
def hkdf_extract(salt, ikm):
    return hmac_sha256(salt, ikm)


# n bytes; ValueError above 255 * 32 (RFC 5869 section 2.3).
def hkdf_expand(prk, info, n):
    if n > 255 * 32:
        raise ValueError("hkdf: length")
    out = block = b""
    count = 0
    while len(out) < n:
        count += 1
        block = hmac_sha256(prk, block + info + bytes((count,)))
        out += block
    return out[:n]


def hkdf(ikm, info, salt=b"", n=32):
    return hkdf_expand(hkdf_extract(salt, ikm), info, n)


# True when both hold the same bytes; takes the same time wherever they differ.
def equal(a, b):
    if len(a) != len(b):
        return False
    found = 0
    for i in range(len(a)):
        found |= a[i] ^ b[i]
    return found == 0


# Bytes missing to a whole block, once all lengths are found to be allowed.
def _gap(n, nonce, aad, tag_bytes):
    if not 7 <= len(nonce) <= 13 or tag_bytes not in (4, 6, 8, 10, 12, 14, 16) or n > 4080 or len(aad) > 65279:
        raise ValueError("ccm: length")
    return -n & 15


# key: 16 or 32 bytes. nonce: 7..13 bytes. tag_bytes: 4, 6, .. 16. aad: below 65,280 bytes. Text: at most 4,080 bytes,
# so that one byte counts its blocks. ValueError outside these.
class AesCcm:
    def __init__(self, key):
        self._ecb = aes(key, 1)
        self._key = key
        self.key_bytes = len(key)

    # -> ciphertext and tag in one
    def encrypt(self, nonce, aad, plaintext, tag_bytes=16):
        n = len(plaintext)
        gap = _gap(n, nonce, aad, tag_bytes)
        mac = self._mac(nonce, aad, plaintext, tag_bytes)
        out = self._xor(nonce, plaintext + bytes(gap) + mac)
        return out[:n] + out[n + gap : n + gap + tag_bytes]

    # ciphertext: with its tag. Malformed when the tag is wrong.
    def decrypt(self, nonce, aad, ciphertext, tag_bytes=16):
        n = len(ciphertext) - tag_bytes
        if n < 0:
            raise Malformed("ccm: cut short")
        gap = _gap(n, nonce, aad, tag_bytes)
        out = self._xor(nonce, ciphertext[:n] + bytes(gap) + ciphertext[n:] + bytes(16 - tag_bytes))
        mac = self._mac(nonce, aad, out[:n], tag_bytes)
        if not equal(mac[:tag_bytes], out[n + gap : n + gap + tag_bytes]):
            raise Malformed("ccm: wrong tag")
        return out[:n]

    # CBC-MAC (RFC 3610 section 2.2), 16 bytes. The zero bytes of a fresh buffer are the padding.
    def _mac(self, nonce, aad, text, tag_bytes):
        width = 15 - len(nonce)
        n = len(text)
        m = len(aad)
        start = 16 + ((m + 17) & -16 if m else 0)
        blocks = bytearray(start + ((n + 15) & -16))
        blocks[0] = (64 if m else 0) + (tag_bytes - 2) * 4 + width - 1
        blocks[1 : 16 - width] = nonce
        blocks[16 - width : 16] = n.to_bytes(width, "big")
        if m:
            blocks[16:18] = m.to_bytes(2, "big")
            blocks[18 : 18 + m] = aad
        blocks[start : start + n] = text
        return aes(self._key, 2, bytes(16)).encrypt(blocks, blocks)[-16:]

    # text (whole blocks, the last one the tag) with the key stream: counters 1, 2, .. for the text, 0 for the tag
    # (RFC 3610 section 2.3).
    def _xor(self, nonce, text):
        width = 15 - len(nonce)
        stream = bytearray((bytes((width - 1,)) + nonce + bytes(width)) * (len(text) >> 4))
        for i in range(1, len(text) >> 4):
            stream[16 * i - 1] = i
        self._ecb.encrypt(stream, stream)
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")
