"""Where messages come from: files, folders, standard input, as CBOR sequences; bounded, and nothing lost unsaid."""

from __future__ import annotations

import io
import sys
import tracemalloc
from pathlib import Path
from typing import BinaryIO, cast

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools import sources
from host_tools.errors import UsageError
from host_tools.sources import ITEM_MAX_BYTES, PIECE_BYTES, Source
from plumveil import wire
from tests.host.messages import sealed

ONE, TWO, THREE = (sealed(stream) for stream in (wire.READINGS, wire.LOCATION, wire.EVENTS))


def cut(data: bytes) -> list[Source]:
    return list(sources.cut(io.BytesIO(data), "x"))


def test_a_raw_message_is_a_sequence_of_one() -> None:
    assert cut(ONE) == [Source("x", 1, ONE, False)]


def test_a_sequence_is_cut_into_its_items() -> None:
    assert cut(ONE + TWO + THREE) == [Source("x", n, one, False) for n, one in enumerate((ONE, TWO, THREE), 1)]


_ITEMS = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=9) | st.booleans() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=6,
).map(cbor2.dumps)


@settings(max_examples=200, deadline=None)
@given(st.lists(_ITEMS, min_size=1, max_size=30))
def test_any_sequence_is_cut_where_it_was_joined(items: list[bytes]) -> None:
    assert [source.data for source in cut(b"".join(items))] == items


@pytest.mark.parametrize("length", range(1, len(TWO)))
def test_a_tail_cut_off_is_a_broken_message(length: int) -> None:
    assert cut(ONE + TWO[:length]) == [Source("x", 1, ONE, False), Source("x", 2, TWO[:length], True)]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    """Every byte is in some source, in order; what cannot be cut is in the last, as far as a message reaches."""
    found = cut(data)
    assert b"".join(source.data for source in found) == data
    assert [source.number for source in found] == list(range(1, len(found) + 1))
    assert not any(source.broken for source in found[:-1])


def test_nothing_at_all_is_a_broken_message() -> None:
    assert cut(b"") == [Source("x", 1, b"", True)]


@pytest.mark.parametrize(
    "opening", ["5bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff", "5a7fffffff", "9f", "5f", "1c"]
)
def test_lengths_beyond_the_file_end_the_sequence(opening: str) -> None:
    data = bytes.fromhex(opening) + bytes(10 * PIECE_BYTES)
    assert cut(data) == [Source("x", 1, data[: wire.MESSAGE_MAX_BYTES + 1], True)]


def test_deep_nesting_ends_the_sequence() -> None:
    (source,) = cut(b"\x81" * 100_000)
    assert source.broken


@pytest.mark.parametrize("size", [wire.MESSAGE_MAX_BYTES + 1, ITEM_MAX_BYTES - 3])
def test_an_item_too_long_for_a_message_is_handed_on_whole(size: int) -> None:
    long = cbor2.dumps(bytes(size))
    assert [(source.data, source.broken) for source in cut(long + ONE)] == [(long, False), (ONE, False)]


def test_an_item_longer_than_any_ends_the_sequence() -> None:
    (source,) = cut(cbor2.dumps(bytes(ITEM_MAX_BYTES)) + ONE)
    assert source.broken
    assert len(source.data) == wire.MESSAGE_MAX_BYTES + 1


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes a time, as a pipe does."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = data, piece

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._piece)
        given, self._data = self._data[:size], self._data[size:]
        return given


@pytest.mark.parametrize("piece", [1, 7, 100, PIECE_BYTES])
def test_pieces_of_any_size_make_no_difference(piece: int) -> None:
    data = (ONE + TWO + THREE) * 200
    found = list(sources.cut(cast(BinaryIO, Trickle(data, piece)), "x"))
    assert [source.data for source in found] == [ONE, TWO, THREE] * 200


class Endless(io.RawIOBase):
    """A long sequence that is made as it is read."""

    def __init__(self, total: int) -> None:
        self.left = total
        self._block = (ONE + TWO) * 1000

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= 1 << 20
        if self.left <= 0:
            return b""
        self.left -= len(self._block)
        return self._block


def test_memory_does_not_grow_with_the_file() -> None:
    def peak_bytes(total: int) -> int:
        stream = Endless(total)
        tracemalloc.start()
        try:
            count = sum(1 for _ in sources.cut(cast(BinaryIO, stream), "x"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert stream.left <= 0
        assert count >= total // len(ONE + TWO)
        return peak

    small = peak_bytes(1_000_000)
    assert peak_bytes(16_000_000) < 1.2 * small < 4_000_000


def test_items_come_before_the_file_has_been_read() -> None:
    stream = Endless(50_000_000)
    assert next(sources.cut(cast(BinaryIO, stream), "x")).data == ONE
    assert stream.left > 49_000_000


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(ONE + TWO)
    assert list(sources.read(str(path))) == [Source(str(path), 1, ONE, False), Source(str(path), 2, TWO, False)]


def test_a_folder_is_read_in_order_with_what_is_below_it(tmp_path: Path) -> None:
    names = ["b.cbor", "a.cose", "z/2.cborseq", "c/9.cbor", "keys.json", "notes.txt", "c/cbor"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(ONE)
    found = [str(Path(source.file).relative_to(tmp_path)) for source in sources.read(str(tmp_path))]
    assert found == ["a.cose", "b.cbor", "c/9.cbor", "z/2.cborseq"]


def test_a_broken_file_does_not_end_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.cbor").write_bytes(ONE[:-1])
    (tmp_path / "b.cbor").write_bytes(b"")
    (tmp_path / "c.cbor").write_bytes(TWO)
    found = [(Path(source.file).name, source.data, source.broken) for source in sources.read(str(tmp_path))]
    assert found == [("a.cbor", ONE[:-1], True), ("b.cbor", b"", True), ("c.cbor", TWO, False)]


def test_a_folder_without_messages_says_what_it_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(ONE)
    with pytest.raises(UsageError, match=r"holds no messages \(files named \*\.cbor, \*\.cborseq, \*\.cose\)"):
        list(sources.read(str(tmp_path)))


@pytest.mark.parametrize("name", ["absent", "x" * 300, "file/below"])
def test_what_is_not_there_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(ONE)
    with pytest.raises(UsageError, match="cannot read"):
        list(sources.read(str(tmp_path / name)))
    with pytest.raises(UsageError, match="cannot read"):
        sources.require(str(tmp_path / name))


def test_a_file_that_cannot_be_opened_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.cbor").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"cannot read .*a\.cbor: No such file"):
        list(sources.read(str(tmp_path)))


class Failing(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_read_that_fails_is_an_error_of_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.cbor"
    path.write_bytes(ONE)
    monkeypatch.setattr(Path, "open", lambda *_: Failing())
    with pytest.raises(UsageError, match=r"cannot read .*a\.cbor: Input/output error"):
        list(sources.read(str(path)))


class Stdin:
    def __init__(self, buffer: io.IOBase) -> None:
        self.buffer = buffer


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(ONE + TWO)))
    assert [(source.file, source.data) for source in sources.read("-")] == [("stdin", ONE), ("stdin", TWO)]


def test_standard_input_that_fails_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(Failing()))
    with pytest.raises(UsageError, match="cannot read standard input: Input/output error"):
        list(sources.read("-"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no standard input"):
        list(sources.read("-"))
