"""Several virtual boards at once, how their processes are found and asked, and what their logs keep."""

import contextlib
import json
import socket
import threading

import pytest

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board import registry
from host_tools.virtual_board.control import ask, folder
from host_tools.virtual_board.rig import LOG_MAX_BYTES, Log
from host_tools.virtual_board.running import running_board
from tests.host.boardtools import own_sockets, repl, run, write

_own_sockets = pytest.fixture(autouse=True)(own_sockets)


# being asked


def test_several_run_at_once_and_keep_apart(tmp_path):
    names = ["a", "b", "c"]
    boards: dict = {}

    def fill(name):
        for turn in range(3):
            write(boards[name], f"/{name}", f"{name}{turn}")

    with (
        running_board(tmp_path / "a") as boards["a"],
        running_board(tmp_path / "b") as boards["b"],
        running_board(tmp_path / "c", "ESP32_GENERIC_S3") as boards["c"],
    ):
        assert [running.state for running in registry.running()] == [str(tmp_path / name) for name in names]
        threads = [threading.Thread(target=fill, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in names:
            assert boards[name].files() == {
                "/boot.py": boards[name].files()["/boot.py"],
                f"/{name}": f"{name}2".encode(),
            }
        with pytest.raises(UsageError, match="several"):
            registry.find(None, tmp_path)
        assert registry.find("ESP32_GENERIC_S3", tmp_path / "none").state == str(tmp_path / "c")
        assert registry.find(str(tmp_path / "b"), tmp_path / "none").state == str(tmp_path / "b")
        assert registry.find(None, tmp_path / "a").state == str(tmp_path / "a")


@pytest.mark.parametrize(
    "request_", [b"\n", b"{\n", b"[]\n", b'{"do": "nothing"}\n', b'{"do": "fault"}\n', b"x" * 99_999]
)
def test_nonsense_gets_an_answer_and_does_no_harm(tmp_path, request_):
    with running_board(tmp_path / "board") as board:
        path = registry.running()[0].socket
        answer = b""
        # A request that is too long is hung up on.
        with socket.socket(socket.AF_UNIX) as link, contextlib.suppress(ConnectionError):
            link.settimeout(10)
            link.connect(path)
            link.sendall(request_)
            link.shutdown(socket.SHUT_WR)
            with link.makefile("rb") as reader:
                answer = reader.readline()
        assert answer == b"" or set(json.loads(answer)) <= {"error", "usage"}
        assert board.status()["mode"] == "application"


def test_sockets_are_for_their_owner_alone(tmp_path):
    assert folder().stat().st_mode & 0o077 == 0
    folder().chmod(0o755)
    with pytest.raises(PlumveilError, match="yours alone"):
        folder()
    with pytest.raises(PlumveilError, match="does not answer"):
        ask(str(tmp_path / "none"), {"do": "status"})


# the log


def test_what_a_client_is_told_is_never_logged(tmp_path):
    with running_board(tmp_path / "board") as board:
        assert run(board, "print('SECR' + 'ET' * 2)") == "SECRETET"
        with repl(board) as link:
            link.exec("x = 'SECR' + 'ET' * 2; print(x)")
        board.wait_idle()
        assert "SECRETET" not in board.log.read_text()


def test_the_log_is_bounded(tmp_path):
    log = Log(tmp_path / "log")
    for _ in range(300):
        log.said(b"x" * 10_000)
    log.note("last")
    assert (tmp_path / "log").stat().st_size <= LOG_MAX_BYTES + 20_000
    assert (tmp_path / "log").read_bytes().endswith(b"last]\n")
