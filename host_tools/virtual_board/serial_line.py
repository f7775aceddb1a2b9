"""The line between the board's UART and who uses the port: two threads, one a direction, and the line's faults.

Like a real one it has no flow control: a board that talks to nobody is not held up, its words are lost (and logged).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from host_tools.virtual_board.line import Direction, LineFaults
from host_tools.virtual_board.pty_port import PtyPort

POLL_S = 0.05
QUEUE_BYTES = 64 * 1024  # from here on the board waits, as it does for its UART
QUEUE_MAX_BYTES = 1024 * 1024  # what is more is lost
SEND_WAIT_S = 1.0  # longest that the board waits for a reader


class Listener(Protocol):
    """The board's end."""

    def receive(self, data: bytes) -> None:
        """Bytes came in."""

    def hung_up(self) -> None:
        """Who had the port open closed it."""


class Remote(Protocol):
    """A port over the network: takes the board's bytes in the pty's place while a client is there."""

    def write(self, data: bytes) -> bool:
        """Hands bytes on -> whether there is a client to take them."""

    def hang_up(self) -> None:
        """Ends the client's connection."""


class SerialLine:
    """Both directions of the line. `start` before use, `stop` at the end; the rest may be called from any thread."""

    def __init__(self, port: PtyPort, faults: LineFaults, lost: Callable[[bytes], None]) -> None:
        """lost: told of what the board said while nobody had the port open."""
        self.port = port
        self.faults = faults
        self.remote: Remote | None = None
        self._lost = lost
        self._listener: Listener | None = None
        self._queue = bytearray()
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._inward, self._outward)]

    def start(self, listener: Listener) -> None:
        """Begins to carry bytes."""
        self._listener = listener
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends both directions. What the board said and nobody took yet is lost."""
        self._ended.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(5)

    def send(self, data: bytes) -> None:
        """Bytes out of the board. Waits a moment when more are on their way than the line holds."""
        with self._changed:
            self._queue += data
            del self._queue[:-QUEUE_MAX_BYTES]
            self._changed.notify_all()
            if len(self._queue) > QUEUE_BYTES:
                self._changed.wait_for(lambda: len(self._queue) <= QUEUE_BYTES or self._ended.is_set(), SEND_WAIT_S)

    def drained(self, timeout_s: float) -> bool:
        """Waits until all that the board said is handed on, at most so long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout_s)

    def incoming(self, data: bytes) -> None:
        """Bytes from who uses the port, at the line's speed and with its faults."""
        while data and not self._ended.is_set():
            share, busy_s = self.faults.share("in", len(data))
            piece, data = data[:share], data[share:]
            self._ended.wait(busy_s)
            arrived = self._carried("in", piece)
            if arrived and self._listener is not None:
                self._listener.receive(arrived)

    def pull_out(self) -> None:
        """The cable is out, for a pty and for a client over the network."""
        self.port.unplug()
        if self.remote is not None:
            self.remote.hang_up()

    def _carried(self, direction: Direction, data: bytes) -> bytes:
        passed = self.faults.carry(direction, data)
        if passed.cut:
            self.pull_out()
        return passed.data

    def _inward(self) -> None:
        while not self._ended.is_set():
            data, closed = self.port.read(POLL_S)
            if data:
                self.incoming(data)
            elif closed and self._listener is not None:
                self._listener.hung_up()
            elif not self.port.plugged:
                self._ended.wait(POLL_S)

    def _outward(self) -> None:
        while not self._ended.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ended.is_set(), POLL_S)
                share, busy_s = self.faults.share("out", len(self._queue))
                piece = bytes(self._queue[:share])
            if piece:
                self._hand_out(self._carried("out", piece))
                self._ended.wait(busy_s)
                with self._changed:
                    del self._queue[:share]
                    self._changed.notify_all()

    def _hand_out(self, data: bytes) -> None:
        if self.remote is not None and self.remote.write(data):
            return
        if not self.port.used:
            self._lost(data)
        until_s = time.monotonic() + 10 * SEND_WAIT_S
        while data and not self._ended.is_set() and time.monotonic() < until_s:
            data = data[self.port.write(data) :]
            if data:
                self.port.wait_room(POLL_S)
