"""What surrounds the virtual board: sensors in real time, unplugged and plugged again, recordings, the network."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.virtual_board.vm import Anywhere, Cause, End
from tests.host.board_vms import Desk, desk

pytestmark = pytest.mark.vm

SCAN = "import machine\nbus = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21))\nprint(bus.scan())"
JOIN = "import network, time\nw = network.WLAN()\nw.active(True)\nw.connect('depot', 'x')\ntime.sleep(1.6)\n"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path, world={"sensors": ["sht4x", "lis3dh", "battery"], "battery": 3700}) as one:
        one.boot()
        yield one


def test_sensors_are_there_until_they_are_unplugged(board: Desk) -> None:
    assert board.run(SCAN) == "[24, 68]\n"
    board.vm.order({"sensor": "sht4x", "kind": "absent", "on": True})
    assert board.run(SCAN) == "[24]\n"
    board.vm.order({"sensor": "lis3dh", "kind": "absent", "on": True})
    assert board.run(SCAN) == "[]\n"
    board.vm.order({"sensor": "sht4x", "kind": "absent", "on": False})
    assert board.run(SCAN) == "[68]\n"


def test_a_sensor_is_unplugged_while_code_runs(board: Desk) -> None:
    code = SCAN + "\nimport time\nwhile bus.scan() == [24, 68]: time.sleep_ms(5)\nprint(bus.scan())"
    unplug = lambda: board.vm.order({"sensor": "sht4x", "kind": "absent"})  # noqa: E731
    assert board.run(code, during=unplug) == "[24, 68]\n[24]\n"


def test_the_battery_is_read(board: Desk) -> None:
    code = "import machine\nprint(machine.ADC(machine.Pin(35), atten=machine.ADC.ATTN_11DB).read_uv())"
    assert abs(int(board.run(code)) - 1_850_000) < 20_000


def test_a_recording_is_read_from_the_hosts_folder(tmp_path: Path) -> None:
    (tmp_path / "battery.bin").write_bytes(struct.pack(">IiIi", 0, 3000, 2, 4000))
    world = {"sensors": ["battery"], "battery": "battery.bin"}
    code = (
        "import machine, time\na = machine.ADC(35, atten=3)\nfor _ in range(2):\n print(a.read_uv())\n time.sleep(2)"
    )
    with desk(tmp_path, world=world, world_folder=tmp_path) as board:
        board.boot()
        first, second = map(int, board.run(code).split())
    assert abs(first - 1_500_000) < 20_000
    assert abs(second - 2_000_000) < 20_000


def test_a_shock_raises_its_interrupt_in_real_time(tmp_path: Path) -> None:
    with desk(tmp_path, world={"sensors": ["lis3dh"], "shocks": [[2, 9000]]}) as board:
        board.boot()
        # LIS3DH: 400 Hz, 16 g, INT1 on high x or y or z, threshold 2 g, latched.
        code = """
import machine, time
bus = machine.I2C(0)
for register, value in ((32, 0x77), (34, 0x40), (35, 0x30), (36, 8), (50, 11), (51, 0), (48, 0x2A)):
    bus.writeto_mem(0x18, register, bytes((value,)))
seen = []
pin = machine.Pin(33, machine.Pin.IN)
pin.irq(handler=lambda p: seen.append(time.ticks_ms()), trigger=machine.Pin.IRQ_RISING)
time.sleep(3)
print(len(seen), 1000 < seen[0] < 2600)
"""
        assert board.run(code) == "1 True\n"


@pytest.fixture
def server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def echo() -> None:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(connection.recv(100).upper())

        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(15)


TALK = JOIN + (
    "import socket\ns = socket.socket()\ntry:\n s.connect(socket.getaddrinfo('127.0.0.1', {port})[0][-1])\n"
    " s.send(b'hello'); print(s.recv(9))\nexcept OSError as e: print(e.errno)"
)


def test_the_network_reaches_what_is_listed_and_nothing_else(tmp_path: Path, server: int) -> None:
    with desk(tmp_path, allow=frozenset({("127.0.0.1", server)})) as board:
        board.boot()
        assert board.run(TALK.format(port=server + 1)) == "113\n"
        assert board.run(TALK.format(port=server)) == "b'HELLO'\n"


def test_a_board_may_be_let_out_everywhere(tmp_path: Path, server: int) -> None:
    with desk(tmp_path, allow=Anywhere()) as board:
        board.boot()
        assert board.run(TALK.format(port=server)) == "b'HELLO'\n"


def test_kill_ends_a_wait_for_the_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, desk(tmp_path, allow=Anywhere()) as board:
        board.boot()
        ended = board.last(TALK.format(port=silent.getsockname()[1]), board.vm.kill, 2.5)
        assert ended.end.name == "KILLED"


def test_random_bytes_differ(board: Desk) -> None:
    code = "import os; print(os.urandom(8) != os.urandom(8), len(os.urandom(0)))"
    assert board.run(code) == "True 0\n"


def test_impossible_surroundings_are_said(tmp_path: Path) -> None:
    with desk(tmp_path, world={"sensors": ["thermometer"]}) as board:
        ended = board.vm.boot(Cause.PWRON)
    assert ended.end is End.DIED
    assert "unknown sensor" in ended.why
