"""The access log as it is written: what stands in it, what a power cut, a full disk or a second writer does to it."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools import accesslog
from host_tools.accesslog_format import LINE_MAX_BYTES, SUBJECTS_MAX, line_hash, subject
from host_tools.errors import PlumveilError
from tests.host.logs import (
    NODES,
    SUBJECT_KEY,
    Logged,
    audited,
    fill,
    open_log,
    public,
    saved,
    signing_key,
)

ROOT = Path(__file__).resolve().parents[2]
BUSY = """
import sys
from pathlib import Path
from tests.host.logs import open_log
for n in range(50):
    open_log(Path(sys.argv[1])).append("resolve", [sys.argv[2]], n)
"""
FULL = """
import resource, sys
from pathlib import Path
from host_tools.errors import PlumveilError
from tests.host.logs import open_log
log = open_log(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    log.append("resolve", ["ward-3"], 1)
except PlumveilError as error:
    print(error)
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}"}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def five(tmp_path: Path) -> Logged:
    """A log of five entries stands in tmp_path."""
    log = open_log(tmp_path)
    fill(log)
    return saved(log)


def test_what_stands_in_an_entry(tmp_path: Path, five: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "j.müller\n\x1b[2J\udcff")
    open_log(tmp_path).append("open_location", NODES, 7, "decode")
    found = audited(tmp_path / "store.log")
    assert (found.faults, found.notes) == ([], [])
    assert [entry.seq for entry in found.entries] == [1, 2, 3, 4, 5, 6]
    last = found.entries[-1]
    assert (last.actor, last.uid, last.role) == ("j.müller??[2J?", os.getuid(), "controller")
    assert (last.action, last.count, last.detail) == ("open_location", 7, "decode")
    assert last.subjects == tuple(subject(SUBJECT_KEY, name) for name in NODES)
    assert last.prev == line_hash(five.log.splitlines(keepends=True)[4])
    assert len(set(found.entries[1].subjects)) == 3
    assert found.mark == (6, line_hash((tmp_path / "store.log").read_bytes()[len(five.log) :]))


def test_no_name_and_no_secret_is_written(tmp_path: Path, five: Logged) -> None:
    secrets = [name.encode() for name in NODES] + [SUBJECT_KEY, signing_key().private_bytes_raw()]
    forms = {form for secret in secrets for form in (secret, secret.hex().encode(), secret[::-1])}
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir()) + repr(open_log(tmp_path)).encode()
    assert five.log in everything
    assert [form for form in forms if form in everything] == []


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        log = open_log(tmp_path)
        fill(log)
    finally:
        os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.log", "store.log.head"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("action", "detail"),
    [
        ("peek", ""),
        ("rotate", ""),
        ("resolve", "fridge-of-dr-huber"),
        ("resolve", "49.0265"),
        ("resolve", "all " * 51),
    ],
)
def test_no_word_of_the_callers_own_gets_in(tmp_path: Path, action: str, detail: str) -> None:
    with pytest.raises(ValueError, match="access log") as raised:
        open_log(tmp_path).append(action, NODES, 1, detail)
    assert detail not in str(raised.value) or not detail
    assert list(tmp_path.iterdir()) == []


def test_many_subjects_take_several_entries(tmp_path: Path) -> None:
    names = [f"node {n}" for n in range(2 * SUBJECTS_MAX + 1)]
    open_log(tmp_path).append("export", names, len(names), "all nodes")
    entries = audited(tmp_path / "store.log").entries
    assert [len(entry.subjects) for entry in entries] == [SUBJECTS_MAX, SUBJECTS_MAX, 1]
    assert [entry.count for entry in entries] == [len(names), 0, 0]
    assert [entry.detail for entry in entries] == ["all nodes", "continued", "continued"]
    assert [s for entry in entries for s in entry.subjects] == [subject(SUBJECT_KEY, name) for name in names]
    longest = max(map(len, (tmp_path / "store.log").read_bytes().splitlines()))
    assert longest < LINE_MAX_BYTES - 2000


def test_an_entry_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is synced before the head that names it has its place, and that before the caller goes on."""
    log = open_log(tmp_path)
    log.append("create")
    order: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(file: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{file}').readlink().name[:10]}")
        sync(file)

    def noted_replace(path: Path, target: Path) -> Path:
        order.append(f"replace {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    log.append("resolve", ["ward-3"], 1)
    assert order == ["sync store.log", "sync .store.log", "replace store.log.head", f"sync {tmp_path.name[:10]}"]


def test_two_processes_at_once(tmp_path: Path) -> None:
    writers = [run(BUSY, tmp_path, name) for name in NODES[:2]]
    assert [writer.communicate(timeout=120) for writer in writers] == [("", "")] * 2
    found = audited(tmp_path / "store.log")
    assert (found.faults, found.notes) == ([], [])
    for name in NODES[:2]:
        own = [entry.count for entry in found.entries if entry.subjects == (subject(SUBJECT_KEY, name),)]
        assert own == list(range(50))


@pytest.mark.parametrize("room", [0, 1, 300])
def test_a_full_disk(tmp_path: Path, five: Logged, room: int) -> None:
    out, err = run(FULL, tmp_path, len(five.log) + room).communicate(timeout=60)
    assert err == ""
    where = tmp_path / "store.log"
    assert out == f"cannot write the access log {where}: File too large; what cannot be logged is not done\n"
    assert saved(open_log(tmp_path)) == five
    open_log(tmp_path).append("resolve", ["ward-3"], 1)
    assert audited(where).sound


def test_a_full_disk_where_only_appending_is_allowed(
    tmp_path: Path, five: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The piece of a line cannot be taken back: the next entry sets it aside."""
    log = open_log(tmp_path)
    write = os.write
    left = [100]

    def full(file: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        done = write(file, data[: left[0]])
        left[0] -= done
        return done

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(PlumveilError, match="No space left on device"):
        log.append("resolve", ["ward-3"], 1)
    left[0] = 10_000
    assert len(log.path.read_bytes()) == len(five.log) + 100
    log.append("resolve", ["ward-3"], 1)
    found = audited(log.path)
    assert (found.faults, len(found.notes), len(found.entries)) == ([], 1, 6)


def test_a_head_that_cannot_be_written(tmp_path: Path, five: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is there, its head is not: refused as often as it is tried, and mended once it can be."""
    log = open_log(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        for _ in range(3):
            with pytest.raises(PlumveilError, match=r"store\.log\.head: No space left on device; what cannot be"):
                log.append("resolve", ["ward-3"], 1)
            assert (len(audited(log.path).entries), saved(log).head) == (6, five.head)
    log.append("resolve", ["ward-3"], 2)
    assert [entry.count for entry in audited(log.path).entries[-2:]] == [1, 2]
    assert audited(log.path).notes == []


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(folder: Path) -> str:
        with pytest.raises(PlumveilError) as raised:
            open_log(folder).append("resolve", ["ward-3"], 1)
        text = str(raised.value)
        assert text.endswith("; what cannot be logged is not done")
        assert "ward-3" not in text
        assert raised.value.exit_code == 1
        return text

    assert "No such file or directory" in told(tmp_path / "absent")
    (tmp_path / "a" / "store.log").mkdir(parents=True)
    assert "Is a directory" in told(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "store.log").symlink_to(tmp_path / "elsewhere")
    assert "symbolic links" in told(tmp_path / "b")
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "c").mkdir()
    fill(open_log(tmp_path / "c"))
    monkeypatch.setattr(accesslog, "LOCK_WAIT_S", 0.1)
    with (tmp_path / "c" / "store.log").open("rb") as held:
        accesslog.wait_for_lock(held.fileno(), fcntl.LOCK_EX)
        assert "another process has held it" in told(tmp_path / "c")


def test_a_rotation(tmp_path: Path) -> None:
    fill(open_log(tmp_path))
    open_log(tmp_path).rotate(*public(1))
    open_log(tmp_path, 1, (0,)).append("resolve", ["ward-3"], 1)
    found = audited(tmp_path / "store.log", 0, 1, own=1)
    assert (found.faults, found.notes, len(found.entries)) == ([], [], 7)
    assert (found.entries[5].action, found.entries[5].next_key) == ("rotate", public(1)[0].hex())
    # A copy of the keystore from before, with or without the new public key.
    for copy in (open_log(tmp_path), open_log(tmp_path, 0, (1,))):
        before = saved(copy)
        with pytest.raises(PlumveilError, match="is not as it was left"):
            copy.append("resolve", ["ward-3"], 1)
        assert saved(copy) == before


def test_a_rotation_cut_short_is_taken_back(tmp_path: Path) -> None:
    """The log names a key that the keystore never got: the old one goes on, and rotates later."""
    fill(open_log(tmp_path))
    open_log(tmp_path).rotate(*public(1))
    open_log(tmp_path).append("resolve", ["ward-3"], 1)
    open_log(tmp_path).rotate(*public(2))
    open_log(tmp_path).rotate(*public(3))
    open_log(tmp_path, 3, (0,)).append("resolve", ["ward-3"], 2)
    found = audited(tmp_path / "store.log", 0, 3, own=3)
    assert (found.faults, found.notes) == ([], [])
    assert [entry.action for entry in found.entries[5:]] == [
        "rotate",
        "rotate",
        "resolve",
        "rotate",
        "rotate",
        "resolve",
    ]
    assert found.entries[6].detail == "taken back"
