"""The virtual board's processor at its prompt: boots as an ESP32 does and shows nothing of what it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.board_vms import BANNER, FRIENDLY_PROMPT, RAW, RAW_PROMPT, Desk, desk
from tests.host.pace import Pace

pytestmark = pytest.mark.vm


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as one:
        one.boot()
        yield one


def test_a_new_board_makes_its_file_system_once(tmp_path: Path) -> None:
    with desk(tmp_path) as board:
        assert board.boot() == "Performing initial setup\r\n" + BANNER
        assert board.run("import os; print(os.listdir('/'), os.getcwd())") == "['boot.py'] /\n"
        assert board.boot() == BANNER


def test_it_says_that_it_is_an_esp32(board: Desk) -> None:
    code = (
        "import os, sys\nprint(sys.platform, sys.path, tuple(os.uname()))\nprint(sys.implementation[2], sys.version)"
    )
    uname = "('esp32', 'esp32', '1.28.0', 'v1.28.0 on 2026-04-06', 'Generic ESP32 module with ESP32')"
    assert board.run(code).splitlines() == [
        f"esp32 ['', '.frozen', '/lib'] {uname}",
        "Generic ESP32 module with ESP32 3.4.0; MicroPython v1.28.0 on 2026-04-06",
    ]


def test_nothing_of_the_stand_ins_shows(board: Desk) -> None:
    assert board.run("print(sorted(dir()))") == "['__file__', '__name__']\n"
    for name in ("_vm", "_board", "world", "models", "lfs", "js"):
        found = board.run(f"import {name}").splitlines()[-1:]
        # The build's own modules cannot be taken away.
        assert found == ([] if name == "js" else [f"ImportError: no module named '{name}'"])
    assert board.run("import machine, sys; print(machine, sys)") == "<module 'machine'> <module 'sys'>\n"
    error = board.run("open('missing')").splitlines()
    assert error[1:] == ['  File "<stdin>", line 1, in <module>', "OSError: [Errno 2] ENOENT"]


def test_modules_are_those_of_a_board(board: Desk) -> None:
    for name in ("hmac", "abc", "unittest", "copy", "logging", "pathlib", "base64"):
        assert board.run(f"import {name}").endswith(f"ImportError: no module named '{name}'\n")
    assert board.run("import binascii; print(binascii.a2b_base64('aGk='))") == "b'hi'\n"


def test_the_import_path_can_be_changed(board: Desk) -> None:
    code = """
import os, sys
os.mkdir('a'); os.mkdir('b')
for folder in 'ab':
    with open(folder + '/inside_' + folder + '.py', 'w') as f: f.write('')
sys.path.insert(0, '/a')
import inside_a
sys.path.append('/b'); print(sys.path)
import inside_b
sys.path.remove('/a'); print(sys.path.pop(), sys.path, len(sys.path), sys.path[1], '/lib' in sys.path)
sys.path[:] = ['/b']; sys.path += ['/c']; print(sys.path)
"""
    assert board.run(code).splitlines() == [
        "['/a', '', '.frozen', '/lib', '/b']",
        "/b ['', '.frozen', '/lib'] 3 .frozen True",
        "['/b', '/c']",
    ]


def test_boot_py_then_main_py_then_the_prompt(board: Desk) -> None:
    board.write("boot.py", "print('boot', __name__, __file__)\nfrom_boot = 1")
    board.write("main.py", "print('main', from_boot)")
    assert board.boot() == "boot __main__ boot.py\r\nmain 1\r\n" + BANNER
    assert board.run("print(from_boot)") == "1\n"


def test_raw_mode_runs_boot_py_alone(board: Desk) -> None:
    board.write("boot.py", "print('boot')")
    board.write("main.py", "print('main')")
    board.take(lambda: board.vm.feed(b"\x04"))
    assert board.said == b"OK\r\nMPY: soft reboot\r\nboot\r\n" + RAW_PROMPT
    board.take(lambda: board.vm.feed(b"\x02"))
    assert board.heard() == "\r\n" + BANNER
    board.take(lambda: board.vm.feed(b"\x04"))
    assert board.heard() == "\r\nMPY: soft reboot\r\nboot\r\nmain\r\n" + BANNER


@pytest.mark.parametrize("fault", ["1/0", "what is this"])
def test_a_fault_in_boot_py_is_shown_and_keeps_main_py_from_running(board: Desk, fault: str) -> None:
    board.write("boot.py", fault)
    board.write("main.py", "print('main')")
    said = board.boot()
    assert said.startswith('Traceback (most recent call last):\r\n  File "boot.py", line 1')
    assert said.endswith("\r\n" + BANNER)
    assert "main" not in said.replace("<module>", "")


def test_system_exit_in_main_py_is_a_soft_reset(board: Desk) -> None:
    board.write("main.py", "import os, sys\nprint('main')\nif 'once' in os.listdir(): sys.exit()\nprint('on')")
    board.write("once", "")
    board.write("boot.py", "import os, machine\nif machine.reset_cause() == 5: os.remove('once')")
    assert board.boot() == "main\r\nMPY: soft reboot\r\nmain\r\non\r\n" + BANNER


def test_what_is_typed_behind_a_soft_reset_is_not_lost(board: Desk) -> None:
    board.take(lambda: board.vm.feed(RAW + b"\x04print(7)\x04"))
    assert board.said.endswith(RAW_PROMPT + b"OK7\r\n\x04\x04>")


def test_time_is_real_and_can_run_faster(tmp_path: Path) -> None:
    with desk(tmp_path, speed=10.0) as board:
        board.boot()
        code = "import time\nt = time.ticks_ms()\ntime.sleep(5)\nprint(time.ticks_diff(time.ticks_ms(), t))"
        said: list[str] = []
        with Pace() as pace:
            said.append(board.run(code))
        assert pace.took_s > 0.45
        assert pace.under(2.5), pace
        assert 5000 <= int(said[0]) < 9000


def test_a_long_run_does_not_eat_up_the_heap(board: Desk) -> None:
    code = """
import gc, time
class Kept:
    def __init__(self, n):
        self.blocks = [bytes([i]) * 100 for i in range(n)]
        self.names = {i: str(i) for i in range(n)}
    def whole(self):
        return all(self.names[i] == str(i) and self.blocks[i] == bytes([i]) * 100 for i in self.names)
kept = Kept(50)
most = 0
for turn in range(15):
    waste = [bytearray(1000) for _ in range(300)]
    time.sleep_ms(200)
    most = max(most, gc.mem_alloc())
print(most, kept.whole())
"""
    most, whole = board.run(code).split()
    # 15 turns waste 4.5 MB.
    assert int(most) < 1_200_000
    assert whole == "True"


def test_help_prompt_and_friendly_mode(board: Desk) -> None:
    board.take(lambda: board.vm.feed(b"\x02"))
    board.take(lambda: board.vm.feed(b"1+1\r"))
    assert board.said == b"1+1\r\n2\r\n" + FRIENDLY_PROMPT
