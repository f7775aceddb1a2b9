"""The step that has MicroPython on the board: a line to it where it answers, else it is written.

Never over keys unless that is meant.
"""

from __future__ import annotations

import re
import time

from host_tools import boards
from host_tools.boards import Board
from host_tools.errors import PlumveilError, UsageError
from host_tools.flashing import base, esptool, provisioning
from host_tools.flashing.base import Base
from host_tools.flashing.node import Node, State
from host_tools.flashing.show import Step
from host_tools.flashing.task import Run, Task
from host_tools.node_link import NodeLink, NodeLost

BOOT_TIMEOUT_S = 15.0  # from MicroPython's start to its prompt
GENERIC = {"esp32": "ESP32_GENERIC", "esp32s3": "ESP32_GENERIC_S3", "esp32c3": "ESP32_GENERIC_C3"}
_CHIP = re.compile(r"\bwith (ESP32\w*)")


def ensure(run: Run) -> tuple[NodeLink, Board]:
    """MicroPython, written where it is missing or asked for -> a line to it, and the board."""
    task = run.task
    with run.step("micropython") as step:
        link = _answering(task)
        board = task.board or _generic(task, link)
        if link is not None and task.micropython is None:
            step.skip("it is there")
            return link, board
        try:
            wanted = base.read(task.micropython or (base.STANDIN if task.is_virtual else None), board)
            if wanted.virtual and not task.is_virtual:
                raise UsageError("the stand-in for MicroPython runs on virtual boards alone: give the chip's image")
            if link is not None and base.is_running(Node(link), wanted):
                step.skip(f"{wanted.version} is there")
                return link, board
            at_stake = False if task.rekey else None if link is None else Node(link).keeps_keys()
            if link is None:
                ready(task)
        finally:
            # Left open when it is handed on.
            if link is not None and not step.told:
                link.close()
        _write(run, step, wanted, board, keys_at_stake=at_stake)
        return _booted(task), board


def ready(task: Task) -> None:
    """What keys and configuration need of this side is looked at before anything is written."""
    if task.wanted is not None:
        provisioning.check(task.wanted)


def _write(run: Run, step: Step, wanted: Base, board: Board, *, keys_at_stake: bool | None) -> None:
    port = run.task.port
    chip = esptool.chip_at(port)
    if chip != wanted.chip:
        raise PlumveilError(
            f"the board at {port} has an {chip}, {board.name} has an {wanted.chip}: say which --board"
        )
    base.write(port, wanted, step.percent, keys_at_stake=keys_at_stake)
    step.say(f"{wanted.version} written")


def _answering(task: Task) -> NodeLink | None:
    """A line to MicroPython, None when there is none on the board. Errors: esptool.NoChip when nothing is there."""
    try:
        return NodeLink(task.port, task.tool)
    except NodeLost as lost:
        chip = esptool.chip_at(task.port)
        if not esptool.has_application(task.port, chip):
            return None
        # esptool has reset it: what kept it busy is over, or this is no MicroPython.
        try:
            return NodeLink(task.port, task.tool)
        except NodeLost:
            if task.micropython is not None or task.is_virtual:
                # It may have been cut while it was written.
                return None
            other = "ampy" if task.tool == "mpremote" else "mpremote"
            raise NodeLost(
                f"{lost} There is an application on the {chip}, but no MicroPython answers: try --tool {other}, or"
                " write MicroPython with --firmware FILE"
            ) from None


def _generic(task: Task, link: NodeLink | None) -> Board:
    """The generic board of the chip on the line."""
    chip = esptool.chip_at(task.port) if link is None else chip_of(Node(link).state())
    if chip not in GENERIC:
        if link is not None:
            link.close()
        raise UsageError(f"what kind of board is at {task.port} cannot be told: say which --board")
    return boards.load(GENERIC[chip])


def chip_of(state: State) -> str:
    """The chip as MicroPython's words have it, named as in board.toml; "" when they do not say."""
    found = _CHIP.search(state.machine)
    return found[1].lower() if found else ""


def _booted(task: Task) -> NodeLink:
    ends_s = time.monotonic() + BOOT_TIMEOUT_S
    while True:
        try:
            return NodeLink(task.port, task.tool)
        except NodeLost:
            if time.monotonic() > ends_s:
                raise NodeLost(
                    f"MicroPython does not start at {task.port}: is it the image for this board?"
                ) from None
            time.sleep(0.5)
