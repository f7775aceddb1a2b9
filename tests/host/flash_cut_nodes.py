"""A node to be flashed with keys and configuration, for tests that cut it: what is ordered, what lies on the board's
flash, what the keystore knows of it, and whether the board really starts it.
"""

from __future__ import annotations

import collections
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cbor2
import serial  # type: ignore[import-untyped]

from host_tools import boards
from host_tools.configure import compiling, nodetoml
from host_tools.errors import PlumveilError
from host_tools.flashing.provisioning import Wanted
from host_tools.flashing.receipt import Receipt
from host_tools.flashing.show import Lines, Step
from host_tools.keys.commands import Where
from host_tools.keys.entries import Entry
from host_tools.virtual_board.running import RunningBoard
from host_tools.virtual_board.snapshot import files_of
from plumveil import vault, wire
from tests.host import configuring, keystores
from tests.host.flashing import AtStep, Files, bootable, first_version, flash, package

SPEED = 20.0  # of the boards' time: a first step takes seconds of it
NAME = "truck 7"
START_TIMEOUT_S = 45.0
SHOWN = 800  # characters of a log
QUIET_S = 0.1
POLL_S = 0.02
CTRL_C_POLL_S = 0.0005
FIRST = first_version()


class Node:
    """What one node is to be, with a keystore of its own among others' entries. board: the one on the line."""

    def __init__(self, board: RunningBoard, folder: Path) -> None:
        self.board = board
        self.keystore = keystores.make(folder)
        toml = configuring.put(folder, node={"name": NAME})
        wanted = Wanted(nodetoml.load(toml), Where(self.keystore, None), numbered=False, rekey=False)
        self.changes: dict[str, object] = {"wanted": wanted}

    def flash(self, show: Lines | None = None, files: Files = FIRST) -> Receipt:
        """The command, always the same."""
        return flash(self.board, files, show, **self.changes)

    def attempt(self, show: Lines) -> bool:
        """The command with something in its way -> whether it went through; else it fails in one line."""
        told = ""
        try:
            self.flash(show)
        except PlumveilError as error:
            told = str(error)
        assert "\n" not in told
        return not told

    def entry(self) -> Entry | None:
        with keystores.opened(self.keystore) as store:
            return store.find(NAME)

    def check_known(self) -> None:
        """Whatever keys are whole on the board, the keystore has them."""
        for body in slots(settled(self.board)):
            entry = self.entry()
            assert entry is not None, "the node has keys that nobody knows"
            assert entry.keys is not None
            kept = [(keys.k_config, keys.k_id) for keys in (entry.keys, *entry.history)]
            assert (body[wire.S_K_CONFIG], body[wire.S_NAMES]) in kept, "the node has keys that nobody knows"

    def finish(self) -> Receipt:
        """The same command again: the node has the keystore's keys, an authentic configuration, and starts.

        The board is off behind it.
        """
        marks: list[int] = []
        made = self.flash(AtStep("start", lambda: marks.append(self.board.log.stat().st_size)))
        assert made.configuration is not None
        wait_said(self.board, f"plumveil: configuration {made.configuration} in force", marks[0])
        self.board.power_off()
        image = self.board.image()
        disk = files_of(image)
        assert bootable(disk) == [package(FIRST)]
        assert wire.FILE_TRIAL not in disk
        self._check_keys(image, disk, made.configuration)
        return made

    def _check_keys(self, image: bytes, disk: Files, version: int) -> None:
        entry = self.entry()
        assert entry is not None
        assert entry.keys is not None
        (body,) = slots(image)
        assert (body[wire.S_K_CONFIG], body[wire.S_NAMES]) == (entry.keys.k_config, entry.keys.k_id)
        content = compiling.unseal(disk[wire.FILE_CONFIG], entry.k_config)
        assert content is not None, "the configuration is not authentic"
        assert content[wire.C_VERSION] == version == entry.config_version
        with keystores.opened(self.keystore) as store:
            counted = collections.Counter(one.board_hash for one in store.nodes())
        assert set(counted.values()) == {1}, "two entries stand for one board"
        assert counted.total() == len(keystores.NAMES) + 1


class AtEach(Lines):
    """Does something as each step begins; `what` takes its name."""

    def __init__(self, what: Callable[[str], None]) -> None:
        self._what = what

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            self._what(name)
            yield step


class CtrlC(Lines):
    """A real SIGINT in a step, once the board has done so many operations of flash in it."""

    def __init__(self, board: RunningBoard, step: str, after_ops: int) -> None:
        self._board, self._step, self._after_ops = board, step, after_ops

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        with super().step(name) as step:
            if name != self._step:
                yield step
                return
            over = threading.Event()
            watcher = threading.Thread(target=self._watch, args=(over, operations(self._board)), daemon=True)
            watcher.start()
            try:
                yield step
            finally:
                over.set()
                watcher.join()

    def _watch(self, over: threading.Event, begun: int) -> None:
        while not over.wait(CTRL_C_POLL_S):
            if operations(self._board) - begun >= self._after_ops:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return


def measured(node: Node, step: str, following: str) -> tuple[int, int, int, int]:
    """Flash operations and bytes, and the line's bytes in and out, of the step in a run that nothing cuts."""
    seen: dict[str, tuple[int, int, int, int]] = {}
    line = {"in": 0, "out": 0}
    write, read = serial.Serial.write, serial.Serial.read

    def written(port: serial.Serial, data: bytes) -> Any:
        line["in"] += len(data)
        return write(port, data)

    def got(port: serial.Serial, size: int = 1) -> Any:
        data = read(port, size)
        line["out"] += len(data)
        return data

    def look(name: str) -> None:
        status = node.board.status()
        seen[name] = status["flash_operations"], status["flash_written_bytes"], line["in"], line["out"]

    with mock.patch.object(serial.Serial, "write", written), mock.patch.object(serial.Serial, "read", got):
        node.flash(AtEach(look))
    done, written_bytes, in_bytes, out_bytes = (b - a for a, b in zip(seen[step], seen[following], strict=True))
    assert min(done, written_bytes, in_bytes, out_bytes) > 0
    return done, written_bytes, in_bytes, out_bytes


def operations(board: RunningBoard) -> int:
    return int(board.status()["flash_operations"])


def slots(image: bytes) -> list[dict[int, Any]]:
    """The whole key slots in a flash image."""
    flash_of = boards.load("virtual").flash
    assert flash_of.keys_offset_bytes is not None
    assert flash_of.keys_size_bytes is not None
    places = range(
        flash_of.keys_offset_bytes, flash_of.keys_offset_bytes + flash_of.keys_size_bytes, wire.KEYS_BLOCK_BYTES
    )
    bodies = [vault.slot_body(image[at : at + wire.SLOT_MAX_BYTES]) for at in places]
    return [cbor2.loads(body) for body in bodies if body is not None]


def settled(board: RunningBoard) -> bytes:
    """The flash once nothing has been written to it for a moment; the board goes on."""
    until_s = time.monotonic() + START_TIMEOUT_S
    before = -1
    while (now := operations(board)) != before:
        assert time.monotonic() < until_s, "the board writes without end"
        before = now
        time.sleep(QUIET_S)
    return board.image()


def restore(board: RunningBoard, image: bytes) -> None:
    """Puts another content into a board's flash, and starts it."""
    board.fault("none")
    board.fault("cable-in")
    board.power_off()
    with board.flash.open("r+b") as file:
        file.write(image)
    board.power_on()
    board.wait_mode("application")


def wait_said(board: RunningBoard, words: str, since: int = 0, times: int = 1) -> str:
    """Waits until the board has said that so often while nobody listened -> all it said. since: a size of its log."""
    until_s = time.monotonic() + START_TIMEOUT_S
    while (said := board.log.read_bytes()[since:].decode("utf-8", "replace")).count(words) < times:
        assert time.monotonic() < until_s, f"the board did not say {words!r} but {said[-SHOWN:]!r}"
        time.sleep(POLL_S)
    return said
