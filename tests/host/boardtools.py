"""The real tools on a virtual board's port: mpremote, ampy and esptool as programs, and a raw REPL in between."""

import contextlib
import subprocess
import sys
import time

from mpremote.transport import TransportError  # type: ignore[import-untyped]
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

TIMEOUT_S = 180
ATTEMPTS = 3
# A flasher's call: SLIP frame of the request SYNC, as esptool's documentation "Serial Protocol" has it.
SYNC = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"\x55" * 32 + b"\xc0"


def tool(name, *arguments, fails=False, timeout_s=TIMEOUT_S):
    """Runs a tool -> what it printed, errors included. It has to end well, or with an error code when it `fails`."""
    done = subprocess.run(
        [sys.executable, "-m", name, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert (done.returncode != 0) == fails, f"{name} {arguments}: {done.stdout}"
    return done.stdout


def mpremote(board, *arguments, **options):
    """mpremote on the board's port."""
    return tool("mpremote", "connect", board.port, *arguments, **options)


def ampy(board, *arguments, **options):
    """ampy on the board's port."""
    return tool("ampy.cli", "--port", board.port, *arguments, **options)


def esptool(port, *arguments, **options):
    """esptool on a port or URL."""
    return tool("esptool", "--port", port, *arguments, **options)


@contextlib.contextmanager
def repl(board, soft_reset=False):
    """An open raw REPL; its `exec` runs code and returns what it printed. main.py does not run in it. A board that is
    just starting is deaf for a moment: asked again then."""
    link = SerialTransport(board.port)
    try:
        for left in reversed(range(ATTEMPTS)):
            try:
                link.enter_raw_repl(soft_reset=soft_reset)
                break
            except TransportError:
                if not left:
                    raise
        yield link
    finally:
        with contextlib.suppress(OSError):
            link.close()


def run(board, code):
    """Runs code in a raw REPL without a reset -> what it printed."""
    with repl(board) as link:
        return link.exec(code).decode().strip().replace("\r\n", "\n")


def wait_for(condition, seconds=30.0):
    """Waits until a condition holds -> whether it does."""
    until_s = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until_s:
        time.sleep(0.02)
    return found


def write(board, path, text):
    """A text file, by mpremote."""
    mpremote(board, "exec", f"with open({path!r}, 'w') as file:\n    file.write({text!r})")


def own_sockets(tmp_path_factory, monkeypatch):
    """A fixture: boards of other tests, and of whoever works on this machine, are not ours to see or end."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("s")))
    monkeypatch.setattr("tempfile.tempdir", None)
