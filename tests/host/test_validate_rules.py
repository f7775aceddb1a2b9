"""Every rule of the validator, broken alone: the verdict names that rule, the place, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import cbor2
import pytest

from host_tools import rules
from plumveil import wire
from tests.host import messages
from tests.host.messages import START_S, broken, device, event, location, only, readings, sealed, verdict


@pytest.mark.parametrize("stream", messages.STREAMS)
def test_cbor_of_the_plaintext(stream: int) -> None:
    honest = messages.encoder.plaintext(messages.BODIES[stream])
    body = cbor2.loads(honest)
    time = cbor2.dumps(START_S)
    spellings = {
        "unsorted": cbor2.dumps(dict(reversed(body.items()))),
        "float": honest.replace(b"\x01" + time, b"\x01" + cbor2.dumps(float(START_S))),
        "long head": honest.replace(b"\x01" + time, b"\x01\x1b" + START_S.to_bytes(8, "big")),
        "bignum": honest.replace(b"\x01" + time, b"\x01\xc2\x44" + START_S.to_bytes(4, "big")),
        "duplicate": bytes((honest[0] + 1,)) + honest[1:] + b"\x01" + time,
        "trailing": honest + bytes(wire.PAD_BLOCK_BYTES),
        "indefinite": b"\xbf" + honest[1:] + b"\xff",
        "short of an entry": bytes((honest[0] + 1,)) + honest[1:],
        "true for 1": honest.replace(b"\x01" + time, b"\xf5" + time),
        "text": honest.replace(b"\x01" + time, b"\x61\x31" + time),
    }
    for name, raw in spellings.items():
        assert raw != honest, name
        # Whole blocks, or it is refused before it is opened; bytes behind the item break the same rule.
        raw += bytes(-(len(raw) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES)
        finding = only(verdict(sealed(stream, raw)))
        assert finding.rule == rules.CBOR, name
        assert finding.where.startswith("plaintext, byte "), name


def test_pseudonym() -> None:
    stranger = messages.with_header(wire.READINGS, {wire.COSE_HDR_KID: bytes(8)})
    assert only(verdict(stranger)).rule == rules.PSEUDONYM
    # Nor is one known that is further ahead than a node gets; tests/host/test_ring_ahead.py has the nearer ones.
    beyond = messages.EPOCH + 4 + wire.EPOCHS_AHEAD_MAX
    assert only(verdict(sealed(wire.DEVICE, epoch=beyond))).rule == rules.PSEUDONYM


def test_authenticity() -> None:
    data = sealed(wire.READINGS)
    assert only(verdict(data[:-1] + bytes((data[-1] ^ 1,)))).rule == rules.AUTHENTICITY
    protected, _, ciphertext = cbor2.loads(sealed(wire.READINGS)).value
    other_step = protected.replace(b"\x84\x01\x0c\x01", b"\x84\x01\x0b\x01")
    other_policy = protected.replace(b"\x84\x01\x0c\x01", b"\x84\x01\x0c\x02")
    for header in (other_step, other_policy):
        assert header != protected
        assert only(verdict(messages.encoder.envelope(header, ciphertext))).rule == rules.AUTHENTICITY


def test_authenticity_binds_the_tenant() -> None:
    foreign = dataclasses.replace(messages.sender(wire.READINGS), tenant="other")
    mine = cbor2.dumps(messages.sender(wire.READINGS).protected(messages.STEP, 1, 0), canonical=True)
    data = messages.encoder.envelope(mine, foreign.encrypt(mine, messages.encoder.plaintext(readings())))
    assert only(verdict(data)).rule == rules.AUTHENTICITY


ZEROS = [0] * len(wire.RULES_SENT)
# (stream, plaintext map, policy version, rule, where)
BREACHES = [
    (wire.READINGS, readings(time=None), 1, rules.STRUCTURE, "plaintext"),
    (wire.READINGS, readings(extra=0), 1, rules.STRUCTURE, "plaintext"),
    (wire.READINGS, readings(cell=messages.CELL), 1, rules.STRUCTURE, "plaintext"),
    (wire.READINGS, readings(time=b"1234"), 1, rules.STRUCTURE, "time"),
    (wire.READINGS, readings(fields=[]), 1, rules.STRUCTURE, "fields"),
    (wire.READINGS, readings(fields=[2, 1]), 1, rules.STRUCTURE, "fields"),
    (wire.READINGS, readings(fields=[1, 1]), 1, rules.STRUCTURE, "fields"),
    (wire.READINGS, readings(fields=[1, b"2"]), 1, rules.STRUCTURE, "fields"),
    (wire.READINGS, readings(columns=readings()[wire.K_COLUMNS] + b"\x00"), 1, rules.STRUCTURE, "columns: humidity"),
    (wire.READINGS, readings(columns=readings()[wire.K_COLUMNS][:-1]), 1, rules.STRUCTURE, "columns: humidity"),
    (wire.READINGS, readings(columns=b""), 1, rules.STRUCTURE, "columns: temperature"),
    (wire.LOCATION, location(consent=None), 1, rules.STRUCTURE, "plaintext"),
    (wire.LOCATION, location(cell=[3, 1]), 1, rules.STRUCTURE, "cell"),
    (wire.LOCATION, location(cell=[3, 1, b""]), 1, rules.STRUCTURE, "cell"),
    (wire.DEVICE, device(health={wire.F_UPTIME: b""}), 1, rules.STRUCTURE, "health"),
    (wire.EVENTS, event(99), 1, rules.STRUCTURE, "event"),
    (wire.EVENTS, event(1, 0), 1, rules.STRUCTURE, "event"),
    (wire.EVENTS, event(drops=ZEROS), 1, rules.STRUCTURE, "plaintext"),
    (wire.DEVICE, device(health=None), 1, rules.STRUCTURE, "plaintext"),
    (wire.DEVICE, device(drops=None), 1, rules.STRUCTURE, "plaintext"),
    (wire.DEVICE, device(drops={wire.R_CLOCK: 1}), 1, rules.STRUCTURE, "drops"),
    (wire.DEVICE, device(drops=[]), 1, rules.STRUCTURE, "drops"),
    (wire.DEVICE, device(drops=ZEROS[1:]), 1, rules.STRUCTURE, "drops"),
    (wire.DEVICE, device(drops=[*ZEROS, 0]), 1, rules.STRUCTURE, "drops"),
    (wire.DEVICE, device(drops=[*ZEROS[1:], b""]), 1, rules.STRUCTURE, "drops"),
    (wire.READINGS, readings({wire.F_SHOCK_PEAK: [1, 2]}), 1, rules.FIELD, "fields[0]"),
    (wire.READINGS, readings(fields=[wire.F_TEMPERATURE, wire.F_UPTIME]), 1, rules.FIELD, "fields[1]"),
    (wire.READINGS, readings(fields=[wire.F_TEMPERATURE, 15]), 1, rules.FIELD, "fields[1]"),
    (wire.READINGS, readings(), 9, rules.FIELD, "protected[-65537][2]"),
    (wire.LOCATION, location(), 9, rules.FIELD, "protected[-65537][2]"),
    (wire.DEVICE, device(), 9, rules.FIELD, "protected[-65537][2]"),
    (wire.DEVICE, device(health={wire.F_HUMIDITY: 4}), 1, rules.FIELD, "health[2]"),
    (wire.DEVICE, device(health={99: 4}), 1, rules.FIELD, "health[99]"),
    (wire.EVENTS, event(wire.E_SHOCK, 40), 1, rules.FIELD, "argument"),
    (wire.EVENTS, event(wire.E_TEMPERATURE_HIGH, 90), 9, rules.FIELD, "argument"),
    (wire.READINGS, readings({wire.F_HUMIDITY: [90, 92, 93, 94]}), 1, rules.RESOLUTION, "columns: humidity[2]"),
    (wire.LOCATION, location(time=START_S + 301), 1, rules.RESOLUTION, "time"),
    (wire.EVENTS, event(wire.E_CONSENT, 4, consent=bytes(8)), 1, rules.RESOLUTION, "argument"),
    (wire.EVENTS, event(wire.E_CONSENT, 1, consent=bytes(8)), 9, rules.RESOLUTION, "argument"),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [0, 1251]}), 1, rules.RANGE, "columns: temperature[1]"),
    (
        wire.READINGS,
        readings({wire.F_BATTERY: [None, 0, -1, 301]}),
        1,
        rules.RANGE,
        "columns: battery[2], and 1 more",
    ),
    (wire.READINGS, readings({wire.F_BATTERY: [511] * 3}), 1, rules.RANGE, "columns: battery[0], and 2 more"),
    (wire.LOCATION, location(cell=[0, 0, 0]), 1, rules.RANGE, "cell"),
    (wire.LOCATION, location(cell=[3, 15000, 10**6]), 1, rules.RANGE, "cell"),
    (wire.LOCATION, location(cell=[3, -1, 0]), 1, rules.RANGE, "cell"),
    (wire.DEVICE, device(health={wire.F_RSSI: 1}), 1, rules.RANGE, "health[18]"),
    (wire.EVENTS, event(wire.E_TEMPERATURE_LOW, -551), 1, rules.RANGE, "argument"),
    (wire.EVENTS, event(wire.E_CONSENT, 5, consent=bytes(8)), 1, rules.RANGE, "argument"),
    (wire.EVENTS, event(wire.E_EPOCHS_AHEAD, 0), 1, rules.RANGE, "argument"),
    (wire.EVENTS, event(wire.E_EPOCHS_AHEAD, wire.EPOCHS_AHEAD_MAX + 1), 1, rules.RANGE, "argument"),
    (wire.LOCATION, location(consent=messages.SERIAL), 1, rules.STRUCTURE, "consent"),
    (wire.LOCATION, location(consent=messages.reference()[:7]), 1, rules.CONSENT, "consent"),
    (wire.LOCATION, location(consent=messages.reference(epoch=messages.EPOCH + 1)), 1, rules.CONSENT, "consent"),
    (wire.DEVICE, device(drops=[-1, *ZEROS[1:]]), 1, rules.RANGE, "drops[0]"),
    (wire.DEVICE, device(drops=[*ZEROS[1:], wire.DROPS_MAX + 1]), 1, rules.RANGE, f"drops[{len(ZEROS) - 1}]"),
    (wire.READINGS, readings(count=0), 1, rules.TIME, "count"),
    (wire.READINGS, readings(count=wire.BATCH_MAX + 1), 1, rules.TIME, "count"),
    (wire.READINGS, readings(interval=0), 1, rules.TIME, "interval"),
    (wire.READINGS, readings(interval=3601), 1, rules.TIME, "interval"),
    (wire.DEVICE, device(time=START_S + wire.EPOCH_S), 1, rules.EPOCH, "time"),
    (wire.READINGS, readings(time=messages.DAY_S - 1), 1, rules.EPOCH, "time"),
    (wire.READINGS, readings(time=messages.DAY_S + wire.EPOCH_S - 11 * 300), 1, rules.EPOCH, "time"),
    (wire.LOCATION, location(consent=messages.reference(messages.SERIAL + 1)), 1, rules.CONSENT, "consent"),
    (wire.LOCATION, location(time=START_S + 3600), 1, rules.CONSENT, "time"),
    (wire.LOCATION, location(time=START_S - 300), 1, rules.CONSENT, "time"),
    (wire.LOCATION, location(cell=[4, 60000, 1]), 2, rules.CONSENT, "cell[0]"),
]


NAMES = [f"{number}-{case[3]}-{case[4]}" for number, case in enumerate(BREACHES)]


@pytest.mark.parametrize(("stream", "body", "policy", "rule", "where"), BREACHES, ids=NAMES)
def test_a_breach_is_named(stream: int, body: dict[int, Any], policy: int, rule: str, where: str) -> None:
    finding = only(verdict(sealed(stream, body, policy=policy)))
    assert (finding.rule, finding.where) == (rule, where)


# Next to each breach something just as near that is none.
SOUND = [
    (wire.READINGS, readings({wire.F_SHOCK_PEAK: [1, 2]}), 2),
    (wire.READINGS, readings({wire.F_HUMIDITY: [90, 91, 93, 94]}), 2),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [0, 1250, -550]}), 1),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [None, None], wire.F_BATTERY: [1, 1]}), 1),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [7]}, interval=1), 1),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [7] * 12}, interval=3600, time=messages.DAY_S), 1),
    (wire.READINGS, readings({wire.F_TEMPERATURE: [7] * wire.BATCH_MAX}, interval=300), 1),
    (wire.READINGS, readings(time=messages.DAY_S + wire.EPOCH_S - 11 * 300 - 1), 1),
    (wire.LOCATION, location(time=START_S + 3300), 1),
    (wire.LOCATION, location(time=START_S), 1),
    (wire.LOCATION, location(cell=[2, 1, 1]), 1),
    (wire.EVENTS, event(wire.E_SHOCK, 40), 2),
    (wire.EVENTS, event(wire.E_TEMPERATURE_HIGH, 1250), 1),
    (wire.EVENTS, event(wire.E_CONSENT, 0), 9),
    (wire.EVENTS, event(wire.E_CONSENT, 3), 1),
    (wire.EVENTS, event(wire.E_EPOCHS_AHEAD, 1), 9),
    (wire.EVENTS, event(wire.E_EPOCHS_AHEAD, wire.EPOCHS_AHEAD_MAX), 1),
    (wire.DEVICE, device(drops=ZEROS), 1),
    (wire.DEVICE, device(drops=[wire.DROPS_MAX] * len(ZEROS)), 1),
    (wire.DEVICE, device(health={}), 1),
    (wire.DEVICE, device(health={wire.F_SELF_TEST: 7}), 1),
    (wire.DEVICE, device(health={wire.F_RSSI: -12, wire.F_HEAP_FREE: 512}), 1),
]


@pytest.mark.parametrize(("stream", "body", "policy"), SOUND, ids=map(str, range(len(SOUND))))
def test_what_is_just_allowed_passes(stream: int, body: dict[int, Any], policy: int) -> None:
    assert verdict(sealed(stream, body, policy=policy)).findings == []


def test_a_tier_beyond_the_ceiling_breaks_resolution() -> None:
    """The consent would cover it; the policy does not."""
    policies = tuple(policy.model_copy(update={"location_ceiling": 2}) for policy in messages.NODE.policies)
    node = messages.NODE.model_copy(update={"policies": policies})
    message = messages.validator_of(node).check(sealed(wire.LOCATION))
    assert (only(message).rule, only(message).where) == (rules.RESOLUTION, "cell[0]")


def test_an_alarm_need_fit_only_one_of_the_sensors_that_may_have_raised_it() -> None:
    fields = {wire.F_TEMPERATURE: 5, wire.F_PROBE_TEMPERATURE: 2}
    policy = messages.Policy(version=1, fields=fields, location_ceiling=0)
    node = messages.NODE.model_copy(update={"policies": (policy,)})
    for value, expected in ((84, []), (85, []), (83, [rules.RESOLUTION])):
        data = sealed(wire.EVENTS, event(wire.E_TEMPERATURE_HIGH, value))
        assert broken(messages.validator_of(node).check(data)) == expected


def test_several_breaches_are_all_named() -> None:
    body = readings({wire.F_HUMIDITY: [90, 201, 93]}, interval=0)
    assert broken(verdict(sealed(wire.READINGS, body))) == [rules.TIME, rules.RESOLUTION, rules.RANGE]


def test_every_rule_is_broken_by_some_test_here() -> None:
    named = {case[3] for case in BREACHES}
    elsewhere = {rules.COSE, rules.CBOR, rules.PSEUDONYM, rules.AUTHENTICITY, rules.PADDING, rules.REPLAY}
    assert named | elsewhere == {name for name, _ in rules.RULES}
