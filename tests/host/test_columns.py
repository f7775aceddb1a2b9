"""The host's column decoder against the reference encoder: what was written is read, nothing has two spellings."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tools import columns
from host_tools import reference_encoder as encoder
from plumveil import columns as node
from plumveil import wire

Values = list[int | None]
LIMITS = [(row[4], row[5]) for row in wire.FIELDS if row[2] == wire.READINGS] + [(0, 1), (-3, 4), (-(2**15), 2**15)]
KS = (*range(wire.RICE_K_MAX + 1), wire.RICE_CONSTANT)


def spec(limits: tuple[int, int]) -> columns.Spec:
    return columns.spec("one", *limits)


def read(data: bytes, limits: tuple[int, int], count: int) -> Values:
    (column,), _ = columns.decode(data, (spec(limits),), count)
    return list(column)


def spellings(values: Values, limits: tuple[int, int]) -> dict[int, bytes]:
    """{k: code} of a column under every k that can write it."""
    present = [value for value in values if value is not None]
    ks = KS if len(set(present)) <= 1 else KS[:-1]
    return {k: encoder.pack_bits("".join(bits for bits, _ in encoder.column_parts(values, *limits, k=k))) for k in ks}


def any_column(limits: tuple[int, int], count: int) -> st.SearchStrategy[Values]:
    low, high = limits
    # Values near one another, jumps over the whole range (escapes), constants, and all of them with gaps.
    near = st.integers(low, high).flatmap(lambda at: st.integers(max(low, at - 3), min(high, at + 3)))
    one = st.integers(low, high) | st.sampled_from([low, high])
    whole = st.lists(one, min_size=count, max_size=count) | one.map(lambda value: [value] * count)
    small = near.flatmap(
        lambda at: st.lists(st.integers(max(low, at - 2), min(high, at + 2)), min_size=count, max_size=count)
    )
    gaps = st.just([True] * count) | st.lists(st.booleans(), min_size=count, max_size=count)
    return st.tuples(whole | small, gaps).map(
        lambda pair: [value if there else None for value, there in zip(*pair, strict=True)]
    )


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[Values], list[int | None]]:
    count = draw(st.integers(1, wire.BATCH_MAX))
    limits = draw(st.lists(st.sampled_from(LIMITS), min_size=1, max_size=5))
    made = [draw(any_column(one, count)) for one in limits]
    ks = [draw(st.none() | st.integers(0, wire.RICE_K_MAX)) for _ in limits]
    return limits, made, ks


@settings(max_examples=150, deadline=None)
@given(batches())
@example(([(-550, 1250)], [[-550, 1250] * 30], [None]))
@example(([(0, 200), (0, 200)], [[None] * 7, [None] * 6 + [200]], [None, 0]))
def test_what_is_written_is_read(batch: tuple[list[tuple[int, int]], list[Values], list[int | None]]) -> None:
    limits, made, ks = batch
    bits = ""
    for one, values, k in zip(limits, made, ks, strict=True):
        bits += "".join(part for part, _ in encoder.column_parts(values, *one, k=k))
    specs = tuple(columns.spec(f"column {n}", *one) for n, one in enumerate(limits))
    found, suspect = columns.decode(encoder.pack_bits(bits), specs, len(made[0]))
    assert [list(column) for column in found] == made
    assert not suspect


@settings(max_examples=300, deadline=None)
@given(batches())
@example(([(-550, 1250)], [[-550, 1250] * 30], [None]))
@example(([(0, 1)] * 3, [[1], [None], [0]], [None] * 3))
def test_the_node_writes_what_the_reference_writes(
    batch: tuple[list[tuple[int, int]], list[Values], list[int | None]],
) -> None:
    limits, made, _ = batch
    columns_of = [(values, *one) for one, values in zip(limits, made, strict=True)]
    assert node.encode(columns_of) == encoder.columns(columns_of)


def test_the_node_takes_the_parameter_of_the_reference() -> None:
    for n in range(1, wire.BATCH_MAX):
        for total in (*range(1, 300), *range(300, 80_000, 997)):
            codes = [total // n + (i < total % n) for i in range(n)]
            assert node.rice_parameter(total, n) == encoder.rice_parameter(codes), (total, n)


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("limits", LIMITS)
def test_every_parameter_reads_every_difference(limits: tuple[int, int], k: int) -> None:
    low, high = limits
    span = high - low
    values: Values = [low, low + min(1, span), high, low, None, high, high - min(7, span), high - span // 2, low]
    if k == wire.RICE_CONSTANT:
        values = [high if value is not None else None for value in values]
    assert read(spellings(values, limits)[k], limits, len(values)) == values


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LIMITS).flatmap(lambda one: st.tuples(st.just(one), any_column(one, 9))), st.sampled_from(KS))
def test_a_column_cut_anywhere_is_malformed(case: tuple[tuple[int, int], Values], k: int) -> None:
    limits, values = case
    known = spellings(values, limits)
    data = known.get(k, known[0])
    for length in range(len(data)):
        with pytest.raises(columns.Malformed):
            read(data[:length], limits, len(values))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LIMITS).flatmap(lambda one: st.tuples(st.just(one), any_column(one, 9))), st.sampled_from(KS))
def test_every_flipped_bit_is_malformed_or_says_another_thing(case: tuple[tuple[int, int], Values], k: int) -> None:
    """What still decodes is the one spelling, under some k, of what it then says: no bit without a meaning."""
    limits, values = case
    known = spellings(values, limits)
    data = known.get(k, known[0])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 128 >> bit % 8
        try:
            found = read(bytes(flipped), limits, len(values))
        except columns.Malformed:
            continue
        assert bytes(flipped) in spellings(found, limits).values(), bit
        assert found != values or bytes(flipped) in known.values(), bit


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=40), st.integers(1, wire.BATCH_MAX), st.lists(st.sampled_from(LIMITS), min_size=1, max_size=5)
)
@example(b"", 1, [(0, 200)])
@example(b"\xff" * 40, 60, [(0, 200)])
@example(b"\x00" * 40, 60, [(0, 200)])
def test_any_bytes_are_read_or_malformed(data: bytes, count: int, limits: list[tuple[int, int]]) -> None:
    specs = tuple(spec(one) for one in limits)
    try:
        found, suspect = columns.decode(data, specs, count)
    except columns.Malformed:
        return
    assert [len(column) for column in found] == [count] * len(limits)
    assert suspect == any(columns.outside(column, one) for column, one in zip(found, specs, strict=True))


@pytest.mark.parametrize("more", [b"\x00", b"\x80", b"\x00\x00"])
def test_bytes_behind_the_last_column_are_malformed(more: bytes) -> None:
    data = encoder.columns([([7, 8, 9], 0, 200), ([1, None, 1], 0, 160)])
    specs = columns.spec("first", 0, 200), columns.spec("last", 0, 160)
    assert columns.decode(data, specs, 3)[0] == [[7, 8, 9], [1, None, 1]]
    with pytest.raises(columns.Malformed, match="left over") as caught:
        columns.decode(data + more, specs, 3)
    assert caught.value.field == "last"


def test_each_padding_bit_must_be_zero() -> None:
    bits = "".join(part for part, _ in encoder.column_parts([5], 0, 200))
    data = encoder.pack_bits(bits)
    assert 8 * len(data) - len(bits) >= 3
    for bit in range(len(bits), 8 * len(data)):
        spoiled = bytearray(data)
        spoiled[bit // 8] |= 128 >> bit % 8
        with pytest.raises(columns.Malformed, match="left over"):
            read(bytes(spoiled), (0, 200), 1)


def test_presence_bits_that_say_nothing_are_malformed() -> None:
    whole = "1" + "11" + "1111" + encoder.binary(5, 8)
    with pytest.raises(columns.Malformed, match="none is"):
        read(encoder.pack_bits(whole), (0, 200), 2)


@pytest.mark.parametrize("k", range(5))
def test_an_escape_that_was_not_needed_is_malformed(k: int) -> None:
    """The least u that escapes is read, the one below it must be written the short way."""
    opening = "0" + encoder.binary(k, 4) + encoder.binary(0, 11)
    least = wire.RICE_ESCAPE << k
    escaped = "1" * wire.RICE_ESCAPE
    assert read(encoder.pack_bits(opening + escaped + encoder.binary(least, 12)), (-550, 1250), 2) == [
        -550,
        -550 + columns.unzigzag(least),
    ]
    with pytest.raises(columns.Malformed, match="not needed"):
        read(encoder.pack_bits(opening + escaped + encoder.binary(least - 1, 12)), (-550, 1250), 2)


@pytest.mark.parametrize(
    ("values", "at"),
    [([201], [0]), ([255] * 3, [0, 1, 2]), ([200, 201, 200], [1]), ([0, -1, None, 0], [1]), ([0, 200, 300], [2])],
)
def test_values_off_the_limits_are_told(values: Values, at: list[int]) -> None:
    """The code can write values its field must not have."""
    limits = (0, 200)
    for data in spellings(values, limits).values():
        (column,), suspect = columns.decode(data, (spec(limits),), len(values))
        assert list(column) == values
        assert suspect
        assert columns.outside(column, spec(limits)) == at


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-300, 500), min_size=1, max_size=wire.BATCH_MAX), st.sampled_from(KS[:-1]))
def test_suspicion_is_exact(values: list[int], k: int) -> None:
    """Columns whose values wander in and out of the limits, by differences the code can write."""
    limits = (0, 200)
    walk = [min(255, max(0, values[0]))]
    for before, after in pairwise(values):
        walk.append(walk[-1] + max(-200, min(200, after - before)))
    column: Values = list(walk)
    (found,), suspect = columns.decode(spellings(column, limits).get(k, b""), (spec(limits),), len(column))
    assert list(found) == walk
    assert suspect == any(not 0 <= value <= 200 for value in walk)


@given(st.integers(-(2**40), 2**40))
def test_zigzag_is_undone(difference: int) -> None:
    assert columns.unzigzag(encoder.zigzag(difference)) == difference
