"""`plumveil monitor` and `plumveil shell`: listening without disturbing, and a prompt that gives the node back."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.flashing.monitor import monitor
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host.command_line import run, surroundings
from tests.host.flashing import first_version, flash


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_what_a_node_says_is_shown_and_nothing_is_sent(
    line: tuple[int, str], capfd: pytest.CaptureFixture[str]
) -> None:
    master, device = line
    talk = threading.Timer(0.5, os.write, (master, b"plumveil: hello\r\n\x1b[2Jbell\x07 and \xff\r\nno end"))
    talk.start()
    assert monitor(device, 1.5) == 0
    talk.join()
    shown = [text[10:] for text in capfd.readouterr().out.splitlines()]
    assert shown == ["plumveil: hello", "[2Jbell and \N{REPLACEMENT CHARACTER}", "no end"]
    assert select.select([master], [], [], 0)[0] == []


def test_a_line_without_an_end_is_shown_in_pieces(line: tuple[int, str], capfd: pytest.CaptureFixture[str]) -> None:
    master, device = line
    talk = threading.Timer(0.3, os.write, (master, b"x" * 4000))
    more = threading.Timer(0.6, os.write, (master, b"x" * 4000))
    talk.start()
    more.start()
    assert monitor(device, 1.5) == 0
    more.join()
    out = capfd.readouterr().out
    assert out.count("x") == 8000


def test_a_prompt_needs_a_terminal(line: tuple[int, str]) -> None:
    ended = run("shell", "--port", line[1])
    assert ended.code == 2
    assert "needs a terminal" in ended.err


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with running_board(tmp_path / "state") as board:
        flash(board, first_version())
        yield board


@pytest.mark.vm
@pytest.mark.slow
def test_a_prompt_on_a_node_and_the_node_again(board: RunningBoard) -> None:
    board.wait_idle()
    master, slave = pty.openpty()
    starts = board.status()["starts"]
    command = [sys.executable, "-m", "host_tools.cli", "shell", "--port", board.port]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=surroundings()) as process:
        try:
            until(master, b"Use Ctrl-]", 20)
            os.write(master, b"\r\x03print(6*7)\r")
            until(master, b"42", 10)
            os.write(master, b"\x1d")
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(slave)
    board.wait_idle()
    assert board.status()["starts"] > starts


def until(master: int, wanted: bytes, timeout_s: float) -> None:
    """Reads until that was said."""
    found, ends_s = b"", time.monotonic() + timeout_s
    while wanted not in found:
        left_s = ends_s - time.monotonic()
        assert left_s > 0, found
        if select.select([master], [], [], min(left_s, 0.2))[0]:
            found += os.read(master, 4096)
