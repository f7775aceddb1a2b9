"""Faults ordered on a virtual board that runs: what the tools and the node's code see of them, and that they pass."""

import random
import runpy
import time

import pytest
import serial  # type: ignore[import-untyped]
from mpremote.transport import TransportError  # type: ignore[import-untyped]

from host_tools.errors import UsageError
from host_tools.virtual_board.faults import SENSOR_FAULTS
from host_tools.virtual_board.running import running_board
from tests.host.boardtools import mpremote, repl, run, wait_for
from tests.host.pace import Pace, took_s

OLD = b"old" * 3000
WRITE = """
import os
with open('/new', 'wb') as file:
    for _ in range(8):
        file.write(b'new!' * 512)
os.rename('/new', '/file')
"""
MORE = """
with open('/more', 'wb') as file:
    file.write(bytes(60000))
"""
NEW = b"new!" * 4096
BIG = """
try:
    with open('/big', 'wb') as file:
        file.write(bytes(40000))
except OSError as error:
    print(error.errno)
"""
LOST_S = 1.0  # silence by which a client knows that the board has gone
LOST = (TransportError, serial.SerialException, OSError, AssertionError)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_board(tmp_path_factory.mktemp("board") / "board") as board:
        yield board


@pytest.fixture
def board(running):
    yield running
    running.fault("none")
    running.fault("cable-in")
    running.power_on()
    running.reset()
    running.wait_idle()


def put(board, path, data):
    """A file, written and closed on the board."""
    with repl(board) as link:
        link.exec(f"with open({path!r}, 'wb') as file:\n    file.write({data!r})")


# supply


def test_power_off_and_on_is_a_start_from_nothing(board):
    run(board, "import machine\nx = 1\nmachine.RTC().memory(b'kept')")
    run(board, "assert machine.RTC().memory() == b'kept'")
    starts = board.status()["starts"]
    board.power_off()
    board.wait_mode("off")
    assert board.status()["cable"], "the port hangs on the computer's supply"
    board.power_on()
    board.wait_mode("application")
    code = "import machine\nprint(machine.reset_cause(), machine.RTC().memory(), 'x' in globals())"
    assert run(board, code) == "1 b'' False"
    assert board.status()["starts"] == starts + 1


def test_a_board_without_supply_says_nothing(board):
    board.power_off()
    board.wait_mode("off")
    with serial.Serial(board.port, timeout=0.5) as line:
        line.reset_input_buffer()
        line.write(b"\r\n\x03print(1)\r\n")
        assert line.read(100) == b""


@pytest.mark.parametrize("seed", range(25))
def test_a_cut_anywhere_leaves_the_old_file_or_the_new_one(board, seed):
    dice = random.Random(seed)
    put(board, "/file", OLD)
    board.wait_idle()
    board.power_cut(after_bytes=dice.randrange(30_000), torn=seed % 2 == 0)
    with repl(board) as link, pytest.raises(LOST):
        # The cut may lie behind what it takes to write the file: what is written after it meets the cut.
        link.exec_raw(WRITE + MORE, timeout=LOST_S)
    board.wait_mode("off")
    board.power_on()
    assert board.files()["/file"] in (OLD, NEW)
    code = "import hashlib\nprint(hashlib.sha256(open('/file', 'rb').read()).digest().hex())"
    assert len(run(board, code)) == 64


def test_a_cut_with_return_starts_the_board_again(board):
    starts = board.status()["starts"]
    board.power_cut(after_ops=1, back_s=0.2)
    with repl(board) as link, pytest.raises(LOST):
        link.exec_raw(WRITE, timeout=LOST_S)
    assert wait_for(lambda: board.status()["starts"] == starts + 1)
    assert run(board, "print(1)") == "1"


def test_an_order_that_was_not_reached_is_forgotten_at_power_on(board):
    board.power_cut(after_ops=0)
    board.power_off()
    board.power_on()
    put(board, "/file", NEW)
    assert board.files()["/file"] == NEW


# cable and line


def test_cable_out_and_in_again_while_the_board_runs_on(board):
    with repl(board) as link:
        link.exec_raw_no_follow("import time\ntime.sleep(1)\nwith open('/done', 'w') as file: file.write('1')")
        board.fault("cable-out")
        with pytest.raises(LOST):
            link.exec("1")
    board.fault("cable-in")
    assert board.files()["/done"] == b"1"
    assert run(board, "print(1)") == "1"


@pytest.mark.parametrize("seed", range(10))
def test_a_line_cut_after_any_byte_ends_the_tool_and_not_the_board(board, tmp_path, seed):
    source = tmp_path / "file"
    content = random.Random(seed).randbytes(16_000)
    source.write_bytes(content)
    starts = board.status()["starts"]
    board.fault("cut-line", bytes=random.Random(seed).randrange(20, 12_000), direction="in")
    mpremote(board, "fs", "cp", source, ":file", fails=True, timeout_s=30)
    assert wait_for(lambda: not board.status()["cable"])
    board.fault("cable-in")
    mpremote(board, "fs", "cp", source, ":file")
    assert board.files()["/file"] == content
    assert board.status()["starts"] == starts


@pytest.mark.parametrize(
    ("kind", "direction"), [("drop", "in"), ("drop", "out"), ("garble", "in"), ("garble", "out")]
)
def test_a_bad_line_is_seen_by_the_tool_and_a_sound_one_works_again(board, kind, direction):
    board.fault(kind, rate=0.2, direction=direction)
    with serial.Serial(board.port, timeout=0.3) as line:
        line.write(b"\r\n\x03\x02'" + b"0123456789" * 20 + b"'\r\n")
        said = line.read(10_000)
    assert b"'" + b"0123456789" * 20 + b"'" not in said
    board.fault("none")
    assert run(board, "print('0123456789' * 20)") == "0123456789" * 20


def test_a_slow_line_is_slow(board):
    fast_s = took_s(lambda: run(board, "print('x' * 1000)"))
    board.fault("slow", bytes=1000, direction="out")
    assert took_s(lambda: run(board, "print('x' * 1000)")) > fast_s + 0.8


def test_a_busy_board_answers_late(board):
    with repl(board) as link:
        board.fault("busy", seconds=1.0)
        with Pace() as pace:
            link.exec("print(1)")
    assert pace.took_s > 0.8
    assert pace.under(5), pace


def test_a_busy_board_hears_ctrl_c_late(board):
    with repl(board) as link:
        link.exec_raw_no_follow("while True:\n    pass")
        board.fault("busy", seconds=1.0)
        link.serial.write(b"\x03")
        began_s = time.monotonic()
        _, error = link.follow(10)
        assert time.monotonic() - began_s > 0.8
        assert b"KeyboardInterrupt" in error


# disk and sensors


def test_a_full_disk_is_enospc_until_it_is_freed(board):
    board.wait_idle()
    board.fault("disk-full", bytes=16384)
    assert run(board, BIG) == "28"
    board.fault("disk-free")
    assert run(board, BIG) == ""
    assert len(board.files()["/big"]) == 40_000
    run(board, "import os\nos.remove('/big')")


def test_an_unplugged_sensor_does_not_answer_until_it_is_plugged_in(board):
    code = "import machine\nprint(machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21)).scan())"
    assert run(board, code) == "[24, 68]"
    board.fault("sensor-out", sensor="sht4x")
    assert run(board, code) == "[24]"
    board.fault("sensor-in", sensor="sht4x")
    assert run(board, code) == "[24, 68]"


# reset


def test_reset_ends_code_that_runs_and_starts_main(board):
    put(board, "/main.py", b"print('main runs')\n")
    with repl(board) as link:
        link.exec_raw_no_follow("while True:\n    pass")
    starts = board.status()["starts"]
    board.reset()
    assert wait_for(lambda: board.status()["starts"] == starts + 1)
    board.wait_idle()
    assert "main runs" in board.log.read_text()
    run(board, "import os\nos.remove('/main.py')")


# orders


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("nonsense", {}, "there is no fault"),
        ("drop", {}, "needs --bytes or --rate"),
        ("drop", {"bytes": -1}, "whole number"),
        ("drop", {"bytes": 1.5}, "whole number"),
        ("drop", {"rate": 2}, "rate from 0 to 1"),
        ("drop", {"bytes": 1, "direction": "up"}, "in, out or both"),
        ("drop", {"bytes": 1, "other": 1}, "takes no --other"),
        ("power-off", {"bytes": 1}, "takes no --bytes"),
        ("busy", {"seconds": -1}, "--seconds"),
        ("busy", {"seconds": "long"}, "--seconds"),
        ("sensor-out", {"sensor": "nose"}, "no such sensor"),
        ("sensor-out", {"sensor": "battery", "how": "crc"}, "battery can be: absent, timeout"),
    ],
)
def test_impossible_orders_are_refused(board, kind, values, words):
    with pytest.raises(UsageError, match=words):
        board.fault(kind, **values)
    assert board.status()["mode"] == "application"


def test_waiting_is_bounded(board):
    with repl(board) as link:
        link.exec_raw_no_follow("while True:\n    pass")
        with pytest.raises(Exception, match="still at work"):
            board.wait_idle(0.3)
        with Pace() as pace, pytest.raises(Exception, match="not off"):
            board.wait_mode("off", 0.3)
    assert pace.under(2), pace


def test_sensors_have_the_faults_of_the_stand_in_world():
    world = runpy.run_path("host_tools/standins/world.py")
    assert world["FAULTS"] == SENSOR_FAULTS
