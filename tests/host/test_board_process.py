"""A virtual board's process: how it starts, is found, ends and is taken over; the commands `plumveil board ...`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board import registry
from host_tools.virtual_board.control import folder
from host_tools.virtual_board.running import running_board
from host_tools.virtual_board.state import State
from tests.host.boardtools import mpremote, own_sockets, run, wait_for, write
from tests.host.pace import TRIES, Pace

START_MAX_S = 3.0


_own_sockets = pytest.fixture(autouse=True)(own_sockets)


def plumveil(*arguments):
    """Runs `plumveil board ...` -> (exit code, output, errors)."""
    done = subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "board", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def children(pid):
    """Processes that a process started, whichever of its threads did."""
    lists = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
    return [int(word) for path in lists for word in path.read_text().split()]


# from the command line


def test_start_prints_the_port_and_nothing_else_and_stop_ends_it(tmp_path):
    state = tmp_path / "board"
    code, out, error = plumveil("start", "--dir", state)
    try:
        assert (code, out, error) == (0, f"{state}/port\n", "")
        assert run(registry.running()[0], "print(6 * 7)") == "42"
        assert plumveil("start", "--dir", state)[0] == 1
        assert "virtual" in plumveil("list")[1]
        assert json.loads(plumveil("status", "--json")[1])["mode"] == "application"
        assert plumveil("reset")[0] == 0
    finally:
        assert plumveil("stop", "--dir", state) == (0, "", "")
    assert registry.running() == []
    assert not (state / "port").is_symlink()
    assert (state / "flash.bin").stat().st_size == 4 * 1024 * 1024


def test_starts_in_time_up_to_the_first_answer(tmp_path):
    def in_time(number):
        try:
            with Pace() as pace:
                assert plumveil("start", "--dir", tmp_path / f"board{number}")[0] == 0
                assert run(registry.running()[0], "print(1)") == "1"
            return pace.under(START_MAX_S)
        finally:
            plumveil("stop", "--all")

    assert any(map(in_time, range(TRIES)))


def test_foreground_stays_until_it_is_told(tmp_path):
    command = [sys.executable, "-m", "host_tools.cli", "board", "start", "--foreground", "--dir", tmp_path / "board"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{tmp_path}/board/port\n"
        assert registry.running()[0].pid == process.pid
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "--board", "no_such"), "no board named"),
        (("start", "--mac", "12:34"), "--mac has to be 6 bytes"),
        (("start", "--mac", "ff:ff:ff:ff:ff:ff"), "--mac has to be 6 bytes"),
        (("start", "--allow", "broker"), "--allow has to be HOST:PORT"),
        (("stop",), "no virtual board runs"),
        (("reset", "--board", "virtual"), "no virtual board runs"),
        (("fault", "drop"), "no virtual board runs"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(tmp_path, arguments, words):
    where = ("--dir", tmp_path / "board") if arguments[0] == "start" else ()
    code, out, error = plumveil(*arguments, *where)
    assert (code, out) == (2, "")
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "board" / "flash.bin").exists()


def test_log_tells_of_a_board_that_has_ended(tmp_path):
    assert plumveil("log", "--dir", tmp_path / "board")[0] == 1
    with running_board(tmp_path / "board") as board:
        board.wait_idle()
    code, out, _ = plumveil("log", "--dir", tmp_path / "board")
    assert code == 0
    assert "application (PWRON)" in out
    assert ">>> " in out


# what a folder keeps


def test_flash_and_hardware_id_stay_in_the_folder(tmp_path):
    with running_board(tmp_path / "board", mac="24:0a:c4:00:00:01") as board:
        write(board, "/kept", "kept")
        found = run(board, "import machine; print(machine.unique_id().hex())")
        assert found == "240ac4000001"
    with running_board(tmp_path / "board") as board:
        assert run(board, "import machine; print(machine.unique_id().hex(), open('/kept').read())") == f"{found} kept"
        assert board.files()["/kept"] == b"kept"


def test_a_folder_is_one_board_for_good(tmp_path):
    with running_board(tmp_path / "board", "ESP32_GENERIC") as board:
        assert board.port.endswith("/port")
    for options in ({"board": "virtual"}, {"board": "ESP32_GENERIC", "mac": "24:0a:c4:00:00:01"}):
        with pytest.raises(UsageError), running_board(tmp_path / "board", **options):
            pass
    with pytest.raises(UsageError, match="not new"), running_board(tmp_path / "board", "ESP32_GENERIC", blank=True):
        pass


def test_boards_have_hardware_ids_of_their_own(tmp_path):
    ids = set()
    for name in ("a", "b"):
        with running_board(tmp_path / name) as board:
            ids.add(run(board, "import machine; print(machine.unique_id().hex())"))
    assert len(ids) == 2


def test_a_blank_board_says_so_and_runs_nothing(tmp_path):
    with running_board(tmp_path / "board", blank=True) as board:
        board.wait_mode("nothing to run")
        assert set(board.image()) == {0xFF}
        assert wait_for(lambda: "invalid header: 0xffffffff" in board.log.read_text())
        with pytest.raises(PlumveilError):
            board.files()


@pytest.mark.parametrize("at", [0x1000, 0x8004, 0x10000, 0x10100])
def test_a_damaged_flash_does_not_boot(tmp_path, at):
    with running_board(tmp_path / "board") as board:
        board.wait_idle()
        board.power_off()
        board.wait_mode("off")
        with board.flash.open("r+b") as file:
            file.seek(at)
            file.write(b"\x00\x01\x02\x03")
        board.power_on()
        board.wait_mode("nothing to run")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"board": "virtual", "other": 1}'])
def test_a_damaged_folder_is_one_line(tmp_path, content):
    (tmp_path / "made.json").write_bytes(content)
    with pytest.raises(PlumveilError, match=r"made.json is"), running_board(tmp_path):
        pass


# how a process ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_board_and_vm_and_leaves_no_port(tmp_path, number):
    with running_board(tmp_path / "board") as board:
        board.wait_idle()
        below = children(board.pid)
        assert below, "the VM's process"
        os.kill(board.pid, number)
        assert wait_for(lambda: not is_alive(board.pid))
        assert not any(map(is_alive, below))
        assert not (board.state / "port").is_symlink()
        assert not (board.state / "running.json").exists()
        assert list(folder().iterdir()) == []


def test_it_ends_while_code_runs(tmp_path):
    with running_board(tmp_path / "board") as board:
        mpremote(board, "exec", "--no-follow", "while True: pass")
        below = children(board.pid)
        os.kill(board.pid, signal.SIGTERM)
        assert wait_for(lambda: not is_alive(board.pid))
        assert wait_for(lambda: not any(map(is_alive, below)))


def test_it_ends_when_its_folder_is_gone(tmp_path):
    with running_board(tmp_path / "board") as board:
        board.wait_idle()
        (tmp_path / "board").rename(tmp_path / "gone")
        assert wait_for(lambda: not is_alive(board.pid))
        assert not (tmp_path / "board").exists()


def test_what_a_dead_process_left_is_taken_over(tmp_path):
    with running_board(tmp_path / "board") as board:
        board.wait_idle()
        below = children(board.pid)
        os.kill(board.pid, signal.SIGKILL)
        assert wait_for(lambda: not is_alive(board.pid))
        assert (board.state / "running.json").exists()
        assert wait_for(lambda: State(board.state).running() is None)
        assert wait_for(lambda: not any(map(is_alive, below))), "the VM outlives its board"
        assert registry.running() == []
        with running_board(tmp_path / "board") as again:
            assert run(again, "print(1)") == "1"
