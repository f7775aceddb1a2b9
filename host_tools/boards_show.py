"""What `plumveil boards` prints: the boards there are, or one of them line by line. Reads board files alone."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.table import Table

from host_tools import boards
from host_tools.boards import Board
from host_tools.commands import console_for_output

DONE = 0
MIB = 0x100000


def listed(*, as_json: bool) -> int:
    """Prints every board in a line. Errors: PlumveilError for a board file that is not valid."""
    found = [boards.load(name) for name in boards.names()]
    if as_json:
        print(json.dumps([described(board) for board in found], indent=1))
        return DONE
    table = Table("board", "chip", "flash", "sensors", "GPS power", "what", box=box.SIMPLE_HEAD)
    for board in found:
        flash = f"{board.flash.size_bytes // MIB} MiB"
        table.add_row(board.name, board.chip, flash, " ".join(board.sensors), gps_power(board), board.title)
    console_for_output().print(table)
    return DONE


def one(name: str, *, as_json: bool) -> int:
    """Prints one board's wiring, and what to mind of it. Errors: UsageError when there is none of that name."""
    board = boards.load(name)
    if as_json:
        print(json.dumps(described(board), indent=1))
        return DONE
    print(f"{board.name}: {board.title}")
    print(f"MicroPython {board.micropython.version}, {board.micropython.board}")
    for line, pin in board.pins.used().items():
        print(f"  {line:16} GPIO {pin}")
    print(f"  {'GPS power':16} {gps_power(board)}")
    for caution in board.cautions():
        print(f"Mind: {caution}.")
    return DONE


def gps_power(board: Board) -> str:
    """What switches the receiver's power, in a word or two."""
    return f"GPIO {board.pins.gps_power}" if board.gps.power == "pin" else board.gps.power.upper()


def described(board: Board) -> dict[str, Any]:
    """The board's data as they stand in its file, and its cautions."""
    return {**board.model_dump(mode="json", exclude_none=True), "cautions": board.cautions()}
