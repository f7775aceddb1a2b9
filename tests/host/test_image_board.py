"""An image on a virtual board: written with the real esptool it boots, takes its keys and its configuration, passes
the node's self-test, on each board.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial  # type: ignore[import-untyped]

from host_tools import boards
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host import keystores
from tests.host.imaging import command, node_toml

ESPTOOL_TIMEOUT_S = 120
START_S = 1.0  # a Ctrl-C that comes before MicroPython listens is lost, on a board too
BOOT_TIMEOUT_S = 90
NODE_TEST = """
from plumveil import selftest, service, wire
print("failed", selftest.run())
area = service.open_vault().area
print("keys", area.raw, area.blocks, [area.blank(n) for n in range(area.blocks)])
service.build(print)
print("built")
"""

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def printed_command(out: str) -> list[str]:
    """The arguments of esptool in what `plumveil image` prints."""
    found = re.search(r"python -m esptool (.*write-flash 0x[0-9a-f]+ \S+)", out)
    assert found
    return found[1].split()


def flash(board: RunningBoard, arguments: list[str]) -> None:
    """Types what was printed, with the board's port."""
    typed = [board.port if word == "PORT" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *typed], capture_output=True, timeout=ESPTOOL_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-600:] + done.stderr[-600:]
    assert b"Hash of data verified" in done.stdout
    time.sleep(START_S)


def on_node(board: RunningBoard, code: str) -> str:
    """What code prints in the board's raw REPL, by the real mpremote."""
    typed = [sys.executable, "-m", "mpremote", "connect", board.port, "exec", code]
    done = subprocess.run(typed, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    return done.stdout.decode("utf-8")


def heard(board: RunningBoard, words: bytes, timeout_s: float = BOOT_TIMEOUT_S) -> bytes:
    """Listens after a reset until the words come."""
    got = b""
    with serial.Serial(board.port, timeout=0.2) as line:
        board.reset()
        until_s = time.monotonic() + timeout_s
        while words not in got and time.monotonic() < until_s:
            got += line.read(4096)
    assert words in got, got[-600:]
    return got


def test_an_image_without_keys_boots_and_says_what_is_missing(tmp_path: Path) -> None:
    made = command(tmp_path, "--board", "virtual")
    with running_board(tmp_path / "state", board="virtual") as board:
        flash(board, printed_command(made.out))
        assert "failed 0" in on_node(board, "from plumveil import selftest; print('failed', selftest.run())")
        said = heard(board, b"plumveil: ")
        assert b"keys" in said


def test_an_image_with_a_nodes_keys_is_that_node(tmp_path: Path) -> None:
    store = keystores.make(tmp_path)
    made = command(tmp_path, "--node", node_toml(tmp_path), keystore=store)
    with running_board(tmp_path / "state", board="virtual", blank=True) as board:
        flash(board, printed_command(made.out))
        said = on_node(board, NODE_TEST)
        assert "failed 0" in said
        # The first slot of four blocks of the partition, and nothing else.
        assert "keys True 4 [False, True, True, True]" in said
        assert "built" in said
        heard(board, b"plumveil: configuration 1 in force")


@pytest.mark.parametrize("name", [name for name in boards.names() if name != "virtual"])
def test_an_image_boots_on_every_board(name: str, tmp_path: Path) -> None:
    made = command(tmp_path, "--board", name, "--micropython", "virtual")
    with running_board(tmp_path / "state", board=name, blank=True) as board:
        flash(board, printed_command(made.out))
        said = on_node(board, "import os; from plumveil import selftest; print(selftest.run(), os.statvfs('/')[2])")
        failed, blocks = said.split()
        assert failed == "0"
        assert int(blocks) == boards.load(name).flash.vfs_size_bytes // 4096
