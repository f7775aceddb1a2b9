"""What the validator knows of messages seen before, of the clock and of padding; and what a finding may say."""

from __future__ import annotations

import re
from typing import Any

import cbor2
import pytest

from host_tools import rules
from host_tools.content import PADS, Health
from plumveil import wire
from tests.host import messages
from tests.host.messages import DAY_S, START_S, broken, device, only, readings, sealed, validator, verdict


def padded(pad: bytes) -> bytes:
    """A device plaintext with this pad, whatever its length."""
    return cbor2.dumps({wire.K_PAD: pad, **device()})


def test_padding_that_is_not_zeros() -> None:
    pad = cbor2.loads(messages.encoder.plaintext(device()))[wire.K_PAD]
    finding = only(verdict(sealed(wire.DEVICE, padded(b"\x01" * len(pad)))))
    assert (finding.rule, finding.what) == (rules.PADDING, "not zeros")


def test_padding_longer_than_needed() -> None:
    honest = messages.encoder.plaintext(device())
    for pad_bytes in range(100):
        plain = padded(bytes(pad_bytes))
        if (len(plain) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES == 0 and plain != honest:
            assert broken(verdict(sealed(wire.DEVICE, plain))) == [rules.PADDING], pad_bytes


def test_pads_are_those_the_encoder_makes() -> None:
    """For every length of a plaintext, the reference encoder's pad is the one allowed."""
    made = set()
    for filler in range(80):
        plain = messages.encoder.plaintext({wire.K_COLUMNS: bytes(filler)})
        assert (len(plain) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES == 0
        made.add(cbor2.loads(plain).get(wire.K_PAD))
    assert made == PADS | {None}


def test_padding_of_a_batch() -> None:
    plain = messages.encoder.plaintext(readings({wire.F_TEMPERATURE: [7] * 9}))
    body = cbor2.loads(plain)
    pad = body.pop(wire.K_PAD)
    assert verdict(sealed(wire.READINGS, cbor2.dumps({wire.K_PAD: pad, **body}))).valid
    wrong = cbor2.dumps({wire.K_PAD: b"\x01" * len(pad), **body})
    assert broken(verdict(sealed(wire.READINGS, wrong))) == [rules.PADDING]


def test_replay_of_a_nonce() -> None:
    one = validator()
    assert one.check(sealed(wire.DEVICE, device(), counter=5)).valid
    other = device(health={wire.F_UPTIME: 4})
    assert broken(one.check(sealed(wire.DEVICE, other, counter=5))) == [rules.REPLAY]
    assert one.check(sealed(wire.DEVICE, other, counter=6)).valid


def test_a_node_that_counts_on_is_no_replay() -> None:
    """Over steps, boots (another salt, a leap) and policies; and each stream and epoch counts by itself."""
    one = validator()
    others = (
        sealed(wire.DEVICE, device()),
        sealed(wire.DEVICE, device(health={wire.F_UPTIME: 4}), counter=1),
        sealed(wire.DEVICE, device(health={wire.F_UPTIME: 5}), counter=2, step=messages.STEP + 1),
        sealed(wire.DEVICE, device(health={wire.F_UPTIME: 6}), counter=66, step=messages.STEP + 1, salt=bytes(16)),
        sealed(wire.DEVICE, device(health={wire.F_UPTIME: 7}), counter=67, step=23, salt=bytes(16), policy=2),
        sealed(wire.EVENTS),
        sealed(wire.DEVICE, device(time=START_S - wire.EPOCH_S), epoch=messages.EPOCH - 1),
    )
    assert [one.check(data).findings for data in others] == [[]] * 7


def ran_back(one: messages.Validator, counter: int, uptime: int, **where: Any) -> bool:
    """Whether a message is reported as one of keys put back; it is opened and shown either way."""
    message = one.check(sealed(wire.DEVICE, device(health={wire.F_UPTIME: uptime}), counter=counter, **where))
    assert isinstance(message.content, Health)
    assert message.content.values == {wire.F_UPTIME: uptime}
    if message.findings:
        assert only(message).rule == rules.REPLAY
        assert "old flash image" in only(message).what
    return bool(message.findings)


def test_an_old_flash_image_put_back_shows_and_is_read_all_the_same() -> None:
    one = validator()
    salt = bytes(16)
    for counter in (0, 1, 2, 66, 67, 130):
        assert not ran_back(one, counter, 1, step=messages.STEP + counter // 66)
    # Its image was taken when it had counted to 2; it starts at the ceiling of then, under a new salt, and later.
    later = messages.STEP + 5
    assert [ran_back(one, counter, 2, step=later, salt=salt) for counter in range(66, 70)] == [True] * 4
    # Past all that was used, nothing can be told from a node that counts on.
    assert not ran_back(one, 131, 3, step=later, salt=salt)
    # What the node sealed before and comes late is not held against it.
    assert not ran_back(one, 3, 1, step=messages.STEP)


@pytest.mark.parametrize(
    ("counter", "step", "salt", "expected"),
    [
        (10, messages.STEP, bytes(16), True),
        (10, messages.STEP + 1, messages.SALT, True),
        (11, messages.STEP - 1, messages.SALT, True),
        (9, messages.STEP + 1, messages.SALT, True),
        (11, messages.STEP, bytes(16), False),
        (9, messages.STEP, messages.SALT, False),
        (9, messages.STEP - 1, bytes(16), False),
        (11, messages.STEP + 1, messages.SALT, False),
    ],
)
def test_counters_and_steps_rise_together(counter: int, step: int, salt: bytes, expected: bool) -> None:
    one = validator()
    assert not ran_back(one, 10, 1)
    assert ran_back(one, counter, 2, step=step, salt=salt) == expected
    # Remembered only when there is nothing to say against it.
    again = one.check(sealed(wire.DEVICE, device(health={wire.F_UPTIME: 2}), counter=counter, step=step, salt=salt))
    assert (again.duplicate, again.valid) == (not expected, not expected)


def test_the_same_bytes_again_are_a_duplicate_and_valid() -> None:
    one = validator()
    first, second = one.check(sealed(wire.READINGS)), one.check(sealed(wire.READINGS))
    assert (first.valid, first.duplicate) == (True, False)
    assert (second.valid, second.duplicate) == (True, True)


def test_a_forgery_does_not_count_as_seen() -> None:
    one = validator()
    data = sealed(wire.DEVICE)
    assert not one.check(data[:-1] + bytes((data[-1] ^ 1,))).valid
    message = one.check(data)
    assert (message.valid, message.duplicate) == (True, False)


def test_time_must_not_run_back_under_a_pseudonym() -> None:
    one = validator()
    assert one.check(sealed(wire.DEVICE, device(time=START_S + 60), counter=1)).valid
    finding = only(one.check(sealed(wire.DEVICE, device(time=START_S + 59), counter=2)))
    assert (finding.rule, finding.where) == (rules.TIME, "time")
    assert one.check(sealed(wire.DEVICE, device(time=START_S + 60), counter=3)).valid


def test_the_order_is_that_of_sealing_not_of_arrival() -> None:
    one = validator()
    for counter in (4, 2, 3, 1):
        assert one.check(sealed(wire.DEVICE, device(time=START_S + counter), counter=counter)).valid
    assert broken(one.check(sealed(wire.DEVICE, device(time=START_S + 3), counter=0))) == [rules.TIME]
    # Over steps and boots alike.
    after = sealed(wire.DEVICE, device(time=START_S + 3), step=messages.STEP + 1, salt=bytes(16), counter=70)
    assert broken(one.check(after)) == [rules.TIME]


def test_a_batch_counts_with_its_last_reading() -> None:
    one = validator()
    assert one.check(sealed(wire.READINGS, readings(), counter=0)).valid
    last_s = START_S + 11 * 300
    assert broken(one.check(sealed(wire.READINGS, readings(time=last_s - 1), counter=1))) == [rules.TIME]
    assert one.check(sealed(wire.READINGS, readings(time=last_s), counter=2)).valid


def test_a_message_out_of_time_does_not_put_the_next_in_the_wrong() -> None:
    one = validator()
    assert one.check(sealed(wire.DEVICE, device(time=START_S), counter=0)).valid
    assert broken(one.check(sealed(wire.DEVICE, device(time=START_S + wire.EPOCH_S), counter=1))) == [rules.EPOCH]
    assert broken(one.check(sealed(wire.DEVICE, device(time=START_S - 9), counter=2))) == [rules.TIME]
    assert one.check(sealed(wire.DEVICE, device(time=START_S + 1), counter=3)).valid


def test_the_future() -> None:
    data = sealed(wire.DEVICE, device(time=START_S))
    for now_s, expected in ((START_S, []), (START_S - 600, []), (START_S - 601, [rules.TIME])):
        assert broken(messages.Validator(messages.KeyRing(messages.REGISTRY, now_s), now_s).check(data)) == expected


@pytest.mark.parametrize(("time_s", "expected"), [(wire.UNIX_MIN_S, []), (wire.UNIX_MIN_S - 1, [rules.TIME])])
def test_before_the_format_existed(time_s: int, expected: list[str]) -> None:
    day = time_s // wire.EPOCH_S
    node = messages.NODE.model_copy(update={"epoch0_day": day - messages.EPOCH})
    one = messages.validator_of(node)
    assert broken(one.check(sealed(wire.DEVICE, device(time=time_s)))) == expected


def test_memory_is_bounded_and_what_is_let_go_is_counted() -> None:
    one = validator(history_max=10)
    for epoch in range(3):
        for counter in range(5):
            time_s = DAY_S + (epoch - messages.EPOCH) * wire.EPOCH_S + counter
            assert one.check(sealed(wire.DEVICE, device(time=time_s), epoch=epoch, counter=counter)).valid
    assert one.forgotten == 5


def test_a_finding_carries_no_secret_no_id_and_no_place() -> None:
    """Coordinates, cells, serials, pseudonyms and readings stay out of the words of a finding."""
    bodies = [
        (wire.LOCATION, messages.location(consent=b"31337137")),
        (wire.LOCATION, messages.location(cell=[3, 15000, 987654])),
        (wire.LOCATION, messages.location(time=START_S + 7)),
        (wire.READINGS, readings({wire.F_TEMPERATURE: [0, 1299]})),
        (wire.DEVICE, device(time=START_S + wire.EPOCH_S)),
        (wire.EVENTS, messages.event(wire.E_TEMPERATURE_HIGH, 1301)),
    ]
    taboo = re.compile(r"31337|15000|987654|1299|1301|fridge|clinic|1\d{9}")
    secrets = [messages.sender(stream).kid.hex() for stream in range(4)] + [messages.SALT.hex()]
    for stream, body in bodies:
        message = verdict(sealed(stream, body))
        assert message.findings
        words = repr(message.findings)
        assert not taboo.search(words)
        assert not any(secret in words for secret in secrets)
