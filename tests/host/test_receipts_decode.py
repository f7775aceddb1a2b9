"""Statements of consent and receipts, as the controller and a processor read them; what is wrong is named."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools import keyring, rules
from host_tools.content import Event
from host_tools.keytable import make_table
from host_tools.receipts import entries
from host_tools.strict_cbor import NotStrict, NotWellFormed, loads
from host_tools.validate import Message, Validator
from plumveil import terms, wire
from tests.host import messages, receipts
from tests.host.messages import EPOCH, EPOCH0_DAY, NODE, NOW_S, SERIAL, START_S, event, only, sealed
from tests.host.receipts import body, grant

DAY = EPOCH0_DAY + EPOCH
LOG = receipts.told()


def processor() -> Validator:
    """Who was given all streams of the day."""
    return Validator(keyring.TableRing(make_table([NODE], range(4), DAY, DAY)), NOW_S)


def verdict(plain: dict[int, Any], **more: Any) -> Message:
    return messages.verdict(sealed(wire.EVENTS, plain, **more))


def content(message: Message) -> Event:
    assert message.findings == []
    assert isinstance(message.content, Event)
    return message.content


def test_a_statement_names_its_consent_to_the_controller_and_a_reference_to_a_processor() -> None:
    data = sealed(wire.EVENTS, event(wire.E_CONSENT, 3))
    assert content(messages.verdict(data)) == Event(START_S, wire.E_CONSENT, 3, messages.reference(), SERIAL)
    assert content(processor().check(data)) == Event(START_S, wire.E_CONSENT, 3, messages.reference())


def test_that_there_is_no_consent_needs_no_reference() -> None:
    assert content(verdict(event(wire.E_CONSENT, 0))) == Event(START_S, wire.E_CONSENT, 0)


@pytest.mark.parametrize(
    ("plain", "where"),
    [
        (event(wire.E_CONSENT, 3, consent=None), "plaintext"),
        (event(wire.E_CONSENT, 0, consent=bytes(8)), "plaintext"),
        (event(wire.E_EPOCHS_AHEAD, 1, consent=bytes(8)), "plaintext"),
        (event(wire.E_TEMPERATURE_HIGH, 90, receipt=bytes(40)), "plaintext"),
        (event(wire.E_RECEIPT, terms.LOG_POLICY), "plaintext"),
        (event(wire.E_CONSENT, 3, consent=bytes(7)), "consent"),
        (event(wire.E_CONSENT, 3, consent=7), "consent"),
        (event(wire.E_RECEIPT, terms.LOG_POLICY, receipt=bytes(terms.RECEIPT_SALT_BYTES)), "receipt"),
        (event(wire.E_RECEIPT, terms.LOG_POLICY, receipt=[]), "receipt"),
        (body(LOG.entries[0], argument=terms.LOG_VOIDED), "argument"),
        # Under another epoch's mask it is noise.
        (body(LOG.entries[0], epoch=EPOCH + 1, time=START_S), "receipt"),
    ],
    ids=str,
)
def test_what_is_missing_or_does_not_belong_breaks_the_structure(plain: dict[int, Any], where: str) -> None:
    finding = only(verdict(plain))
    assert (finding.rule, finding.where) == (rules.STRUCTURE, where)


@pytest.mark.parametrize(
    ("plain", "policy", "rule", "where"),
    [
        (event(wire.E_CONSENT, 4), 2, rules.CONSENT, "argument"),
        (event(wire.E_CONSENT, 3, time=START_S - 300), 1, rules.CONSENT, "time"),
        (event(wire.E_CONSENT, 3, time=START_S + 3600), 1, rules.CONSENT, "time"),
        (event(wire.E_CONSENT, 3, time=START_S + 1), 1, rules.RESOLUTION, "time"),
        (body(LOG.entries[0], time=START_S + 300), 1, rules.RESOLUTION, "time"),
        (event(wire.E_NO_ROUTE, -1), 1, rules.RANGE, "argument"),
    ],
    ids=str,
)
def test_a_breach_is_named(plain: dict[int, Any], policy: int, rule: str, where: str) -> None:
    finding = only(verdict(plain, policy=policy))
    assert (finding.rule, finding.where) == (rule, where)


@pytest.mark.parametrize("days", [0, 1, 400])
def test_days_without_a_route_are_told(days: int) -> None:
    assert content(verdict(event(wire.E_NO_ROUTE, days))).argument == days


def test_a_kind_that_the_format_does_not_know_is_out_of_range() -> None:
    message = verdict({**body(LOG.entries[0]), wire.K_ARGUMENT: 99})
    assert {(finding.rule, finding.where) for finding in message.findings} == {
        (rules.RANGE, "argument"),
        (rules.STRUCTURE, "argument"),
    }
    assert only(processor().check(sealed(wire.EVENTS, {**body(LOG.entries[0]), wire.K_ARGUMENT: 99}))).rule == "range"


@pytest.mark.parametrize("entry", LOG.entries, ids=range(1, 7))
def test_the_controller_reads_the_entry_and_a_processor_its_kind(entry: bytes) -> None:
    data = receipts.receipt(entry)
    found = content(messages.verdict(data)).entry
    assert found is not None
    assert found.raw == entry
    number, before, kind, t_s, details = cbor2.loads(entry)
    assert found == (number, before, kind, t_s, details, entry)
    assert content(processor().check(data)) == Event(START_S, wire.E_RECEIPT, kind)


def test_what_a_processor_sees_of_one_entry_is_another_in_each_epoch() -> None:
    """Neither equal nor near: as many bits differ as of noise."""
    entry = LOG.entries[1]
    seen = [body(entry, epoch=epoch)[wire.K_RECEIPT][terms.RECEIPT_SALT_BYTES :] for epoch in range(20)]
    for at, one in enumerate(seen):
        for other in seen[:at]:
            bits = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()
            assert 0.4 < bits / (8 * len(one)) < 0.6


@pytest.mark.parametrize("part", [terms.G_TIER, terms.G_STARTS_S, terms.G_EXPIRES_S])
def test_a_receipt_of_other_terms_than_on_record_is_refused(part: int) -> None:
    log = receipts.Log()
    parts = grant()
    log.add(terms.LOG_GRANTED, {**parts, part: parts[part] - 1})
    finding = only(messages.verdict(receipts.receipt(log.entries[0])))
    assert (finding.rule, finding.where) == (rules.CONSENT, "receipt")


def test_a_delegates_grant_that_nobody_knows_here_yet_is_taken() -> None:
    log = receipts.Log()
    log.add(terms.LOG_GRANTED, {**grant(reason="x"), terms.G_SERIAL: 900})
    assert content(messages.verdict(receipts.receipt(log.entries[0]))).serial == 900


def test_an_event_whose_time_was_rounded_down_may_follow_a_later_one() -> None:
    one = messages.validator()
    alarm = event(wire.E_TEMPERATURE_HIGH, 90, time=START_S + 1500)
    data = [sealed(wire.EVENTS, alarm, counter=1), receipts.receipt(LOG.entries[0], 2), receipts.statement(3, 3)]
    assert [one.check(message).findings for message in data[:2]] == [[], []]
    # A statement's time is rounded to five minutes, not to the hour: this one is early by more.
    assert only(one.check(data[2])).rule == rules.TIME
    late = receipts.statement(3, 4, time=START_S + 1500)
    assert one.check(late).valid


def test_a_receipt_of_an_hour_that_was_over_is_out_of_order() -> None:
    one = messages.validator()
    alarm = event(wire.E_TEMPERATURE_HIGH, 90, time=START_S + 3601)
    assert one.check(sealed(wire.EVENTS, alarm, counter=1)).valid
    assert only(one.check(receipts.receipt(LOG.entries[0], 2))).rule == rules.TIME


TEXTS = st.text(max_size=20)
LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | TEXTS | st.none()
ITEMS = LEAVES | st.lists(LEAVES | st.lists(LEAVES, max_size=3), max_size=6)


@given(ITEMS)
def test_text_and_null_are_read_where_they_may_stand(item: Any) -> None:
    data = cbor2.dumps(item)
    assert loads(data, text=True) == item


@given(st.binary(max_size=30) | ITEMS.map(cbor2.dumps))
def test_what_is_read_has_no_other_spelling(data: bytes) -> None:
    try:
        item = loads(data, text=True)
    except (NotStrict, NotWellFormed):
        return
    assert cbor2.dumps(item, canonical=True) == data


@pytest.mark.parametrize("text", ["61ff", "7801", "f7", "f5", "f4", "e0", "f816", "f90000", "fb" + "00" * 8, "c001"])
def test_what_is_no_text_and_not_null_is_refused_as_before(text: str) -> None:
    with pytest.raises((NotStrict, NotWellFormed)):
        loads(bytes.fromhex(text), text=True)


@pytest.mark.parametrize("data", [b"\x61a", b"\xf6", b"\x81\xf6", b"\xa1\x01\x61a"])
def test_messages_themselves_hold_no_text(data: bytes) -> None:
    loads(data, text=True)
    with pytest.raises(NotStrict):
        loads(data)


@pytest.mark.parametrize("entry", LOG.entries, ids=range(1, 7))
def test_every_bit_of_an_entry_counts(entry: bytes) -> None:
    honest = entries.read(entry)
    for bit in range(8 * len(entry)):
        other = bytearray(entry)
        other[bit // 8] ^= 1 << bit % 8
        try:
            found = entries.read(bytes(other))
        except entries.NotAnEntry:
            continue
        assert found[:5] != honest[:5]
        assert found.hash != honest.hash


@pytest.mark.parametrize("end", range(0, len(LOG.entries[1]), 7))
def test_a_cut_entry_is_none(end: int) -> None:
    with pytest.raises(entries.NotAnEntry):
        entries.read(LOG.entries[1][:end])


@pytest.mark.parametrize(("number", "before"), [(1, bytes([1] * 32)), (2, bytes(32)), (0, bytes(32)), (1, bytes(31))])
def test_the_first_entry_alone_follows_none(number: int, before: bytes) -> None:
    with pytest.raises(entries.NotAnEntry):
        entries.read(messages.encoder.log_entry(number, before, terms.LOG_POLICY, START_S, [1]))


def test_an_entry_longer_than_any_is_refused_unread() -> None:
    with pytest.raises(entries.NotAnEntry, match="longer than"):
        entries.read(bytes(terms.ENTRY_MAX_BYTES + 1))


@given(st.binary(min_size=1, max_size=200) | ITEMS.map(cbor2.dumps))
def test_any_entry_gets_a_verdict(entry: bytes) -> None:
    plain = {**body(LOG.entries[0]), wire.K_RECEIPT: body(entry, argument=6)[wire.K_RECEIPT]}
    message = verdict(plain)
    assert message.valid or only(message).rule == rules.STRUCTURE
