"""How a board's process is asked: one JSON object a line over a Unix socket, one line back. Both ends stand here.

Sockets lie in a folder of the user's own below the system's temporary one: their paths have to be short, a board's
folder need not be. Nobody else can open that folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import socketserver
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools.errors import PlumveilError, UsageError

REQUEST_MAX_BYTES = 64 * 1024
ANSWER_TIMEOUT_S = 15.0

Answer = dict[str, Any]
Handler = Callable[[dict[str, Any]], Answer]


def folder() -> Path:
    """The folder of this user's sockets, made when missing. Errors: PlumveilError when it is somebody else's."""
    path = Path(tempfile.gettempdir()) / f"plumveil-boards-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PlumveilError(f"{path} is not a folder of yours alone; remove it")
    return path


def ask(path: str, request: dict[str, Any], timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
    """Sends a request to a board's process -> its answer. Errors: PlumveilError, UsageError as the board says."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(timeout_s)
            link.connect(path)
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as reader:
                line = reader.readline()
    except OSError as error:
        raise PlumveilError("the board's process does not answer; start the board again") from error
    if not line:
        raise PlumveilError("the board's process ended without an answer; start the board again")
    answer: Answer = json.loads(line)
    if "usage" in answer:
        raise UsageError(str(answer["usage"]))
    if "error" in answer:
        raise PlumveilError(str(answer["error"]))
    return answer


class Control:
    """The board's end: a thread for every request, so that one which waits holds up no other."""

    def __init__(self, handler: Handler) -> None:
        self.path = str(folder() / f"{secrets.token_hex(6)}.sock")
        self._server = _Server(self.path, _Request)
        self._server.handler = handler
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answers no more."""
        self._server.shutdown()
        self._server.server_close()
        Path(self.path).unlink(missing_ok=True)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    handler: Handler


class _Request(socketserver.StreamRequestHandler):
    timeout = ANSWER_TIMEOUT_S
    server: _Server

    def handle(self) -> None:
        """Reads one request, writes one answer."""
        with contextlib.suppress(OSError):
            line = self.rfile.readline(REQUEST_MAX_BYTES)
            if line.endswith(b"\n"):
                self.wfile.write(json.dumps(_answer(self.server.handler, line)).encode() + b"\n")


def _answer(handler: Handler, line: bytes) -> Answer:
    try:
        request = json.loads(line)
    except ValueError:
        return {"error": "a request has to be one JSON object"}
    if not isinstance(request, dict):
        return {"error": "a request has to be one JSON object"}
    try:
        return handler(request)
    except UsageError as error:
        return {"usage": str(error)}
    except PlumveilError as error:
        return {"error": str(error)}
