"""Positions open under the secret of the consent they were taken under, and under no other; health values are masked
for all but who holds the node's identity secret."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import rules
from host_tools.checks import health
from host_tools.content import Health, Position
from host_tools.limits import Limits
from host_tools.registry import ConsentRecord
from host_tools.rules import Finding
from plumveil import wire
from tests.host import messages
from tests.host.messages import MASKED, NODE, SERIAL, START_S, broken, device, location, only, sealed, verdict

FIRST = NODE.consents[0]
SECRETS = {SERIAL: messages.CONSENT_SECRET, 42: bytes(range(7, 39)), 43: bytes(range(8, 40))}
NODE_OF_TWO = NODE.model_copy(
    update={"consents": (FIRST, FIRST.model_copy(update={"serial": 42, "secret": SECRETS[42].hex()}))}
)
DEVICE_FIELDS = [row for row in wire.FIELDS if row[2] == wire.DEVICE]
EVERY_VALUE = [(row[0], value) for row in DEVICE_FIELDS for value in {row[4], row[5], (row[4] + row[5]) // 2}]


def position(named: int, counter: int = 0, *, under: int | None = None) -> bytes:
    """A position that names one consent and is sealed under the secret of another, or of the same."""
    body = location(consent=messages.reference(named), cell=[3, 15000, 1200 + counter])
    return sealed(wire.LOCATION, body, counter=counter, consent=SECRETS[named if under is None else under])


def test_two_consents_of_one_boot_and_step_open_in_any_order() -> None:
    one = messages.validator_of(NODE_OF_TWO)
    for counter, serial in enumerate((SERIAL, 42, 42, SERIAL, 42, SERIAL)):
        message = one.check(position(serial, counter))
        assert message.findings == []
        assert isinstance(message.content, Position)
        assert (message.content.serial, message.content.column) == (serial, 1200 + counter)


def test_a_position_that_names_another_consent_than_it_is_sealed_under() -> None:
    finding = only(messages.validator_of(NODE_OF_TWO).check(position(SERIAL, under=42)))
    assert (finding.rule, finding.where) == (rules.CONSENT, "consent")


def test_a_position_under_a_secret_that_is_gone_is_noise() -> None:
    message = messages.validator_of(NODE_OF_TWO).check(position(43))
    assert (only(message).rule, message.content) == (rules.AUTHENTICITY, None)
    without = messages.validator_of(NODE.model_copy(update={"consents": ()})).check(position(SERIAL))
    assert (only(without).rule, without.content) == (rules.CONSENT, None)


@pytest.mark.parametrize("stream", [wire.READINGS, wire.DEVICE, wire.EVENTS])
def test_other_streams_need_no_consent(stream: int) -> None:
    assert messages.validator_of(NODE.model_copy(update={"consents": ()})).check(sealed(stream)).valid


def test_a_forged_position_is_refused_with_or_without_keys_at_hand() -> None:
    one = messages.validator_of(NODE_OF_TWO)
    data = position(SERIAL)
    forged = data[:-1] + bytes((data[-1] ^ 1,))
    assert only(one.check(forged)).rule == rules.AUTHENTICITY
    assert one.check(data).valid
    assert only(one.check(forged)).rule == rules.AUTHENTICITY


def masked(values: dict[int, int], drops: dict[int, int] | None = None) -> bytes:
    """A report as a node under a masking policy sends it."""
    return sealed(wire.DEVICE, masked_device(values, drops or {}), policy=MASKED)


def masked_device(values: dict[int, int], drops: dict[int, int], t_s: int = START_S) -> dict[int, Any]:
    own = messages.sender(wire.DEVICE)
    return device(time=t_s, health=own.masked(t_s, values), drops=own.masked_drops(t_s, drops))


@pytest.mark.parametrize(("field", "value"), EVERY_VALUE)
def test_the_controller_takes_the_mask_off(field: int, value: int) -> None:
    message = verdict(masked({field: value, wire.F_QUEUE: 9}))
    assert message.findings == []
    assert message.content == Health(START_S, {field: value, wire.F_QUEUE: 9}, {})


@pytest.mark.parametrize("rule", wire.RULES_SENT)
@pytest.mark.parametrize("n", [1, 255, 256, 65534, 65535])
def test_the_controller_takes_the_mask_off_the_counts(rule: int, n: int) -> None:
    message = verdict(masked({}, {rule: n}))
    assert message.findings == []
    assert message.content == Health(START_S, {}, {rule: n})


def test_counts_under_a_policy_that_masks_nothing_are_taken_as_they_are() -> None:
    assert verdict(sealed(wire.DEVICE)).content == Health(
        START_S, {wire.F_UPTIME: 3, wire.F_RSSI: -6}, messages.DROPS
    )


def test_masked_counts_lie_anywhere_within_their_limits() -> None:
    """No drops at all, report after report, are other counts each time, and each rule's are its own."""
    sent = [messages.sender(wire.DEVICE).masked_drops(START_S + n, {}) for n in range(400)]
    for place in range(len(wire.RULES_SENT)):
        seen = {one[place] for one in sent}
        assert len(seen) > 390
        assert min(seen) < 0x1000 <= 0xF000 < max(seen) <= wire.DROPS_MAX
    assert all(len(set(one)) > 1 for one in sent)


@pytest.mark.parametrize("beyond", [-1, wire.DROPS_MAX + 1])
def test_a_masked_count_off_the_limits_is_named_and_not_brought_within_them(beyond: int) -> None:
    for place, rule in enumerate(wire.RULES_SENT):
        body = masked_device({}, {})
        body[wire.K_DROPS][place] = beyond
        message = verdict(sealed(wire.DEVICE, body, policy=MASKED))
        finding = only(message)
        assert (finding.rule, finding.where) == (rules.RANGE, f"drops[{place}]")
        assert message.content == Health(START_S, {}, {rule: beyond})


def test_masked_values_lie_anywhere_within_their_limits() -> None:
    """The same health, report after report, is another each time, and all over the range."""
    values = {row[0]: row[4] for row in DEVICE_FIELDS}
    sent = [messages.sender(wire.DEVICE).masked(START_S + n, values) for n in range(400)]
    for field, _, _, _, low, high, _, _ in DEVICE_FIELDS:
        seen = {one[field] for one in sent}
        assert min(seen) >= low
        assert max(seen) <= high
        assert len(seen) >= min(high - low + 1, 150)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_masked_value_off_the_limits_is_named_and_not_brought_within_them(off: int) -> None:
    for field, _, _, _, low, high, _, _ in DEVICE_FIELDS:
        beyond = low - 1 if off < 0 else high + 1
        body = {**masked_device({}, {}), wire.K_HEALTH: {field: beyond}}
        message = verdict(sealed(wire.DEVICE, body, policy=MASKED))
        finding = only(message)
        assert (finding.rule, finding.where) == (rules.RANGE, f"health[{field}]")
        assert message.content == Health(START_S, {field: beyond}, {})


def test_the_step_is_that_of_the_value_not_of_the_mask() -> None:
    policy = NODE.policies[2].model_copy(update={"fields": {wire.F_QUEUE: 50}})
    one = messages.validator_of(NODE.model_copy(update={"policies": (policy,)}))
    for counter, (value, expected) in enumerate([(100, []), (101, [rules.RESOLUTION]), (4050, [])]):
        sent = messages.sender(wire.DEVICE).masked(START_S, {wire.F_QUEUE: value})
        data = sealed(wire.DEVICE, device(health=sent), policy=MASKED, counter=counter)
        assert broken(one.check(data)) == expected


@given(st.sampled_from(DEVICE_FIELDS).flatmap(lambda row: st.tuples(st.just(row[0]), st.integers(row[4], row[5]))))
def test_who_cannot_unmask_sees_ranges_only(pair: tuple[int, int]) -> None:
    """Whatever the value, its step is not judged; and nothing is taken for the node's own value."""
    field, value = pair
    limits = Limits(NODE.policies[2].model_copy(update={"fields": {field: 7}}))
    findings: list[Finding] = []
    plain = messages.encoder.plaintext(device(health={field: value}))
    assert health(plain, limits, None, findings) == Health(START_S, {field: value}, None, masked=True)
    assert findings == []


def test_consents_are_tried_whatever_their_order_in_the_key_file() -> None:
    def another(serial: int) -> ConsentRecord:
        secret = SECRETS[serial].hex()
        return FIRST.model_copy(update={"serial": serial, "secret": secret})

    for order in itertools.permutations(SECRETS):
        one = messages.validator_of(NODE.model_copy(update={"consents": tuple(map(another, order))}))
        assert [one.check(position(serial, n)).findings for n, serial in enumerate(SECRETS)] == [[], [], []]
