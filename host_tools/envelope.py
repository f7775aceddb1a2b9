"""The outside of a message: COSE_Encrypt0 (RFC 9052 section 5.2) in the one shape the wire format allows.

`parse` walks the bytes in the only order a deterministic encoding has, before anything is authenticated; `_explain`
reads refused bytes again, slowly, to say what is wrong and where. Neither hands unauthenticated bytes to a codec that
knows tags.
"""

from typing import Any, NamedTuple, NoReturn

from host_tools import rules, strict_cbor
from host_tools.rules import Refused
from plumveil import wire

STEPS = wire.EPOCH_S // wire.STEP_S
LABELS = (wire.COSE_HDR_ALG, wire.COSE_HDR_KID, wire.COSE_HDR_PARTIAL_IV, wire.HDR_PLUMVEIL)
_OPENING = bytes((0xC0 | wire.COSE_TAG_ENCRYPT0, 0x83, 0x58))
_ALG_AND_KID = bytes((0xA4, wire.COSE_HDR_ALG, 0x18, wire.COSE_ALG_AES_CCM_16_128_256))
_ALG_AND_KID += bytes((wire.COSE_HDR_KID, 0x40 | wire.PSEUDONYM_BYTES))
_HEADER = b"\x3a" + (-1 - wire.HDR_PLUMVEIL).to_bytes(4, "big") + bytes((0x84, wire.WIRE_VERSION))
_SALT = 0x40 | wire.BOOT_SALT_BYTES
_BLOCK = wire.PAD_BLOCK_BYTES


class Envelope(NamedTuple):
    """What a message says of itself before it is opened. `protected_item` is the header with its CBOR head, as the
    AEAD's additional data repeats it."""

    kid: bytes
    partial_iv: int
    step: int
    policy_version: int
    boot_salt: bytes
    protected_item: bytes
    ciphertext: bytes


def parse(data: bytes) -> Envelope:
    """The message's envelope; raises Refused with rule `cose` or `cbor`."""
    try:
        if len(data) > wire.MESSAGE_MAX_BYTES or data[:3] != _OPENING:
            _explain(data)
        end = 4 + data[3]
        kid, partial_iv, step, policy_version, salt = _header(data, 4, end)
        # The unprotected header is empty; then comes the ciphertext, to the last byte.
        if data[end] != 0xA0 or salt is None:
            _explain(data)
        head = data[end + 1]
        if head == 0x58:
            start, size = end + 3, data[end + 2]
        elif head == 0x59:
            start, size = end + 4, data[end + 2] << 8 | data[end + 3]
            if size < 256:
                _explain(data)
        else:
            _explain(data)
        if size % _BLOCK or size == 0 or start + size != len(data):
            _explain(data)
        return Envelope(kid, partial_iv, step, policy_version, salt, data[2:end], data[start:])
    except IndexError:
        _explain(data)


def _header(data: bytes, at: int, end: int) -> tuple[bytes, int, int, int, bytes | None]:
    """(kid, partial IV, step, policy version, boot salt) of the protected map in data[at:end]; salt None: refused."""
    refused = b"", 0, 0, 0, None
    kid_end = at + 14
    size = data[kid_end + 1] - 0x40
    iv_end = kid_end + 2 + size
    if (
        data[at : at + 6] != _ALG_AND_KID
        or data[kid_end] != wire.COSE_HDR_PARTIAL_IV
        or not 1 <= size <= wire.PARTIAL_IV_MAX_BYTES
        or (size > 1 and data[kid_end + 2] == 0)
        or data[iv_end : iv_end + 7] != _HEADER
    ):
        return refused
    step = data[iv_end + 7]
    policy_version = data[iv_end + 8]
    salt_at = iv_end + 9
    if policy_version >= 24:
        width = {0x18: 1, 0x19: 2}.get(policy_version, 0)
        policy_version = int.from_bytes(data[salt_at : salt_at + width], "big")
        salt_at += width
        if policy_version < (24, 24, 256)[width]:
            return refused
    if step >= STEPS or data[salt_at] != _SALT or salt_at + 1 + wire.BOOT_SALT_BYTES != end:
        return refused
    partial_iv = int.from_bytes(data[kid_end + 2 : iv_end], "big")
    return data[at + 6 : kid_end], partial_iv, step, policy_version, data[salt_at + 1 : end]


def _explain(data: bytes) -> NoReturn:
    """Raises Refused with the first thing that is wrong with a message `parse` does not accept."""
    if len(data) > wire.MESSAGE_MAX_BYTES:
        raise Refused(rules.COSE, "message", f"longer than {wire.MESSAGE_MAX_BYTES} bytes")
    if not data:
        raise Refused(rules.COSE, "message", "empty")
    if data[0] != 0xC0 | wire.COSE_TAG_ENCRYPT0:
        raise Refused(rules.COSE, "message", f"does not open with tag {wire.COSE_TAG_ENCRYPT0}")
    message = _strict(data[1:], "message")
    if type(message) is not list or len(message) != 3:
        raise Refused(rules.COSE, "message", "not an array of three")
    protected, unprotected, ciphertext = message
    if type(protected) is not bytes:
        raise Refused(rules.COSE, "protected", "not a byte string")
    _explain_header(_strict(protected, "protected"))
    if unprotected != {} or type(unprotected) is not dict:
        raise Refused(rules.COSE, "unprotected", "not an empty map")
    if type(ciphertext) is not bytes:
        raise Refused(rules.COSE, "ciphertext", "not a byte string")
    raise Refused(rules.COSE, "ciphertext", f"not a positive multiple of {_BLOCK} bytes")


def _strict(data: bytes, where: str) -> Any:
    try:
        return strict_cbor.loads(data)
    except strict_cbor.NotWellFormed as fault:
        raise Refused(rules.COSE, where, f"not well-formed CBOR: {fault}") from None
    except strict_cbor.NotStrict as fault:
        raise Refused(rules.CBOR, where, f"not deterministic CBOR of the subset: {fault}") from None


def _explain_header(header: Any) -> None:
    if type(header) is not dict or tuple(header) != LABELS:
        raise Refused(rules.COSE, "protected", f"not a map of the labels {', '.join(map(str, LABELS))}")
    algorithm, kid, partial_iv, own = header.values()
    if algorithm != wire.COSE_ALG_AES_CCM_16_128_256:
        raise Refused(rules.COSE, f"protected[{LABELS[0]}]", "not AES-CCM-16-128-256")
    if type(kid) is not bytes or len(kid) != wire.PSEUDONYM_BYTES:
        raise Refused(rules.COSE, f"protected[{LABELS[1]}]", f"not {wire.PSEUDONYM_BYTES} bytes")
    if type(partial_iv) is not bytes or not 1 <= len(partial_iv) <= wire.PARTIAL_IV_MAX_BYTES:
        raise Refused(rules.COSE, f"protected[{LABELS[2]}]", f"not 1 to {wire.PARTIAL_IV_MAX_BYTES} bytes")
    if partial_iv[0] == 0 and len(partial_iv) > 1:
        raise Refused(rules.COSE, f"protected[{LABELS[2]}]", "not minimal")
    if type(own) is not list or len(own) != 4:
        raise Refused(rules.COSE, f"protected[{LABELS[3]}]", "not an array of four")
    version, step, policy_version, salt = own
    if version != wire.WIRE_VERSION:
        raise Refused(rules.COSE, f"protected[{LABELS[3]}][0]", "unknown wire version")
    if type(step) is not int or not 0 <= step < STEPS:
        raise Refused(rules.COSE, f"protected[{LABELS[3]}][1]", f"not a step, 0 to {STEPS - 1}")
    if type(policy_version) is not int or not 0 <= policy_version <= wire.POLICY_VERSION_MAX:
        raise Refused(rules.COSE, f"protected[{LABELS[3]}][2]", f"not a version, 0 to {wire.POLICY_VERSION_MAX}")
    if type(salt) is not bytes or len(salt) != wire.BOOT_SALT_BYTES:
        raise Refused(rules.COSE, f"protected[{LABELS[3]}][3]", f"not {wire.BOOT_SALT_BYTES} bytes")
