"""The serial line to a node: what is refused as a port, silence, and a node that says what it was told."""

from __future__ import annotations

import binascii
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

from host_tools import node_link
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import enrol, when
from host_tools.keys.delivery import OverLine
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.node_link import NodeLink, NodeLost, NodeRefused
from tests.fakes.raw_repl import Board
from tests.host.keystores import NOW_S, make, opened
from tests.host.pace import Pace

pytestmark = pytest.mark.vm


MAC = "240ac4a1b2c3"


OTHER_MAC = "240ac4000001"


def world(mac: str) -> str:
    return repr({"mac": mac})


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Keystore]:
    with opened(make(tmp_path), write=True) as store:
        yield store


@pytest.fixture
def board() -> Iterator[Board]:
    with Board(world=world(MAC)) as board:
        yield board


def enrolled(store: Keystore, board: Board, name: str = "trailer 9") -> Entry:
    with NodeLink(board.port) as link:
        enrol.enrol(store, name, "virtual", "general", link.unique_id(), OverLine(link))
    return store.get(name)


BARE = "import sys\nfor name in ('plumveil', 'plumveil.service'):\n    sys.modules.pop(name, None)\nsys.path[:] = []"


def test_a_board_without_the_firmware(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_link, "_ENROL", BARE + node_link._ENROL)
    with Board(world=world(MAC)) as board, pytest.raises(NodeRefused, match="no Plumveil firmware on the board"):
        enrolled(store, board)
    assert store.find("trailer 9") is None


@pytest.mark.parametrize("words", ["key slot not written", "spent keys not erased"])
def test_a_worn_board_may_have_its_keys_all_the_same(
    store: Keystore, board: Board, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    failing = f"# {{slot!r}} {{replace!r}}\nfrom plumveil.errors import SealRefused\nraise SealRefused({words!r})\n"
    monkeypatch.setattr(node_link, "_ENROL", failing)
    with pytest.raises(NodeLost, match=r"the board is worn or damaged. Its keys stand in"):
        enrolled(store, board)
    assert store.find("trailer 9") is not None


@pytest.mark.parametrize(
    "telling",
    [
        'raise ValueError("{slot}")',
        'print("{slot}")\nraise ValueError("{slot}")',
        'print("{slot}")\nimport sys\nsys.exit("{slot}")',
        'print("<{slot}>")',
        'class A{slot}Error(Exception):\n    pass\nraise A{slot}Error("{slot}")',
    ],
)
def test_what_the_node_says_is_never_repeated(
    store: Keystore, board: Board, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], telling: str
) -> None:
    """A node that says all it was told, in its errors too."""
    marker = "c0ffee" * 10
    monkeypatch.setattr(node_link, "_ENROL", "# {slot!r} {replace!r}\n" + telling.replace("{slot}", marker))
    monkeypatch.setattr(node_link, "RUN_TIMEOUT_S", 1.0)
    with pytest.raises(PlumveilError) as caught:
        enrolled(store, board)
    shown = "".join(capfd.readouterr()) + str(caught.value) + repr(caught.value)
    assert any(marker in code for code in board.codes)
    for form in (marker, marker.upper(), repr(marker.encode())[2:-1]):
        assert form not in shown


@pytest.mark.parametrize("port", ["/dev/none", "socket://127.0.0.1:1", "spy:///dev/ttyS0", ""])
def test_what_is_no_serial_port_is_refused(port: str) -> None:
    """The transport would take network addresses, and log the line to a file."""
    with pytest.raises(UsageError, match="there is no serial port"):
        NodeLink(port)


def test_a_file_is_no_serial_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="there is no serial port"):
        NodeLink(str(tmp_path / "file"))


def test_a_port_where_nobody_answers(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    enter = SerialTransport.enter_raw_repl
    monkeypatch.setattr(SerialTransport, "enter_raw_repl", lambda self, soft_reset, **_: enter(self, soft_reset, 0.5))
    master, slave = os.openpty()
    try:
        with Pace() as pace, pytest.raises(NodeLost, match=r"^no node answers at /dev/pts/\d+: is it plugged in"):
            NodeLink(os.ttyname(slave))
        assert pace.under(20), pace
        assert "".join(capfd.readouterr()) == ""
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_another_program_has(board: Board) -> None:
    with NodeLink(board.port), pytest.raises(NodeLost, match="no other program on the line"):
        NodeLink(board.port)


def test_the_keys_go_over_the_line_once_and_the_node_starts_anew(store: Keystore, board: Board) -> None:
    entry = enrolled(store, board)
    board.settle()
    assert ["unique_id" in code for code in board.codes] == [True, False, False]
    assert ["service.enrol" in code for code in board.codes] == [False, True, False]
    assert ["machine.reset()" in code for code in board.codes] == [False, False, True]
    assert board.resets == 2
    assert entry.keys is not None
    # K_chain never reaches it in any form.
    assert entry.keys.k_chain not in binascii.a2b_base64(
        board.codes[1].partition("a2b_base64(b'")[2].partition("'")[0]
    )
