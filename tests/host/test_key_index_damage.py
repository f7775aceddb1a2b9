"""A cut, changed, foreign or old index is never mistaken for an answer: it is stale, and said so in one line."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from host_tools.errors import UsageError
from host_tools.keys.index import IndexStale
from host_tools.keys.index_build import Rows
from tests.host.indexes import FIRST, GENERATION, LAST, OTHER_KEY, fleet, make, names, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.index"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """Four nodes: each table is one block, so that one look-up reads every table."""
    rows = fleet([FIRST - 3] * 4)
    place = tmp_path_factory.mktemp("small") / "index"
    make(place, rows)
    return place, rows


def read_everything(path: Path) -> None:
    """Every byte of a small index is read by one look-up and the checkpoints."""
    with opened(path) as index:
        index.lookup(bytes(8))
        index.lookup(b"\xff" * 8)
        for table in index._layout.tables:
            for block in range(table.blocks):
                index._block(table, block)
        index.checkpoints()


def test_each_changed_byte_is_noticed(small: tuple[Path, Rows], path: Path) -> None:
    whole = small[0].read_bytes()
    rng = random.Random(5)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        path.chmod(0o600)
        with pytest.raises(IndexStale, match=r"store\.index .*; it is to be built anew"):
            read_everything(path)
    path.write_bytes(whole)
    read_everything(path)


def test_a_changed_block_is_noticed_by_the_look_up_that_needs_it(small: tuple[Path, Rows], path: Path) -> None:
    """It must not look like a pseudonym that nobody has."""
    whole, (kid, candidate) = small[0].read_bytes(), next(iter(names(small[1]).items()))
    with opened(small[0]) as index:
        table = next(t for t in index._layout.tables if (t.day, t.stream) == candidate[1:])
    for at in range(table.at, table.at + 8 * table.entries):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        path.chmod(0o600)
        with opened(path) as index, pytest.raises(IndexStale, match="damaged"):
            index.lookup(kid)


def test_blocks_that_changed_places_are_noticed(path: Path) -> None:
    make(path, fleet([FIRST] * 1024), FIRST, FIRST)
    with opened(path) as index:
        one, two = index._layout.tables[:2]
    data = bytearray(path.read_bytes())
    data[one.at : two.at], data[two.at : two.at + 8192] = data[two.at : two.at + 8192], data[one.at : two.at]
    path.write_bytes(data)
    with opened(path) as index, pytest.raises(IndexStale, match="damaged"):
        index.lookup(bytes(8))


def test_every_cut_and_every_addition_is_noticed(small: tuple[Path, Rows], path: Path) -> None:
    whole = small[0].read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        path.chmod(0o600)
        with pytest.raises(IndexStale):
            opened(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(IndexStale, match="behind its end"):
        opened(path)


def test_a_file_cut_while_it_is_open_is_an_error_not_a_crash(small: tuple[Path, Rows], path: Path) -> None:
    path.write_bytes(small[0].read_bytes())
    path.chmod(0o600)
    with opened(path) as index:
        os.truncate(path, 700)
        with pytest.raises(IndexStale, match="cut short"):
            index.lookup(bytes(8))


def test_other_files_are_no_index(path: Path) -> None:
    for content in (b"", b"PLVINDEX", b"{}", os.urandom(5000), b"PLVINDEX" + bytes(5000)):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(IndexStale):
            opened(path)


def test_an_index_of_another_version_is_stale(small: tuple[Path, Rows], path: Path) -> None:
    path.write_bytes(b"PLVINDEX\x03\x00" + small[0].read_bytes()[10:])
    path.chmod(0o600)
    with pytest.raises(IndexStale, match="version 3, this is 2"):
        opened(path)


def test_an_index_of_other_nodes_days_or_keystore_is_stale(small: tuple[Path, Rows]) -> None:
    path = small[0]
    opened(path, generation=GENERATION, first_day=FIRST, last_day=LAST).close()
    for message, wanted in (
        ("another keystore's", {"keystore_id": b"other"}),
        ("another set of nodes", {"generation": b"generation 2"}),
        ("the days wanted", {"first_day": FIRST - 1}),
        ("the days wanted", {"last_day": LAST + 1}),
        ("the days wanted", {"first_day": LAST + 1}),
    ):
        with pytest.raises(IndexStale, match=message) as caught:
            opened(path, **wanted)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


def test_a_missing_index_is_stale_an_unreadable_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(IndexStale, match="there is no index"):
        opened(tmp_path / "none")
    with pytest.raises(UsageError, match="cannot read the index") as caught:
        opened(tmp_path)
    assert not isinstance(caught.value, IndexStale)


def test_a_closed_index_leaves_no_file_open(small: tuple[Path, Rows]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    opened(small[0]).close()
    for wrong in ({"index_key": OTHER_KEY}, {"generation": b"2"}):
        with pytest.raises(IndexStale):
            opened(small[0], **wrong)
    assert (len(list(Path("/proc/self/fd").iterdir())) if before else 0) == before
