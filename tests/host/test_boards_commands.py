"""`plumveil boards`: all of them, or one."""

from __future__ import annotations

import json

from host_tools import boards
from tests.host import keystores
from tests.host.command_line import run


def test_boards_lists_them_and_shows_one() -> None:
    listed = run("boards")
    assert (listed.code, listed.err) == (0, "")
    for name in boards.names():
        assert name in listed.out
    shown = run("boards", "LILYGO_TBEAM")
    assert "gps_rx           GPIO 34" in shown.out
    assert "AXP2101" in shown.out
    assert "Mind: gps_tx is on GPIO 12" in shown.out
    document = json.loads(run("boards", "--json").out)
    assert [one["name"] for one in document] == boards.names()
    assert json.loads(run("boards", "virtual", "--json").out)["pins"]["onewire"] == 4


def test_a_board_that_is_not_there_is_one_line() -> None:
    assert "no board named 'X'" in keystores.error_line(run("boards", "X"), 2)
