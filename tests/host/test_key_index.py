"""The index from pseudonym to node: every pseudonym is found, as host_tools.derive has it, and without its key the
file tells nothing of them.
"""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import numpy as np
import pytest

from host_tools import derive
from host_tools.errors import UsageError
from host_tools.keys import index_format, index_tables
from host_tools.keys.index import Candidate, IndexStale
from host_tools.keys.index_build import Rows
from host_tools.keys.index_checkpoints import Checkpoints
from host_tools.keys.sha256_lanes import group
from plumveil import wire
from tests.host.indexes import (
    FIRST,
    GENERATION,
    KEY,
    LAST,
    OTHER_KEY,
    STORE,
    TENANT,
    answers,
    check,
    entries_of,
    fleet,
    make,
    names,
    opened,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.index"


def test_every_pseudonym_of_uneven_nodes_is_found(path: Path) -> None:
    """Enrolled long ago, lately, in the window, on its last day, and after it."""
    rng = random.Random(2)
    rows = fleet([FIRST - 1100] * 3 + [FIRST - 400] * 3 + [rng.randint(FIRST - 6, LAST + 2) for _ in range(994)])
    make(path, rows)
    check(path, rows)


def test_every_entry_of_tables_of_many_blocks_is_found(path: Path) -> None:
    rows = fleet([FIRST] * 5000)
    make(path, rows, FIRST, FIRST)
    check(path, rows, FIRST, FIRST)


def test_days_outside_a_nodes_life_and_the_window_are_not_found(path: Path) -> None:
    rows = fleet([FIRST - 2, FIRST + 3])
    make(path, rows)
    outside = {**names(rows, FIRST - 2, FIRST - 1), **names(rows, LAST + 1, LAST + 9)}
    assert answers(path, list(outside)) == [[]] * len(outside)
    assert len(outside) == 5 * (2 + 9 + 9)


def test_a_stream_may_be_named(path: Path) -> None:
    rows = fleet([FIRST - 3] * 10)
    make(path, rows)
    with opened(path) as index:
        for kid, candidate in list(names(rows).items())[:8]:
            for stream in range(len(wire.STREAMS)):
                assert index.lookup(kid, stream) == [candidate] * (stream == candidate.stream)


def test_a_rekeyed_node_and_the_highest_number_are_found(path: Path) -> None:
    highest = 2**32 - 1
    secrets = [bytes([n]) * 32 for n in range(4)]
    rows = Rows.collect(TENANT, zip(secrets, [FIRST] * 4, [5, 5, highest, 0], strict=True))
    make(path, rows)
    check(path, rows)


def test_equal_names_are_all_found_across_blocks(path: Path) -> None:
    """Three rows of each secret: 1,024 is no multiple of three, so some stand on both sides of a block's edge."""
    rng = random.Random(4)
    secrets = [rng.randbytes(32) for _ in range(1100)]
    rows = Rows.collect(TENANT, ((secret, FIRST, 3 * n + k) for n, secret in enumerate(secrets) for k in range(3)))
    make(path, rows, FIRST, FIRST)
    with opened(path) as index:
        for n, secret in enumerate(secrets):
            found = index.lookup(derive.pseudonym(secret, TENANT, 2))
            assert sorted(found) == [Candidate(3 * n + k, FIRST, 2) for k in range(3)]


def test_no_nodes_make_an_index_without_answers(path: Path) -> None:
    make(path, fleet([]))
    assert answers(path, [bytes(8)]) == [[]]
    make(path, fleet([LAST + 1]))
    assert answers(path, [bytes(8)]) == [[]]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_threads_gives_the_same(path: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one turn, so that a few hundred nodes make many tasks."""
    monkeypatch.setattr(index_tables, "CHUNK_ROWS", group())
    rows = fleet([FIRST - number % 9 for number in range(300)])
    make(path, rows, workers=workers)
    check(path, rows)


def test_a_pseudonym_with_one_bit_changed_is_not_found(path: Path) -> None:
    rows = fleet([FIRST] * 10)
    make(path, rows, FIRST, FIRST)
    changed = [
        (int.from_bytes(kid, "big") ^ 1 << bit).to_bytes(8, "big")
        for kid in names(rows, FIRST, FIRST)
        for bit in range(64)
    ]
    assert answers(path, changed) == [[]] * (50 * 64)


def test_a_pseudonym_of_another_length_is_refused(path: Path) -> None:
    make(path, fleet([FIRST]))
    with opened(path) as index, pytest.raises(UsageError, match="8 bytes, this one 7"):
        index.lookup(bytes(7))


@pytest.mark.parametrize(("first", "last"), [(FIRST, FIRST - 1), (-1, 3), (FIRST, FIRST + 400)])
def test_a_window_out_of_bounds_is_refused(path: Path, first: int, last: int) -> None:
    with pytest.raises(UsageError, match="1 to 400 days"):
        make(path, fleet([FIRST]), first, last)
    assert not path.exists()


def test_rows_of_the_wrong_shape_are_refused() -> None:
    good = fleet([FIRST] * 3)
    for secrets, days, numbers in (
        (good.secrets[:, :31], good.epoch0_days, good.numbers),
        (good.secrets, good.epoch0_days[:2], good.numbers),
        (good.secrets, good.epoch0_days, good.numbers[:2]),
        (good.secrets.astype(np.uint16), good.epoch0_days, good.numbers),
        (good.secrets, good.epoch0_days.astype(np.int32), good.numbers),
        (good.secrets, good.epoch0_days, good.numbers.astype(np.int32)),
    ):
        with pytest.raises(ValueError, match="rows are"):
            Rows(TENANT, secrets, days, numbers)  # type: ignore[arg-type]


# --- what the file tells without its key ---------------------------------------------------------------------------


def test_no_name_and_no_secret_stands_in_the_file(path: Path) -> None:
    rows = fleet([FIRST - 2] * 200)
    make(path, rows)
    data = path.read_bytes()
    windows = {data[at : at + 8] for at in range(len(data) - 7)}
    kids = set(names(rows))
    assert not windows & (kids | {kid[::-1] for kid in kids})
    chains = [derive.Chain(secret.tobytes()) for secret in rows.secrets]
    secrets = {chain.at(epoch)[at : at + 8] for chain in chains for epoch in range(8) for at in (0, 8, 16, 24)}
    assert not windows & (secrets | {part[::-1] for part in secrets})
    assert TENANT.encode() not in data
    assert STORE not in data
    assert GENERATION not in data


def test_node_numbers_do_not_show_through(path: Path) -> None:
    """The low bits hold the number: unmasked, a node would have the same ones in every table."""
    nodes = 2048
    make(path, fleet([FIRST] * nodes))
    bits = (nodes - 1).bit_length()
    low = [table & ((1 << bits) - 1) for table in entries_of(path).values()]
    for table in low:
        # As many different values as so many draws have, 1 - 1/e of them; unmasked it would be all.
        assert 0.55 < len(np.unique(table)) / nodes < 0.71
        counts = np.bincount((table >> 7).astype(np.int64), minlength=16)
        assert 0.5 < counts.min() / (nodes / 16) <= counts.max() / (nodes / 16) < 1.5
    # The sum over a node's own table cannot be matched: tables differ in their multiset of low bits.
    assert len({np.sort(table).tobytes() for table in low}) == len(low)


def test_entries_look_random(path: Path) -> None:
    """Below the digits that follow from being sorted nothing compresses."""
    make(path, fleet([FIRST] * 2048), FIRST, FIRST)
    low = b"".join(
        table.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :6].tobytes() for table in entries_of(path).values()
    )
    assert len(zlib.compress(low, 9)) > 0.99 * len(low)


def test_two_files_of_the_same_nodes_have_nothing_in_common(tmp_path: Path) -> None:
    rows = fleet([FIRST] * 500)
    seen: set[int] = set()
    for name in ("one", "two"):
        make(tmp_path / name, rows)
        entries = {int(entry) for table in entries_of(tmp_path / name).values() for entry in table}
        assert not seen & entries
        seen |= entries
    assert len(seen) == 2 * 500 * 25


def test_another_key_opens_nothing_and_finds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fleet([FIRST] * 100)
    make(path, rows)
    with pytest.raises(IndexStale, match="another keystore's"):
        opened(path, index_key=OTHER_KEY)
    # Not even past the header: with all but the names' key right, no look-up meets a node.
    kids = names(rows)
    with opened(path) as index:
        salt = path.read_bytes()[index_format.SALT_AT :][: index_format.SALT_BYTES]
        index._cloak = index_format.Cloak(index_format.FileKeys.of(OTHER_KEY, salt).names, 9)
        assert [found for kid in kids for found in index.lookup(kid)] == []


def test_no_secret_stands_in_a_repr() -> None:
    rows = fleet([FIRST])
    chains = index_tables.Chains(TENANT, rows.epoch0_days, rows.numbers, rows.secrets)
    keys = index_format.FileKeys.of(KEY, bytes(16))
    point = Checkpoints(FIRST, np.zeros(1, np.uint64), np.zeros(1, np.int32), rows.secrets)
    shown = repr((rows, chains, keys, point))
    assert "array(" in shown
    for secret in (rows.secrets[0].tobytes(), keys.header, keys.blocks, keys.names, keys.checkpoints):
        assert repr(secret)[2:-1] not in shown
        assert str(list(secret))[1:14] not in shown
