"""What ends code on the virtual board, and its processor's life: Ctrl-C, resets, sleep, the watchdog, the host."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_tools.virtual_board.vm import Cause, End
from tests.host.board_vms import BANNER, Desk, desk, later
from tests.host.pace import Pace, took_s

ROOT = Path(__file__).resolve().parents[2]
SET_RTC = "from machine import RTC\nRTC().memory(b'rtc')\nRTC().datetime((2026, 5, 4, 0, 3, 2, 1, 0))"
ENDLESS = {
    "a loop that calls nothing": "while True: pass",
    "sleep": "import time\nwhile True: time.sleep(100)",
    "short sleeps": "import time\nwhile True: time.sleep_ms(1)",
    "printing": "while True: print('x' * 50)",
    "writing files": "while True:\n with open('f', 'w') as f: f.write('x' * 5000)",
    "reading the line": "import sys\nsys.stdin.read(1)",
}

pytestmark = pytest.mark.vm


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        one.boot()
        yield one


def test_a_soft_reset_clears_python_and_keeps_the_chip(board: Desk) -> None:
    board.run(
        "import machine, time\nkept = 1\nmachine.RTC().memory(b'rtc')\nmachine.RTC().datetime((2026,5,4,0,3,2,1,0))"
    )
    board.take(lambda: board.vm.feed(b"\x04"))
    code = "import machine, time\nprint(machine.reset_cause(), machine.RTC().memory(), time.gmtime()[:5])\nkept"
    lines = board.run(code).splitlines()
    assert lines[0] == "5 b'rtc' (2026, 5, 4, 3, 2)"
    assert lines[-1] == "NameError: name 'kept' isn't defined"


@pytest.mark.parametrize("kind", ENDLESS)
def test_ctrl_c_ends_it(board: Desk, kind: str) -> None:
    said = board.run(ENDLESS[kind], during=board.vm.interrupt)
    assert said.splitlines()[-1] == "KeyboardInterrupt: "
    assert board.run("print('alive')") == "alive\n"


def test_ctrl_c_ends_main_py_and_shows_the_prompt(board: Desk) -> None:
    board.write("main.py", "import time\nprint('main')\nwhile True:\n    time.sleep(9)\n")
    with_prompt = "main\r\nTraceback (most recent call last):\r\n"
    with_prompt += '  File "main.py", line 4, in <module>\r\nKeyboardInterrupt: \r\n'
    with later(board.vm.interrupt, 0.6):
        assert board.boot() == with_prompt + BANNER


@pytest.mark.parametrize("after_s", [0.02, 0.05, 0.1, 0.2])
def test_a_ctrl_c_at_the_very_start_ends_main_py_too(board: Desk, after_s: float) -> None:
    board.write("main.py", "while True: pass")
    with later(board.vm.interrupt, after_s):
        assert board.boot().endswith("KeyboardInterrupt: \r\n" + BANNER)


def test_ctrl_c_is_caught_by_code_that_wants_to(board: Desk) -> None:
    code = "import time\ntry:\n    time.sleep(50)\nexcept KeyboardInterrupt:\n    print('caught')"
    assert board.run(code, during=board.vm.interrupt) == "caught\n"


def test_ctrl_c_at_the_prompt_harms_nothing_that_runs_later(board: Desk) -> None:
    board.vm.interrupt()
    assert took_s(lambda: board.run("import time; time.sleep(0.3)")) >= 0.3


def test_code_reads_the_line(board: Desk) -> None:
    board.typed = b"ab"
    assert board.run("import sys\nprint(repr(sys.stdin.read(2)))") == "'ab'\n"


@pytest.mark.parametrize(
    ("code", "cause"),
    [("import machine; machine.reset()", Cause.HARD), ("import machine; machine.deepsleep(300)", 4)],
)
def test_the_chip_resets_itself(board: Desk, code: str, cause: int) -> None:
    board.run("import machine; machine.RTC().memory(b'kept')")
    ended = board.last(code + "; print('never')")
    assert (ended.end, ended.cause, b"never" in board.said) == (End.RESET, cause, False)
    board.boot(ended.cause)
    assert (
        board.run("import machine; print(machine.reset_cause(), machine.RTC().memory())") == f"{int(cause)} b'kept'\n"
    )


def test_ctrl_c_is_a_byte_for_code_that_wants_it_so(board: Desk) -> None:
    board.typed = b"\x03\x04\x00z"
    seen = []

    def look_and_kill() -> None:
        seen.append(board.vm.interruptible)
        board.vm.kill()

    code = "import micropython, sys\nmicropython.kbd_intr(-1)\nprint(sys.stdin.buffer.read(4))\nwhile True: pass\n"
    ended = board.last(code, look_and_kill)
    assert (seen, ended.end) == ([False], End.KILLED)
    assert b"b'\\x03\\x04\\x00z'" in board.said


def test_deep_sleep_takes_its_time_and_is_deaf(board: Desk) -> None:
    with Pace() as pace:
        board.last("import machine; machine.deepsleep(500)", board.vm.interrupt, 0.1)
    assert pace.took_s >= 0.5
    assert pace.under(2), pace


def test_power_on_clears_the_clock_and_its_memory(board: Desk) -> None:
    board.run(SET_RTC)
    board.vm.kill()
    board.boot(Cause.PWRON)
    code = "import machine, time\nprint(machine.reset_cause(), machine.RTC().memory(), time.gmtime()[:3])"
    assert board.run(code) == "1 b'' (2000, 1, 1)\n"


def test_the_clock_runs_on_over_a_reset_and_ticks_begin_anew(board: Desk) -> None:
    board.run(SET_RTC + "\nimport time\ntime.sleep(1)")
    board.boot(board.last("import machine; machine.reset()").cause)
    clock, ticks_ms = board.run("import time\nprint(time.time(), time.ticks_ms())").split()
    assert 831178922 <= int(clock) <= 831178925
    assert int(ticks_ms) < 1000


def test_the_watchdog_bites_code_that_hangs(board: Desk) -> None:
    ended = board.last("import machine\nw = machine.WDT(timeout=600)\nwhile True: pass")
    assert (ended.end, ended.cause) == (End.RESET, Cause.WDT)


def test_a_fed_watchdog_does_not_bite_until_feeding_ends(board: Desk) -> None:
    code = (
        "import machine, time\nw = machine.WDT(timeout=500)\nfor n in range(5):\n time.sleep(0.3); w.feed()\nprint(n)"
    )
    assert board.run(code) == "4\n"
    with Pace() as pace:
        wait_until(lambda: board.vm.bitten)
    assert pace.under(2), pace
    assert board.vm.feed(b"x").cause is Cause.WDT


def test_kill_ends_whatever_is_under_way(board: Desk) -> None:
    for code in ("while True: pass", "import time; time.sleep(99)", "import machine; machine.deepsleep()"):
        with Pace() as pace:
            assert board.last(code, board.vm.kill).end is End.KILLED
        assert pace.under(3), pace
        board.boot()


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.02)
    assert condition()


LEFT_ALONE = """
import os, pathlib, sys, threading
from tests.host.board_vms import desk
with desk(pathlib.Path(sys.argv[1])) as board:
    board.boot()
    print(board.vm._processor._process._process.pid, flush=True)
    threading.Timer(0.3, os._exit, (0,)).start()
    board.last("while True: pass")
"""


def test_the_vm_does_not_outlive_a_host_that_dies(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=30, check=True
    )
    node_pid = int(done.stdout)
    wait_until(lambda: not is_running(node_pid))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
