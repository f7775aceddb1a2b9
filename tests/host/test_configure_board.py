"""`plumveil configure` on a whole virtual board: its own boot, main.py and disk, and what it says on its line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_tools import boards, node_link, provision
from host_tools.configure import compiling, onnode, rules, writing
from host_tools.configure.nodetoml import load
from host_tools.firmware_build import compile_firmware
from host_tools.keys import enrol, keystore
from host_tools.keys.delivery import OverLine
from host_tools.node_link import NodeLink
from host_tools.virtual_board.running import RunningBoard, running_board
from plumveil import wire
from tests.host.command_line import Ended, run
from tests.host.configuring import NOW, WIFI_KEY, put
from tests.host.keystores import PASSPHRASE, make

pytestmark = [pytest.mark.vm, pytest.mark.slow]

NAME = "trailer 9"
TAKEN_S = 90.0
ATTEMPTS = 3


def mpremote(board: RunningBoard, *commands: str) -> str:
    """Runs unmodified mpremote on the board; again where it met the start, in which a node is deaf for a moment."""
    program = [sys.executable, "-m", "mpremote", "connect", board.port, *commands]
    for _ in range(ATTEMPTS):
        done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
        if "could not enter raw repl" not in done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Node:
    """A board with the firmware in slot a, keys and a first configuration."""

    def __init__(self, board: RunningBoard, folder: Path) -> None:
        self.board = board
        self.folder = folder
        self.keystore = make(folder)
        self.toml = put(folder)
        self._flash(folder / "firmware")
        with keystore.open_store(self.keystore, PASSPHRASE, write=True) as store, NodeLink(board.port) as link:
            entry = enrol.enrol(store, NAME, "virtual", "general", link.unique_id(), OverLine(link))
            self.k_config = writing.key_of(entry)
            link.write_config(compiling.seal(compiling.compile_node(load(self.toml), 1), self.k_config))
        assert onnode.wait_until_taken(board.port, 1, TAKEN_S)

    def _flash(self, built: Path) -> None:
        compile_firmware(built)
        copies = ["fs", "mkdir", ":/pv", "+", "fs", "mkdir", ":/pv/a", "+"]
        copies += ["fs", "cp", "-r", str(built / "plumveil"), ":/pv/a/", "+"]
        for name in ("boot.py", "main.py"):
            copies += ["fs", "cp", str(built / name), f":/{name}", "+"]
        mpremote(self.board, *copies, "exec", f"open({wire.FILE_SLOT!r}, 'w').write('a')")

    def run(self, *arguments: str | Path) -> Ended:
        given = ("--port", self.board.port, "--keystore", self.keystore)
        return run("configure", *arguments, *given, PLUMVEIL_PASSPHRASE=PASSPHRASE)

    def files(self) -> dict[str, bytes]:
        """What is on its disk while it is off; it is on again after that."""
        self.board.power_off()
        found = self.board.files()
        self.board.power_on()
        return found

    def config(self) -> dict[int, Any]:
        """The map of the file in force, which is the only one."""
        (found,) = (data for path, data in self.files().items() if path.startswith(wire.FILE_CONFIG))
        parts = compiling.unseal(found, self.k_config)
        assert parts is not None
        return parts


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' certificates are of one summer."""
    check = rules.check
    monkeypatch.setattr(rules, "check", lambda parts, node_files=None, now=None: check(parts, node_files, now or NOW))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_board(tmp_path / "board") as board:
        yield Node(board, tmp_path)


def test_a_node_is_configured_and_goes_on_with_it(node: Node) -> None:
    put(node.folder, intervals={"sample_s": 600}, node={"sensors": ["sht4x", "battery"]})
    done = node.run(node.toml, "--diff")
    assert (done.code, done.err) == (0, "")
    assert "  intervals.sample_s: 300 -> 600\n" in done.out
    assert done.out.endswith("policy general version 1: the node has run with it.\n")
    assert node.run(node.toml).out == f"{NAME} has this configuration already; nothing was written.\n"
    parts = node.config()
    assert (parts[wire.C_VERSION], parts[wire.C_SENSORS]) == (2, ["sht4x", "battery"])
    assert onnode.wait_until_taken(node.board.port, 2, TAKEN_S)
    exported = node.run("export").out
    assert 'sensors = ["sht4x", "battery"]' in exported
    assert "sample_s = 600" in exported
    assert WIFI_KEY not in exported


def test_a_configuration_that_the_node_cannot_be_built_from_gives_way(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no rule of the host's finds, the node does: the old one is in force again, and the command says so."""
    numbers = provision.board_numbers(boards.load("virtual"))
    del numbers["i2c_scl"]
    monkeypatch.setattr(provision, "board_numbers", lambda _: numbers)
    done = node.run(node.toml)
    assert done.code == 1
    assert "the node goes on with configuration 1: it did not take version 2" in done.err
    monkeypatch.undo()
    assert node.config()[wire.C_VERSION] == 1


def test_webrepl_set_up_on_the_node_is_refused(node: Node) -> None:
    mpremote(node.board, "exec", "f = open('/webrepl_cfg.py', 'w')\nf.write('PASS = 1')\nf.close()")
    put(node.folder, intervals={"sample_s": 600})
    done = node.run(node.toml)
    assert done.code == 1
    assert "the node has /webrepl_cfg.py, so WebREPL is set up" in done.err
    mpremote(node.board, "fs", "rm", ":/webrepl_cfg.py")
    assert node.run(node.toml).code == 0


def test_a_power_cut_while_the_file_is_written_leaves_the_old_one(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_link, "RUN_TIMEOUT_S", 3.0)
    put(node.folder, intervals={"sample_s": 600})
    for at in (1, 40, 400):
        node.board.power_cut(after_bytes=at, torn=True)
        done = node.run(node.toml)
        assert done.code == 1
        assert done.err.count("\n") == 1
        node.board.power_on()
        assert onnode.wait_until_taken(node.board.port, 1, TAKEN_S)
    assert node.run(node.toml).code == 0
    assert node.config()[wire.C_VERSION] > 1
