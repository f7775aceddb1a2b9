"""A board's waiting and its watchdog, in real time. Every wait ends at once when the board is stopped from
outside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Stopped(Exception):
    """The board was stopped from outside in the middle of a wait."""


class Waiting:
    """Waits that Ctrl-C or a stop can end; both come from other threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = False
        self._interrupted = False
        self.stopped = False

    def start(self) -> None:
        """A new life of the board: nothing of the last one counts."""
        with self._changed:
            self._waiting = self._interrupted = self.stopped = False

    def interrupt(self) -> bool:
        """Ends a wait for Ctrl-C -> whether there was one."""
        with self._changed:
            if not self._waiting:
                return False
            self._interrupted = True
            self._changed.notify_all()
            return True

    def stop(self) -> None:
        """Ends this wait and every later one."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def wait(self, seconds: float | None, *, deaf: bool = False) -> bool:
        """-> whether Ctrl-C ended it; deaf to it, it goes on. None waits until stopped. Errors: Stopped."""
        until_s = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            self._waiting = not deaf
            try:
                while not self.stopped and not self._interrupted:
                    left_s = None if until_s is None else until_s - time.monotonic()
                    if left_s is not None and left_s <= 0:
                        break
                    self._changed.wait(left_s)
                if self.stopped:
                    raise Stopped
                return self._interrupted
            finally:
                self._waiting = self._interrupted = False


class Watchdog:
    """Calls `bite` once, from a thread of its own, when it is not fed in time."""

    def __init__(self, bite: Callable[[], None]) -> None:
        self._bite = bite
        self._changed = threading.Condition()
        self._due_s: float | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def feed(self, seconds: float) -> None:
        """Starts it, or starts its time anew."""
        with self._changed:
            self._due_s = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Stops it, as a reset of the chip does."""
        with self._changed:
            self._due_s = None

    def close(self) -> None:
        """Ends its thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                left_s = None if self._due_s is None else self._due_s - time.monotonic()
                if left_s is None or left_s > 0:
                    self._changed.wait(left_s)
                    continue
                self._due_s = None
            self._bite()
