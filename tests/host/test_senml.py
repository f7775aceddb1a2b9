"""SenML packs: RFC 8428's own examples byte for byte, and packs of readings against its CDDL."""

from __future__ import annotations

import json
from pathlib import Path

import cbor2
import pycddl  # type: ignore[import-untyped]
import pytest

from host_tools import senml
from host_tools.content import Batch
from plumveil import wire

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "senml"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="shared SenML examples are not here")
START_S = 1780056000
BATCH = Batch(
    START_S,
    300,
    3,
    (wire.F_TEMPERATURE, wire.F_HUMIDITY, wire.F_SHOCK_PEAK),
    [[48, None, -5], [90, 91, None], [None, None, 2]],
)
NAME = "urn:dev:os:32473-123456:"
PACK = [
    {"bn": NAME, "bt": START_S, "n": "temperature", "u": "Cel", "v": 4.8},
    {"n": "humidity", "u": "%RH", "v": 45},
    {"n": "humidity", "u": "%RH", "v": 45.5, "t": 300},
    {"n": "temperature", "u": "Cel", "v": -0.5, "t": 600},
    {"n": "shock_peak", "u": "m/s2", "v": 1.96133, "t": 600},
]


def plain(data: bytes) -> list[dict[str, object]]:
    """A CBOR pack with the JSON names."""
    names = {label: name for name, label in senml.LABELS.items()}
    return [{names[label]: value for label, value in record.items()} for record in cbor2.loads(data)]


@needs_shared
@pytest.mark.parametrize("example", ["ex3", "ex5"])
def test_the_rfcs_examples_byte_for_byte(example: str) -> None:
    records = json.loads((SHARED / f"{example}.json").read_bytes())
    published = (SHARED / f"{example}.gen.cbor").read_bytes()
    assert senml.to_cbor(records) == published
    assert plain(published) == records
    assert json.loads(senml.to_json(records)) == records


@needs_shared
def test_records_hold_against_the_rfcs_cddl() -> None:
    text = (SHARED / "senml.cddl").read_text("utf-8")
    # The published file leaves the CBOR labels to a table. Of its kinds of value the packs have numbers alone, and
    # the validator knows neither choices between entries nor extension points, nor that floats are numbers.
    rule = text[text.index("record = {") : text.index("  ? ( v")] + "  v => numeric\n}\n"
    for name, label in senml.LABELS.items():
        rule = rule.replace(f" {name} =>", f" {label} =>")
    schema = pycddl.Schema(rule + "numeric = int / float\n")
    for record in cbor2.loads(senml.to_cbor(PACK)) + cbor2.loads(senml.to_cbor(senml.reading_pack(BATCH, 0))):
        schema.validate_cbor(cbor2.dumps(record))
    for wrong in ({0: 7, 2: 1}, {0: "x", 2: "1"}, {0: "x", 2: 1, 99: 1}, {-3: "today", 2: 1}, {0: "x"}):
        with pytest.raises(pycddl.ValidationError):
            schema.validate_cbor(cbor2.dumps(wrong))


def test_a_batch_becomes_one_pack() -> None:
    assert senml.batch_pack(BATCH) == PACK
    assert json.loads(senml.to_json(PACK)) == PACK
    assert plain(senml.to_cbor(PACK)) == PACK


def test_a_reading_becomes_a_pack_of_its_own() -> None:
    assert senml.reading_pack(BATCH, 0) == PACK[:2]
    assert senml.reading_pack(BATCH, 1, "urn:x:") == [
        {"bn": "urn:x:", "bt": START_S + 300, "n": "humidity", "u": "%RH", "v": 45.5}
    ]
    assert [record["n"] for record in senml.reading_pack(BATCH, 2)] == ["temperature", "shock_peak"]
    assert senml.reading_pack(Batch(START_S, 60, 1, (wire.F_BATTERY,), [[None]]), 0) == []


def test_a_batch_that_begins_with_a_gap_keeps_its_times() -> None:
    batch = Batch(START_S, 60, 3, (wire.F_BATTERY,), [[None, None, 150]])
    assert senml.batch_pack(batch) == [{"bn": NAME, "bt": START_S, "n": "battery", "u": "V", "v": 3, "t": 120}]


def test_small_packs_byte_for_byte() -> None:
    """Written out by hand from RFC 8428 section 6 and RFC 8949: shortest heads, shortest exact floats."""
    assert senml.to_cbor([{"n": "a", "u": "V", "v": 3}]).hex() == "81a3006161016156" + "0203"
    assert senml.to_cbor([{"n": "a", "v": 4.5, "t": -1}]).hex() == "81a3006161" + "02f94480" + "0620"
    assert senml.to_cbor([{"bn": "u", "bt": 1.0, "vb": True}]).hex() == "81a3216175" + "22f93c00" + "04f5"
    assert senml.to_cbor([{"v": 4.8}]).hex() == "81a102fb4013333333333333"
    assert senml.to_cbor([{"v": 1}] * 24).hex() == "9818" + "a10201" * 24
    assert senml.to_cbor([]) == b"\x80"
    assert senml.to_json([{"n": "a", "u": "%RH", "v": 45.5}]) == b'[{"n":"a","u":"%RH","v":45.5}]'


def test_a_label_the_rfc_does_not_define_is_refused() -> None:
    with pytest.raises(KeyError):
        senml.to_cbor([{"n": "a", "lat": 1}])


@pytest.mark.parametrize("field", [row[0] for row in wire.FIELDS])
def test_numbers_are_no_finer_than_the_wire(field: int) -> None:
    """Different wire values stay different, and each comes back; whole numbers are integers."""
    row = next(row for row in wire.FIELDS if row[0] == field)
    low, high, (numerator, denominator) = row[4], row[5], row[7]
    shown = [senml.number(field, value) for value in range(low, high + 1)]
    assert sorted(set(shown)) == shown
    for value, amount in zip(range(low, high + 1), shown, strict=True):
        assert round(amount * denominator / numerator) == value
        assert isinstance(amount, int) == (value * numerator % denominator == 0)
        assert len(repr(amount).lstrip("-").replace(".", "")) <= 9
