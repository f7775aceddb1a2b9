"""The strict reader against cbor2 and the published vectors: what it takes has one spelling, all else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.strict_cbor import NotStrict, NotWellFormed, loads, skip
from plumveil import wire

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cbor"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="no shared data here")
INTEGERS = st.integers(-(2**64), 2**64 - 1) | st.integers(-300, 300)
LEAVES = INTEGERS | st.binary(max_size=300)
LEVEL_1 = LEAVES | st.lists(LEAVES, max_size=30) | st.dictionaries(INTEGERS, LEAVES, max_size=30)
ITEMS = LEVEL_1 | st.lists(LEVEL_1, max_size=4) | st.dictionaries(INTEGERS, LEVEL_1, max_size=4)


def ordered(item: Any) -> Any:
    """Maps in RFC 8949's order, bytewise by encoded key."""
    if isinstance(item, list):
        return [ordered(one) for one in item]
    if isinstance(item, dict):
        return {key: ordered(item[key]) for key in sorted(item, key=cbor2.dumps)}
    return item


def taken(data: bytes) -> list[Any]:
    """What the reader makes of bytes, as a list of one; empty when it refuses."""
    try:
        return [loads(data)]
    except (NotWellFormed, NotStrict):
        return []


@given(ITEMS)
def test_deterministic_items_are_read(item: Any) -> None:
    data = cbor2.dumps(ordered(item))
    assert taken(data) == [item]
    assert skip(data) == len(data)


@given(st.binary(max_size=40) | ITEMS.map(cbor2.dumps))
def test_what_is_taken_has_no_other_spelling(data: bytes) -> None:
    for item in taken(data):
        assert cbor2.dumps(ordered(item)) == data


@given(ITEMS, st.data())
def test_a_flipped_bit_is_refused_or_another_item(item: Any, data: st.DataObject) -> None:
    honest = cbor2.dumps(ordered(item))
    bit = data.draw(st.integers(0, 8 * len(honest) - 1))
    other = bytearray(honest)
    other[bit // 8] ^= 1 << bit % 8
    assert taken(bytes(other)) != [item]


@given(ITEMS)
def test_every_cut_and_tail_is_not_well_formed(item: Any) -> None:
    data = cbor2.dumps(ordered(item))
    for wrong in (*(data[:end] for end in range(len(data))), data + b"\x00"):
        with pytest.raises(NotWellFormed):
            loads(wrong)
    for end in range(len(data)):
        with pytest.raises(NotWellFormed):
            skip(data[:end])


@needs_shared
def test_what_rfc_8949_calls_not_well_formed_is_refused() -> None:
    cases = json.loads((SHARED / "rfc8949_appendix_f_not_well_formed.json").read_text("utf-8"))
    hexes = [case["hex"] if isinstance(case, dict) else case for case in cases]
    assert len(hexes) > 80
    assert [text for text in hexes if taken(bytes.fromhex(text))] == []


@needs_shared
def test_of_rfc_8949s_examples_the_subset_is_taken_and_no_more() -> None:
    for case in json.loads((SHARED / "appendix_a.json").read_text("utf-8")):
        data = bytes.fromhex(case["hex"])
        major = data[0] >> 5
        for item in taken(data):
            assert case["roundtrip"]
            assert item == case.get("decoded", item) or major == 2 or isinstance(item, dict)
        if major in (3, 6, 7):
            assert taken(data) == []
        if major in (0, 1):
            assert taken(data) == [case["decoded"]]


OUTSIDE = (
    "60 6161 c000 d81800 f4 f5 f6 f7 f818 f97e00 fa00000000 5f4100ff 9f00ff bf0000ff 7f6100ff a1616100 a1f600 a14000 "
    "a201000000 a200000000 1800 190000 1a00000000 1b0000000000000000 5800 9800 b800 3817"
)


@pytest.mark.parametrize("text", OUTSIDE.split())
def test_outside_the_subset_or_spelt_otherwise(text: str) -> None:
    with pytest.raises(NotStrict):
        loads(bytes.fromhex(text))


@pytest.mark.parametrize(
    "text", ["", "1c", "1f", "3f", "dfff", "9bffffffffffffffff", "5bffffffffffffffff", "a1", "ff00"]
)
def test_not_cbor(text: str) -> None:
    with pytest.raises((NotWellFormed, NotStrict)):
        loads(bytes.fromhex(text))
    with pytest.raises(NotWellFormed):
        skip(bytes.fromhex(text))


def test_depth() -> None:
    assert taken(b"\x81" * wire.CBOR_DEPTH_MAX + b"\x00")
    assert not taken(b"\x81" * (wire.CBOR_DEPTH_MAX + 1) + b"\x00")
    with pytest.raises(NotWellFormed, match="deep"):
        skip(b"\xc1" * 10_000 + b"\x00")
