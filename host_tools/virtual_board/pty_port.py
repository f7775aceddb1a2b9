"""The virtual board's serial port: a pty with a stable name, which can be pulled out and put in again.

A pty forgets its raw mode when its last user leaves, and would then echo: so the board holds it open itself whenever
nobody else does. It never waits for a reader: what nobody takes is lost, as on a real line.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import tty
from pathlib import Path

from host_tools.errors import PlumveilError

READ_BYTES = 4096


class PtyPort:
    """One port. `read` is for one thread; all else may come from any."""

    def __init__(self, link: Path) -> None:
        """link: the stable name, a symlink to the pty's device."""
        self.link = link
        self._lock = threading.Lock()
        self._master: int | None = None
        self._guard: int | None = None  # our own hold on the pty, None while a client has it
        self._device = ""

    @property
    def plugged(self) -> bool:
        """Whether the cable is in."""
        return self._master is not None

    @property
    def used(self) -> bool:
        """Whether somebody wrote to the port and has not closed it since."""
        return self._master is not None and self._guard is None

    def plug(self) -> None:
        """Puts the cable in: makes the pty and its name. Errors: PlumveilError."""
        with self._lock:
            if self._master is not None:
                return
            try:
                self._master, self._guard = os.openpty()
                self._device = os.ttyname(self._guard)
                tty.setraw(self._guard)
                os.set_blocking(self._master, False)
                _relink(self.link, self._device)
            except OSError as error:
                self._close()
                raise PlumveilError(f"cannot make a serial port at {self.link}: {error.strerror}") from error

    def unplug(self) -> None:
        """Pulls the cable out: whoever has the port open sees it hang up, and its name is gone."""
        with self._lock:
            self._close()

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Waits for bytes at most so long -> (bytes, whether the client has just closed the port)."""
        master = self._master
        if master is None:
            return b"", False
        poller = select.poll()
        poller.register(master, select.POLLIN)
        ready = poller.poll(int(timeout_s * 1000))
        with self._lock:
            if not ready or self._master != master:
                return b"", False
            data = self._take(master)
            if data:
                self._let_go()
                return data, False
            return b"", self._hold()

    def write(self, data: bytes) -> int:
        """Hands out what fits -> how many bytes that were. Unread old bytes make way when nobody uses the port."""
        with self._lock:
            if self._master is None:
                return len(data)
            taken = self._put(data)
            if taken < len(data) and self._guard is not None:
                termios.tcflush(self._guard, termios.TCIFLUSH)
                self._put(data[taken:])
                return len(data)
            return taken

    def wait_room(self, timeout_s: float) -> None:
        """Waits until more can be written, at most so long."""
        master = self._master
        if master is not None:
            poller = select.poll()
            poller.register(master, select.POLLOUT)
            poller.poll(int(timeout_s * 1000))

    def _put(self, data: bytes) -> int:
        """Writes what the pty has room for, which may be a part -> how many bytes that were."""
        with contextlib.suppress(BlockingIOError):
            return os.write(self._master, data) if self._master is not None else 0
        return 0

    def _take(self, master: int) -> bytes:
        # EIO: no client has the pty open.
        with contextlib.suppress(OSError):
            return os.read(master, READ_BYTES)
        return b""

    def _let_go(self) -> None:
        """Without our own hold the pty tells us when the client closes it."""
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    def _hold(self) -> bool:
        """Opens the pty ourselves when nobody does -> whether somebody had."""
        if self._guard is not None:
            return False
        with contextlib.suppress(OSError):
            self._guard = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            tty.setraw(self._guard)
        return True

    def _close(self) -> None:
        if self._device and self.link.is_symlink() and str(self.link.readlink()) == self._device:
            self.link.unlink(missing_ok=True)
        for handle in (self._guard, self._master):
            if handle is not None:
                os.close(handle)
        self._master = self._guard = None


def _relink(link: Path, target: str) -> None:
    """Makes `link` point to `target` in one step."""
    fresh = link.with_name(link.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
