"""Which virtual boards run on this machine, of this user: asked of their processes. Starts and ends none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board.control import ask, folder
from host_tools.virtual_board.state import Running

LOOK_TIMEOUT_S = 2.0


def running() -> list[Running]:
    """All boards that answer, by the path of their folder."""
    found = []
    for path in sorted(folder().glob("*.sock")):
        if _is_dead(path):
            path.unlink(missing_ok=True)
            continue
        try:
            answer = ask(str(path), {"do": "where"}, LOOK_TIMEOUT_S)
            found.append(Running(**answer["running"]))
        except (PlumveilError, KeyError, TypeError):
            continue  # it is just starting or ending
    return sorted(found, key=lambda board: board.state)


def find(name: str | None, default: Path) -> Running:
    """The board that is meant: by folder or board name; without one the only one that runs, or that in `default`.

    Errors: UsageError when none or several are meant.
    """
    boards = running()
    if name is None:
        chosen = boards if len(boards) == 1 else [board for board in boards if board.state == str(default.absolute())]
    else:
        place = os.path.realpath(name)
        chosen = [board for board in boards if os.path.realpath(board.state) == place]
        chosen = chosen or _named(boards, name, default)
    if len(chosen) == 1:
        return chosen[0]
    if not boards:
        raise UsageError("no virtual board runs; `plumveil board start` starts one")
    if name is not None and not chosen:
        raise UsageError(f"no virtual board runs in {name}; `plumveil board list` shows those that do")
    raise UsageError("several virtual boards run; name one by --dir, `plumveil board list` shows them")


def _named(boards: list[Running], name: str, default: Path) -> list[Running]:
    # Several may be of one kind: the one in that kind's own folder is meant then.
    found = [board for board in boards if board.board == name]
    return [board for board in found if board.state == str(default.absolute())] or found


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(LOOK_TIMEOUT_S)
        try:
            link.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False
