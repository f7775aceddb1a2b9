"""A line to a node that runs, over unmodified mpremote's transport: it stands still, and goes on with all it had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial  # type: ignore[import-untyped]

from host_tools import live_line
from host_tools.firmware_source import beside
from host_tools.flashing.monitor import monitor
from host_tools.live_line import LiveLine
from host_tools.node_link import NodeLink, NodeLost
from host_tools.technician.node import LiveNode
from host_tools.transports import Tool
from host_tools.virtual_board.running import RunningBoard
from plumveil import wire
from tests.host import gps_board
from tests.host.boardtools import ampy, mpremote, wait_for
from tests.host.gps_board import GO_ON_S, OPEN, asked, runs, status, switch_on, told, within
from tests.host.pace import quick

pytestmark = [pytest.mark.vm, pytest.mark.slow]

PROMPT_MAX_S = 15.0  # a sanity check on a busy machine; docs/consent.md has what was measured
SLOW_STEP = """
app.plain_step, app.written = app.step, 0
def slow(app=app):
    import os
    for n in range(40):
        with open('/slow.new', 'w') as f: f.write('x' * 500)
        os.rename('/slow.new', '/slow')
        app.clock.sleep_ms(50)
        app.written = n + 1
    app.step = app.plain_step
    return app.step()
app.step = slow
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunningBoard]:
    with gps_board.node(tmp_path) as one:
        yield one


@pytest.mark.parametrize("tool", ["mpremote", "ampy"])
def test_the_node_goes_on_with_all_it_had(board: RunningBoard, tool: Tool) -> None:
    before = int(asked(board, OPEN))
    for _ in range(3):
        assert status(board, tool).running is not None
    assert wait_for(lambda: int(asked(board, OPEN)) >= before + 2, 120)
    assert board.status()["starts"] == 1
    assert asked(board, f"app.drops.totals.get({wire.R_MISSED})") == "None"
    assert runs(board)


def test_a_slot_that_passes_meanwhile_is_missed_and_no_more(tmp_path: Path) -> None:
    with gps_board.node(tmp_path, speed=5.0) as board:
        assert wait_for(lambda: int(asked(board, OPEN)) >= 2)
        queued = int(asked(board, "app.store.count()"))
        with LiveLine(board.port) as line:
            first_s = int(within(line, "app._last_slot_s"))
            time.sleep(7)
        # The batch that was open is sealed: another one begins behind a gap.
        assert wait_for(lambda: int(asked(board, "app.store.count()")) == queued + 1)
        found = asked(board, f"(app._last_slot_s, app.drops.totals[{wire.R_MISSED}], {OPEN})")
        slot_s, missed, taken = found[1:-1].split(",")
        assert int(missed) == (int(slot_s) - first_s) // gps_board.SAMPLE_S - int(taken)
        assert 2 <= int(missed) <= 4
        assert board.status()["starts"] == 1


def test_ctrl_c_never_tears_a_step(board: RunningBoard) -> None:
    """It comes in the middle of a step that writes to flash: found when the step is over. From unmodified mpremote,
    and from us."""
    told(board, SLOW_STEP)
    time.sleep(GO_ON_S)
    assert mpremote(board, "resume", "exec", "print(app.written)").strip() == "40"
    told(board, SLOW_STEP)
    time.sleep(GO_ON_S)
    assert asked(board, "app.written") == "40"
    assert runs(board)


def test_nothing_that_was_sent_stays_in_the_nodes_ram(board: RunningBoard) -> None:
    before = asked(board, "sorted(n for n in globals() if n not in ('pv_names', 'hexlify'))")
    switch_on(board)
    with LiveLine(board.port) as line:
        LiveNode(line).preview()
    assert asked(board, "sorted(n for n in globals() if n not in ('pv_names', 'hexlify'))") == before
    assert "plumveil.grant" not in asked(board, "sorted(__import__('sys').modules)")


def test_other_tools_find_the_node_as_before(board: RunningBoard) -> None:
    status(board)
    assert mpremote(board, "resume", "exec", beside("print(app.failed_steps)")).strip() == "0"
    # mpremote left it standing; the next look lets it go on.
    status(board)
    assert runs(board)
    assert "main.py" in ampy(board, "ls")
    board.reset()
    assert wait_for(lambda: board.log.read_bytes().count(b"in force") >= 2, gps_board.START_S)
    status(board)
    with NodeLink(board.port) as link:
        assert len(link.unique_id()) == 6
    assert wait_for(lambda: board.log.read_bytes().count(b"in force") >= 3, gps_board.START_S)


def test_whoever_types_ctrl_c_gets_the_prompt(board: RunningBoard) -> None:
    status(board)
    with serial.Serial(board.port, timeout=0.2) as line:
        said = b""
        until_s = time.monotonic() + PROMPT_MAX_S
        line.write(b"\x03")
        while b">>> " not in said and time.monotonic() < until_s:
            said += line.read(4096)
        assert b"KeyboardInterrupt" in said
        line.write(b"app.desk.tier()\r")
        while not said.endswith(b"0\r\n>>> ") and time.monotonic() < until_s:
            said += line.read(4096)
        assert said.endswith(b"app.desk.tier()\r\n0\r\n>>> ")
    assert status(board).running is not None


def test_the_monitor_disturbs_nobody(board: RunningBoard) -> None:
    status(board)
    assert monitor(board.port, 1.5) == 0
    assert board.status()["starts"] == 1
    assert runs(board)


def test_it_is_quick(board: RunningBoard) -> None:
    assert quick(lambda: status(board), PROMPT_MAX_S)


def test_broken_off_in_the_middle_it_still_goes_on(board: RunningBoard) -> None:
    line = LiveLine(board.port)
    with pytest.raises(NodeLost):
        line.run("import time\ntime.sleep(30)\nprint('<01>')", 0.3)
    assert line.lost
    line.close()
    assert runs(board)
    # And when whoever waits for the node gives up: it hears of that later.
    told(board, SLOW_STEP)
    time.sleep(GO_ON_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_line, "AWAKE_TIMEOUT_S", 0.5)
        with pytest.raises(KeyboardInterrupt):
            LiveLine(board.port, silent=_gives_up)
    time.sleep(3)
    assert runs(board)


def _gives_up() -> None:
    raise KeyboardInterrupt


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_line, "AWAKE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(live_line, "ASLEEP_TIMEOUT_S", 0.5)
    told = []
    with gps_board.node(tmp_path) as board:
        board.power_off()
        with pytest.raises(NodeLost, match="no node answers"):
            LiveLine(board.port, silent=lambda: told.append(True))
        assert told == [True]
