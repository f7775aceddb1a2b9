"""The short way through a batch takes one spelling only, and takes it as the strict reader does."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import readings as under_test
from host_tools import reference_encoder, rules
from host_tools.content import entries
from host_tools.limits import Limits
from host_tools.rules import Refused
from host_tools.strict_cbor import NotStrict, loads
from plumveil import wire
from tests.host import messages
from tests.host.messages import only, readings, sealed, verdict

LIMITS = Limits(messages.NODE.policies[0])
FEW: dict[int, list[int | None]] = {wire.F_BATTERY: [7] * 5}


def respelt(body: dict[int, Any], honest: bytes, other: bytes) -> bytes:
    """A plaintext with one item written otherwise, its padding made to fit."""
    bare = cbor2.dumps(body, canonical=True)
    assert bare.count(honest) == 1
    bare = bare.replace(honest, other)
    for pad_bytes in range(64):
        pad = cbor2.dumps(wire.K_PAD) + cbor2.dumps(bytes(pad_bytes))
        plain = bytes((bare[0] + 1,)) + pad + bare[1:]
        if (len(plain) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES == 0:
            return plain
    raise AssertionError("no pad fits")


SPELLINGS = {
    "interval in two bytes": (readings(FEW, interval=20), b"\x02\x14", b"\x02\x18\x14"),
    "interval in three bytes": (readings(FEW, interval=200), b"\x02\x18\xc8", b"\x02\x19\x00\xc8"),
    "count in two bytes": (readings(FEW), b"\x03\x05", b"\x03\x18\x05"),
    "columns in two bytes": (readings(FEW), b"\x05\x42", b"\x05\x58\x02"),
    "columns in three bytes": (readings(FEW), b"\x05\x42", b"\x05\x59\x00\x02"),
    "columns of indefinite length": (readings(FEW), b"\x05\x42", b"\x05\x5f"),
    "time of few digits": (readings(FEW, time=65535), b"\x01\x19\xff\xff", b"\x01\x1a\x00\x00\xff\xff"),
    "time in nine bytes": (
        readings(FEW),
        b"\x01\x1a" + messages.START_S.to_bytes(4, "big"),
        b"\x01\x1b" + messages.START_S.to_bytes(8, "big"),
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_longer_head_is_refused(name: str) -> None:
    body, honest, other = SPELLINGS[name]
    assert rules.CBOR not in messages.broken(verdict(sealed(wire.READINGS, body)))
    plain = respelt(body, honest, other)
    with pytest.raises(NotStrict):
        loads(plain)
    assert only(verdict(sealed(wire.READINGS, plain))).rule == rules.CBOR


@given(
    st.integers(0, 2**32 + 1) | st.just(messages.START_S),
    st.integers(0, 70000),
    st.integers(0, 300),
    st.lists(st.integers(0, 25), max_size=4).map(sorted),
    st.binary(max_size=300),
    st.none() | st.integers(0, 60),
    st.binary(max_size=2),
)
def test_what_goes_the_short_way_reads_the_same_the_long_way(
    time_s: int, interval_s: int, count: int, fields: list[int], packed: bytes, pad: int | None, tail: bytes
) -> None:
    body: dict[int, Any] = {} if pad is None else {wire.K_PAD: bytes(pad)}
    body |= {wire.K_TIME: time_s, wire.K_INTERVAL: interval_s, wire.K_COUNT: count}
    body |= {wire.K_FIELDS: fields, wire.K_COLUMNS: packed}
    plain = cbor2.dumps(body) + tail
    short = under_test._quick(plain, LIMITS)
    if short is None:
        return
    findings: list[rules.Finding] = []
    assert short == under_test._careful(plain, LIMITS, findings)
    assert findings == []


def test_a_sound_batch_goes_the_short_way() -> None:
    """Speed rests on it, and so does the test above."""
    for count in (1, 12, wire.BATCH_MAX):
        values: list[int | None] = [7, *[9] * (count - 1)]
        plain = reference_encoder.plaintext(readings({wire.F_TEMPERATURE: values}))
        assert under_test._quick(plain, LIMITS) is not None


def test_nesting_is_bounded() -> None:
    deepest = b"\x81" * wire.CBOR_DEPTH_MAX + b"\x00"
    assert loads(deepest) == [[[[0]]]]
    with pytest.raises(NotStrict, match="too deep"):
        loads(b"\x81" + deepest)
    with pytest.raises(Refused):
        entries(b"\x81" * 900, wire.DEVICE, [])


def test_a_batch_that_began_the_day_before_breaks_epoch() -> None:
    body = readings(time=messages.DAY_S - 1)
    assert (only(verdict(sealed(wire.READINGS, body))).rule) == rules.EPOCH
