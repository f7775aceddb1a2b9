"""What a person does at a virtual board: Ctrl-C as an ESP32 takes it, the button, the LED, light sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from host_tools.errors import UsageError
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host.boardtools import repl, wait_for

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBoard]:
    with running_board(tmp_path_factory.mktemp("board")) as one:
        yield one


def typed_while(board: RunningBoard, code: str, text: bytes, after_s: float = 0.5) -> str:
    """What code prints while something is typed."""
    with repl(board) as link:
        timer = threading.Timer(after_s, link.serial.write, (text,))
        timer.start()
        out, error = link.exec_raw(code, timeout=20)
        timer.join()
        return (out + error).decode().replace("\r\n", "\n").strip()


DEAF_THEN = """
import micropython, select, sys, time
poll = select.poll()
poll.register(sys.stdin.buffer, select.POLLIN)
micropython.kbd_intr(-1)
time.sleep(1.2)
micropython.kbd_intr(3)
time.sleep(0.3)
for _ in range(9):
    if not list(poll.ipoll(0)): break
    print(sys.stdin.buffer.read(1))
"""


def test_ctrl_c_that_came_while_code_was_deaf_is_a_byte_for_ever(board: RunningBoard) -> None:
    assert typed_while(board, DEAF_THEN, b"a\x03b") == "b'a'\nb'\\x03'\nb'b'"


def test_one_that_comes_once_it_listens_again_interrupts(board: RunningBoard) -> None:
    assert typed_while(board, DEAF_THEN.replace("0.3", "5"), b"a\x03", 2.0).endswith("KeyboardInterrupt:")


@pytest.mark.parametrize("what", ["time.sleep_ms(3)", "sum(range(3000))"])
def test_no_ctrl_c_is_lost_where_listening_begins_and_ends(board: RunningBoard, what: str) -> None:
    """Thirty times, at some moment of a loop that turns its ears on and off: out it comes, or it is a byte."""
    code = f"""
import micropython, select, sys, time
poll = select.poll()
poll.register(sys.stdin.buffer, select.POLLIN)
print('began')
found = 0
until_ms = time.ticks_add(time.ticks_ms(), 20000)
while found < 30 and time.ticks_diff(until_ms, time.ticks_ms()) > 0:
    before = found
    try:
        micropython.kbd_intr(3)
        {what}
        micropython.kbd_intr(-1)
        {what}
    except KeyboardInterrupt:
        micropython.kbd_intr(-1)
        found += 1
    while list(poll.ipoll(0)):
        found += sys.stdin.buffer.read(1) == b'\\x03'
    if found > before:
        print(found)
micropython.kbd_intr(-1)
"""
    with repl(board) as link:
        link.exec_raw_no_follow(code)
        assert link.read_until(1, b"began\r\n", timeout=10).endswith(b"began\r\n")
        for n in range(1, 31):
            time.sleep(0.0007 * n)
            link.serial.write(b"\x03")
            # Each is waited for: two that come at once are one, on a board too.
            assert link.read_until(1, b"\n", timeout=10).strip() == b"%d" % n
        assert link.follow(10) == (b"", b"")


BUTTON = """
import machine, time
button = machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP)
led = machine.Signal(machine.Pin(2, machine.Pin.OUT), invert=False)
"""


def test_the_button_and_the_led(board: RunningBoard) -> None:
    with repl(board) as link:
        assert link.exec(BUTTON + "print(button.value())").strip() == b"1"
        board.press(1.0)
        assert link.exec("print(button.value())").strip() == b"0"
        assert wait_for(lambda: link.exec("print(button.value())").strip() == b"1", 20)
        for on in (1, 0):
            link.exec(f"led.value({on})")
            assert board.status()["led"] is bool(on)
    for seconds in (0, 61, "x", None):
        with pytest.raises(UsageError, match="--seconds"):
            board.press(seconds)  # type: ignore[arg-type]


SLEEP = """
import esp32
esp32.wake_on_gpio((button,), esp32.WAKEUP_ALL_LOW)
t = time.ticks_ms()
machine.lightsleep(2500)
print(time.ticks_diff(time.ticks_ms(), t))
"""


def test_light_sleep_is_deaf_and_the_button_ends_it(board: RunningBoard) -> None:
    assert 2500 <= int(typed_while(board, BUTTON + SLEEP, b"\x03x\x03")) < 8000
    with repl(board) as link:
        timer = threading.Timer(0.5, board.press, (0.5,))
        timer.start()
        assert 300 <= int(link.exec(BUTTON + SLEEP)) < 2400
        timer.join()
        # Nothing of what was typed in it is left.
        assert link.exec("print(1)").strip() == b"1"
