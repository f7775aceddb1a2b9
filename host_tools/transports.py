"""Two ways to a board's raw REPL, as one interface: mpremote's transport and ampy's, each used as a library.

Keys go over them, so nothing that they print or raise is passed on: see host_tools.node_link. Every wait is bounded.
"""

from __future__ import annotations

import contextlib
import itertools
import struct
import time
from typing import Any, Literal, Protocol

import serial  # type: ignore[import-untyped]
from ampy.pyboard import Pyboard, PyboardError  # type: ignore[import-untyped]
from mpremote.transport import TransportError  # type: ignore[import-untyped]
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

Tool = Literal["mpremote", "ampy"]

BYTE_TIMEOUT_S = 1.0  # longest that the line may be silent inside an answer's first bytes
WRITE_TIMEOUT_S = 10.0
ENTER_TIMEOUTS_S = (4, 8)  # for each part of the way to the raw prompt, in a first and a second attempt
KNOCK_S = 0.03  # from one Ctrl-C to the next: a node in light sleep hears for a moment only
QUIET_S = 0.1  # after which a prompt has said all it had to say
ECHO_TIMEOUT_S = 3.0
KNOCKS = 10  # of which one asks for the raw prompt too: it answers nothing to Ctrl-C alone
_CTRL_C = b"\x03"
_RAW = b"\r\x01"  # Ctrl-A
_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_INTERRUPT = b"\r\x03\x03"  # Ctrl-C twice: one may fall into a handler
_RESTART = b"\r\x02\x03\x04"  # Ctrl-B: friendly prompt; Ctrl-D at it: soft reset, boot.py and main.py

# What a line that breaks makes the libraries raise: struct, decoding and assertions are answers they did not expect;
# pyserial meets a port closed under it with TypeError and termios' own error.
try:
    import termios

    _TERMINAL: tuple[type[BaseException], ...] = (termios.error,)
except ImportError:
    _TERMINAL = ()
LOST: tuple[type[BaseException], ...] = (
    TransportError,
    PyboardError,
    OSError,
    struct.error,
    UnicodeDecodeError,
    AssertionError,
    TypeError,
    *_TERMINAL,
)


class Transport(Protocol):
    """A line to a board. What it raises is among LOST."""

    def enter(self) -> None:
        """Stops the program and starts MicroPython anew, up to the raw REPL: boot.py runs, main.py does not."""

    def halt(self, timeout_s: float) -> bool:
        """Stops the program where it waits and enters the raw REPL, RAM as it is -> whether it came in time."""

    def go_on(self, line: str) -> bool:
        """Leaves the raw REPL and types a line at the friendly one -> whether it came back as typed."""

    def execute(self, code: str, timeout_s: float) -> tuple[bytes, bytes]:
        """Runs code -> (what it printed, its traceback or nothing). timeout_s: longest silence."""

    def start(self, code: str) -> None:
        """Begins to run code, and does not wait for what comes of it."""

    def leave(self) -> None:
        """Has the program start as at power-on, as far as the line still carries."""

    def close(self) -> None:
        """Closes the port. Raises nothing."""


class Mpremote:
    """mpremote's transport: raw paste where the board has it, with flow control."""

    def __init__(self, port: str) -> None:
        self._transport = SerialTransport(port, timeout=BYTE_TIMEOUT_S)
        self._transport.serial.write_timeout = WRITE_TIMEOUT_S

    def enter(self) -> None:
        # What comes while a board starts is lost, and this asks once only.
        for wait_s in ENTER_TIMEOUTS_S:
            try:
                self._transport.enter_raw_repl(soft_reset=True, timeout_overall=wait_s)
                return
            except TransportError:
                if wait_s == ENTER_TIMEOUTS_S[-1]:
                    raise

    def halt(self, timeout_s: float) -> bool:
        if not _knock(self._transport.serial, timeout_s):
            return False
        self._transport.enter_raw_repl(soft_reset=False, timeout_overall=ECHO_TIMEOUT_S)
        return True

    def go_on(self, line: str) -> bool:
        return _go_on(self._transport.serial, line)

    def execute(self, code: str, timeout_s: float) -> tuple[bytes, bytes]:
        out, error = self._transport.exec_raw(code, timeout=timeout_s)
        return out, error

    def start(self, code: str) -> None:
        self._transport.exec_raw_no_follow(code)

    def leave(self) -> None:
        _leave(self._transport.serial)

    def close(self) -> None:
        _close(self._transport.serial)


class Ampy:
    """ampy's transport: 256 bytes every 10 ms, Ctrl-C twice and again after the restart."""

    def __init__(self, port: str) -> None:
        # wait: with 0 it opens once, without printing dots.
        self._board = Pyboard(port)
        try:
            # Left alone it would wait for ever for a first byte, and share the port.
            self._board.serial.timeout = BYTE_TIMEOUT_S
            self._board.serial.write_timeout = WRITE_TIMEOUT_S
            self._board.serial.exclusive = True
        except BaseException:
            _close(self._board.serial)
            raise

    def enter(self) -> None:
        self._board.enter_raw_repl()

    def halt(self, timeout_s: float) -> bool:
        if not _knock(self._board.serial, timeout_s):
            return False
        # As its own enter_raw_repl, which starts MicroPython anew besides.
        self._board.serial.write(b"\r\x03\r\x01")
        if not self._board.read_until(1, _BANNER, timeout=ECHO_TIMEOUT_S).endswith(_BANNER):
            raise PyboardError("could not enter raw repl")
        return True

    def go_on(self, line: str) -> bool:
        return _go_on(self._board.serial, line)

    def execute(self, code: str, timeout_s: float) -> tuple[bytes, bytes]:
        out, error = self._board.exec_raw(code, timeout=timeout_s)
        return out, error

    def start(self, code: str) -> None:
        self._board.exec_raw_no_follow(code)

    def leave(self) -> None:
        _leave(self._board.serial)

    def close(self) -> None:
        _close(self._board.serial)


_TRANSPORTS: dict[str, type[Mpremote] | type[Ampy]] = {"mpremote": Mpremote, "ampy": Ampy}


def open_transport(port: str, tool: Tool) -> Transport:
    """Opens the line with one of the two."""
    return _TRANSPORTS[tool](port)


def _knock(port: Any, timeout_s: float) -> bool:
    """Asks for the raw prompt until it is there, and has said all -> whether it came. Sparing with bytes: a node that
    is busy keeps them, 260 at most, and the way back has to fit behind them."""
    said, heard = b"", b""
    until_s = time.monotonic() + timeout_s
    for n in itertools.count():
        if _BANNER in said:
            break
        if time.monotonic() > until_s:
            return False
        port.write(_CTRL_C + _RAW if heard or n % KNOCKS == 0 else _CTRL_C)
        time.sleep(KNOCK_S)
        heard = port.read(port.in_waiting)
        said = said[-len(_BANNER) :] + heard
    quiet_s = time.monotonic() + QUIET_S
    while time.monotonic() < quiet_s:
        if port.read(port.in_waiting):
            quiet_s = time.monotonic() + QUIET_S
        time.sleep(KNOCK_S)
    return True


def _go_on(port: Any, line: str) -> bool:
    typed = line.encode("ascii")
    # Ctrl-B: friendly prompt. Not flushed: that waits without a bound for a line that takes nothing.
    port.write(b"\r\x02" + typed + b"\r")
    said = b""
    until_s = time.monotonic() + ECHO_TIMEOUT_S
    while time.monotonic() < until_s and typed + b"\r\n" not in said:
        said += port.read(max(1, port.in_waiting))
    return typed + b"\r\n" in said


def _leave(port: Any) -> None:
    with contextlib.suppress(*LOST):
        port.write(_INTERRUPT)
        # Not flushed: that waits without a bound for a line that takes nothing.
        port.write(_RESTART)


def _close(port: serial.Serial) -> None:
    # Not the libraries' own: RTS and DTR are left as they are where a line has none.
    for line in ("rts", "dtr"):
        # On a board whose reset hangs on these lines, dropping DTR first would reset it.
        with contextlib.suppress(*LOST):
            setattr(port, line, False)
    with contextlib.suppress(*LOST):
        port.close()
