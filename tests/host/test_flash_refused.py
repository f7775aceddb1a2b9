"""What `plumveil flash` refuses, and that nothing was written then: keys that are damaged, a node that is open to
others or another one, and what is wrong on this side.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from host_tools import boards
from host_tools.esp import partitions
from host_tools.flashing import base, esptool
from host_tools.node_link import NodeLink
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host import configuring, keystores
from tests.host.flash_desk import Desk

pytestmark = [pytest.mark.vm, pytest.mark.slow]

BREAK_SLOT = """
from plumveil import service
from esp32 import Partition
area = Partition.find(Partition.TYPE_DATA, label="pv_keys")[0]
vault = service.open_vault().area
n = [n for n in range(vault.blocks) if not vault.blank(n)][0]
area.writeblocks(n, bytes(16), 20)
print("<01>")
"""
PUT = """
with open({path!r}, "w") as f:
    f.write({text!r})
print("<01>")
"""


def test_damaged_keys_stay_as_they_are_unless_they_are_to_go(tmp_path: Path) -> None:
    with running_board(tmp_path / "damaged", mac="240ac4000007") as board:
        folder = tmp_path / "damaged desk"
        folder.mkdir()
        here = Desk(board, folder)
        assert here.flash("--node", here.toml).code == 0
        with NodeLink(board.port) as link:
            assert link.run(BREAK_SLOT) == b"\x01"
        keys = here.entry().keys
        partition = slice(0x200000, 0x204000)
        before = board.image()[partition]
        ended = here.flash("--node", here.toml)
        assert ended.code == 1
        assert "the node's keys are damaged, and stay as they are: --rekey" in ended.err
        assert board.image()[partition] == before
        assert here.entry().keys == keys
        assert here.flash("--node", here.toml, "--rekey").code == 0
        assert here.entry().keys != keys


def test_a_first_configuration_keeps_the_rules_of_all(tmp_path: Path) -> None:
    with running_board(tmp_path / "open", mac="240ac4000008") as board:
        folder = tmp_path / "open desk"
        folder.mkdir()
        here = Desk(board, folder)
        with NodeLink(board.port) as link:
            link.run(PUT.format(path="/webrepl_cfg.py", text="PASS = 'x'"))
        count = here.count()
        ended = here.flash("--node", here.toml)
        assert ended.code == 1
        assert "webrepl" in ended.err.lower()
        # Nor was it given keys.
        assert here.count() == count
        assert "/pv/config.bin" not in board.files()


@pytest.mark.parametrize("fault", ["wifi", "tenant", "passphrase", "no keystore", "receipt"])
def test_what_is_wrong_on_this_side_is_told_before_anything_is_written(tmp_path: Path, fault: str) -> None:
    with running_board(tmp_path / f"before {fault}") as board:
        folder = tmp_path / f"before {fault} desk"
        folder.mkdir()
        here = Desk(board, folder)
        # A new board makes its file system first.
        board.wait_idle()
        before = board.status()["flash_operations"]
        given: list[str | Path] = ["--node", here.toml]
        if fault == "wifi":
            configuring.put(folder, node={"name": "truck 7"}, wifi={"key": "password"})
        elif fault == "tenant":
            configuring.put(folder, node={"name": "truck 7"}, service={"tenant": "somebody else"})
        elif fault == "no keystore":
            given += ["--keystore", folder / "nowhere"]
        elif fault == "receipt":
            here.receipt = folder / "node.toml" / "receipt.json"
        else:
            other = folder / "passphrase"
            other.write_text("this is not the one\n")
            other.chmod(0o600)
            given += ["--passphrase-file", other]
        ended = here.flash(*given)
        assert ended.code in (1, 2)
        assert len(ended.err.strip().splitlines()[-1]) > 20
        board.wait_idle()
        assert board.status()["flash_operations"] == before


def test_a_board_that_is_another_node_is_not_taken_for_this_one(tmp_path: Path) -> None:
    with running_board(tmp_path / "board") as board:
        here = Desk(board, tmp_path)
        assert here.flash("--node", here.toml).code == 0
        other = configuring.put(tmp_path, node={"name": "reefer 4"})
        ended = here.flash("--node", other)
        assert ended.code == 1
        assert "reefer 4" in ended.err
        # One whose file has changed since is told so.
        ended = here.flash("--node", configuring.put(tmp_path, node={"name": "truck 7"}, wifi={"ssid": "harbour"}))
        assert ended.code == 0, ended.err
        assert "node.toml says other things than the configuration" in ended.err
        assert (
            "says other things" not in here.flash("--node", configuring.put(tmp_path, node={"name": "truck 7"})).err
        )


def test_two_boards_are_not_one_node(tmp_path: Path) -> None:
    """As when one image, keys and all, is written to two boards."""
    with (
        running_board(tmp_path / "one", mac="240ac4000001") as one,
        running_board(tmp_path / "two", mac="240ac4000002") as two,
    ):
        here = Desk(one, tmp_path)
        assert here.flash("--node", here.toml).code == 0
        # The keystore knows the node, and not yet its board.
        with keystores.opened(here.keystore, write=True) as store:
            store.put(dataclasses.replace(store.get("truck 7"), board_hash=None))
            store.save()
        one.power_off()
        two.power_off()
        two.flash.write_bytes(one.image())
        for board in (one, two):
            board.power_on()
            board.wait_mode("application")
        assert here.flash("--node", here.toml).code == 0
        here.board = two
        ended = here.flash("--node", here.toml)
        assert ended.code == 1
        assert "the board on the line is not 'truck 7'" in ended.err


STOCK = esptool.Part(partitions.TABLE_OFFSET_BYTES, partitions.make(partitions.STOCK))


def stock_micropython(board: RunningBoard) -> None:
    """MicroPython as it comes: its table has no place for keys, and its disk lies where they will."""
    parts = base.read(base.STANDIN, boards.load("virtual")).parts
    esptool.write(board.port, "esp32", [parts[0], STOCK, parts[2]], lambda _: None)
    with NodeLink(board.port) as link:
        link.run(PUT.format(path="/notes.txt", text="x" * 9000))


def test_a_board_with_stock_micropython_becomes_a_node(tmp_path: Path) -> None:
    with running_board(tmp_path / "board", blank=True) as board:
        here = Desk(board, tmp_path)
        stock_micropython(board)
        ended = here.flash("--node", here.toml, "--firmware", base.STANDIN)
        assert ended.code == 0, ended.err
        assert json.loads(here.receipt.read_text("utf-8"))["keys"] == "partition"


def test_keys_in_files_stay_though_the_firmware_is_gone(tmp_path: Path) -> None:
    with running_board(tmp_path / "board", blank=True) as board:
        here = Desk(board, tmp_path)
        stock_micropython(board)
        assert here.flash("--node", here.toml).code == 0
        with NodeLink(board.port) as link:
            link.run("import os\nos.remove('/pv/slot')\nprint('<01>')")
        keys = here.entry().keys
        ended = here.flash("--node", here.toml, "--firmware", base.STANDIN)
        assert ended.code == 1
        assert "the node's keys in it would be lost: say --rekey" in ended.err
        assert here.entry().keys == keys
        assert esptool.holds(board.port, "esp32", [STOCK])


def test_a_silent_board_with_keys_in_its_files_keeps_them(tmp_path: Path) -> None:
    """A stock partition table: the keys lie in files, and the board's own table would move them."""
    with running_board(tmp_path / "board", blank=True) as board:
        here = Desk(board, tmp_path)
        stock_micropython(board)
        ended = here.flash("--node", here.toml)
        assert ended.code == 0, ended.err
        assert json.loads(here.receipt.read_text("utf-8"))["keys"] == "files"
        keys = here.entry().keys
        # A cut upgrade: there is an application, and it does not start.
        esptool.write(board.port, "esp32", [esptool.Part(0x20000, bytes(64))], lambda _: None)
        before = board.image()
        ended = here.flash("--node", here.toml, "--firmware", base.STANDIN)
        assert ended.code == 1
        assert "there may be keys in it: say --rekey" in ended.err
        assert board.image() == before
        assert here.entry().keys == keys
