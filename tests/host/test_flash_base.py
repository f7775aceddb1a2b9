"""MicroPython itself: written where it is missing, checked before, left alone where it is right already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools import boards
from host_tools.errors import PlumveilError, UsageError
from host_tools.esp import image, partitions
from host_tools.flashing import base, esptool
from host_tools.node_link import NodeLink, NodeLost
from host_tools.virtual_board.running import RunningBoard, running_board
from tests.host.command_line import run
from tests.host.flashing import bootable, first_version, flash, package

BOARD = boards.load("ESP32_GENERIC")
FIRST = first_version()


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[RunningBoard]:
    with running_board(tmp_path / "blank", blank=True) as board:
        yield board


def stored(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "micropython.bin"
    path.write_bytes(data)
    return str(path)


def test_an_image_for_another_chip_is_refused(tmp_path: Path) -> None:
    given = stored(tmp_path, image.standin_micropython("esp32s3"))
    with pytest.raises(PlumveilError, match="is for esp32s3, the board has esp32"):
        base.read(given, BOARD)


def test_a_damaged_image_is_refused(tmp_path: Path) -> None:
    data = bytearray(image.standin_micropython("esp32"))
    data[-40] ^= 1
    with pytest.raises(PlumveilError, match=r"micropython\.bin"):
        base.read(stored(tmp_path, bytes(data)), BOARD)


def test_without_an_image_it_says_where_it_is_to_be_had() -> None:
    with pytest.raises(UsageError, match=r"release 1\.28\.0 from micropython\.org/download/ESP32_GENERIC"):
        base.read(None, BOARD)
    with pytest.raises(UsageError, match=r"cannot read nowhere\.bin: No such file"):
        base.read("nowhere.bin", BOARD)


def test_the_partition_table_gets_the_keys_place_and_nothing_between_the_parts_is_written(tmp_path: Path) -> None:
    found = base.read(stored(tmp_path, image.standin_micropython("esp32")), BOARD)
    table = partitions.parse(found.table.data)
    keys = next(entry for entry in table if entry.label == "pv_keys")
    assert [keys.offset_bytes, keys.size_bytes] == found.keys == [0x200000, 0x4000]
    assert [entry.label for entry in table] == ["nvs", "phy_init", "factory", "pv_keys"]
    nvs = range(0x9000, 0xF000)
    assert not any(
        at in nvs for part in found.parts for at in (part.offset_bytes, part.offset_bytes + len(part.data) - 1)
    )


@pytest.mark.vm
@pytest.mark.slow
def test_a_blank_board_gets_it_and_works(blank: RunningBoard) -> None:
    made = flash(blank, FIRST)
    assert made.steps["micropython"] == f"{image.VIRTUAL_VERSION} written"
    assert made.keys is None
    assert bootable(blank.files()) == [package(FIRST)]
    again = flash(blank, FIRST, micropython=base.STANDIN)
    assert again.steps["micropython"] == f"skipped: {image.VIRTUAL_VERSION} is there"
    with NodeLink(blank.port) as link:
        assert link.run("import esp32\nprint('<%02x>' % len(esp32.Partition.find(1, label='pv_keys')))") == b"\x01"


@pytest.mark.vm
@pytest.mark.slow
def test_a_blank_board_without_an_image(blank: RunningBoard) -> None:
    before = blank.image()
    with pytest.raises(UsageError, match=r"no MicroPython on the board: .* micropython\.org/download"):
        flash(blank, FIRST, is_virtual=False)
    with pytest.raises(UsageError, match="runs on virtual boards alone"):
        flash(blank, FIRST, is_virtual=False, micropython=base.STANDIN)
    with pytest.raises(PlumveilError, match="has an esp32, ESP32_GENERIC_C3 has an esp32c3"):
        flash(blank, FIRST, micropython=base.STANDIN, board=boards.load("ESP32_GENERIC_C3"))
    assert blank.image() == before


@pytest.mark.vm
@pytest.mark.slow
def test_a_board_of_another_chip_is_not_flashed(tmp_path: Path) -> None:
    with running_board(tmp_path / "c3", "ESP32_GENERIC_C3") as board:
        with pytest.raises(PlumveilError, match="has an esp32c3, virtual has an esp32: say which --board"):
            flash(board, FIRST)
        # Left to itself it finds the board of the chip.
        assert flash(board, FIRST, board=None).board == "ESP32_GENERIC_C3"


@pytest.mark.vm
@pytest.mark.slow
def test_an_image_that_moves_the_disk_does_not_take_the_keys_along(blank: RunningBoard, tmp_path: Path) -> None:
    written = base.read(base.STANDIN, boards.load("virtual"))
    stock = esptool.Part(partitions.TABLE_OFFSET_BYTES, partitions.make(partitions.STOCK))
    esptool.write(blank.port, "esp32", [written.parts[0], stock, written.parts[2]], lambda _: None)
    with pytest.raises(PlumveilError, match="--rekey"):
        base.write(blank.port, written, lambda _: None, keys_at_stake=True)
    assert esptool.holds(blank.port, "esp32", [stock])
    base.write(blank.port, written, lambda _: None, keys_at_stake=False)
    assert esptool.holds(blank.port, "esp32", written.parts)


@pytest.mark.vm
@pytest.mark.slow
def test_erase_takes_everything_and_asks_first(blank: RunningBoard) -> None:
    flash(blank, FIRST)
    refused = run("erase", "--port", blank.port, stdin=b"no\n")
    assert refused.code == 1
    assert "nothing was erased" in refused.err
    assert set(blank.image()) != {0xFF}
    ended = run("erase", "--port", blank.port, stdin=b"erase\n")
    assert ended.code == 0, ended.err
    assert set(blank.image()) == {0xFF}
    with pytest.raises(NodeLost):
        NodeLink(blank.port)
