"""What the commands `board ...` do: start, stop, list, watch and disturb virtual boards. Options stand elsewhere."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from host_tools.errors import PlumveilError, UsageError
from host_tools.nodejs import BUILD
from host_tools.virtual_board import launch, registry
from host_tools.virtual_board.control import ask
from host_tools.virtual_board.rig import DEFAULT_BOARD, Options
from host_tools.virtual_board.running import RunningBoard
from host_tools.virtual_board.server import Server
from host_tools.virtual_board.state import Running, State

BOARDS = BUILD / "boards"
LOG_POLL_S = 0.2


def state_of(board: str | None, folder: Path | None) -> State:
    """The folder that is meant: as given, else the board's own below build/boards."""
    return State(folder if folder is not None else BOARDS / (board or DEFAULT_BOARD))


def start(options: Options, folder: Path | None, *, foreground: bool) -> int:
    """Starts a board and prints its port (with RFC 2217 also its URL, on the next line), nothing else."""
    state = state_of(options.board, folder)
    if not foreground:
        _show(launch.start(state, options))
        return 0
    server = Server(state, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.end())
    server.serve(_show)
    return 0


def addresses(given: list[str]) -> tuple[tuple[str, int], ...]:
    """HOST:PORT each. Errors: UsageError."""
    found = []
    for address in given:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"--allow has to be HOST:PORT, not {address!r}")
        found.append((host, int(port)))
    return tuple(found)


def stop(board: str | None, folder: Path | None, *, everything: bool) -> int:
    """Ends a board's process, or those of all boards."""
    chosen = registry.running() if everything else [_find(board, folder)]
    for running in chosen:
        launch.stop(running)
    return 0


def list_boards(*, as_json: bool) -> int:
    """Shows the boards that run."""
    found = registry.running()
    if as_json:
        Console().print_json(data=[asdict(running) for running in found])
        return 0
    if not found:
        print("no virtual board runs; `plumveil board start` starts one")
        return 0
    rows = [("board", "port", "rfc2217", "process")]
    rows += [(running.board, running.port, running.url or "-", str(running.pid)) for running in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def reset(board: str | None, folder: Path | None) -> int:
    """Presses a board's reset button."""
    RunningBoard(_find(board, folder)).reset()
    return 0


def press(board: str | None, folder: Path | None, seconds: float) -> int:
    """Holds a board's consent button down."""
    RunningBoard(_find(board, folder)).press(seconds)
    time.sleep(seconds)
    return 0


def status(board: str | None, folder: Path | None, *, as_json: bool) -> int:
    """Shows what a board is about."""
    running = _find(board, folder)
    found: dict[str, Any] = ask(running.socket, {"do": "status"})
    if as_json:
        Console().print_json(data=found["running"] | found["status"])
        return 0
    for name, value in (found["running"] | found["status"]).items():
        if name != "socket":
            print(f"{name.replace('_', ' '):20} {_word(value)}")
    return 0


def fault(board: str | None, folder: Path | None, kind: str, values: dict[str, object]) -> int:
    """Orders a fault on a board."""
    RunningBoard(_find(board, folder)).fault(kind, **values)
    return 0


def log(board: str | None, folder: Path | None, *, follow: bool) -> int:
    """Prints what happened to a board, running or not, and what it said while nobody listened."""
    is_named = folder is not None or board is not None
    path = (state_of(board, folder) if is_named else State(Path(_find(None, None).state))).log
    try:
        with path.open("rb") as file:
            while True:
                data = file.read()
                sys.stdout.write(data.decode("utf-8", errors="replace"))
                sys.stdout.flush()
                if not follow:
                    return 0
                time.sleep(LOG_POLL_S)
    except FileNotFoundError:
        raise PlumveilError(f"there is no log {path}; `plumveil board start` makes a board") from None


def _find(board: str | None, folder: Path | None) -> Running:
    name = str(folder) if folder is not None else board
    return registry.find(name, BOARDS / (board or DEFAULT_BOARD))


def _show(running: Running) -> None:
    print(running.port)
    if running.url:
        print(running.url)
    sys.stdout.flush()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "-"
