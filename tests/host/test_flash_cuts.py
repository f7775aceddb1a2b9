"""Flashing that is cut: in the line, in the supply, by Ctrl-C, at every step and at bytes by chance. Whatever is cut,
the node has a whole version to start, the old one or the new one, and the same command again finishes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

from host_tools import node_link
from host_tools.errors import PlumveilError
from host_tools.firmware_source import KEPT_AS_SOURCE
from host_tools.node_link import NodeLost
from host_tools.virtual_board.running import RunningBoard, running_board
from host_tools.virtual_board.snapshot import files_of
from tests.host.flashing import (
    AtStep,
    Files,
    assert_one_of,
    bootable,
    first_version,
    flash,
    other_version,
    package,
    power_back,
    unplugged_when_off,
)
from tests.host.pace import Pace

pytestmark = [pytest.mark.vm, pytest.mark.slow]

STEPS = ("compare", "copy", "verify", "switch", "provision", "self-test", "start")
CUTS = 20  # by chance, of each of two kinds in each of GROUPS: 200 in all
GROUPS = 5
FINISHED_EVERY = 4
SILENCE_S = 2.5  # in place of half a minute: a board without supply says nothing
LONGEST_S = 60.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    read_until = SerialTransport.read_until

    def sooner(self: SerialTransport, *arguments: Any, timeout: float = SILENCE_S, **more: Any) -> bytes:
        found: bytes = read_until(self, *arguments, timeout=min(timeout, SILENCE_S), **more)
        return found

    monkeypatch.setattr(SerialTransport, "read_until", sooner)
    monkeypatch.setattr(node_link, "RUN_TIMEOUT_S", SILENCE_S)


class Desk:
    """A board on the line. seen: the version that was finished last, and those that were begun since; the last is the
    one to be flashed."""

    def __init__(self, board: RunningBoard) -> None:
        self.board = board
        self.count = 0
        self.seen = [first_version()]
        flash(board, self.seen[0])

    @property
    def new(self) -> Files:
        return self.seen[-1]

    def next(self) -> None:
        """The next version is to be flashed."""
        self.count += 1
        self.seen.append(other_version(self.count))

    def check(self, disk: Files) -> None:
        """Whatever the board starts is a whole version: an old one or the new one."""
        assert_one_of(disk, *self.seen)

    def finish(self) -> None:
        """The same command again: ends with the new version in force and nothing on trial."""
        made = flash(self.board, self.new)
        disk = self.board.files()
        assert bootable(disk) == [package(self.new)]
        assert made.slot.encode() == disk["/pv/slot"]
        assert "/pv/trial" not in disk
        assert [disk[f"/{name}"] for name in KEPT_AS_SOURCE] == [self.new[name] for name in KEPT_AS_SOURCE]
        self.seen = [self.new]

    def cut(self, show: AtStep, *, fails: bool) -> None:
        """Flashes the new version with something in the way; once the node is let go nothing more can fail."""
        if not fails:
            flash(self.board, self.new, show)
            return
        with pytest.raises(NodeLost, match="run the same command again"):
            flash(self.board, self.new, show)

    def attempt(self) -> bool:
        """Flashes the new version -> whether that went through; else it fails soon, in one line."""
        told = ""
        with Pace() as pace:
            try:
                flash(self.board, self.new)
            except PlumveilError as error:
                told = str(error)
        assert pace.under(LONGEST_S), pace
        assert "\n" not in told
        return not told


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_board(tmp_path_factory.mktemp("board") / "state") as board:
        yield Desk(board)


@pytest.mark.parametrize("step", STEPS)
def test_the_supply_goes_between_two_steps(desk: Desk, step: str) -> None:
    desk.next()
    desk.cut(AtStep(step, desk.board.power_off), fails=step != "start")
    desk.check(files_of(desk.board.image()))
    power_back(desk.board)
    desk.finish()


@pytest.mark.parametrize("step", STEPS)
def test_the_cable_goes_between_two_steps(desk: Desk, step: str) -> None:
    desk.next()
    desk.cut(AtStep(step, lambda: desk.board.fault("cable-out")), fails=step != "start")
    desk.board.fault("cable-in")
    desk.check(desk.board.files())
    desk.finish()


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_between_two_steps(desk: Desk, step: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.next()
    with pytest.raises(KeyboardInterrupt):
        flash(desk.board, desk.new, AtStep(step, interrupt))
    desk.check(desk.board.files())
    desk.finish()


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_supply_goes_while_the_flash_is_written(desk: Desk, group: int) -> None:
    chance = random.Random(f"flash {group}")
    for _ in range(3):
        # The first two fill the slots; what is counted then is an update.
        desk.next()
        before = desk.board.status()["flash_written_bytes"]
        desk.finish()
    total_bytes = desk.board.status()["flash_written_bytes"] - before
    cuts = 0
    for n in range(CUTS):
        desk.next()
        desk.board.power_cut(after_bytes=chance.randrange(total_bytes), torn=chance.random() < 0.5)
        with unplugged_when_off(desk.board):
            desk.attempt()
        cuts += desk.board.status()["mode"] == "off"
        desk.check(files_of(desk.board.image()))
        power_back(desk.board)
        if n % FINISHED_EVERY == 0:
            desk.finish()
    assert cuts > CUTS // 2


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_line_is_cut_after_some_bytes(desk: Desk, group: int) -> None:
    chance = random.Random(f"line {group}")
    cuts = 0
    for n in range(CUTS):
        desk.next()
        direction, most_bytes = chance.choice((("in", 20_000), ("out", 12_000)))
        desk.board.fault("cut-line", bytes=chance.randrange(most_bytes), direction=direction)
        cuts += not desk.attempt()
        desk.board.fault("none")
        desk.board.fault("cable-in")
        desk.check(desk.board.files())
        if n % FINISHED_EVERY == 0:
            desk.finish()
    assert cuts > CUTS // 2
