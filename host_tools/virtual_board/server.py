"""The process of one virtual board: `python -m host_tools.virtual_board.server FOLDER`, options on standard input.

It writes one line of JSON to its output once the port is there, or an error, and nothing after. It ends when told to,
on SIGTERM or SIGINT, or when its folder is gone; it never outlives its folder and leaves no port behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board import faults
from host_tools.virtual_board.control import Answer, Control
from host_tools.virtual_board.rig import Options, Rig
from host_tools.virtual_board.state import Running, State

WATCH_S = 0.5


class Server:
    """Serves the board in `state` until `end` or a signal."""

    def __init__(self, state: State, options: Options) -> None:
        self._state, self._options = state, options
        self._ended = threading.Event()
        self._rig: Rig | None = None
        self._running: Running | None = None

    def end(self) -> None:
        """Ends it; from any thread, or a signal's handler."""
        self._ended.set()

    def fail(self, failure: threading.ExceptHookArgs) -> None:
        """Ends it because a thread did, with that thread's last words among our errors."""
        traceback.print_exception(failure.exc_value)
        self.end()

    def serve(self, ready: Callable[[Running], None]) -> None:
        """Runs the board; `ready` is told where it is found. Errors: UsageError, PlumveilError before that."""
        self._state.make_folder()
        self._state.take()
        try:
            rig = self._rig = Rig(self._state, self._options)
            control = Control(self._answer)
            self._running = rig.running(control.path)
            control.start()
            try:
                rig.start()
                self._state.announce(self._running)
                ready(self._running)
                self._watch()
            finally:
                rig.stop()
                control.stop()
        finally:
            self._state.leave()

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_S):
            if not self._state.is_mine():
                return

    def _answer(self, request: dict[str, Any]) -> Answer:
        rig, running = self._rig, self._running
        if rig is None or running is None:
            raise PlumveilError("the board is just starting")
        todo = request.get("do")
        if todo == "where":
            return {"running": asdict(running)}
        if todo == "status":
            return {"running": asdict(running), "status": rig.status()}
        if todo == "stop":
            self.end()
        elif todo == "reset":
            rig.board.reset()
        elif todo == "press":
            rig.press(request.get("seconds"))
        elif todo == "fault":
            values = request.get("values")
            faults.order(rig, str(request.get("kind")), values if isinstance(values, dict) else {})
            rig.log.note(f"fault {request.get('kind')}")
        else:
            raise PlumveilError("the board's process knows no such request")
        return {}


def options_from(given: dict[str, Any]) -> Options:
    """What `asdict` of Options made, back again."""
    return Options(**{**given, "allow": tuple((host, port) for host, port in given["allow"])})


def main(folder: str) -> int:
    """Serves a board in the background; see the module's words for what it reads and writes."""
    server = Server(State(Path(folder)), options_from(json.load(sys.stdin)))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: server.end())
    try:
        # A board of which a part has broken down must not look as if it ran.
        threading.excepthook = server.fail
        server.serve(lambda running: _tell({"running": asdict(running)}))
    except UsageError as error:
        _tell({"usage": str(error)})
        return error.exit_code
    except PlumveilError as error:
        _tell({"error": str(error)})
        return error.exit_code
    return 0


def _tell(words: dict[str, Any]) -> None:
    """Says one line to whoever started us, and lets go of the pipe: it must not wait for our end."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
