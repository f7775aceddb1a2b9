"""Messages opened and decoded: what was put in comes out, and whatever is not a message is refused with a rule."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from host_tools import rules
from host_tools.content import Batch, Event, Health, Position
from host_tools.validate import Message
from plumveil import wire
from tests.host import messages

RULE_NAMES = {name for name, _ in rules.RULES}
STREAMS = messages.STREAMS


def refused(message: Message) -> bool:
    """True when nothing of a message was believed, for a reason that has a name."""
    return not message.valid and message.content is None and {f.rule for f in message.findings} <= RULE_NAMES


@pytest.mark.parametrize("stream", STREAMS)
def test_a_sound_message_is_valid(stream: int) -> None:
    message = messages.verdict(messages.sealed(stream))
    assert message.findings == []
    assert message.keys is not None
    assert (message.keys.rules.name, message.keys.epoch, message.keys.stream) == ("fridge", messages.EPOCH, stream)


def test_contents_come_out_as_they_went_in() -> None:
    contents = [messages.verdict(messages.sealed(stream)).content for stream in STREAMS]
    batch = contents[wire.READINGS]
    assert isinstance(batch, Batch)
    assert batch[:4] == (messages.START_S, 300, 12, (wire.F_TEMPERATURE, wire.F_HUMIDITY))
    assert [list(column) for column in batch.columns] == [messages.TEMPERATURES, messages.HUMIDITIES]
    tier, row, column = messages.CELL
    assert contents[wire.LOCATION] == Position(
        messages.START_S, tier, row, column, messages.reference(), messages.SERIAL
    )
    assert contents[wire.DEVICE] == Health(
        messages.START_S, {wire.F_UPTIME: 3, wire.F_RSSI: -6}, {wire.R_OUT_OF_RANGE: 2, wire.R_SENSOR_FAULT: 1}
    )
    assert contents[wire.EVENTS] == Event(messages.START_S, wire.E_CONSENT, 0)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_message_cut_at_any_byte_is_refused(stream: int) -> None:
    data = messages.sealed(stream)
    validator = messages.validator()
    for length in range(len(data)):
        assert refused(validator.check(data[:length])), length
    assert validator.check(data).valid


@pytest.mark.parametrize("stream", STREAMS)
def test_a_message_flipped_at_any_bit_is_refused(stream: int) -> None:
    data = messages.sealed(stream)
    validator = messages.validator()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refused(validator.check(bytes(flipped))), bit
    assert validator.check(data).valid


@pytest.mark.parametrize("stream", STREAMS)
def test_a_message_with_a_byte_more_or_less_anywhere_is_refused(stream: int) -> None:
    data = messages.sealed(stream)
    validator = messages.validator()
    for at in range(len(data) + 1):
        for other in (data[:at] + b"\x00" + data[at:], data[:at] + b"\x20" + data[at:], data[:at] + data[at + 1 :]):
            if other != data:
                assert refused(validator.check(other)), at


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=wire.MESSAGE_MAX_BYTES + 8))
@example(b"")
@example(bytes.fromhex("d0835829"))
@example(bytes.fromhex("d08358ff"))
@example(bytes.fromhex("5bffffffffffffffff"))
@example(bytes.fromhex("9bffffffffffffffff"))
@example(b"\x81" * 1024)
@example(b"\xc1" * 1024)
def test_random_bytes_are_refused(data: bytes) -> None:
    assert refused(messages.verdict(data))


_SCALARS = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.binary(max_size=40),
    st.text(max_size=4),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
)
_ITEMS = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(-2, 25) | st.text(max_size=2), inner),
    max_leaves=8,
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(STREAMS)), st.dictionaries(st.integers(0, 12), _ITEMS, max_size=5), st.booleans())
def test_any_plaintext_with_a_true_seal_gets_a_verdict(stream: int, change: dict[int, Any], canonical: bool) -> None:
    """Whoever holds a node's keys may seal anything."""
    body = {**messages.BODIES[stream], **change}
    message = messages.verdict(
        messages.sealed(stream, cbor2.dumps(body, canonical=canonical) + _fill(body, canonical))
    )
    assert {f.rule for f in message.findings} <= RULE_NAMES
    assert message.valid == (not message.findings)


def _fill(body: dict[int, Any], canonical: bool) -> bytes:
    length = len(cbor2.dumps(body, canonical=canonical)) + wire.TAG_BYTES
    return bytes(-length % wire.PAD_BLOCK_BYTES)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(STREAMS)), st.binary(max_size=6).map(lambda seed: (seed * 40)[:80]), st.integers(0, 90))
def test_any_bytes_with_a_true_seal_get_a_verdict(stream: int, noise: bytes, at: int) -> None:
    plain = bytearray(messages.encoder.plaintext(messages.BODIES[stream]))
    at %= len(plain)
    plain[at : at + len(noise)] = noise[: len(plain) - at]
    message = messages.verdict(messages.sealed(stream, bytes(plain)))
    assert {f.rule for f in message.findings} <= RULE_NAMES


@pytest.mark.parametrize("stream", STREAMS)
def test_every_bit_of_a_plaintext_means_something(stream: int) -> None:
    """A plaintext with one bit changed and sealed anew is refused, or says something else: no second spelling."""
    plain = messages.encoder.plaintext(messages.BODIES[stream])
    honest = messages.verdict(messages.sealed(stream, plain)).content
    for bit in range(8 * len(plain)):
        other = bytearray(plain)
        other[bit // 8] ^= 1 << bit % 8
        message = messages.verdict(messages.sealed(stream, bytes(other)))
        assert not message.valid or message.content != honest, bit
