"""The board's port over the network, with the reset lines that a pty lacks: RFC 2217 on the loopback interface only.

pyserial speaks the protocol; here are the socket, one client at a time, and what its lines do to the board.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

from serial.rfc2217 import PortManager  # type: ignore[import-untyped]

from host_tools.errors import PlumveilError
from host_tools.virtual_board.reset_lines import ResetLines

HOST = "127.0.0.1"
POLL_S = 0.02
SEND_TIMEOUT_S = 5.0
READ_BYTES = 4096


class _Wires:
    """What PortManager takes for a serial port: settings that it remembers, lines that reset the board."""

    def __init__(self, lines: ResetLines) -> None:
        self._lines = lines
        self.baudrate, self.bytesize, self.parity, self.stopbits = 115200, 8, "N", 1
        self.xonxoff = self.rtscts = self.break_condition = False
        self.cts = self.dsr = self.cd = True
        self.ri = False
        self.timeout = 0.0

    @property
    def dtr(self) -> bool:
        return self._lines.dtr

    @dtr.setter
    def dtr(self, level: bool) -> None:
        self._lines.set(time.monotonic(), dtr=level)

    @property
    def rts(self) -> bool:
        return self._lines.rts

    @rts.setter
    def rts(self, level: bool) -> None:
        self._lines.set(time.monotonic(), rts=level)

    def reset_input_buffer(self) -> None:
        """Nothing is held here."""

    def reset_output_buffer(self) -> None:
        """Nothing is held here."""


class Rfc2217Port:
    """Serves one client after the other; `start` before use, `stop` at the end."""

    def __init__(self, lines: ResetLines, incoming: Callable[[bytes], None], hung_up: Callable[[], None]) -> None:
        """incoming: takes a client's bytes. hung_up: told when it has gone. Errors: PlumveilError: no socket."""
        self._lines, self._incoming, self._hung_up = lines, incoming, hung_up
        self._client: socket.socket | None = None
        self._manager: PortManager | None = None
        self._sending = threading.RLock()
        self._ended = threading.Event()
        try:
            self._server = socket.create_server((HOST, 0))
        except OSError as error:
            raise PlumveilError(f"cannot serve RFC 2217 on {HOST}: {error.strerror}") from error
        self._server.settimeout(POLL_S)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """What to give pyserial as the port."""
        return f"rfc2217://{HOST}:{self._server.getsockname()[1]}"

    def start(self) -> None:
        """Begins to take clients."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and the client's connection with it."""
        self._ended.set()
        self.hang_up()
        self._thread.join(SEND_TIMEOUT_S)
        self._server.close()

    def write(self, data: bytes) -> bool:
        """The board's bytes to the client -> whether there is one."""
        with self._sending:
            manager, client = self._manager, self._client
            if manager is None or client is None:
                return False
            with contextlib.suppress(OSError):
                client.sendall(b"".join(manager.escape(data)))
            return True

    def hang_up(self) -> None:
        """Ends the client's connection."""
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with client:
                self._attend(client)

    def _attend(self, client: socket.socket) -> None:
        client.settimeout(SEND_TIMEOUT_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wires = _Wires(self._lines)
        with self._sending:
            self._client = client
            self._manager = PortManager(wires, _Answers(self._sending, client))
        with contextlib.suppress(OSError):
            self._listen(client)
        with self._sending:
            self._client = self._manager = None
        # Whoever leaves lets go of the lines; a board must not hang in reset for ever.
        self._lines.set(time.monotonic(), dtr=False, rts=False)
        self._wait_settled()
        self._hung_up()

    def _listen(self, client: socket.socket) -> None:
        while not self._ended.is_set():
            self._lines.settle(time.monotonic())
            if not select.select([client], [], [], POLL_S)[0]:
                continue
            data = client.recv(READ_BYTES)
            if not data or self._manager is None:
                return
            self._incoming(b"".join(self._manager.filter(data)))

    def _wait_settled(self) -> None:
        while self._lines.pending and not self._ended.is_set():
            self._ended.wait(POLL_S)
            self._lines.settle(time.monotonic())


class _Answers:
    """Where PortManager writes what the protocol itself says."""

    def __init__(self, sending: threading.RLock, client: socket.socket) -> None:
        self._sending, self._client = sending, client

    def write(self, data: bytes) -> None:
        """Sends bytes as they are."""
        with self._sending, contextlib.suppress(OSError):
            self._client.sendall(data)
