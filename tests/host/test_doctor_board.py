"""The doctor at a virtual board: a sound node, a changed one, one without firmware and one without anything."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from host_tools import ports
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host import keystores
from tests.host.command_line import run
from tests.host.imaging import WIFI_KEY, command, node_toml
from tests.host.test_image_board import START_S, flash, on_node, printed_command

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MAC = "24:0a:c4:5e:11:aa"


def looked_over(board: RunningBoard) -> tuple[int, dict[str, dict[str, Any]], str]:
    """(exit code, the board's findings by check, all that was printed)."""
    ended = run("doctor", "--port", board.port, "--json")
    time.sleep(START_S)
    assert ended.err == ""
    findings = {one["check"]: one for one in json.loads(ended.out)["findings"] if one["part"] == "node"}
    return ended.code, findings, ended.out


def states(findings: dict[str, dict[str, Any]], state: str) -> set[str]:
    return {check for check, one in findings.items() if one["state"] == state}


def test_a_node_fresh_from_the_line_has_nothing_bad(tmp_path: Path) -> None:
    store = keystores.make(tmp_path)
    made = command(tmp_path, "--node", node_toml(tmp_path), keystore=store)
    with running_board(tmp_path / "state", board="virtual", blank=True, mac=MAC) as board:
        flash(board, printed_command(made.out))
        code, findings, said = looked_over(board)
        assert code == 0, findings
        assert states(findings, "bad") == set()
        well = {
            "MicroPython",
            "firmware",
            "disk",
            "keys",
            "key partition",
            "configuration",
            "WebREPL",
            "known answers",
        }
        well |= {"sht4x", "ds18b20", "lis3dh", "battery"}
        assert well <= states(findings, "ok")
        # The clock is not asked about: whether the node has reached a time server by now is its affair.
        open_ways = {"serial prompt", "flash encryption", "secure boot", "serial loader", "JTAG"}
        assert states(findings, "warn") - {"clock"} == open_ways
        with keystores.opened(store) as opened:
            entry = opened.get("lorry 12")
        assert entry.k_config is not None
        for secret in (MAC, MAC.replace(":", ""), WIFI_KEY, "depot", entry.k_config.hex()):
            assert secret not in said
        # It runs again, and is the same node as before.
        assert "1" in on_node(board, "print(1)")
        assert looked_over(board)[0] == 0


def test_what_was_changed_on_a_node_is_found(tmp_path: Path) -> None:
    made = command(tmp_path, "--board", "virtual")
    with running_board(tmp_path / "state", board="virtual") as board:
        flash(board, printed_command(made.out))
        on_node(board, "open('/pv/a/plumveil/app.mpy', 'ab').write(b'x')")
        on_node(board, "open('/webrepl_cfg.py', 'w').write('PASS = 1')")
        on_node(board, "open('/main.py', 'a').write('# more')")
        code, findings, _ = looked_over(board)
        assert code == 1
        assert states(findings, "bad") == {"WebREPL"}
        assert {"firmware", "start files", "keys", "configuration"} <= states(findings, "warn")
        assert "/pv/a/plumveil/app.mpy" in findings["firmware"]["found"]
        assert "/main.py" in findings["start files"]["found"]


def test_a_sensor_that_was_unplugged_is_found(tmp_path: Path) -> None:
    made = command(tmp_path, "--node", node_toml(tmp_path), keystore=keystores.make(tmp_path))
    with running_board(tmp_path / "state", board="virtual", blank=True) as board:
        flash(board, printed_command(made.out))
        board.fault("sensor-out", sensor="sht4x")
        code, findings, _ = looked_over(board)
        assert code == 1
        assert states(findings, "bad") == {"sht4x"}
        assert "wiring" in findings["sht4x"]["advice"]


def test_micropython_alone_is_no_node(tmp_path: Path) -> None:
    with running_board(tmp_path / "state", board="virtual") as board:
        code, findings, _ = looked_over(board)
        assert code == 1
        assert states(findings, "bad") == {"firmware"}
        assert "plumveil flash" in findings["firmware"]["advice"]


def test_a_blank_board_still_tells_its_fuses(tmp_path: Path) -> None:
    with running_board(tmp_path / "state", board="ESP32_GENERIC_S3", blank=True) as board:
        code, findings, _ = looked_over(board)
        assert code == 1
        assert states(findings, "bad") == {"line"}
        assert findings["flash encryption"]["found"] == "off"


def test_the_doctor_writes_nothing(tmp_path: Path) -> None:
    made = command(tmp_path, "--board", "virtual")
    with running_board(tmp_path / "state", board="virtual") as board:
        flash(board, printed_command(made.out))
        on_node(board, "print(1)")
        looked_over(board)
        before = board.status()["flash_written_bytes"]
        looked_over(board)
        assert board.status()["flash_written_bytes"] == before


def test_the_only_virtual_board_is_found_without_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_board(tmp_path / "state", board="virtual") as board:
        only = [port for port in ports.virtual() if port.device == board.port]
        assert [port.board for port in only] == ["virtual"]
        monkeypatch.setattr(ports, "attached", list)
        monkeypatch.setattr(ports, "virtual", lambda: only)
        report = json.loads(run("doctor", "--json").out)
        assert "firmware" in {one["check"] for one in report["findings"]}


def test_the_report_for_a_person(tmp_path: Path) -> None:
    with running_board(tmp_path / "state", board="virtual") as board:
        done = subprocess.run(
            [sys.executable, "-m", "host_tools.cli", "doctor", "--port", board.port],
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = done.stdout.decode("utf-8")
        assert done.returncode == 1
        assert "This machine" in said
        assert "The board" in said
        assert "BAD   firmware: none in force" in said
        assert "        -> run `plumveil flash`" in said
