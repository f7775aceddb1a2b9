"""What is made of what a node says after its start: nothing is sent to it, and no wait is without an end."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Iterator

import pytest

from host_tools.configure import onnode
from host_tools.errors import PlumveilError
from tests.host.pace import Pace

EVERY_S = 0.15
TIMES = 10
BOOT = b"rst:0x1 (POWERON_RESET),boot:0x13\r\nMPY: soft reboot\r\n\xff\xfe\x00\r\n"


class Line:
    """A serial line whose other end is the test's."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._speaking: threading.Thread | None = None
        self._ended = threading.Event()

    def say(self, data: bytes) -> None:
        """Says it in two pieces, and again: what comes before the port is opened is thrown away."""

        def speak() -> None:
            for _ in range(TIMES):
                for piece in (data[:-3], data[-3:]):
                    # Nobody may be there to read it, or no longer.
                    with contextlib.suppress(OSError):
                        os.write(self.master, piece)
                    if self._ended.wait(EVERY_S):
                        return

        os.set_blocking(self.master, False)
        self._speaking = threading.Thread(target=speak, daemon=True)
        self._speaking.start()

    def heard(self) -> bytes:
        """What was sent to the node."""
        return os.read(self.master, 100) if select.select([self.master], [], [], 0)[0] else b""

    def close(self) -> None:
        self._ended.set()
        if self._speaking is not None:
            self._speaking.join()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def test_the_version_that_was_written(line: Line) -> None:
    line.say(BOOT + b"plumveil: configuration 12 in force\r\n")
    assert onnode.wait_until_taken(line.port, 12, 10)
    assert line.heard() == b""


def test_another_version(line: Line) -> None:
    line.say(BOOT + b"plumveil: configuration 11 in force\r\n")
    with pytest.raises(PlumveilError, match="goes on with configuration 11: it did not take version 12"):
        onnode.wait_until_taken(line.port, 12, 10)


FAULT = b"plumveil: config board: provision this node again\r\n"


def test_a_node_that_cannot_start(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnode, "STARTS_TIMEOUT_S", 1.0)
    line.say(BOOT + FAULT)
    cannot = pytest.raises(PlumveilError, match="the node cannot start: config board: provision this node again")
    with Pace() as pace, cannot:
        onnode.wait_until_taken(line.port, 12, 60)
    assert pace.under(15), pace


def test_a_node_that_goes_back_to_the_old_one(line: Line) -> None:
    line.say(BOOT + FAULT + BOOT + FAULT + b"plumveil: configuration 11 in force\r\n")
    with pytest.raises(
        PlumveilError, match=r"goes on with configuration 11: .* \(config board: provision this node again\)"
    ):
        onnode.wait_until_taken(line.port, 12, 10)


@pytest.mark.parametrize(
    "said",
    [b"", b"x plumveil: configuration 12 in force\r\n", b"plumveil: configuration 12 in force", b"z" * 5000],
)
def test_silence_and_other_words_end_in_time(line: Line, said: bytes) -> None:
    line.say(said + b"...")
    with Pace() as pace:
        assert not onnode.wait_until_taken(line.port, 12, 1.0)
    assert pace.took_s > 0.9
    assert pace.under(3), pace


def test_a_line_that_goes_away(line: Line) -> None:
    assert not onnode.wait_until_taken("/dev/none", 12, 5)
    os.close(line.master)
    with Pace() as pace:
        assert not onnode.wait_until_taken(line.port, 12, 20)
    assert pace.under(10), pace
    line.master = os.dup(line._slave)
