"""Images for a production line, as bytes: where everything lies, that the board would take it, and that keys get
nowhere else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import boards, disk_image, image
from host_tools.boards import Board
from host_tools.errors import PlumveilError
from host_tools.esp import image as esp_image
from host_tools.esp import partitions
from host_tools.firmware_source import as_source
from host_tools.flashing import base
from plumveil import wire
from tests.host import keystores
from tests.host.imaging import (
    FILES,
    FIRMWARE,
    SLOT,
    command,
    made,
    on_disk,
    part,
)


@pytest.mark.parametrize("name", boards.names())
def test_an_image_holds_a_sound_micropython_the_table_and_the_disk(name: str) -> None:
    board, built, flash = made(name)
    info = esp_image.describe(flash[esp_image.offset_of(board.chip) :])
    esp_image.require(info, board.chip)
    table = partitions.parse(flash[partitions.TABLE_OFFSET_BYTES : partitions.TABLE_OFFSET_BYTES + 0xC00])
    assert [entry.label for entry in table] == ["nvs", "phy_init", "factory", wire.KEYS_PARTITION]
    files = partitions.file_system(table, board.flash.size_bytes)
    assert files is not None
    assert disk_image.read(part(flash, files.offset_bytes, files.size_bytes)) == on_disk(board)
    assert built.offset_bytes == (0 if board.chip in ("esp32s3", "esp32c3") else 0x1000)
    assert not built.has_keys


def test_the_disk_is_one_that_stock_micropython_mounts() -> None:
    board, _, flash = made("ESP32_GENERIC")
    disk = part(flash, board.flash.vfs_offset_bytes, board.flash.vfs_size_bytes)
    # LittleFS's SPEC.md: the superblock's name, then version, block size, block count.
    assert disk[8:16] == b"littlefs"
    numbers = [int.from_bytes(disk[at : at + 4], "little") for at in range(20, 32, 4)]
    assert numbers == [0x00020000, 4096, board.flash.vfs_size_bytes // 4096]


def test_a_node_starts_from_the_first_slot_and_boot_files_are_source() -> None:
    assert FILES[wire.FILE_SLOT] == b"a"
    assert FILES["/boot.py"] == as_source("boot.py")
    assert FILES["/pv/a/plumveil/app.mpy"][:1] == b"M"
    rest = set(FILES) - {"/boot.py", "/main.py", wire.FILE_SLOT}
    assert all(path.startswith("/pv/a/plumveil/") and path.endswith(".mpy") for path in rest)
    assert len(FILES) == len(FIRMWARE) + 1


def test_the_same_files_give_the_same_image() -> None:
    assert made("virtual")[2] == made("virtual")[2]


def test_without_keys_their_partition_is_blank_and_with_them_it_holds_them_alone() -> None:
    board, _, flash = made("ESP32_GENERIC")
    keys = (board.flash.keys_offset_bytes, board.flash.keys_size_bytes)
    assert set(part(flash, *keys)) == {0xFF}
    _, built, flash = made("ESP32_GENERIC", SLOT)
    assert part(flash, *keys).rstrip(b"\xff") == SLOT
    assert built.has_keys
    assert flash.count(SLOT) == 1


def test_a_board_without_a_key_partition_gets_its_keys_as_a_file() -> None:
    data = boards.load("ESP32_GENERIC").model_dump()
    data["flash"] |= {"keys_offset_bytes": None, "keys_size_bytes": None}
    data["flash"] |= {"vfs_offset_bytes": 0x200000, "vfs_size_bytes": 0x200000}
    board = Board.model_validate(data)
    built = image.build(board, base.read(base.STANDIN, board), FILES, SLOT)
    disk = disk_image.read(built.data[0x200000 - built.offset_bytes :])
    assert disk == on_disk(board) | {f"{wire.FOLDER_KEYS}/0": SLOT}


def test_nothing_of_what_a_file_has_behind_its_application_comes_along(tmp_path: Path) -> None:
    # The image of another node, taken for MicroPython.
    board, other, _ = made("ESP32_GENERIC", SLOT, **{"/secret": b"of another node"})
    (tmp_path / "other.bin").write_bytes(other.data)
    built = image.build(board, base.read(str(tmp_path / "other.bin"), board), FILES, None)
    assert built.data == made("ESP32_GENERIC")[1].data


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (esp_image.standin_micropython("esp32s3"), "is for esp32s3, the board has esp32"),
        (b"", "given.bin"),
        (b"PK\x03\x04" + bytes(5000), "zip"),
        (esp_image.standin_micropython("esp32")[:-40], "given.bin"),
    ],
)
def test_what_is_no_micropython_for_this_board_is_refused(given: bytes, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "given.bin"
    file.write_bytes(given)
    said = keystores.error_line(command(tmp_path, "--board", "ESP32_GENERIC", "--micropython", file))
    assert fault in said
    assert not (tmp_path / "out.bin").exists()


def test_a_disk_that_is_too_full_is_refused() -> None:
    with pytest.raises(PlumveilError, match="do not fit a disk of 2080768 bytes"):
        made("ESP32_GENERIC", **{"/ballast": bytes(3 << 20)})


def test_a_damaged_disk_does_not_read() -> None:
    board, _, flash = made("ESP32_GENERIC")
    disk = part(flash, board.flash.vfs_offset_bytes, board.flash.vfs_size_bytes)
    with pytest.raises(PlumveilError, match="does not mount"):
        disk_image.read(disk[:-4096])
    with pytest.raises(PlumveilError, match="does not mount"):
        disk_image.read(b"\xff" * len(disk))
