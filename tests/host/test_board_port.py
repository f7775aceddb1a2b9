"""The virtual board's pty, and the serial line on it, with a board that only listens."""

import os
import select
import termios
import threading
import time
import tty

import pytest
import serial  # type: ignore[import-untyped]

from host_tools.virtual_board.line import LineFaults
from host_tools.virtual_board.pty_port import PtyPort
from host_tools.virtual_board.serial_line import QUEUE_MAX_BYTES, SerialLine
from tests.host.pace import Pace

BYTES = bytes(range(256)) * 8


# the pty


@pytest.fixture
def port(tmp_path):
    port = PtyPort(tmp_path / "port")
    port.plug()
    yield port
    port.unplug()


def read_for(port, seconds=1.0, until=lambda data, closed: bool(data) or closed):
    end_s = time.monotonic() + seconds
    data, closed = b"", False
    while time.monotonic() < end_s and not until(data, closed):
        piece, hung = port.read(0.05)
        data, closed = data + piece, closed or hung
    return data, closed


def test_bytes_pass_unchanged_both_ways_without_echo(port):
    with serial.Serial(str(port.link), timeout=2) as client:
        client.write(BYTES[:256])
        assert read_for(port, until=lambda data, _: len(data) == 256)[0] == BYTES[:256]
        assert port.used
        assert port.write(BYTES[:256]) == 256
        assert client.read(256) == BYTES[:256]
        assert read_for(port, 0.2) == (b"", False), "the port echoes"


def test_the_port_tells_when_its_client_leaves_and_stays_raw_for_the_next(port):
    for _ in range(3):
        with serial.Serial(str(port.link)) as client:
            client.write(b"x")
            assert read_for(port)[0] == b"x"
            # A shell that had the port leaves it like this.
            settings = termios.tcgetattr(client.fd)
            settings[3] |= termios.ECHO | termios.ICANON
            termios.tcsetattr(client.fd, termios.TCSANOW, settings)
        assert read_for(port) == (b"", True)
        assert not port.used
        handle = os.open(port.link, os.O_RDWR | os.O_NOCTTY)
        assert not termios.tcgetattr(handle)[3] & (termios.ECHO | termios.ICANON)
        os.close(handle)
    assert read_for(port, 0.2) == (b"", False)


def test_unread_bytes_make_way_when_nobody_uses_the_port(port):
    for number in range(2000):
        line = f"{number:06}\n".encode() * 8
        assert port.write(line) == len(line)
    handle = os.open(port.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    # Without the flush of the usual way.
    tty.setraw(handle, termios.TCSANOW)
    kept = b""
    # A pty hands out a piece at a time.
    while select.select([handle], [], [], 0.2)[0]:
        kept += os.read(handle, 1 << 20)
    assert len(kept) <= 64 * 1024
    assert kept.splitlines()[-1] == b"001999", "the newest is lost"
    os.close(handle)


def test_pulled_cable_hangs_up_and_a_new_one_has_the_same_name(port):
    client = serial.Serial(str(port.link), timeout=2)
    client.write(b"x")
    read_for(port)
    port.unplug()
    assert not port.link.exists()
    with pytest.raises((serial.SerialException, OSError)):
        client.read(1)
    client.close()
    port.plug()
    with serial.Serial(str(port.link)) as again:
        again.write(b"y")
        assert read_for(port)[0] == b"y"


def test_a_name_that_is_another_ports_is_left_alone(port, tmp_path):
    port.link.unlink()
    port.link.symlink_to("/dev/null")
    port.unplug()
    assert port.link.is_symlink()


# line and pty together


class Board:
    """Notes what comes in."""

    def __init__(self):
        self.data = b""
        self.hang_ups = 0
        self.came = threading.Condition()

    def receive(self, data):
        with self.came:
            self.data += data
            self.came.notify_all()

    def hung_up(self):
        with self.came:
            self.hang_ups += 1
            self.came.notify_all()

    def wait(self, condition, seconds=3.0):
        with self.came:
            return self.came.wait_for(lambda: condition(self), seconds)


class Line(SerialLine):
    """With what is at its end, for tests to look at."""

    lost: list[bytes]
    board: Board


@pytest.fixture
def line(tmp_path):
    lost: list[bytes] = []
    port = PtyPort(tmp_path / "port")
    port.plug()
    line = Line(port, LineFaults(), lost.append)
    line.lost, line.board = lost, Board()
    line.start(line.board)
    yield line
    port.unplug()
    line.stop()


def test_a_line_carries_both_ways_and_tells_of_the_hang_up(line):
    with serial.Serial(str(line.port.link), timeout=3) as client:
        client.write(BYTES)
        assert line.board.wait(lambda board: board.data == BYTES)
        line.send(BYTES)
        assert client.read(len(BYTES)) == BYTES
    assert line.board.wait(lambda board: board.hang_ups == 1)
    assert line.lost == []


def test_what_nobody_listens_to_is_told_and_holds_up_nothing(line):
    with Pace() as pace:
        line.send(b"a" * 20_000)
        assert line.drained(10)
    assert pace.under(1), pace
    assert b"".join(line.lost) == b"a" * 20_000


def test_a_client_that_does_not_read_holds_the_board_up_for_a_bounded_time_only(line):
    with serial.Serial(str(line.port.link)) as client:
        client.write(b"x")
        assert line.board.wait(lambda board: board.data)
        with Pace() as pace:
            line.send(b"a" * (QUEUE_MAX_BYTES + 100_000))
        assert pace.under(3), pace
        assert len(line._queue) <= QUEUE_MAX_BYTES


def test_a_slow_line_takes_its_time_both_ways(line):
    line.faults.slow("in", 2000)
    line.faults.slow("out", 2000)
    with serial.Serial(str(line.port.link), timeout=5) as client:
        with Pace() as inward:
            client.write(b"i" * 1000)
            assert line.board.wait(lambda board: len(board.data) == 1000, 5)
        with Pace() as outward:
            line.send(b"o" * 1000)
            assert len(client.read(1000)) == 1000
    for pace in inward, outward:
        assert pace.took_s > 0.4
        assert pace.under(2), pace


def test_a_cut_line_is_a_pulled_cable(line):
    line.faults.cut("in", 5)
    with serial.Serial(str(line.port.link)) as client:
        client.write(b"0123456789")
        assert line.board.wait(lambda board: board.data == b"01234")
    until_s = time.monotonic() + 2
    while line.port.plugged and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not line.port.plugged
    assert line.board.data == b"01234"
