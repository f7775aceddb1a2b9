"""The outside of a message and its header: every deviation is refused, with the rule and the place."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import envelope, rules
from host_tools.rules import Refused
from plumveil import wire
from tests.host import messages
from tests.host.messages import only, sealed, verdict, with_header

HEADER = wire.HDR_PLUMVEIL
SALT = messages.SALT


def own(version: Any = 1, step: Any = messages.STEP, policy: Any = 1, salt: Any = SALT) -> dict[int, Any]:
    return {HEADER: [version, step, policy, salt]}


# (what is changed in the protected header, where the finding is)
HEADERS = [
    ({wire.COSE_HDR_ALG: 30}, "protected[1]"),
    ({wire.COSE_HDR_ALG: None}, "protected"),
    ({wire.COSE_HDR_KID: bytes(7)}, "protected[4]"),
    ({wire.COSE_HDR_KID: 7}, "protected[4]"),
    ({wire.COSE_HDR_PARTIAL_IV: b""}, "protected[6]"),
    ({wire.COSE_HDR_PARTIAL_IV: b"\x00\x01"}, "protected[6]"),
    ({wire.COSE_HDR_PARTIAL_IV: b"\x01" * 6}, "protected[6]"),
    ({wire.COSE_HDR_PARTIAL_IV: 1}, "protected[6]"),
    ({5: bytes(13)}, "protected"),
    ({HEADER: None}, "protected"),
    ({HEADER: 1}, "protected[-65537]"),
    ({HEADER: [1, messages.STEP, 1]}, "protected[-65537]"),
    (own(version=2), "protected[-65537][0]"),
    (own(step=24), "protected[-65537][1]"),
    (own(step=-1), "protected[-65537][1]"),
    (own(step=b""), "protected[-65537][1]"),
    (own(policy=-1), "protected[-65537][2]"),
    (own(policy=65536), "protected[-65537][2]"),
    (own(salt=SALT[1:]), "protected[-65537][3]"),
    (own(salt=[SALT]), "protected[-65537][3]"),
]


@pytest.mark.parametrize(("change", "where"), HEADERS, ids=map(str, range(len(HEADERS))))
def test_cose_header(change: dict[int, Any], where: str) -> None:
    finding = only(verdict(with_header(wire.READINGS, change)))
    assert (finding.rule, finding.where) == (rules.COSE, where)


@pytest.mark.parametrize("policy", [0, 1, 23, 24, 255, 256, 65535])
@pytest.mark.parametrize("counter", [0, 1, 255, 256, 65535, 2**40 - 1])
def test_a_header_with_any_policy_version_and_counter_is_read(policy: int, counter: int) -> None:
    message = verdict(sealed(wire.EVENTS, policy=policy, counter=counter))
    assert message.valid
    assert message.envelope is not None
    assert (message.envelope.policy_version, message.envelope.partial_iv) == (policy, counter)


def parts() -> tuple[bytes, bytes]:
    protected, _, ciphertext = cbor2.loads(sealed(wire.READINGS)).value
    return protected, ciphertext


def test_cose_shape() -> None:
    protected, ciphertext = parts()
    tag = wire.COSE_TAG_ENCRYPT0
    shapes = [
        (b"", "message"),
        (sealed(wire.READINGS)[1:], "message"),
        (cbor2.dumps(cbor2.CBORTag(17, [protected, {}, ciphertext])), "message"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, ciphertext])), "message"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {}, ciphertext, b""])), "message"),
        (cbor2.dumps(cbor2.CBORTag(tag, {1: protected})), "message"),
        (cbor2.dumps(cbor2.CBORTag(tag, [0, {}, ciphertext])), "protected"),
        (cbor2.dumps(cbor2.CBORTag(tag, [b"", {}, ciphertext])), "protected"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {1: 31}, ciphertext])), "unprotected"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, [], ciphertext])), "unprotected"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {}, 0])), "ciphertext"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {}, b""])), "ciphertext"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {}, ciphertext + b"0"])), "ciphertext"),
        (cbor2.dumps(cbor2.CBORTag(tag, [protected, {}, bytes(300)])), "ciphertext"),
        (sealed(wire.READINGS) + b"\x00", "message"),
    ]
    for data, where in shapes:
        finding = only(verdict(data))
        assert (finding.rule, finding.where) == (rules.COSE, where), data.hex()


def test_cose_length() -> None:
    protected, _ = parts()
    sizes = [wire.MESSAGE_MAX_BYTES - len(protected), wire.MESSAGE_MAX_BYTES]
    for size in sizes:
        size -= size % wire.PAD_BLOCK_BYTES
        finding = only(verdict(messages.encoder.envelope(protected, bytes(size))))
        too_long = len(messages.encoder.envelope(protected, bytes(size))) > wire.MESSAGE_MAX_BYTES
        assert finding.rule == (rules.COSE if too_long else rules.AUTHENTICITY)


def test_cbor_of_the_envelope() -> None:
    protected, ciphertext = parts()
    size = len(ciphertext)
    honest = bytes((0xD0, 0x83, 0x58, len(protected))) + protected + b"\xa0" + bytes((0x58, size)) + ciphertext
    assert verdict(honest).valid
    longer = honest.replace(bytes((0xA0, 0x58, size)), bytes((0xA0, 0x59, 0, size)))
    assert only(verdict(longer)).rule == rules.CBOR
    indefinite = honest.replace(b"\xd0\x83", b"\xd0\x9f") + b"\xff"
    assert only(verdict(indefinite)).rule == rules.CBOR
    assert only(verdict(b"\xd8\x10" + honest[1:])).rule == rules.COSE


def test_cbor_of_the_header() -> None:
    """The same header spelt otherwise, truly sealed under that spelling."""
    header = messages.sender(wire.READINGS).protected(messages.STEP, 1, 0)
    honest = cbor2.dumps(header, canonical=True)
    assert verdict(with_header(wire.READINGS, {}, raw=honest)).valid
    unsorted = cbor2.dumps(dict(reversed(header.items())))
    longer_head = honest.replace(b"\x18\x1f", b"\x19\x00\x1f")
    twice = b"\xa5" + honest[1:4] + honest[1:]
    floating = honest.replace(b"\x01\x0c\x01\x50", b"\x01\xf9\x4a\x00\x01\x50")
    for raw in (unsorted, longer_head, twice, floating):
        assert raw != honest
        finding = only(verdict(with_header(wire.READINGS, {}, raw=raw)))
        assert (finding.rule, finding.where) == (rules.CBOR, "protected"), raw.hex()


_VALUES = st.none() | st.integers(-2, 70000) | st.binary(max_size=18) | st.lists(st.integers(-1, 26), max_size=5)
_OWN = st.tuples(st.integers(0, 2), st.integers(-1, 25), st.integers(-1, 65537), st.binary(min_size=15, max_size=17))


@given(
    st.dictionaries(st.sampled_from([1, 4, 5, 6, HEADER]), _VALUES, max_size=2),
    st.none() | _OWN.map(list),
    st.booleans(),
)
def test_the_walk_and_the_explanation_agree(
    change: dict[int, Any], own_list: list[Any] | None, canonical: bool
) -> None:
    """What the header's walk refuses, the slow reading finds a fault in; what it accepts, it reads as cbor2 does."""
    header: dict[int, Any] = {**messages.sender(wire.READINGS).protected(messages.STEP, 1, 7), **change}
    if own_list is not None:
        header[HEADER] = own_list
    header = {label: value for label, value in header.items() if value is not None}
    data = messages.encoder.envelope(cbor2.dumps(header, canonical=canonical), bytes(wire.PAD_BLOCK_BYTES))
    try:
        read = envelope.parse(data)
    except Refused as refused:
        fault = refused.finding.where
    else:
        fault = "protected"
        assert header == {
            wire.COSE_HDR_ALG: wire.COSE_ALG_AES_CCM_16_128_256,
            wire.COSE_HDR_KID: read.kid,
            wire.COSE_HDR_PARTIAL_IV: read.partial_iv.to_bytes(
                max(1, (read.partial_iv.bit_length() + 7) // 8), "big"
            ),
            HEADER: [wire.WIRE_VERSION, read.step, read.policy_version, read.boot_salt],
        }
    assert fault.startswith("protected")
