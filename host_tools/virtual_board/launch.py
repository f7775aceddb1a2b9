"""Starts a board's process in the background and ends one; waits for both, never without a bound."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, cast

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board.control import ask
from host_tools.virtual_board.rig import Options
from host_tools.virtual_board.state import Running, State

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.02
ERROR_LINES = 3


def start(state: State, options: Options) -> Running:
    """Starts the board in `state` in a process of its own -> where it is found, its port being there.

    Errors: UsageError, PlumveilError: as the process says, or when it does not start in time.
    """
    state.make_folder()
    command = [sys.executable, "-m", "host_tools.virtual_board.server", str(state.folder)]
    pipe = subprocess.PIPE
    state.errors.touch(mode=0o600)
    with state.errors.open("wb") as errors:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, start_new_session=True)
    with cast(BinaryIO, process.stdin) as asked, contextlib.suppress(BrokenPipeError):
        asked.write(json.dumps(asdict(options)).encode())
    with cast(BinaryIO, process.stdout) as answers:
        line = _line(answers, START_TIMEOUT_S)
    told = json.loads(line) if line.endswith(b"\n") else {}
    # Else a board that ends before us would stay in the process table.
    threading.Thread(target=process.wait, daemon=True).start()
    if "running" in told:
        return Running(**told["running"])
    process.kill()
    if "usage" in told:
        raise UsageError(str(told["usage"]))
    raise PlumveilError(str(told.get("error") or f"the board did not start{_last_words(state)}"))


def stop(running: Running) -> None:
    """Ends a board's process and waits until it has gone. Errors: PlumveilError when it does not end."""
    ask(running.socket, {"do": "stop"})
    state = State(Path(running.state))
    until_s = time.monotonic() + STOP_TIMEOUT_S
    while state.running() is not None:
        if time.monotonic() > until_s:
            raise PlumveilError(f"the board's process {running.pid} does not end; end it by hand")
        time.sleep(POLL_S)


def _line(pipe: BinaryIO, timeout_s: float) -> bytes:
    """Its first line, or what came of it in that time."""
    line = b""
    until_s = time.monotonic() + timeout_s
    while not line.endswith(b"\n") and (left_s := until_s - time.monotonic()) > 0:
        if select.select([pipe], [], [], left_s)[0]:
            piece = os.read(pipe.fileno(), 4096)
            if not piece:
                break
            line += piece
    return line


def _last_words(state: State) -> str:
    lines = state.errors.read_text(encoding="utf-8", errors="replace").splitlines()[-ERROR_LINES:]
    return ": " + " / ".join(line.strip() for line in lines) if lines else ""
