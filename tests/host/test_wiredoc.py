"""docs/wire-format.md: current, and its examples hold against its CDDL (by pycddl) and against the validator."""

from __future__ import annotations

import re

import cbor2
import pycddl  # type: ignore[import-untyped]
import pytest

from host_tools import wire_examples, wiredoc
from host_tools.content import Health
from host_tools.keyring import KeyRing
from host_tools.registry import ConsentRecord, Node, Policy, Registry
from host_tools.validate import Validator
from plumveil import wire


def block(opening: str) -> str:
    """The document's fenced block that opens so."""
    text = wiredoc.PATH.read_text("utf-8")
    found = re.search(rf"^```{re.escape(opening)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None, opening
    return found[1]


def octets(opening: str) -> bytes:
    return bytes.fromhex("".join(block(opening).split()))


def holds(name: str, data: bytes) -> bool:
    try:
        pycddl.Schema(block(f"cddl {name}")).validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


def test_the_document_is_current() -> None:
    assert wiredoc.main(["--check"]) == 0, "run: make docs"


def test_check_fails_when_wire_py_has_moved_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "RULES", (*wire.RULES, (99, "new_rule")))
    assert wiredoc.main(["--check"]) == 1


@pytest.mark.parametrize("stream", wire.STREAMS)
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
        lambda parts: parts.update({wire.K_TIME: 1}),
    ],
    ids=["a key more", "a key less", "a float", "out of range"],
)
@pytest.mark.parametrize("stream", wire.STREAMS)
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


@pytest.mark.parametrize("stream", wire.STREAMS)
def test_the_validator_takes_the_examples(stream: str) -> None:
    start_s = wire_examples.START_S
    serial, secret = wire_examples.CONSENT_SERIAL, wire_examples.CONSENT_SECRET.hex()
    consent = ConsentRecord(
        serial=serial, tier=3, starts_s=start_s, expires_s=start_s + 1, purpose="example", secret=secret
    )
    fields = {row[0]: 1 for row in wire.FIELDS}
    node = Node(
        name="example",
        tenant=wire_examples.TENANT,
        epoch0_day=wire_examples.EPOCH0_DAY,
        k_id=wire_examples.K_ID.hex(),
        k_chain=wire_examples.K_CHAIN.hex(),
        k_config="00" * 32,
        policies=(Policy(version=wire_examples.POLICY_VERSION, fields=fields, location_ceiling=3, health_mask=True),),
        consents=(consent,),
    )
    ring = KeyRing(Registry(nodes=(node,)), start_s + 86400)
    verdict = Validator(ring, start_s + 86400).check(octets(f"hex {stream} message"))
    assert verdict.findings == []
    if stream == wire.STREAMS[wire.DEVICE]:
        assert verdict.content == Health(start_s, wire_examples.HEALTH, wire_examples.DROPS)
