"""What a simulation leaves in its folder when the disk does not take it."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from host_tools.errors import PlumveilError
from host_tools.simulate import output


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = output._replace

    def full(path: Path, data: bytes) -> None:
        if path.name == output.SUMMARY:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(path, data)

    monkeypatch.setattr(output, "render", lambda outcome: "report")
    monkeypatch.setattr(output, "_replace", full)
    with pytest.raises(PlumveilError, match="No space left on device") as failed:
        output.write(tmp_path, [], cast(Any, SimpleNamespace(summary=dict)))
    assert failed.value.exit_code == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_a_full_disk_everything_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "render", lambda outcome: "report")
    output.write(tmp_path, [], cast(Any, SimpleNamespace(summary=dict)))
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {output.REPORT, output.SUMMARY, output.KEYS, output.MADE}
