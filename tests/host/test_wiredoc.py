"""docs/wire-format.md: current, and its examples hold against its CDDL (by pycddl) and against the validator."""

from __future__ import annotations

import re

import cbor2
import pycddl  # type: ignore[import-untyped]
import pytest

from host_tools import terms_examples, wire_examples, wiredoc
from host_tools.content import Event, Health
from host_tools.keyring import KeyRing
from host_tools.registry import ConsentRecord, Node, Policy, Registry
from host_tools.validate import Validator
from plumveil import terms, wire

MESSAGES = [example.name for example in wire_examples.examples()]
START_S = terms_examples.START_S


def block(opening: str) -> str:
    """The document's fenced block that opens so."""
    text = wiredoc.PATH.read_text("utf-8")
    found = re.search(rf"^```{re.escape(opening)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None, opening
    return found[1]


def octets(opening: str) -> bytes:
    return bytes.fromhex("".join(block(opening).split()))


CHOICE = r"^{} = ([\w-]+(?: / [\w-]+)+)$"


def leaves(text: str, rule: str) -> list[str]:
    """The rules that a rule is a choice of, down to those that are none."""
    found = re.search(CHOICE.format(re.escape(rule)), text, re.MULTILINE)
    return [leaf for one in found[1].split(" / ") for leaf in leaves(text, one)] if found else [rule]


def holds(name: str, data: bytes) -> bool:
    """Whether bytes hold against the first rule of a block of CDDL."""
    text = block(f"cddl {name}")
    return any(holds_one(f"document = {leaf}\n{text}", data) for leaf in leaves(text, text.split(" ", 1)[0]))


def holds_one(text: str, data: bytes) -> bool:
    # pycddl remembers of an alternative that failed what keys it allowed, and what was wrong: each is tried alone.
    try:
        pycddl.Schema(text).validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


def test_the_document_is_current() -> None:
    assert wiredoc.main(["--check"]) == 0, "run: make docs"


def test_check_fails_when_wire_py_has_moved_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "RULES", (*wire.RULES, (99, "new_rule")))
    assert wiredoc.main(["--check"]) == 1


def test_every_stream_has_an_example() -> None:
    assert set(wire.STREAMS) <= set(MESSAGES)


@pytest.mark.parametrize("stream", MESSAGES)
def test_examples_hold_against_the_cddl(stream: str) -> None:
    message = octets(f"hex {stream} message")
    assert holds("message", message)
    assert holds("plaintext", octets(f"hex {stream} plaintext"))
    protected = octets(f"hex {stream} protected")
    assert holds("protected", protected)
    assert cbor2.loads(message).value[0] == protected


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts.update({99: 1}),
        lambda parts: parts.pop(wire.K_TIME),
        lambda parts: parts.update({wire.K_TIME: 1.5}),
        lambda parts: parts.update({wire.K_TIME: wire.EPOCH_S}),
    ],
    ids=["a key more", "a key less", "a float", "out of range"],
)
@pytest.mark.parametrize("stream", MESSAGES)
def test_a_changed_plaintext_does_not_hold(stream: str, change) -> None:
    parts = cbor2.loads(octets(f"hex {stream} plaintext"))
    change(parts)
    assert not holds("plaintext", cbor2.dumps(parts, canonical=True))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda parts: parts[wire.K_DROPS].pop(), False),
        (lambda parts: parts[wire.K_DROPS].append(0), False),
        (lambda parts: parts[wire.K_DROPS].__setitem__(0, wire.DROPS_MAX + 1), False),
        (lambda parts: parts[wire.K_DROPS].__setitem__(0, -1), False),
        (lambda parts: parts.pop(wire.K_DROPS), False),
        (lambda parts: parts[wire.K_DROPS].__setitem__(0, wire.DROPS_MAX), True),
        (lambda parts: parts[wire.K_HEALTH].clear(), True),
    ],
    ids=["fewer", "more", "too high", "negative", "none", "highest", "no health"],
)
def test_counts_stand_in_every_device_report(change, expected: bool) -> None:
    parts = cbor2.loads(octets("hex device plaintext"))
    change(parts)
    assert holds("plaintext", cbor2.dumps(parts, canonical=True)) == expected


@pytest.mark.parametrize("label", [wire.COSE_HDR_ALG, wire.COSE_HDR_KID, wire.HDR_PLUMVEIL])
def test_a_changed_header_does_not_hold(label: int) -> None:
    header = cbor2.loads(octets("hex readings protected"))
    del header[label]
    assert not holds("protected", cbor2.dumps(header, canonical=True))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_message_without_a_part_does_not_hold(part: int) -> None:
    parts = list(cbor2.loads(octets("hex readings message")).value)
    del parts[part]
    assert not holds("message", cbor2.dumps(cbor2.CBORTag(wire.COSE_TAG_ENCRYPT0, parts)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("consent", lambda parts: parts.pop(wire.K_CONSENT)),
        ("consent", lambda parts: parts.update({wire.K_CONSENT: bytes(7)})),
        ("consent", lambda parts: parts.update({wire.K_ARGUMENT: wire.TIER_OFF})),
        ("receipt", lambda parts: parts.pop(wire.K_RECEIPT)),
        ("receipt", lambda parts: parts.update({wire.K_RECEIPT: bytes(terms.RECEIPT_SALT_BYTES)})),
        ("receipt", lambda parts: parts.update({wire.K_ARGUMENT: 99})),
        ("events", lambda parts: parts.update({wire.K_CONSENT: bytes(8)})),
        ("events", lambda parts: parts.update({wire.K_RECEIPT: bytes(40)})),
        ("events", lambda parts: parts.update({wire.K_EVENT: wire.E_RECEIPT})),
        ("events", lambda parts: parts.update({wire.K_EVENT: wire.E_CONSENT})),
    ],
    ids=[
        "consent without reference",
        "consent with a short one",
        "consent off with one",
        "receipt without entry",
        "receipt of a salt alone",
        "receipt of no kind",
        "alarm with reference",
        "alarm with entry",
        "alarm as receipt",
        "alarm as consent",
    ],
)
def test_an_event_without_what_it_needs_or_with_what_it_does_not_does_not_hold(name: str, change) -> None:
    parts = cbor2.loads(octets(f"hex {name} plaintext"))
    change(parts)
    assert not holds("plaintext", cbor2.dumps(parts, canonical=True))


def test_consent_off_has_no_reference() -> None:
    parts = cbor2.loads(octets("hex consent plaintext"))
    del parts[wire.K_CONSENT]
    parts[wire.K_ARGUMENT] = wire.TIER_OFF
    assert holds("plaintext", cbor2.dumps(parts, canonical=True))


def example_validator() -> Validator:
    consent = ConsentRecord(
        serial=terms_examples.CONSENT_SERIAL,
        tier=3,
        starts_s=START_S - 300,
        expires_s=START_S + 86400,
        purpose="example",
        secret=terms_examples.CONSENT_SECRET.hex(),
        notice="2026-05",
        who="A. Huber",
        issued_s=START_S - 300,
        policy=terms_examples.POLICY_VERSION,
    )
    fields = {row[0]: 1 for row in wire.FIELDS}
    node = Node(
        name="example",
        tenant=terms_examples.TENANT,
        epoch0_day=terms_examples.EPOCH0_DAY,
        k_id=wire_examples.K_ID.hex(),
        k_chain=wire_examples.K_CHAIN.hex(),
        k_config="00" * 32,
        k_consent=terms_examples.K_CONSENT.hex(),
        policies=(
            Policy(version=terms_examples.POLICY_VERSION, fields=fields, location_ceiling=3, health_mask=True),
            Policy(version=wire_examples.SPLIT_POLICY_VERSION, fields=fields, location_ceiling=3, split_dates=True),
        ),
        consents=(consent,),
    )
    return Validator(KeyRing(Registry(nodes=(node,)), START_S + 86400), START_S + 86400)


def test_the_validator_takes_the_examples() -> None:
    validator = example_validator()
    # The statement first: it is what the position stands on.
    found = {}
    for name in sorted(MESSAGES, key=lambda name: name == "location"):
        verdict = validator.check(octets(f"hex {name} message"))
        assert verdict.findings == []
        found[name] = verdict.content
    assert found["device"] == Health(START_S, wire_examples.HEALTH, wire_examples.DROPS)
    receipt = found["receipt"]
    assert isinstance(receipt, Event)
    assert receipt.entry is not None
    assert receipt.entry.raw == octets("hex entry granted")
