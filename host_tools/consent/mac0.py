"""COSE_Mac0 (RFC 9052 section 6.2) in the one shape a grant has: tagged, HMAC-SHA256 with its whole tag, all headers
protected, no external data. Must never hand out a payload whose tag it has not checked, but by `unproven`.
"""

from __future__ import annotations

import hmac

import cbor2

from host_tools import strict_cbor
from plumveil import terms, wire

_PROTECTED = cbor2.dumps({wire.COSE_HDR_ALG: terms.COSE_ALG_HMAC_256})
_TAG_BYTES = 32


class NoMac0(ValueError):
    """Bytes are no such COSE_Mac0, or not under that key; the text says which and repeats nothing of them."""


def _tag(key: bytes, payload: bytes) -> bytes:
    # MAC_structure, RFC 9052 section 6.3.
    return hmac.digest(key, cbor2.dumps(["MAC0", _PROTECTED, b"", payload]), "sha256")


def seal(key: bytes, payload: bytes) -> bytes:
    """The message around a payload; key: 32 bytes."""
    parts = [_PROTECTED, {}, payload, _tag(key, payload)]
    return cbor2.dumps(cbor2.CBORTag(terms.COSE_TAG_MAC0, parts), canonical=True)


def unproven(data: bytes) -> bytes:
    """The payload, whoever made it. Raises NoMac0."""
    return _parts(data)[0]


def opened(key: bytes, data: bytes) -> bytes:
    """The payload of what was sealed under `key`. Raises NoMac0."""
    payload, tag = _parts(data)
    if not hmac.compare_digest(tag, _tag(key, payload)):
        raise NoMac0("its tag is another key's")
    return payload


def _parts(data: bytes) -> tuple[bytes, bytes]:
    # strict_cbor knows no tags: this one is the first byte.
    if data[:1] != bytes([0xC0 | terms.COSE_TAG_MAC0]):
        raise NoMac0("not a COSE_Mac0")
    try:
        protected, unprotected, payload, tag = strict_cbor.loads(data[1:])
    except (strict_cbor.NotWellFormed, strict_cbor.NotStrict, TypeError, ValueError):
        raise NoMac0("not a COSE_Mac0, or cut") from None
    if protected != _PROTECTED or unprotected != {} or type(payload) is not bytes or type(tag) is not bytes:
        raise NoMac0("not a COSE_Mac0 as grants have it")
    if len(tag) != _TAG_BYTES:
        raise NoMac0("its tag is cut")
    return payload, tag
