"""A running virtual board for tests and other tools: a context manager, and the switches of one that runs.

with running_board(tmp_path / "board") as board:
    subprocess.run([sys.executable, "-m", "mpremote", "connect", board.port, "fs", "ls"])
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host_tools.errors import PlumveilError
from host_tools.virtual_board import launch
from host_tools.virtual_board.control import ask
from host_tools.virtual_board.rig import DEFAULT_BOARD, Options
from host_tools.virtual_board.snapshot import files_of
from host_tools.virtual_board.state import Running, State

IDLE_TIMEOUT_S = 30.0
POLL_S = 0.02


class RunningBoard:
    """A board that runs in a process of its own. Errors of all calls: PlumveilError, UsageError as the board says."""

    def __init__(self, running: Running) -> None:
        self._socket = running.socket
        self.state = Path(running.state)
        self.port = running.port
        self.url = running.url  # of the RFC 2217 port, empty without one
        self.pid = running.pid
        self.flash = State(self.state).flash
        self.log = State(self.state).log

    def fault(self, kind: str, **values: object) -> None:
        """Orders a fault; kinds and values as in faults.KINDS, faults.Order."""
        ask(self._socket, {"do": "fault", "kind": kind, "values": values})

    def reset(self) -> None:
        """Presses the board's reset button."""
        ask(self._socket, {"do": "reset"})

    def press(self, seconds: float) -> None:
        """Holds the board's button down for so long, and does not wait until it is let go."""
        ask(self._socket, {"do": "press", "seconds": seconds})

    def power_cut(
        self,
        *,
        after_bytes: int | None = None,
        after_ops: int | None = None,
        torn: bool = False,
        back_s: float | None = None,
    ) -> None:
        """Cuts the supply: now, or after so many more bytes or operations of flash; back_s: and gives it back."""
        if after_bytes is None and after_ops is None:
            self.power_off()
            return
        self.fault("power-cut", bytes=after_bytes, ops=after_ops, torn=torn, seconds=back_s)

    def power_off(self) -> None:
        """Takes the supply away."""
        self.fault("power-off")

    def power_on(self) -> None:
        """Gives the supply back; an ordered cut that was not reached is forgotten."""
        self.fault("power-on")

    def status(self) -> dict[str, Any]:
        """What the board is about: mode, at_work, starts, cable, client, led, led_switched (times), receiver (has
        power), receiver_reads_while_off, flash_operations, flash_written_bytes."""
        found: dict[str, Any] = ask(self._socket, {"do": "status"})["status"]
        return found

    def wait_idle(self, timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Waits until the board is off or its prompt waits for input. Errors: PlumveilError when it does not."""
        until_s = time.monotonic() + timeout_s
        while self.status()["at_work"]:
            if time.monotonic() > until_s:
                raise PlumveilError(f"the board in {self.state} is still at work after {timeout_s:g} s")
            time.sleep(POLL_S)

    def wait_mode(self, mode: str, timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Waits until the board is in that mode (board.Mode). Errors: PlumveilError when it does not get there."""
        until_s = time.monotonic() + timeout_s
        while (now := self.status()["mode"]) != mode:
            if time.monotonic() > until_s:
                raise PlumveilError(f"the board in {self.state} is in mode {now} after {timeout_s:g} s, not {mode}")
            time.sleep(POLL_S)

    def image(self) -> bytes:
        """The whole flash, as someone with the chip in hand reads it."""
        return self.flash.read_bytes()

    def files(self, timeout_s: float = IDLE_TIMEOUT_S) -> dict[str, bytes]:
        """The disk's files, path -> content, read beside the VM once the board is off or idle."""
        self.wait_idle(timeout_s)
        return files_of(self.image())


@contextlib.contextmanager
def running_board(
    state_dir: Path, board: str = DEFAULT_BOARD, *, mac: str | None = None, **options: Any
) -> Iterator[RunningBoard]:
    """Runs a board in `state_dir`, which keeps its flash for the next time; options: other fields of rig.Options."""
    state = State(state_dir)
    running = launch.start(state, Options(board=board, mac=mac, **options))
    try:
        yield RunningBoard(running)
    finally:
        # It may have been ended from outside: that was the test's own doing.
        with contextlib.suppress(PlumveilError):
            launch.stop(running)
