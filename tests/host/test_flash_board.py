"""`plumveil flash` on a virtual board, from a bare one to a node that works: what it does, skips, refuses, and takes
back.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator

import pytest

from host_tools import boards
from host_tools.errors import PlumveilError
from host_tools.flashing.engine import SelfTestFailed
from host_tools.flashing.task import STEPS
from host_tools.node_link import NodeLink, NodeLost, NodeRefused
from host_tools.provision import board_file
from host_tools.virtual_board.running import RunningBoard, running_board
from host_tools.virtual_board.snapshot import files_of
from plumveil import wire
from tests.host import configuring, keystores
from tests.host.command_line import Ended, run
from tests.host.flash_desk import Desk
from tests.host.flashing import (
    bootable,
    broken_version,
    first_version,
    flash,
    other_version,
    package,
)
from tests.host.pace import quick

pytestmark = [pytest.mark.vm, pytest.mark.slow]

MAC = "240ac4a1b2c3"
UNCHANGED_MAX_S = 5.0
FIRST, SECOND = first_version(), other_version(2)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with running_board(folder / "board", mac=MAC) as board:
        yield Desk(board, folder)


@pytest.fixture
def node(desk: Desk) -> Desk:
    """A node that works, with the firmware as it is."""
    ended = desk.flash("--node", desk.toml)
    assert ended.code == 0, ended.err
    return desk


def disk_of(board: RunningBoard) -> dict[str, bytes]:
    """The disk's files; the node is at work, so its supply goes for that long."""
    board.power_off()
    found = files_of(board.image())
    board.power_on()
    board.wait_mode("application")
    return found


def steps(ended: Ended) -> dict[str, str]:
    """Step -> what was printed of it."""
    lines = [line.split(maxsplit=1) for line in ended.err.splitlines()]
    return {line[0]: line[1] for line in lines if line[0] in STEPS and len(line) > 1}


def test_a_bare_board_becomes_a_node(desk: Desk) -> None:
    with running_board(desk.folder / "bare") as board:
        folder = desk.folder / "bare desk"
        folder.mkdir()
        bare = Desk(board, folder)
        ended = bare.flash("--node", bare.toml)
        assert ended.code == 0, ended.err
        assert tuple(steps(ended)) == STEPS
        assert steps(ended)["provision"] == "keys and configuration of truck 7"
        made = json.loads(bare.receipt.read_text("utf-8"))
        assert made["consent"] == "off"
        assert made["slot"] == "a"
        assert made["keys"] == "partition"
        assert made["configuration"] == 1
        assert set(made["self_test"]) >= {"known answers", "sht4x", "ds18b20", "lis3dh", "disk", "clock"}
        assert set(made["self_test"].values()) == {""}
        assert made["pseudonyms"]["readings"] in ended.out
        assert stat.S_IMODE(bare.receipt.stat().st_mode) == 0o600
        disk = disk_of(board)
        assert bootable(disk) == [package(FIRST)]
        assert "/pv/trial" not in disk
        assert disk[wire.FILE_BOARD] == board_file(boards.load("virtual"))


def test_the_receipt_names_the_node_as_the_keystore_does(node: Desk) -> None:
    made = json.loads(node.receipt.read_text("utf-8"))
    entry = node.entry()
    assert entry.node is not None
    assert entry.keys is not None
    found = run(
        "keys", "resolve", made["pseudonyms"]["device"], "--json",
        PLUMVEIL_KEYSTORE=str(node.keystore), PLUMVEIL_PASSPHRASE=keystores.PASSPHRASE,
    )  # fmt: skip
    assert found.code == 0
    assert "truck 7" in found.out
    assert '"device"' in found.out


@pytest.mark.parametrize("tool", ["mpremote", "ampy"])
def test_an_unchanged_node_is_left_alone_and_soon_done(node: Desk, tool: str) -> None:
    before = disk_of(node.board)
    keys = node.entry().keys
    ended = node.flash("--node", node.toml, "--tool", tool)
    assert ended.code == 0, ended.err
    skipped = {name for name, what in steps(ended).items() if what.startswith("skipped")}
    assert skipped == {"micropython", "copy", "verify", "switch", "provision"}
    assert node.entry().keys == keys
    after = disk_of(node.board)
    same = {path for path in before if not path.startswith("/pv/q")}
    assert {path: after[path] for path in same} == {path: before[path] for path in same}
    assert quick(lambda: node.flash("--node", node.toml, "--tool", tool), UNCHANGED_MAX_S)


def test_the_other_tool_does_all_of_it(desk: Desk) -> None:
    with running_board(desk.folder / "by ampy") as board:
        made = flash(board, FIRST, tool="ampy")
        assert bootable(disk_of(board)) == [package(FIRST)]
        assert made.slot == "a"
        flash(board, SECOND, tool="ampy")
        assert bootable(disk_of(board)) == [package(SECOND)]


def test_only_files_that_differ_go_over_the_line(node: Desk) -> None:
    made = flash(node.board, SECOND)
    sent = re.fullmatch(r"([\d.]+) KiB into slot ([ab])", made.steps["copy"])
    assert sent is not None
    new = sum(len(data) for name, data in package(SECOND).items() if package(FIRST).get(name) != data)
    assert float(sent[1]) == pytest.approx(new / 1024, abs=0.1)
    assert bootable(disk_of(node.board)) == [package(SECOND)]
    # And the way back: all of it is there already, in the other slot.
    assert flash(node.board, FIRST).steps["copy"] == "skipped: unchanged"
    assert bootable(disk_of(node.board)) == [package(FIRST)]


def test_secrets_stay_where_they_are(node: Desk) -> None:
    ended = node.flash("--node", node.toml, "--rekey")
    assert ended.code == 0, ended.err
    told = ended.out + ended.err + node.receipt.read_text("utf-8")
    keys = node.entry().keys
    assert keys is not None
    for secret in (keys.k_id, keys.k_chain, keys.k_config, bytes.fromhex(MAC)):
        assert secret.hex() not in told.lower()
    assert configuring.WIFI_KEY not in told
    assert keystores.PASSPHRASE not in told
    assert ":".join(MAC[n : n + 2] for n in range(0, 12, 2)) not in told.lower()


def test_keys_stay_unless_they_are_to_go(node: Desk) -> None:
    first, history, count = node.entry().keys, len(node.entry().history), node.count()
    assert steps(node.flash("--node", node.toml))["provision"].startswith("skipped")
    assert node.entry().keys == first
    ended = node.flash("--node", node.toml, "--rekey")
    assert steps(ended)["provision"] == "keys of truck 7"
    assert ended.code == 0, ended.err
    assert node.entry().keys != first
    assert len(node.entry().history) == history + 1
    assert node.count() == count


SENSOR_THAT_FAILS = """
from plumveil.errors import SensorFault


class Sht4x:
    def __init__(self, *a):
        pass

    def read(self):
        raise SensorFault('sht4x: crc')
"""
FAULTY = {
    "lies": ("selftest", "def run():\n    return 1\n", SelfTestFailed, "known answers: cryptography"),
    "breaks": ("selftest", "raise ValueError('secret')\n", NodeLost, "failed with ValueError"),
    "lacks": ("selftest", "import nowhere\n", NodeRefused, "no Plumveil firmware"),
    "cannot read sensors": ("sense/sht4x", SENSOR_THAT_FAILS, SelfTestFailed, "sht4x: crc"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_version_that_fails_its_test_gives_way_to_the_one_before(node: Desk, fault: str) -> None:
    module, source, error, told = FAULTY[fault]
    with pytest.raises(error, match=told) as caught:
        flash(node.board, broken_version(module, source))
    assert "the version before is back" in str(caught.value)
    assert "secret" not in str(caught.value)
    disk = disk_of(node.board)
    assert bootable(disk) == [package(FIRST)]
    assert "/pv/trial" not in disk


def test_a_sensor_that_was_unplugged_is_named(node: Desk) -> None:
    node.board.fault("sensor-out", sensor="sht4x")
    try:
        with pytest.raises(SelfTestFailed, match="sht4x: absent; the version before is back"):
            flash(node.board, SECOND)
        assert bootable(disk_of(node.board)) == [package(FIRST)]
        ended = node.flash()
        assert ended.code == 1
        assert ended.err.splitlines()[-1].endswith("failed: sht4x: absent")
    finally:
        node.board.fault("sensor-in", sensor="sht4x")
    assert flash(node.board, SECOND).self_test["sht4x"] == ""


def test_a_full_disk_is_said_before_anything_is_written(desk: Desk) -> None:
    with running_board(desk.folder / "full") as board:
        flash(board, FIRST)
        board.wait_idle()
        board.fault("disk-full", bytes=8192)
        before = board.files()
        with pytest.raises(PlumveilError, match=r"KiB free, and \d+ are needed: remove"):
            flash(board, SECOND)
        after = board.files()
        assert {path: after[path] for path in before} == before
        board.fault("disk-free")
        flash(board, SECOND)


def test_a_node_that_lost_its_keys_gets_others_under_its_name(desk: Desk) -> None:
    """As after a cut on their way, or an erased flash."""
    with running_board(desk.folder / "again", mac="240ac4000009") as board:
        folder = desk.folder / "again desk"
        folder.mkdir()
        again = Desk(board, folder)
        assert again.flash("--node", again.toml).code == 0
        first, count = again.entry().keys, again.count()
        with NodeLink(board.port) as link:
            link.retire()
        ended = again.flash("--node", again.toml)
        assert ended.code == 0, ended.err
        assert again.entry().keys != first
        assert again.count() == count
        assert json.loads(again.receipt.read_text("utf-8"))["configuration"] == 2
