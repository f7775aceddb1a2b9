# COSE_Encrypt0 (RFC 9052 section 5.2) with AES-CCM-16-128-256 (RFC 9053 section 4.2): the only way a byte is sealed.
# All headers are protected. Must never seal when nonce or key could be another than the algorithm's.

from plumveil import wire
from plumveil.cbor import dumps, put
from plumveil.errors import SealRefused

# What is the same in every message is encoded once. The header's keys stand in the order of their encodings.
_ALG_AND_KID = b"\xa4" + dumps(wire.COSE_HDR_ALG) + dumps(wire.COSE_ALG_AES_CCM_16_128_256) + dumps(wire.COSE_HDR_KID)
_PARTIAL_IV = dumps(wire.COSE_HDR_PARTIAL_IV)
_OWN = dumps(wire.HDR_PLUMVEIL)
_CONTEXT = b"\x83" + dumps("Encrypt0")
_OPENING = bytes((0xC0 | wire.COSE_TAG_ENCRYPT0, 0x83))
_NO_UNPROTECTED = b"\xa0"


# What the tag covers beside the plaintext (RFC 9052 section 5.3); protected, external_aad: encoded bytes.
def enc_structure(protected, external_aad):
    out = bytearray(_CONTEXT)
    put(out, protected)
    put(out, external_aad)
    return out


# The message's bytes. ccm: AesCcm of a 32-byte key; common_iv: 13 bytes; partial_iv: int, never twice under one key;
# kid: bytes; header: list for HDR_PLUMVEIL; external_aad, plaintext: encoded bytes. SealRefused on a wrong length.
# The nonce is the common IV xor the partial IV padded on its left (RFC 9052 section 3.1); on the wire the partial IV
# has no leading zero byte, and zero is one byte (as in RFC 8613 section 5).
def encrypt0(ccm, common_iv, partial_iv, kid, header, external_aad, plaintext):
    if ccm.key_bytes != wire.KEY_BYTES or len(common_iv) != wire.NONCE_BYTES:
        raise SealRefused("key")
    if partial_iv >> 8 * wire.PARTIAL_IV_MAX_BYTES:  # not 0 below zero either
        raise SealRefused("counter")
    size = 1
    while partial_iv >> 8 * size:
        size += 1
    # Each part is appended in place: concatenations would leave several times the message's length to collect.
    protected = bytearray(_ALG_AND_KID)
    put(protected, kid)
    protected.extend(_PARTIAL_IV)
    put(protected, partial_iv.to_bytes(size, "big"))
    protected.extend(_OWN)
    put(protected, header)
    nonce = (int.from_bytes(common_iv, "big") ^ partial_iv).to_bytes(wire.NONCE_BYTES, "big")
    message = bytearray(_OPENING)
    put(message, protected)
    message.extend(_NO_UNPROTECTED)
    put(message, ccm.encrypt(nonce, enc_structure(protected, external_aad), plaintext, wire.TAG_BYTES))
    return bytes(message)
