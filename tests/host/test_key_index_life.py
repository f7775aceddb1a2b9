"""An index month by month: it starts where the last one stood, replaces it whole or not at all, and goes for good."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from host_tools import derive
from host_tools.errors import UsageError
from host_tools.keys import files, index_checkpoints, index_format, index_tables
from host_tools.keys.index import IndexStale, discard
from host_tools.keys.index_build import Rows
from host_tools.keys.sha256_lanes import group
from tests.contract.sources import ROOT
from tests.host.indexes import FIRST, LAST, TENANT, check, fleet, make, names, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.index"


def beside(path: Path) -> list[str]:
    """What lies in the index's folder."""
    return sorted(entry.name for entry in path.parent.iterdir())


# --- from one window to the next ------------------------------------------------------------------------------------


def test_the_next_index_starts_where_the_last_one_stood(path: Path) -> None:
    """Nodes of before, new ones (four as if of before), some gone and one whose first day was corrected."""
    days = [FIRST - 200] * 40 + [FIRST] * 5 + [FIRST + 2] * 5
    first = fleet(days)
    assert make(path, first)[-1] == (40 * 205 + 5 * 5 + 5 * 3,) * 2
    kept = np.r_[3:50]
    changed_days = first.epoch0_days.copy()
    changed_days[10] -= 7
    more = fleet([FIRST + 20] * 6 + [FIRST - 200] * 4, seed=9)
    second = Rows(
        TENANT,
        np.concatenate([first.secrets[kept], more.secrets])[::-1].copy(),
        np.concatenate([changed_days[kept], more.epoch0_days])[::-1].copy(),
        np.arange(57, dtype=np.uint32),
    )
    later, last = FIRST + 30, FIRST + 34
    told = make(path, second, later, last)
    # 36 old and 5 of the first day go on from there, 5 begin later, 6 are new, five are brought up from day one.
    assert told[-1] == (41 * 30 + 5 * 28 + 6 * 10 + 237 + 4 * 230 + 57 * 5,) * 2
    check(path, second, later, last)


def test_an_earlier_window_does_not_use_a_later_start(path: Path) -> None:
    rows = fleet([FIRST - 50] * 20)
    make(path, rows)
    make(path, rows, FIRST - 30, FIRST - 28)
    check(path, rows, FIRST - 30, FIRST - 28)


# Magic, salt, a count and the directory are read to open it, the last byte with the checkpoints, a table not at all.
@pytest.mark.parametrize(("at", "steps"), [(0, 51), (12, 51), (140, 51), (400, 51), (-1, 51), (1000, 1)])
def test_a_damaged_index_is_no_start_and_no_obstacle(path: Path, at: int, steps: int) -> None:
    rows = fleet([FIRST - 50] * 20)
    make(path, rows)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert make(path, rows, FIRST + 1, LAST + 1)[-1] == (20 * (steps + 5),) * 2
    check(path, rows, FIRST + 1, LAST + 1)


def test_another_keystores_index_is_no_start(path: Path) -> None:
    rows = fleet([FIRST - 50] * 20)
    make(path, rows, keystore_id=b"other")
    assert make(path, rows)[-1] == (20 * 55,) * 2
    check(path, rows)


def test_starts_under_many_seals_open_in_their_places_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are sealed in chunks; a chunk in another's place does not open."""
    for module in (index_checkpoints, index_format):
        monkeypatch.setattr(module, "CHECKPOINT_CHUNK", 8)
    rows = fleet([FIRST - 9] * 20)
    make(path, rows)
    with opened(path) as last:
        found = last.checkpoints()
        at = last._layout.checkpoints_at
    wanted = {derive.Chain(secret.tobytes()).at(9) for secret in rows.secrets}
    assert {secret.tobytes() for secret in found.secrets} == wanted
    data, step = bytearray(path.read_bytes()), 8 * 44 + 16
    data[at : at + step], data[at + step : at + 2 * step] = data[at + step : at + 2 * step], data[at : at + step]
    path.write_bytes(data)
    with opened(path) as last, pytest.raises(IndexStale, match="damaged"):
        last.checkpoints()


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_progress_rises_to_its_end_in_the_callers_thread(path: Path) -> None:
    threads = set()
    told = []

    def progress(done: int, total: int) -> None:
        threads.add(threading.get_ident())
        told.append((done, total))

    make(path, fleet([FIRST - 4] * 50), progress=progress)
    done = [step for step, _ in told]
    assert done == sorted(set(done))
    assert len(done) >= 6
    assert {total for _, total in told} == {50 * 9}
    assert done[-1] == 50 * 9
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError])
@pytest.mark.parametrize("at", [1, 3])
def test_a_build_that_fails_leaves_the_old_index(path: Path, failure: type[BaseException], at: int) -> None:
    rows = fleet([FIRST - 4] * 50)
    make(path, rows)
    before, calls = path.read_bytes(), []

    def progress(done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) == at:
            raise failure

    expected = UsageError if isinstance(failure, OSError) else failure
    with pytest.raises(expected):
        make(path, rows, FIRST + 1, LAST + 1, progress=progress)
    assert path.read_bytes() == before
    assert beside(path) == [path.name]


def test_an_interrupt_does_not_wait_for_the_queue(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_tables, "CHUNK_ROWS", group())
    begun, chunks, caught_up = [], 200, index_tables.Builder._caught_up

    def counted(builder: index_tables.Builder, at: int) -> object:
        begun.append(at)
        return caught_up(builder, at)

    monkeypatch.setattr(index_tables.Builder, "_caught_up", counted)

    def progress(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(path, fleet([FIRST - 100] * group() * chunks), progress=progress)
    assert 1 <= len(begun) < chunks / 2


def test_no_space_is_one_clear_line_before_the_work(path: Path) -> None:
    """A real limit: the system refuses to make the file so long."""
    rows, told = fleet([FIRST] * 500), []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(UsageError, match=r"no space for the index .*store\.index, which takes 1 MiB: ") as caught:
            make(path, rows, progress=lambda *counts: told.append(counts))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert told == []
    assert beside(path) == []


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write the index .*: No such file"):
        make(tmp_path / "no" / "index", fleet([FIRST]))


def test_the_file_is_its_owners_alone(path: Path) -> None:
    rows = fleet([FIRST])
    before = os.umask(0)
    try:
        make(path, rows)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        opened(path)


KILLED = """
import os, sys
from pathlib import Path
from tests.host.indexes import FIRST, fleet, make
make(Path(sys.argv[1]), fleet([FIRST] * 9), progress=lambda *_: os._exit(9))
"""


def test_what_a_killed_build_left_is_swept_a_running_one_is_not(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False, timeout=60)
        assert ran.returncode == 9
    [left] = beside(path)
    running = path.with_name(f".{path.name}.efgh5678")
    unlike = [path.with_name(name) for name in (".store.index.log", ".other.abcd1234", "store.index.abcd1234")]
    for place in (running, *unlike):
        place.write_bytes(b"x")
    with running.open("r+b") as file:
        files.lock_open(file, running)
        make(path, fleet([FIRST]))
    assert left not in beside(path)
    assert set(beside(path)) == {path.name, running.name, *(place.name for place in unlike)}


def test_a_replaced_index_does_not_open_where_it_lay(path: Path) -> None:
    rows = fleet([FIRST - 5] * 3)
    make(path, rows)
    link = path.with_name("link")
    link.hardlink_to(path)
    with opened(path) as reading:
        make(path, rows, FIRST + 1, LAST + 1)
        kid, candidate = next(iter(names(rows).items()))
        assert reading.lookup(kid) == [candidate]  # who has it open is not disturbed
    with pytest.raises(IndexStale, match="damaged or another"):
        opened(link)
    check(path, rows, FIRST + 1, LAST + 1)


def test_two_builds_at_once_both_end_well(path: Path) -> None:
    """The one that ends last is the one that stays; neither takes the other's file for a leftover."""
    one, two = fleet([FIRST] * 9, seed=1), fleet([FIRST] * 9, seed=2)
    started: list[int] = []

    def progress(done: int, _total: int) -> None:
        if not started:
            started.append(done)
            make(path, two)
            check(path, two)

    make(path, one, progress=progress)
    check(path, one)
    assert beside(path) == [path.name]


def test_a_discarded_index_does_not_open_where_it_lay(path: Path) -> None:
    """Another link to the same bytes stands for a disk that is read out afterwards."""
    rows = fleet([FIRST - 5] * 3)
    make(path, rows)
    link = path.with_name("link")
    link.hardlink_to(path)
    opened(link).close()
    discard(path)
    assert beside(path) == [link.name]
    with pytest.raises(IndexStale, match="damaged or another"):
        opened(link)
    assert link.read_bytes()[index_format.SALT_AT :][:16] == bytes(16)
    discard(path)
    link.write_bytes(b"no index, so nothing is written into it")
    other = path.with_name("other")
    other.hardlink_to(link)
    discard(other)
    assert link.read_bytes() == b"no index, so nothing is written into it"
    with pytest.raises(UsageError, match="cannot remove the index"):
        discard(path.parent)
