"""One virtual board, put together: flash chip, board, serial line, port, its log. What a process of its own serves.

Nothing of what passes over the line while somebody uses it is ever kept: keys do.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools import boards
from host_tools.errors import UsageError
from host_tools.esp.image import offset_of, standin_micropython
from host_tools.esp.partitions import STOCK, with_keys
from host_tools.virtual_board.board import Board
from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.hardware import Hardware
from host_tools.virtual_board.line import LineFaults
from host_tools.virtual_board.modes import Silicon
from host_tools.virtual_board.pty_port import PtyPort
from host_tools.virtual_board.reset_lines import ResetLines
from host_tools.virtual_board.rfc2217_port import Rfc2217Port
from host_tools.virtual_board.rom import Security
from host_tools.virtual_board.serial_line import SerialLine
from host_tools.virtual_board.state import Made, Running, State
from host_tools.wiring import wiring

DEFAULT_BOARD = "virtual"
LOG_MAX_BYTES = 1024 * 1024
NUDGE_S = 0.05
PRESS_MAX_S = 60
MACHINES = {
    "esp32": "Generic ESP32 module with ESP32",
    "esp32s3": "Generic ESP32S3 module with ESP32S3",
    "esp32c3": "Generic ESP32C3 module with ESP32C3",
}
BUILDS = {"esp32": "ESP32_GENERIC", "esp32s3": "ESP32_GENERIC_S3", "esp32c3": "ESP32_GENERIC_C3"}


@dataclass(frozen=True)
class Options:
    """How to start a board. board, mac: None for what the folder's board is, or a new one's default. blank: a new
    board without MicroPython. allow: (host, port) that its sockets may reach. world, world_folder: what surrounds it
    beside its wiring, as host_tools/standins/world.py has it. speed: of its time. The last two: burned fuses.
    """

    board: str | None = None
    mac: str | None = field(default=None, repr=False)
    blank: bool = False
    rfc2217: bool = False
    allow: tuple[tuple[str, int], ...] = ()
    world: dict[str, Any] = field(default_factory=dict)
    world_folder: str | None = None
    speed: float = 1.0
    flash_encryption: bool = False
    secure_boot: bool = False


class Log:
    """What happened, and what the board said while nobody listened; the older half goes when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.touch(mode=0o600)

    def note(self, line: str) -> None:
        """An event, with the time."""
        self.said(f"[{time.strftime('%H:%M:%S')} {line}]\n".encode())

    def said(self, data: bytes) -> None:
        """Bytes out of the board that nobody takes."""
        with self._lock, self._path.open("ab") as file:
            file.write(data)
            if file.tell() > LOG_MAX_BYTES:
                kept = self._path.read_bytes()[-LOG_MAX_BYTES // 2 :]
                file.truncate(0)
                file.write(kept)


class Rig:
    """A board in `state`, whose folder this process has taken. `start`, and `stop` at the end."""

    def __init__(self, state: State, options: Options) -> None:
        """Errors: UsageError for options that contradict the board in the folder, PlumveilError."""
        self.state = state
        self.made = _made(state, options)
        self.description = boards.load(self.made.board)
        is_new = not state.flash.exists()
        if options.blank and not is_new:
            raise UsageError(f"the board in {state.folder} is not new; --blank needs a new one, choose another --dir")
        self.log = Log(state.log)
        chip = self.description.silicon
        self.flash = FlashChip(state.flash, self.description.flash.size_bytes, seed=os.getpid())
        if is_new and not options.blank:
            self.flash.program(offset_of(chip), standin_micropython(chip, with_keys(STOCK, self.description)))
        self.line = SerialLine(PtyPort(state.port), LineFaults(), self.log.said)
        silicon = Silicon(chip, Security(options.flash_encryption, options.secure_boot))
        self.board = Board(silicon, self._hardware(options), self.line, self.log.note)
        self._network = self._networked() if options.rfc2217 else None
        self._ended = threading.Event()
        self._nudger = threading.Thread(target=self._nudge, daemon=True)

    @property
    def url(self) -> str:
        """Of the RFC 2217 port; empty without one."""
        return "" if self._network is None else self._network.url

    def start(self) -> None:
        """Makes the port and switches the board on. Errors: PlumveilError."""
        self.line.port.plug()
        self.line.start(self.board)
        if self._network is not None:
            self._network.start()
        self.board.start()
        self._nudger.start()

    def stop(self) -> None:
        """Ends all of it; the port is gone then."""
        self._ended.set()
        self.board.stop()
        if self._network is not None:
            self._network.stop()
        self.line.port.unplug()
        self.line.stop()
        self.flash.close()

    def running(self, socket_path: str) -> Running:
        """Where this board is found."""
        state = self.state
        return Running(self.made.board, str(state.folder), str(state.port), self.url, os.getpid(), socket_path)

    def status(self) -> dict[str, object]:
        """What the board is about, for people and tests."""
        return {
            "mode": self.board.mode.value,
            "at_work": self.board.at_work,
            "starts": self.board.starts,
            "cable": self.line.port.plugged,
            "client": self.line.port.used,
            "led": self._lit(),
            "led_switched": self.board.vm.outside.switched.get("led", 0),
            "receiver": bool(self.board.vm.outside.shown.get("receiver", 0)),
            "receiver_reads_while_off": self.board.vm.outside.shown.get("reads_while_off", 0),
            "flash_operations": self.flash.operations,
            "flash_written_bytes": self.flash.written_bytes,
        }

    def press(self, seconds: object) -> None:
        """Holds the button down for so long. Errors: UsageError."""
        if self.description.pins.consent_button is None:
            raise UsageError(f"the board {self.made.board} has no button")
        if not isinstance(seconds, (int, float)) or not 0 < seconds <= PRESS_MAX_S:
            raise UsageError(f"--seconds has to be more than 0, at most {PRESS_MAX_S}")
        self.board.vm.outside.press(seconds)

    def _lit(self) -> bool:
        level = self.board.vm.outside.shown.get("led")
        return level is not None and bool(level) != self.description.led.low

    def _hardware(self, options: Options) -> Hardware:
        return Hardware(
            flash=self.flash,
            regions=(),
            mac=bytes.fromhex(self.made.mac),
            machine=MACHINES[self.description.silicon],
            build=BUILDS[self.description.silicon],
            world=wiring(self.description) | options.world,
            world_folder=None if options.world_folder is None else Path(options.world_folder),
            allow=frozenset(options.allow),
            speed=options.speed,
        )

    def _networked(self) -> Rfc2217Port:
        lines = ResetLines(self.board.hold, self.board.release)
        port = Rfc2217Port(lines, self.line.incoming, self.board.hung_up)
        self.line.remote = port
        return port

    def _nudge(self) -> None:
        while not self._ended.wait(NUDGE_S):
            self.board.nudge()


def _made(state: State, options: Options) -> Made:
    made = state.made()
    if made is None:
        name = options.board or DEFAULT_BOARD
        boards.load(name)  # refuses a name that does not exist before anything is written
        return state.make(name, options.mac)
    if options.board not in (None, made.board):
        raise UsageError(f"the board in {state.folder} is {made.board}, not {options.board}; choose another --dir")
    if options.mac is not None:
        raise UsageError("--mac is for a new board; this one has its hardware id already")
    return made
