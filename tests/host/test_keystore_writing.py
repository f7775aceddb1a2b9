"""Writing a keystore: by one at a time, whole or not at all, and what was destroyed is gone from the old file too."""

from __future__ import annotations

import dataclasses
import errno
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import container, files, keystore, meta
from host_tools.keys.faults import Busy
from tests.host import keystores
from tests.host.command_line import surroundings
from tests.host.keystores import NAMES, PASSPHRASE, entry, make, opened

CHUNK = 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def names(path: Path) -> list[str]:
    with opened(path) as store:
        return [one.name for one in store.nodes()]


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


FAILURES = [
    (os, "fsync", full_disk, UsageError),
    (os, "fsync", interrupted, KeyboardInterrupt),
    (Path, "replace", full_disk, UsageError),
    (Path, "replace", interrupted, KeyboardInterrupt),
    (container, "_sealed", full_disk, UsageError),
    (container, "_sealed", interrupted, KeyboardInterrupt),
    (meta, "encode", interrupted, KeyboardInterrupt),
    (tempfile, "mkstemp", full_disk, UsageError),
]


@pytest.mark.parametrize(("where", "name", "failure", "raised"), FAILURES)
def test_a_write_that_fails_leaves_the_old_file_and_the_store_at_work(
    path: Path, where: Any, name: str, failure: Callable[..., None], raised: type[BaseException]
) -> None:
    before = path.read_bytes()
    with opened(path, write=True) as store:
        store.add(entry("later"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(where, name, failure)
            with pytest.raises(raised) as caught:
                store.save()
        if raised is UsageError:
            assert str(caught.value) == f"cannot write the keystore {path}: No space left on device"
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]
        with pytest.raises(Busy):
            opened(path, write=True)
        # And the change is still to be had, once there is space.
        store.save()
    assert names(path) == [*NAMES, "later"]


def test_a_disk_that_is_full_in_truth(path: Path) -> None:
    """The system itself ends the write in the middle of the file."""
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(path, write=True) as store:
        for n in range(3 * CHUNK):
            store.add(entry(f"node-{n}"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(UsageError, match=r"cannot write the keystore .*File too large"):
                store.save()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["none", "file", "/proc"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot write the keystore"):
        keystore.create(tmp_path / folder / "k", PASSPHRASE, "acme", cost=keystores.CHEAP)


def test_a_killed_writer_leaves_the_old_file(path: Path) -> None:
    """kill -9 in the middle of the new file: nothing cleans up, and nothing is lost."""
    before = path.read_bytes()
    code = f"""
import os, signal
from host_tools.keys import container
from tests.host import keystores
from pathlib import Path
sealed = container._sealed
def dying(*all):
    for one in sealed(*all):
        yield one
        os.kill(os.getpid(), signal.SIGKILL)
container._sealed = dying
with keystores.opened(Path({str(path)!r}), write=True) as store:
    store.add(keystores.entry("later"))
    store.save()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=surroundings(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == -9, done.stderr
    assert path.read_bytes() == before
    assert names(path) == list(NAMES)
    with opened(path, write=True) as store:
        store.save()


def test_the_new_file_is_whole_and_on_disk_before_it_takes_the_old_ones_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def note_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        with opened(self) as whole:
            assert whole.find("later") is not None
        return replace(self, target)

    def note_fsync(handle: int) -> None:
        done.append("fsync")
        fsync(handle)

    with opened(path, write=True) as store:
        store.add(entry("later"))
        monkeypatch.setattr(Path, "replace", note_replace)
        monkeypatch.setattr(os, "fsync", note_fsync)
        store.save()
    assert done == ["fsync", "replace", "fsync"]


def test_one_writer_at_a_time_over_saves_too(path: Path) -> None:
    with opened(path, write=True) as store:
        for n in range(3):
            with pytest.raises(Busy, match="is being changed by another command; try again"):
                opened(path, write=True)
            store.add(entry(f"node-{n}"))
            store.save()
        # Readers are not kept waiting, and see what was saved.
        assert names(path) == [*NAMES, "node-0", "node-1", "node-2"]
    opened(path, write=True).close()


def test_one_writer_at_a_time_over_processes(path: Path) -> None:
    line = (
        "from tests.host import keystores; from pathlib import Path\n"
        f"keystores.opened(Path({str(path)!r}), write=True).close()"
    )

    def other() -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", line]
        return subprocess.run(command, env=surroundings(), capture_output=True, timeout=60, check=False)

    with opened(path, write=True) as store:
        store.save()
        assert b"Busy" in other().stderr
    assert other().returncode == 0


def test_no_writer_gets_a_file_that_another_has_replaced_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, somebody saves and goes: the lock is on the old file, and is not good enough."""
    lock_open = files.lock_open
    raced: list[bool] = []

    def race(file: Any, where: Path) -> None:
        if not raced:
            raced.append(True)
            with opened(path, write=True) as other:
                other.add(entry("meanwhile"))
                other.save()
        lock_open(file, where)

    monkeypatch.setattr(files, "lock_open", race)
    with opened(path, write=True) as store:
        assert store.find("meanwhile") is not None
        store.add(entry("later"))
        store.save()
    assert names(path) == [*NAMES, "meanwhile", "later"]


def test_what_is_open_for_reading_is_not_written(path: Path) -> None:
    with opened(path) as store, pytest.raises(ValueError, match="opened for reading"):
        store.save()


@pytest.mark.parametrize("linked", [True, False], ids=["hard links", "no hard links"])
def test_nothing_is_written_over(path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    before = path.read_bytes()
    if not linked:
        monkeypatch.setattr(Path, "hardlink_to", full_disk)
    with pytest.raises(UsageError, match="is there already; name another file"):
        keystore.create(path, PASSPHRASE, "acme", cost=keystores.CHEAP)
    assert path.read_bytes() == before
    other = path.with_name("other")
    keystore.create(other, PASSPHRASE, "acme", cost=keystores.CHEAP).close()
    assert sorted(path.parent.iterdir()) == [path, other]
    assert names(other) == []


def test_the_old_files_keys_are_overwritten_where_they_lay(path: Path) -> None:
    old = path.with_name("kept")
    old.hardlink_to(path)
    with opened(path, write=True) as store:
        store.put(dataclasses.replace(store.node(0), keys=None, history=()))
        store.save(destroy_old=True)
    with pytest.raises(PlumveilError, match=r"no keystore|damaged"):
        opened(old)
    with opened(path) as store:
        assert store.node(0).keys is None


class Worn:
    """A file on a disk that does not give back what is in it."""

    def seek(self, _offset: int) -> None:
        """Goes nowhere."""

    def read(self, _length: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_read_that_fails_is_one_line(path: Path) -> None:
    with opened(path) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._reader, "_file", Worn())
        with pytest.raises(UsageError, match=r"^cannot read the keystore .*: Input/output error$"):
            list(store.nodes())
