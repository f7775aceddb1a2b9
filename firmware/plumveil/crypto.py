# HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and AES-CCM (RFC 3610, NIST SP 800-38C) on what a stock ESP32 has:
# one-shot SHA-256, AES in ECB and CBC mode. Speed comes from few calls on long inputs, never block by block.
# Must never hand out plaintext before its tag has been checked.

from hashlib import sha256

from cryptolib import aes

from plumveil.errors import Malformed

# The first halves of RFC 2104's pads, as bytes and as numbers.
_IPAD = b"\x36" * 32
_OPAD = b"\x5c" * 32
_IPAD_INT = int.from_bytes(_IPAD, "big")
_OPAD_INT = int.from_bytes(_OPAD, "big")


# (inner, outer): the key xor either pad, the same for every message under one key. Of a short key, as nearly all are,
# the first halves alone: the second are the pads' own.
def _pads(key):
    if len(key) > 64:
        key = sha256(key).digest()
    n = 32 if len(key) <= 32 else 64
    key = int.from_bytes(key + bytes(n - len(key)), "big")
    inner, outer = _IPAD_INT, _OPAD_INT
    if n == 64:
        inner |= inner << 256
        outer |= outer << 256
    return (key ^ inner).to_bytes(n, "big"), (key ^ outer).to_bytes(n, "big")


def _mac(pads, msg):
    inner = sha256(pads[0])
    outer = sha256(pads[1])
    if len(pads[0]) == 32:
        inner.update(_IPAD)
        outer.update(_OPAD)
    inner.update(msg)
    outer.update(inner.digest())
    return outer.digest()


def hmac_sha256(key, msg):
    return _mac(_pads(key), msg)


# An empty salt counts as 32 zero bytes (RFC 5869 section 2.2), and zeros in the pads are the pads.
def hkdf_extract(salt, ikm):
    return hmac_sha256(salt, ikm) if salt else _mac((_IPAD, _OPAD), ikm)


# n bytes; ValueError above 255 * 32 (RFC 5869 section 2.3).
def hkdf_expand(prk, info, n):
    if n > 255 * 32:
        raise ValueError("hkdf: length")
    pads = _pads(prk)
    out = block = b""
    for count in range(1, (n + 31) // 32 + 1):
        block = _mac(pads, block + info + bytes((count,)))
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
        blocks = self._chained(nonce, aad, plaintext, tag_bytes)
        # The text takes the place of what the chain left in front of its last block, the tag: no second buffer.
        at = len(blocks) - n - gap - 16
        blocks[at : at + n] = plaintext
        out = self._xor(nonce, memoryview(blocks)[at:])
        if gap == 0 and tag_bytes == 16:
            return out
        return out[:n] + out[n + gap : n + gap + tag_bytes]

    # ciphertext: with its tag. Malformed when the tag is wrong.
    def decrypt(self, nonce, aad, ciphertext, tag_bytes=16):
        n = len(ciphertext) - tag_bytes
        if n < 0:
            raise Malformed("ccm: cut short")
        gap = _gap(n, nonce, aad, tag_bytes)
        out = self._xor(nonce, ciphertext[:n] + bytes(gap) + ciphertext[n:] + bytes(16 - tag_bytes))
        mac = self._chained(nonce, aad, out[:n], tag_bytes)[-16:]
        if not equal(mac[:tag_bytes], out[n + gap : n + gap + tag_bytes]):
            raise Malformed("ccm: wrong tag")
        return out[:n]

    # The blocks of the CBC-MAC (RFC 3610 section 2.2) after their encryption: the last one is the MAC. The zero bytes
    # of a fresh buffer are the padding.
    def _chained(self, nonce, aad, text, tag_bytes):
        width = 15 - len(nonce)
        n = len(text)
        m = len(aad)
        start = 16 + ((m + 17) & -16 if m else 0)
        blocks = bytearray(start + ((n + 15) & -16))
        blocks[0] = (64 if m else 0) + (tag_bytes - 2) * 4 + width - 1
        blocks[1 : 16 - width] = nonce
        blocks[14] = n >> 8
        blocks[15] = n & 255
        if m:
            blocks[16] = m >> 8
            blocks[17] = m & 255
            blocks[18 : 18 + m] = aad
        blocks[start : start + n] = text
        return aes(self._key, 2, bytes(16)).encrypt(blocks, blocks)

    # text (whole blocks, the last one the tag) with the key stream: counters 1, 2, .. for the text, 0 for the tag
    # (RFC 3610 section 2.3).
    def _xor(self, nonce, text):
        n = len(text)
        head = bytes((14 - len(nonce),)) + nonce
        size = len(head)
        stream = bytearray(n)
        stream[:size] = head
        for i in range(16, n, 16):
            stream[i : i + size] = head
            stream[i - 1] = i >> 4
        self._ecb.encrypt(stream, stream)
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(n, "big")
