"""Flashing that is cut where keys and configuration are written, or MicroPython itself, and boards that are reset
while a new version is on trial. The keystore knows every key that a node has, the same command again finishes, and
the board then really starts.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from host_tools import boards, transports
from host_tools.esp import image as esp_image
from host_tools.firmware_source import FIRMWARE
from host_tools.flashing import base
from host_tools.keys import passphrase
from host_tools.keys.keystore import Keystore
from host_tools.node_link import NodeLost
from host_tools.virtual_board.running import RunningBoard, running_board
from host_tools.virtual_board.snapshot import files_of
from plumveil import wire
from tests.host import keystores
from tests.host.flash_cut_nodes import (
    FIRST,
    SPEED,
    CtrlC,
    Node,
    measured,
    restore,
    wait_said,
)
from tests.host.flashing import AtStep, Files, bootable, broken_version, flash, package
from tests.host.test_flash_cuts import impatient as impatient
from tests.host.test_flash_cuts import unplugged_when_off

pytestmark = [pytest.mark.vm, pytest.mark.slow]

STEP = "provision"
IN_FORCE = "plumveil: configuration 1 in force"
ENTER_TIMEOUTS_S = (1, 2)  # a board whose time runs faster is at its prompt sooner
BLOCK_BYTES = 4096


@pytest.fixture(autouse=True)
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(passphrase.VARIABLE, keystores.PASSPHRASE)
    monkeypatch.setattr(transports, "ENTER_TIMEOUTS_S", ENTER_TIMEOUTS_S)


class Bench(NamedTuple):
    """A board with firmware and no keys. bare: its flash; operations, ...: what the step that gives it keys and a
    configuration does, uncut: on the flash, and over the line each way."""

    board: RunningBoard
    bare: bytes
    operations: int
    written_bytes: int
    in_bytes: int
    out_bytes: int

    def node(self, folder: Path) -> Node:
        """The board as it was, and a keystore that does not know it."""
        folder.mkdir()
        restore(self.board, self.bare)
        return Node(self.board, folder)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    with running_board(folder / "state", speed=SPEED) as board, pytest.MonkeyPatch.context() as patch:
        patch.setenv(passphrase.VARIABLE, keystores.PASSPHRASE)
        flash(board, FIRST)
        board.power_off()
        bare = board.image()
        restore(board, bare)
        yield Bench(board, bare, *measured(Node(board, folder), STEP, "self-test"))


def power_cut(node: Node, **cut: Any) -> None:
    """The supply goes in the step, in the middle of that write."""
    with unplugged_when_off(node.board):
        assert not node.attempt(AtStep(STEP, lambda: node.board.power_cut(**cut))), cut
    assert node.board.status()["mode"] == "off", cut
    node.check_known()
    node.board.power_on()
    node.board.wait_mode("application")


@pytest.mark.parametrize(("torn", "most"), [(True, 12), (False, 4)], ids=["torn", "clean"])
def test_the_supply_goes_at_writes_of_keys_and_configuration(
    bench: Bench, tmp_path: Path, torn: bool, most: int
) -> None:
    """Torn at every one of them: what was to be written there is neither old nor new."""
    for n in spread(bench.operations, most):
        node = bench.node(tmp_path / str(n))
        power_cut(node, after_ops=n, torn=torn)
        node.finish()


def test_the_supply_goes_again_and_again(bench: Bench, tmp_path: Path) -> None:
    chance = random.Random("again")
    node = bench.node(tmp_path / "node")
    for _ in range(4):
        # What was done before is not done again, so the first half of the bytes only.
        power_cut(node, after_bytes=chance.randrange(bench.written_bytes // 2), torn=chance.random() < 0.5)
    node.finish()


@pytest.mark.parametrize("direction", ["in", "out"])
def test_the_cable_goes_with_keys_or_configuration_on_it(bench: Bench, tmp_path: Path, direction: str) -> None:
    total_bytes = bench.in_bytes if direction == "in" else bench.out_bytes
    for n in spread(total_bytes, 3):
        node = bench.node(tmp_path / str(n))
        order = AtStep(STEP, functools.partial(bench.board.fault, "cut-line", bytes=n, direction=direction))
        assert not node.attempt(order)
        node.board.fault("cable-in")
        node.check_known()
        node.finish()


def test_ctrl_c_at_writes_of_keys_and_configuration(bench: Bench, tmp_path: Path) -> None:
    interrupted = 0
    for n in spread(bench.operations, 3):
        node = bench.node(tmp_path / str(n))
        try:
            node.flash(CtrlC(node.board, STEP, n))
        except KeyboardInterrupt:
            interrupted += 1
        node.check_known()
        node.finish()
    # Who is asked how far it is may answer too late for the last ones.
    assert interrupted


@pytest.mark.parametrize(("nth", "saved"), [(1, True), (2, False)])
def test_ctrl_c_as_the_keystore_is_saved(bench: Bench, tmp_path: Path, nth: int, saved: bool) -> None:
    """First with the keys, then with the version of the configuration."""
    node = bench.node(tmp_path / "node")
    save, count = Keystore.save, 0

    def interrupted(store: Keystore, **how: Any) -> bool:
        nonlocal count
        count += 1
        if count != nth or saved:
            save(store, **how)
        if count == nth:
            raise KeyboardInterrupt
        return True

    with mock.patch.object(Keystore, "save", interrupted), pytest.raises(KeyboardInterrupt):
        node.flash()
    node.check_known()
    assert (node.entry() is not None) == (saved or nth > 1)
    node.finish()


def spread(n: int, most: int) -> list[int]:
    """Some of 0 to n - 1, evenly; all if they are few."""
    return sorted({round(k * (n - 1) / (most - 1)) for k in range(most)}) if n > most else list(range(n))


class Base(NamedTuple):
    """A board whose node works, and a later MicroPython for it. written_bytes: by the end of each part of that."""

    board: RunningBoard
    working: bytes
    node: Node
    written_bytes: list[int]


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    folder = tmp_path_factory.mktemp("later")
    file = folder / "micropython.bin"
    with mock.patch.object(esp_image, "VIRTUAL_VERSION", "v1.28.1-virtual"):
        file.write_bytes(esp_image.standin_micropython("esp32"))
    with running_board(folder / "state", speed=SPEED) as board, pytest.MonkeyPatch.context() as patch:
        patch.setenv(passphrase.VARIABLE, keystores.PASSPHRASE)
        node = Node(board, folder)
        node.flash()
        board.power_off()
        node.changes["micropython"] = str(file)
        sizes = [len(part.data) for part in base.read(str(file), boards.load("virtual")).parts]
        # Whole blocks are erased, and programmed.
        ends = [2 * BLOCK_BYTES * -(-size // BLOCK_BYTES) for size in sizes]
        yield Base(board, board.image(), node, list(itertools.accumulate(ends)))


def cut_as_it_is_written(later: Base, order: Callable[[], None]) -> None:
    """Cuts the writing of MicroPython, then has the same command finish: the node is who it was."""
    restore(later.board, later.working)
    before = later.node.entry()
    assert before is not None
    with unplugged_when_off(later.board):
        assert not later.node.attempt(AtStep("micropython", order))
    restore_line(later.board)
    made = later.node.finish()
    after = later.node.entry()
    assert after is not None
    assert after.keys == before.keys
    assert made.keys == "partition"


def restore_line(board: RunningBoard) -> None:
    """The cable and the supply are back; what the board does then is its own affair."""
    board.fault("none")
    board.fault("cable-in")
    if board.status()["mode"] == "off":
        board.power_on()


# Where, of all that is written: the bootloader, the partition table erased and half programmed, the application.
PLACES = {"bootloader": (-1, 0.5), "no table": (0, 0.5), "application": (1, 0.9)}


@pytest.mark.parametrize("place", PLACES)
def test_the_supply_goes_while_micropython_is_written(later: Base, place: str) -> None:
    part, share = PLACES[place]
    begins = later.written_bytes[part] if part >= 0 else 0
    at_bytes = begins + int(share * (later.written_bytes[part + 1] - begins))
    cut_as_it_is_written(later, lambda: later.board.power_cut(after_bytes=at_bytes, torn=True))


@pytest.mark.parametrize("after_bytes", [10_000])
def test_the_cable_goes_while_micropython_is_written(later: Base, after_bytes: int) -> None:
    cut_as_it_is_written(later, lambda: later.board.fault("cut-line", bytes=after_bytes, direction="in"))


def speaking(words: str, **broken: str) -> Files:
    """A version that says which one it is whenever it runs. broken: module -> its source instead."""
    loop = (FIRMWARE / "plumveil" / "loop.py").read_text("utf-8") + f"\nprint({words!r})\n"
    files = broken_version("loop", loop)
    for module, source in broken.items():
        files |= {f"plumveil/{module}.mpy": broken_version(module, source)[f"plumveil/{module}.mpy"]}
    return files


OLD, NEW = speaking("the old version"), speaking("the new version")
CANNOT_START = {
    "raises": {"loop": "raise ValueError('broken')\n"},
    "ends before its first good step": {"loop": "def run(app, reset):\n    reset()\n"},
}


def reset_on_trial(bench: Bench, folder: Path, new: Files) -> tuple[Node, int]:
    """A node that runs OLD is flashed with another version, and hard reset before that is confirmed -> the node, and
    the size of its log then."""
    node = bench.node(folder)
    board = node.board
    node.flash(files=OLD)
    wait_said(board, IN_FORCE)
    marks = []

    def out_and_reset() -> None:
        board.fault("cable-out")
        marks.append(board.log.stat().st_size)
        board.reset()

    with pytest.raises(NodeLost, match="run the same command again"):
        node.flash(AtStep("self-test", out_and_reset), new)
    return node, marks[0]


def off(board: RunningBoard) -> Files:
    """The files on a board, whose supply goes for that."""
    board.power_off()
    return files_of(board.image())


def test_a_version_on_trial_starts_by_itself_and_confirms_itself(bench: Bench, tmp_path: Path) -> None:
    node, mark = reset_on_trial(bench, tmp_path / "node", NEW)
    said = wait_said(node.board, IN_FORCE, mark)
    assert "the new version" in said
    assert "the old version" not in said
    disk = off(node.board)
    assert bootable(disk) == [package(NEW)]
    assert wire.FILE_TRIAL not in disk


@pytest.mark.parametrize("fault", CANNOT_START)
def test_a_version_that_cannot_start_gives_way_by_itself(bench: Bench, tmp_path: Path, fault: str) -> None:
    new = speaking("the new version", **CANNOT_START[fault])
    node, mark = reset_on_trial(bench, tmp_path / "node", new)
    said = wait_said(node.board, IN_FORCE, mark)
    assert "the old version" in said
    assert said.count("load:") // 2 == wire.TRIAL_STARTS + 1
    assert bootable(off(node.board)) == [package(OLD)]
    # And it stays so.
    mark = node.board.log.stat().st_size
    node.board.power_on()
    assert "the old version" in wait_said(node.board, IN_FORCE, mark)
