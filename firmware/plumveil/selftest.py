# Known answers, asked for at every boot: a node whose HMAC, HKDF or AES-CCM goes wrong must not seal. Sources: RFC
# 4231 section 4.3, RFC 5869 appendix A.1, and NIST's CCM vectors (CCMVS, VADT256, 13-byte nonce, 16-byte tag).

from plumveil import crypto
from plumveil.errors import PlumveilError

_TAG = (
    b"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7\x5a\x00\x3f\x08\x9d\x27\x39\x83"
    b"\x9d\xec\x58\xb9\x64\xec\x38\x43"
)
_OKM = (
    b"\x3c\xb2\x5f\x25\xfa\xac\xd5\x7a\x90\x43\x4f\x64\xd0\x36\x2f\x2a\x2d\x2d\x0a\x90\xcf\x1a\x5a\x4c"
    b"\x5d\xb0\x2d\x56\xec\xc4\xc5\xbf\x34\x00\x72\x08\xd5\xb8\x87\x18\x58\x65"
)
_KEY = (
    b"\x52\x09\x02\xaa\x27\xc1\x6d\xee\x11\x28\x12\xb2\xe6\x85\xaa\x20\x3a\xeb\x8b\x86\x33\xbd\x1b\xfc"
    b"\x99\x72\x8a\x48\x2d\x96\xc1\xfe"
)
_NONCE = b"\xdd\xf5\x05\x02\xf4\x14\xc1\xbf\x24\x88\x8f\x13\x28"
_AAD = b"\x22\xb4\xf8\xf1\xaa\xc0\x2a\x9b\x2e\xf7\x85\xd0\xff\x6f\x93"
_TEXT = b"\x53\x3f\xee\x7d\x2c\x77\x40\xdb\x55\x77\x0e\x48\xcb\x1b\x54\x1d\x99\x0e\xa3\xf8\xf0\x8e\xd1\xa6"
_SEALED = (
    b"\xfc\x86\x7b\x31\x9e\x0e\x4a\xb4\x5e\xc5\x18\xa1\xb5\xdc\xec\x4f\x29\x98\x21\x73\xf3\xab\xfd\x4d"
    b"\x8a\x8f\x8d\x14\xd2\xbd\xac\x84\xc3\x73\x7c\xfb\xd7\x5b\x7c\x0b"
)


def _hmac():
    return crypto.hmac_sha256(b"Jefe", b"what do ya want for nothing?") == _TAG


def _hkdf():
    return crypto.hkdf(b"\x0b" * 22, bytes(range(0xF0, 0xFA)), bytes(range(13)), 42) == _OKM


def _ccm():
    ccm = crypto.AesCcm(_KEY)
    if ccm.encrypt(_NONCE, _AAD, _TEXT) != _SEALED:
        return False
    try:
        ccm.decrypt(_NONCE, _AAD, _SEALED[:-1] + b"\x00")
    except PlumveilError:
        return ccm.decrypt(_NONCE, _AAD, _SEALED) == _TEXT
    return False


def run():
    # -> bits of wire.SELF_TESTS that failed, 0 when all is well.
    failed = 0
    for n, test in enumerate((_hmac, _hkdf, _ccm)):
        try:
            good = test()
        except Exception:  # noqa: BLE001
            # A part that raises fails as well as one that lies.
            good = False
        if not good:
            failed |= 1 << n
    return failed
