"""`plumveil flash --port all`: every board at once, past the ones that fail, and a table with an exit code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_tools import ports
from host_tools.ports import Port
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host import configuring, keystores
from tests.host.command_line import Ended, run

pytestmark = [pytest.mark.vm, pytest.mark.slow]


@pytest.fixture
def rack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RunningBoard]]:
    """Three boards, and no others."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(running_board(tmp_path / f"board {n}")) for n in range(3)]
        monkeypatch.setattr(ports, "attached", list)
        monkeypatch.setattr(ports, "virtual", lambda: [Port(board.port, "virtual", "virtual") for board in found])
        yield found


def flash(folder: Path, *options: str | Path) -> Ended:
    keystore = folder / "acme.keystore"
    environment: dict[str, Any] = {
        "PLUMVEIL_KEYSTORE": str(keystore),
        "PLUMVEIL_PASSPHRASE": keystores.PASSPHRASE,
        "COLUMNS": "300",
    }
    return run("flash", "--port", "all", "--receipt", folder / "receipts", *options, **environment)


def test_all_are_flashed_past_one_that_fails(rack: list[RunningBoard], tmp_path: Path) -> None:
    keystores.make(tmp_path)
    toml = configuring.put(tmp_path, node={"name": "van"})
    rack[1].fault("sensor-out", sensor="lis3dh")
    ended = flash(tmp_path, "--node", toml)
    assert ended.code == 1
    rows = {n: next(line for line in ended.out.splitlines() if f"board {n}" in line) for n in range(3)}
    assert ["ok" in row for row in rows.values()] == [True, False, True]
    assert "failed" in rows[1]
    assert "lis3dh: absent" in rows[1]
    receipts = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "receipts").iterdir()]
    assert {made["port"] for made in receipts} == {rack[0].port, rack[2].port}
    # Each has a name of its own, and keys of its own.
    with keystores.opened(tmp_path / "acme.keystore") as store:
        names = {entry.name for entry in store.nodes() if entry.name.startswith("van")}
    assert names == {"van-1", "van-2", "van-3"}
    assert len({made["pseudonyms"]["readings"] for made in receipts}) == 2
    rack[1].fault("sensor-in", sensor="lis3dh")
    again = flash(tmp_path, "--node", toml)
    assert again.code == 0, again.out
    assert again.out.count("unchanged") == 3


def test_passphrase_and_keys_stand_in_no_line(rack: list[RunningBoard], tmp_path: Path) -> None:
    keystores.make(tmp_path)
    ended = flash(tmp_path, "--node", configuring.put(tmp_path, node={"name": "van"}))
    assert ended.code == 0, ended.out
    assert keystores.PASSPHRASE not in ended.out + ended.err
    assert configuring.WIFI_KEY not in ended.out + ended.err
