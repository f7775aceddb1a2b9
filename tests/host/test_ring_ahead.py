"""Nodes whose clock burned epochs: their pseudonyms are found, their messages are valid, and how far ahead they are
is recorded; what no wrong clock explains is a breach."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from host_tools import derive, keyring, rules
from host_tools.content import Position
from host_tools.registry import ConsentRecord
from plumveil import wire
from tests.host import messages
from tests.host.messages import DAY_S, EPOCH, NODE, NOW_S, START_S, broken, device, only, sealed, validator, verdict

LAST_EPOCH = NOW_S // wire.EPOCH_S - messages.EPOCH0_DAY + 1
MAX = wire.EPOCHS_AHEAD_MAX
# A node old enough that the format's first day is further back than it may be ahead.
LATE = NODE.model_copy(update={"epoch0_day": messages.EPOCH0_DAY + 2 * MAX, "consents": ()})
LATE_S = START_S + 2 * MAX * wire.EPOCH_S


def kid(epoch: int) -> bytes:
    return messages.sender(wire.DEVICE, epoch).kid


def found(ring: keyring.KeyRing, epoch: int) -> keyring.StreamKeys:
    keys = ring.find(kid(epoch))
    assert keys is not None
    return keys


def test_pseudonyms_are_known_as_far_ahead_as_a_node_gets() -> None:
    ring = keyring.KeyRing(messages.REGISTRY, NOW_S)
    for epoch in (0, LAST_EPOCH, LAST_EPOCH + 1, LAST_EPOCH + MAX):
        keys = found(ring, epoch)
        assert (keys.epoch, keys.day, keys.stream) == (epoch, messages.EPOCH0_DAY + epoch, wire.DEVICE)
    assert ring.find(kid(LAST_EPOCH + MAX + 1)) is None


def test_a_node_enrolled_tomorrow_or_later_is_known_ahead_too() -> None:
    future = NODE.model_copy(update={"epoch0_day": NOW_S // wire.EPOCH_S + 30})
    ring = keyring.KeyRing([future], NOW_S)
    assert found(ring, MAX - 29).day == NOW_S // wire.EPOCH_S + 1 + MAX
    assert ring.find(kid(MAX - 28)) is None


def test_looking_ahead_waits_for_a_stranger_and_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [kid(epoch) for epoch in range(LAST_EPOCH + 1)]
    made: list[bytes] = []
    pseudonym = derive.pseudonym

    def noted(*arguments: Any) -> bytes:
        made.append(pseudonym(*arguments))
        return made[-1]

    monkeypatch.setattr(derive, "pseudonym", noted)
    ring = keyring.KeyRing(messages.REGISTRY, NOW_S)
    assert all(ring.find(name) for name in known)
    # Those of all streams, and one again when a stream's keys are made.
    assert len(set(made)) == 5 * len(known)
    assert ring.find(bytes(8)) is None
    assert len(set(made)) == 5 * (len(known) + MAX)
    made.clear()
    assert ring.find(bytes(range(8))) is None
    assert made == []


def test_a_ring_of_nobody_finds_nothing() -> None:
    ring = keyring.KeyRing([], NOW_S)
    assert ring.find(bytes(8)) is None
    assert ring.find(bytes(8)) is None


@pytest.mark.parametrize("ahead", [1, 37, MAX])
def test_a_message_of_a_later_epoch_is_valid_and_says_how_much_later(ahead: int) -> None:
    one = messages.Validator(keyring.KeyRing([LATE], LATE_S), LATE_S)
    for stream in (wire.READINGS, wire.DEVICE, wire.EVENTS):
        body = {**messages.BODIES[stream], wire.K_TIME: LATE_S - 7200}
        message = one.check(sealed(stream, body, epoch=EPOCH + ahead))
        assert (message.findings, message.epochs_ahead) == ([], ahead)
    assert verdict(sealed(wire.DEVICE)).epochs_ahead == 0


@pytest.mark.parametrize("epochs", [-1, -MAX, MAX + 1])
def test_no_clock_explains_an_earlier_epoch_or_one_too_far_ahead(epochs: int) -> None:
    start = messages.EPOCH0_DAY + 2 * MAX - EPOCH
    node = NODE.model_copy(update={"epoch0_day": start - 2 * MAX})
    body = device(time=(start + EPOCH) * wire.EPOCH_S)
    one = messages.Validator(keyring.KeyRing([node], LATE_S + MAX * wire.EPOCH_S), LATE_S + MAX * wire.EPOCH_S)
    message = one.check(sealed(wire.DEVICE, body, epoch=2 * MAX + EPOCH + epochs))
    assert (only(message).rule, message.epochs_ahead) == (rules.EPOCH, 0)


def test_a_position_taken_ahead_opens_under_the_consent_of_its_day() -> None:
    body = messages.location(consent=messages.reference(epoch=EPOCH + 37))
    message = verdict(sealed(wire.LOCATION, body, epoch=EPOCH + 37))
    assert (message.findings, message.epochs_ahead) == ([], 37)
    assert isinstance(message.content, Position)
    assert message.content.serial == messages.SERIAL


def test_of_many_consents_those_of_the_day_then_the_nearest_are_tried() -> None:
    def consent(serial: int, day: int) -> ConsentRecord:
        start_s = day * wire.EPOCH_S
        secret = serial.to_bytes(32, "big").hex()
        times = {"starts_s": start_s, "expires_s": start_s + wire.EPOCH_S, "issued_s": start_s}
        return NODE.consents[0].model_copy(update={"serial": serial, "secret": secret, **times})

    # One a day for years, in no order.
    days = [messages.EPOCH0_DAY + 3 + offset * (-1) ** offset for offset in range(300)]
    random.Random(7).shuffle(days)
    node = NODE.model_copy(update={"consents": tuple(consent(n + 1, day) for n, day in enumerate(days))})
    day = messages.EPOCH0_DAY + EPOCH

    def rules_broken(distance: int) -> list[str]:
        serial = days.index(day + distance) + 1
        body = messages.location(consent=messages.reference(serial))
        data = sealed(wire.LOCATION, body, consent=serial.to_bytes(32, "big"))
        return broken(messages.validator_of(node).check(data))

    assert rules_broken(0) == []
    assert rules_broken(10) == rules_broken(-11) == [rules.CONSENT]
    assert rules_broken(keyring.CONSENTS_MAX + 2) == [rules.AUTHENTICITY]


def ahead_then(one: messages.Validator, ahead: int, counter: int, time_s: int = START_S) -> list[str]:
    """Rules broken by a message of the same pseudonym whose node was so far ahead."""
    body = device(time=time_s - ahead * wire.EPOCH_S)
    return broken(one.check(sealed(wire.DEVICE, body, counter=counter)))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_clock_set_back_takes_a_node_ahead_once_whatever_comes_first(order: tuple[int, ...]) -> None:
    """Under one pseudonym: first by the clock that was wrong, then further and further ahead."""
    one = validator()
    sent = [(0, START_S), (37, START_S + 60), (37, START_S + 120), (60, START_S - 60)]
    for counter in order:
        ahead, time_s = sent[counter]
        assert ahead_then(one, ahead, counter, time_s) == []


def test_epochs_ahead_never_fall_under_a_pseudonym() -> None:
    one = validator()
    assert ahead_then(one, 37, 1) == []
    assert ahead_then(one, 36, 2, START_S + 60) == [rules.EPOCH]
    assert ahead_then(one, 0, 3, START_S + 60) == [rules.EPOCH]
    # Nor were they more before.
    assert ahead_then(one, 38, 0, START_S - 60) == [rules.EPOCH]
    # A breach does not put what follows in the wrong.
    assert ahead_then(one, 37, 4, START_S + 60) == []


def test_times_are_in_order_among_messages_equally_far_ahead() -> None:
    one = validator()
    assert ahead_then(one, 37, 1, START_S) == []
    assert ahead_then(one, 37, 2, START_S - 1) == [rules.TIME]
    assert ahead_then(one, 38, 3, START_S - 1) == []
    assert ahead_then(one, 38, 4, DAY_S) == [rules.TIME]


def test_a_node_with_new_secrets_is_in_the_ring_once_for_each() -> None:
    again = NODE.model_copy(
        update={"k_id": "12" * 32, "k_chain": "34" * 32, "k_config": "56" * 32, "k_consent": "78" * 32}
    )
    ring = keyring.KeyRing([NODE, again], NOW_S)
    names = derive.Chain(bytes.fromhex(again.k_id)).at(EPOCH)
    for name in (kid(EPOCH), derive.pseudonym(names, messages.TENANT, wire.DEVICE)):
        keys = ring.find(name)
        assert keys is not None
        assert keys.rules.name == "fridge"
