"""The unmodified programs mpremote, ampy and esptool on virtual boards, and the figures that were promised."""

import os
import threading
import time

import pytest
import serial  # type: ignore[import-untyped]

from host_tools.boards import load
from host_tools.esp.image import offset_of, standin_micropython
from host_tools.esp.partitions import STOCK, with_keys
from host_tools.virtual_board.running import running_board
from tests.host.boardtools import ampy, esptool, mpremote, repl, run, wait_for
from tests.host.pace import quick

COPY_BYTES = 64 * 1024
COPY_MAX_S = 5.0
CHIPS = ("ESP32_GENERIC", "ESP32_GENERIC_S3", "ESP32_GENERIC_C3")
HELLO = "import sys\nprint('hello', 6 * 7)\n"


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    with running_board(tmp_path_factory.mktemp("board") / "board") as board:
        yield board


@pytest.fixture
def hello(tmp_path):
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    return path


@pytest.fixture
def bulk(tmp_path):
    path = tmp_path / "bulk"
    path.write_bytes(os.urandom(COPY_BYTES))
    return path


# mpremote


def test_mpremote_lists_puts_gets_moves_and_removes(board, hello, tmp_path):
    mpremote(board, "fs", "mkdir", ":folder")
    mpremote(board, "fs", "cp", hello, ":folder/hello.py")
    assert "hello.py" in mpremote(board, "fs", "ls", ":folder")
    assert mpremote(board, "fs", "cat", ":folder/hello.py") == HELLO
    mpremote(board, "fs", "cp", ":folder/hello.py", tmp_path / "back.py")
    assert (tmp_path / "back.py").read_text() == HELLO
    mpremote(board, "fs", "rm", "-r", ":folder")
    assert "folder" not in mpremote(board, "fs", "ls")


def test_mpremote_executes_and_runs(board, hello):
    assert mpremote(board, "exec", "print(1 + 1)") == "2\n"
    assert mpremote(board, "eval", "3 * 7") == "21\n"
    assert mpremote(board, "run", hello) == "hello 42\n"
    assert "ZeroDivisionError" in mpremote(board, "exec", "1 / 0", fails=True)


def test_mpremote_soft_reset_clears_what_was_set_and_keeps_the_disk(board):
    mpremote(board, "exec", "x = 1\nwith open('/kept', 'w') as file: file.write('kept')")
    assert mpremote(board, "resume", "exec", "print(x)") == "1\n"
    assert mpremote(board, "soft-reset", "exec", "print('x' in globals(), open('/kept').read())") == "False kept\n"


def test_mpremote_reset_starts_the_chip_anew(board):
    starts = board.status()["starts"]
    mpremote(board, "reset")
    assert wait_for(lambda: board.status()["starts"] == starts + 1)
    assert run(board, "import machine\nprint(machine.reset_cause())") == "2"


def test_mpremote_copies_in_time_both_ways(board, bulk, tmp_path):
    assert quick(lambda: mpremote(board, "fs", "cp", "-f", bulk, ":bulk"), COPY_MAX_S)
    assert quick(lambda: mpremote(board, "fs", "cp", "-f", ":bulk", tmp_path / "back"), 2 * COPY_MAX_S)
    assert board.files()["/bulk"] == bulk.read_bytes() == (tmp_path / "back").read_bytes()


# ampy


def test_ampy_lists_puts_gets_and_runs(board, hello, tmp_path):
    ampy(board, "mkdir", "/folder")
    ampy(board, "put", hello, "/folder/hello.py")
    assert "/folder/hello.py" in ampy(board, "ls", "/folder")
    ampy(board, "get", "/folder/hello.py", tmp_path / "back.py")
    assert (tmp_path / "back.py").read_text() == HELLO
    assert ampy(board, "run", hello) == "hello 42\n"
    ampy(board, "rmdir", "/folder")
    assert "folder" not in ampy(board, "ls")
    ampy(board, "reset")
    assert run(board, "print(1)") == "1"


# the prompt, as a person has it


def typed(line, keys, until, timeout_s=5.0):
    """Sends keys and reads until something comes."""
    line.write(keys)
    said, until_s = b"", time.monotonic() + timeout_s
    while until not in said and time.monotonic() < until_s:
        said += line.read(1) + line.read(line.in_waiting)
    return said


def test_main_runs_at_a_start_stops_at_ctrl_c_and_not_in_raw_mode(board):
    main = "print('main runs')\nwhile True:\n    pass\n"
    with repl(board) as link:
        link.exec(f"with open('/main.py', 'w') as file: file.write({main!r})")
    try:
        with serial.Serial(board.port, timeout=0.2) as line:
            said = typed(line, b"\x03\x02\x04", b"main runs")
            assert b"MPY: soft reboot" in said
            said = typed(line, b"\x03", b">>> ")
            assert b"KeyboardInterrupt" in said
            assert b"7" in typed(line, b"3+4\r\n", b"7\r\n")
            said = typed(line, b"\x01\x04", b"raw REPL")
            assert b"main runs" not in said + typed(line, b"", b"main runs", 1.0)
    finally:
        run(board, "import os\nos.remove('/main.py')")


# esptool


def image_of(name):
    description = load(name)
    return description, standin_micropython(description.silicon, with_keys(STOCK, description))


@pytest.mark.parametrize("name", CHIPS)
def test_esptool_makes_a_blank_board_one_that_mpremote_works_with(tmp_path, name):
    description, image = image_of(name)
    (tmp_path / "image.bin").write_bytes(image)
    with running_board(tmp_path / "board", name, blank=True) as board:
        chip = ("--chip", description.silicon)
        esptool(board.port, *chip, "write-flash", hex(offset_of(description.silicon)), tmp_path / "image.bin")
        board.wait_mode("application")
        assert run(board, "print(6 * 7)") == "42"
        assert board.files().keys() == {"/boot.py"}
        esptool(board.port, *chip, "read-flash", "0x8000", "0x1000", tmp_path / "table.bin")
        at = 0x8000 - offset_of(description.silicon)
        assert (tmp_path / "table.bin").read_bytes()[:3072] == image[at : at + 3072]
        board.wait_mode("application")
        esptool(board.port, *chip, "erase-flash")
        board.wait_mode("nothing to run")
        assert set(board.image()) == {0xFF}


def test_esptool_finds_out_the_chip_by_itself_in_the_middle_of_a_program(board):
    with repl(board) as link:
        link.exec_raw_no_follow("while True:\n    print('busy')")
    assert "ESP32" in esptool(board.port, "chip-id")
    assert wait_for(lambda: board.status()["mode"] == "application")
    assert run(board, "print(1)") == "1"


def test_a_cut_while_esptool_writes_leaves_a_board_that_can_be_written_again(tmp_path):
    description, image = image_of("ESP32_GENERIC")
    (tmp_path / "image.bin").write_bytes(image)
    command = ("write-flash", hex(offset_of(description.silicon)), tmp_path / "image.bin")
    with running_board(tmp_path / "board", "ESP32_GENERIC", blank=True) as board:
        board.power_cut(after_bytes=50_000, torn=True)
        esptool(board.port, *command, fails=True)
        board.wait_mode("off")
        board.power_on()
        board.wait_mode("nothing to run")
        esptool(board.port, *command)
        board.wait_mode("application")


@pytest.mark.slow
def test_reset_lines_over_the_network_enter_the_loader_and_leave_it(tmp_path):
    with running_board(tmp_path / "board", "ESP32_GENERIC", rfc2217=True) as board:
        board.wait_idle()
        starts = board.status()["starts"]
        esptool(board.url, "--no-stub", "--before", "default-reset", "--after", "hard-reset", "chip-id")
        assert wait_for(lambda: board.status()["starts"] == starts + 1)
        log = board.log.read_text()
        assert log.index("reset]") < log.index("loader]")
        esptool(board.url, "--no-stub", "--after", "no-reset", "chip-id")
        assert not wait_for(lambda: board.status()["mode"] != "loader", 1.0), "only the reset line leads out"
        board.reset()
        assert run(board, "print(1)") == "1"


def test_mpremote_works_over_the_network_too(tmp_path, hello):
    with running_board(tmp_path / "board", rfc2217=True) as board:
        board.port = board.url
        assert mpremote(board, "run", hello) == "hello 42\n"


# several


def test_three_boards_are_copied_to_at_once(tmp_path, bulk):
    done = []

    def copy(board):
        mpremote(board, "fs", "cp", bulk, ":bulk")
        done.append(board.files()["/bulk"] == bulk.read_bytes())

    with (
        running_board(tmp_path / "a") as first,
        running_board(tmp_path / "b") as second,
        running_board(tmp_path / "c") as third,
    ):
        threads = [threading.Thread(target=copy, args=(board,)) for board in (first, second, third)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert done == [True] * 3
