"""Promise P8 between the files: the supply goes before and after every file operation of a withdrawal. Whatever the
key slot's mark has begun the next start finishes; what stood on the disk of location is gone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
from keyfaults import PowerCut  # type: ignore[import-not-found]

from plumveil import flash, store, terms, wire
from plumveil.trust import Sealed
from tests.host.lives import START_S, Life, grant, serial_at

OPERATIONS_MAX = 40


class Disk:
    """The os module for the firmware's files, whose nth change is cut: before it is done, or after."""

    def __init__(self, nth: int, done: bool) -> None:
        self.left = nth
        self._done = done

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _change(self, call: Callable[..., None], *paths: str) -> None:
        self.left -= 1
        if self.left == -1 and not self._done:
            raise PowerCut
        try:
            call(*paths)
        finally:
            if self.left == -1:
                raise PowerCut

    def remove(self, path: str) -> None:
        """os.remove."""
        self._change(os.remove, path)

    def rename(self, old: str, new: str) -> None:
        """os.rename."""
        self._change(os.rename, old, new)


def given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A node with location on, a cell held, two positions and a reading queued."""
    folder.mkdir()
    life = Life(folder, monkeypatch)
    assert life.boot()
    assert life.apply(grant(serial_at(START_S))) == 0
    life.app.desk._held.hold((3, 4, 5), life.app.desk.state.serial, 0)
    for stream in (wire.READINGS, wire.LOCATION, wire.LOCATION):
        life.store.put(Sealed(stream, 2, b"12345678", b"87654321", b"message"))
    return life


def cut(life: Life, monkeypatch: pytest.MonkeyPatch, nth: int, *, done: bool) -> bool:
    """Withdraws, and cuts -> whether there was an nth operation."""
    with monkeypatch.context() as patch:
        disk = Disk(nth, done)
        patch.setattr(flash, "os", disk)
        patch.setattr(store, "remove", lambda path: _removed(disk, path))
        try:
            life.app.desk.withdraw(terms.BY_BUTTON)
        except PowerCut:
            return True
    return False


def _removed(disk: Disk, path: str) -> None:
    with contextlib.suppress(OSError):
        disk.remove(path)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_cut_at_every_file_operation(done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nth = 0
    while True:
        life = given(tmp_path / str(nth), monkeypatch)
        was_cut = cut(life, monkeypatch, nth, done=done)
        assert life.boot()
        assert life.app.desk.tier() == wire.TIER_OFF
        assert life.app.desk.state.grant is None
        assert not Path(wire.FILE_CELL).exists()
        assert not Path(wire.FILE_CELL + ".new").exists()
        assert life.store.count() == 1
        assert life.store.peek().stream == wire.READINGS
        life.app.desk._commit()
        assert nodefiles.CONSENT_SECRET not in life.flash.image()
        assert life.position() == 0
        if not was_cut:
            break
        nth += 1
    assert 3 <= nth < OPERATIONS_MAX
