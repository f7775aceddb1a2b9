"""Which port is meant: found when there is one, listed when there are several, explained when there is none."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from serial.tools import list_ports  # type: ignore[import-untyped]

from host_tools import ports
from host_tools.errors import PlumveilError, UsageError
from host_tools.ports import Port
from host_tools.virtual_board import registry

CP2102 = SimpleNamespace(device="/dev/ttyUSB7", description="CP2102 USB to UART", vid=0x10C4)
CONSOLE = SimpleNamespace(device="/dev/ttyS0", description="n/a", vid=None)
IN_CONTAINER = SimpleNamespace(device="/dev/ttyACM3", description=None, vid=None)


@pytest.fixture
def device() -> Iterator[str]:
    master, slave = pty.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr(registry, "running", list)


def there(monkeypatch: pytest.MonkeyPatch, *found: object) -> None:
    monkeypatch.setattr(list_ports, "comports", lambda: list(found))


def running(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    boards = [SimpleNamespace(port=port, board="virtual") for port in found]
    monkeypatch.setattr(registry, "running", lambda: boards)


def test_a_boards_port_is_told_from_a_computers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch, CP2102, CONSOLE, IN_CONTAINER)
    assert ports.attached() == [Port("/dev/ttyUSB7", "CP2102 USB to UART"), Port("/dev/ttyACM3", "")]


def test_the_only_one_is_meant(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    running(monkeypatch, device)
    assert ports.choose(None) == [Port(device, "virtual virtual", "virtual")]
    assert ports.one(None).device == device


def test_several_are_listed(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    there(monkeypatch, CP2102)
    running(monkeypatch, device)
    with pytest.raises(
        UsageError, match=r"several boards .* /dev/ttyUSB7 \(CP2102 USB to UART\), /dev/pts/\d+ \(virt"
    ):
        ports.choose(None)
    assert [port.device for port in ports.choose("all")] == ["/dev/ttyUSB7", device]
    with pytest.raises(UsageError, match="one board at a time"):
        ports.one("all")


@pytest.mark.parametrize("given", [None, "all"])
def test_none_is_explained(given: str | None) -> None:
    with pytest.raises(
        PlumveilError, match=r"cable that carries data.*driver.*plumveil doctor.*plumveil board start"
    ):
        ports.choose(given)


def test_one_that_is_not_there(device: str) -> None:
    with pytest.raises(UsageError, match="there is no serial port /dev/nowhere; no board is attached"):
        ports.choose("/dev/nowhere")
    assert ports.choose(device) == [Port(device)]


def test_a_port_that_may_not_be_opened(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        PlumveilError, match=r"no permission to open /dev/pts/\d+: run `sudo usermod -a -G \w+ \$USER`"
    ):
        ports.choose(device)


def test_a_port_that_may_not_be_opened_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    there(monkeypatch, CP2102)
    running(monkeypatch, device)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert len(ports.choose("all")) == 2
