"""The real mpremote and ampy, unmodified, on a running virtual board: they cannot tell it from an ESP32."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host.pace import quick

pytestmark = pytest.mark.vm

TIMEOUT_S = 180
COPY_MAX_S = 5.0
CONTENT = random.Random(4).randbytes(65536)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBoard]:
    with running_board(tmp_path_factory.mktemp("tools") / "board") as one:
        yield one


def mpremote(board: RunningBoard, *arguments: str, ok: bool = True) -> str:
    return tool(["mpremote", "connect", board.port, *arguments], ok=ok)


def ampy(board: RunningBoard, *arguments: str, ok: bool = True) -> str:
    return tool(["ampy.cli", "-p", board.port, *arguments], ok=ok)


def tool(command: list[str], *, ok: bool) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    # A board ends its lines with CR LF, and the tools pass them on.
    said = (done.stdout + done.stderr).decode().replace("\r\n", "\n")
    assert (done.returncode == 0) is ok, said
    return said


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(CONTENT)
    return path


def test_mpremote_copies_64_kib_in_under_5_s(board: RunningBoard, big: Path, tmp_path: Path) -> None:
    assert quick(lambda: mpremote(board, "fs", "cp", "-f", str(big), ":/big.bin"), COPY_MAX_S)
    mpremote(board, "fs", "cp", ":/big.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == CONTENT


def test_mpremote_files_and_folders(board: RunningBoard, big: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tree" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("grüße\n", encoding="utf-8")
    mpremote(board, "fs", "cp", "-r", str(tmp_path / "tree"), ":")
    assert "a.txt" in mpremote(board, "fs", "ls", ":/tree/deep")
    assert mpremote(board, "fs", "cat", ":/tree/deep/a.txt") == "grüße\n"
    mpremote(board, "fs", "mkdir", ":/one", "+", "fs", "touch", ":/one/x")
    assert "one" in mpremote(board, "fs", "tree")
    assert "OSError: 39" in mpremote(board, "fs", "rmdir", ":/one", ok=False)
    mpremote(board, "fs", "rm", "-r", ":/one", "+", "fs", "rm", "-r", ":/tree")
    assert "No such file" in mpremote(board, "fs", "cat", ":/tree/deep/a.txt", ok=False)


def test_mpremote_runs_code(board: RunningBoard, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import time\nfor i in range(3):\n    print('turn', i)\n    time.sleep_ms(50)\n")
    assert mpremote(board, "run", str(script)) == "turn 0\nturn 1\nturn 2\n"
    assert mpremote(board, "eval", "6 * 7") == "42\n"
    assert mpremote(board, "exec", "import sys; print(sys.platform)", "+", "eval", "1").split() == ["esp32", "1"]
    assert "ZeroDivisionError" in mpremote(board, "exec", "1/0", ok=False)


def test_mpremote_resets(board: RunningBoard) -> None:
    mpremote(board, "exec", "kept = 1")
    assert mpremote(board, "resume", "exec", "print(kept)") == "1\n"
    assert "NameError" in mpremote(board, "soft-reset", "exec", "print(kept)", ok=False)
    mpremote(board, "reset")
    assert mpremote(board, "exec", "import machine; print(machine.reset_cause() != 1)") == "True\n"


def test_mpremote_sets_the_clock(board: RunningBoard) -> None:
    mpremote(board, "rtc", "--set")
    assert mpremote(board, "rtc").startswith(time.strftime("(%Y, "))


def test_mpremote_stops_a_main_py_that_never_ends(board: RunningBoard, tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    for body in ("import time\nwhile True:\n    time.sleep(5)\n", "while True:\n    pass\n", "while 1: print('x')\n"):
        main.write_text(body)
        mpremote(board, "fs", "cp", str(main), ":main.py", "+", "reset")
        time.sleep(0.5)
        assert mpremote(board, "exec", "print('mine')").endswith("mine\n")
    mpremote(board, "fs", "rm", ":main.py", "+", "reset")


def test_mpremote_mounts_a_folder_of_the_host(board: RunningBoard, tmp_path: Path) -> None:
    (tmp_path / "local.py").write_text("n = 42\n")
    # Ctrl-C and Ctrl-D are bytes like others here; more than a board's input buffer holds gets lost there too.
    (tmp_path / "data.bin").write_bytes(bytes(range(200)))
    code = (
        "import os, local; print(sorted(os.listdir()), local.n, open('data.bin', 'rb').read() == bytes(range(200)))"
    )
    assert "['data.bin', 'local.py'] 42 True\n" in mpremote(board, "mount", str(tmp_path), "exec", code)


def test_ampy_does_it_all(board: RunningBoard, big: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.bin"
    small.write_bytes(CONTENT[:5000])
    ampy(board, "put", str(small), "/small.bin")
    assert "/small.bin" in ampy(board, "ls").split()
    ampy(board, "get", "/small.bin", str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == CONTENT[:5000]
    ampy(board, "mkdir", "/folder")
    assert "exists" in ampy(board, "mkdir", "/folder", ok=False)
    ampy(board, "rmdir", "/folder")
    ampy(board, "rm", "/small.bin")
    assert "No such file" in ampy(board, "rm", "/small.bin", ok=False)
    script = tmp_path / "script.py"
    script.write_text("print('from ampy')\n")
    assert ampy(board, "run", str(script)).strip() == "from ampy"
    ampy(board, "reset")
    assert "/boot.py" in ampy(board, "ls").split()


def test_a_full_disk_is_said(board: RunningBoard, big: Path) -> None:
    board.fault("disk-full", bytes=8192)
    try:
        assert "No space left" in mpremote(board, "fs", "cp", str(big), ":/too-big.bin", ok=False)
    finally:
        board.fault("disk-free")
    mpremote(board, "fs", "cp", str(big), ":/too-big.bin", "+", "fs", "rm", ":/too-big.bin")
