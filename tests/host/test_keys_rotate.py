"""Whom a rotation would cut off: technicians since the last one, whether their keystores are expired or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.accesslog import AccessLog, log_path
from host_tools.errors import PlumveilError
from host_tools.keys import rotate, when
from tests.host.keystores import (
    CHEAP,
    EXPORTED,
    NAMES,
    NOW_S,
    PASSPHRASE,
    RENEWED,
    error_line,
    hand_out,
    keys,
    make,
    opened,
)

LATER_S = NOW_S + 10 * 86400  # when all that was handed out is expired


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    return make(tmp_path)


def rotated(path: Path, *, end_technicians: bool = False) -> None:
    with opened(path, write=True) as store:
        rotate.rotate(store, PASSPHRASE, end_technicians=end_technicians, cost=CHEAP)


def refused(path: Path, count: int) -> None:
    before = path.read_bytes()
    with pytest.raises(
        PlumveilError, match=f"since the last rotation: {count}; what they enrolled or granted, expired ones too"
    ):
        rotated(path)
    assert path.read_bytes() == before


def test_expired_technicians_count_until_a_rotation_ended_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_out(path, "technician")
    hand_out(path, "auditor")
    hand_out(path, "technician", name="second")
    monkeypatch.setattr(when, "now_s", lambda: LATER_S)
    refused(path, 2)
    rotated(path, end_technicians=True)
    rotated(path)
    hand_out(path, "technician", expires_s=LATER_S + 86400, name="third")
    refused(path, 1)


def test_a_rotation_cut_short_ended_nobody(path: Path) -> None:
    hand_out(path, "technician")
    rotated(path, end_technicians=True)
    hand_out(path, "technician", name="second")
    with opened(path, write=True) as store:
        AccessLog.beside(store).rotate(bytes(32))
        AccessLog.beside(store).append("list")
    refused(path, 1)


def test_where_the_log_does_not_tell_all_count(path: Path) -> None:
    hand_out(path, "technician")
    rotated(path, end_technicians=True)
    log_path(path).write_bytes(b"\xff\n[]\n7\n")
    refused(path, 1)
    log_path(path).unlink()
    refused(path, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("enrol", "new", "--out", "x", "--board", "virtual"),
        ("rekey", NAMES[0], "--out", "x"),
        ("rotate",),
        ("import", "box"),
        ("export", "--role", "technician", "--out", "x"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_copy_takes_no_change_that_would_be_lost_with_it(
    path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = hand_out(path, "controller")
    monkeypatch.chdir(path.parent)
    Path("box").write_text("{}")
    before = copy.read_bytes()
    line = error_line(keys(*arguments, "--keystore", copy, passphrase=EXPORTED, PLUMVEIL_NEW_PASSPHRASE=RENEWED))
    assert "is a copy, handed out until 2026-07-17T08:20:00Z, and cannot " in line
    assert line.endswith("that would be lost with it; use the keystore it was exported from\n")
    assert copy.read_bytes() == before
    assert not Path("x").exists()
