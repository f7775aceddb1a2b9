"""Partition tables: bytes as esp-idf lays them out, what is refused, the key partition in an image's own table."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace

import pytest

from host_tools import boards
from host_tools.errors import PlumveilError
from host_tools.esp import image, partitions
from host_tools.esp.partitions import STOCK, TYPE_APPLICATION, TYPE_DATA, Partition
from plumveil import wire

BOARD = boards.load("ESP32_GENERIC")
NO_KEYS = BOARD.model_copy(
    update={
        "flash": BOARD.flash.model_copy(
            update={
                "keys_offset_bytes": None,
                "keys_size_bytes": None,
                "vfs_offset_bytes": 0x200000,
                "vfs_size_bytes": 0x200000,
            }
        )
    }
)
KEYS = Partition("pv_keys", TYPE_DATA, 0x06, 0x200000, 0x4000)


def row(type_: int, subtype: int, offset: int, size: int, label: str) -> bytes:
    """One entry as esp-idf's documentation "Partition Tables" and gen_esp32part.py lay it out."""
    return (
        b"\xaa\x50" + struct.pack("<BBII", type_, subtype, offset, size) + label.encode().ljust(16, b"\0") + bytes(4)
    )


STOCK_ROWS = b"".join(
    [
        row(1, 2, 0x9000, 0x6000, "nvs"),
        row(1, 1, 0xF000, 0x1000, "phy_init"),
        row(0, 0, 0x10000, 0x1F0000, "factory"),
    ]
)


def summed(rows: bytes) -> bytes:
    return rows + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows).digest()


def ended(rows: bytes) -> bytes:
    return rows.ljust(0xC00, b"\xff")


def test_a_table_is_laid_out_as_esp_idf_does() -> None:
    assert partitions.make(STOCK) == ended(summed(STOCK_ROWS))
    assert partitions.parse(ended(summed(STOCK_ROWS))) == STOCK


def test_flags_and_long_labels_survive() -> None:
    table = (*STOCK, Partition("sixteen_letters_", TYPE_DATA, 0x40, 0x200000, 0x1000, flags=3))
    assert partitions.parse(partitions.make(table)) == table


def test_any_changed_byte_of_the_entries_is_noticed() -> None:
    good = partitions.make(STOCK)
    for place in range(len(summed(STOCK_ROWS)) + 32):
        with pytest.raises(PlumveilError, match="damaged"):
            partitions.parse(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no end"),
        (ended(b""), "is blank"),
        (summed(STOCK_ROWS), "has no end"),
        (ended(STOCK_ROWS), "has no MD5"),
        (ended(summed(STOCK_ROWS) + row(1, 6, 0x200000, 0x1000, "late")), "no entry at its byte 128"),
        (ended(summed(summed(STOCK_ROWS))), "its MD5 is wrong"),
        (ended(summed(row(0, 0, 0x10000, 0x1000, "caf\xe9"))), "a label is no text"),
        (STOCK_ROWS * 40, "has no end"),
    ],
)
def test_a_table_that_no_bootloader_takes_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(PlumveilError, match=said):
        partitions.parse(data)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (Partition("x", TYPE_DATA, 6, 0x1FF000, 0x2000), r"'factory' \(0x10000-0x200000\) and 'x' .* overlap"),
        (Partition("nvs", TYPE_DATA, 6, 0x200000, 0x1000), "a label twice"),
        (Partition("", TYPE_DATA, 6, 0x200000, 0x1000), "1 to 16 letters"),
        (Partition("seventeen_letters", TYPE_DATA, 6, 0x200000, 0x1000), "1 to 16 letters"),
        (Partition("\n", TYPE_DATA, 6, 0x200000, 0x1000), "1 to 16 letters"),
        (Partition("x", TYPE_DATA, 6, 0x200010, 0x1000), "whole blocks"),
        (Partition("x", TYPE_DATA, 6, 0x200000, 0x1010), "whole blocks"),
        (Partition("x", TYPE_DATA, 6, 0x200000, 0), "whole blocks"),
        (Partition("x", TYPE_APPLICATION, 0x10, 0x201000, 0x1000), "whole blocks"),
        (Partition("x", TYPE_DATA, 6, 0x8000, 0x1000), "over the partition table"),
    ],
)
def test_entries_that_cannot_be_are_refused(entry: Partition, said: str) -> None:
    with pytest.raises(PlumveilError, match=said):
        partitions.make((*STOCK, entry))
    raw = row(entry.type, entry.subtype, entry.offset_bytes, entry.size_bytes, entry.label[:16])
    if len(entry.label) <= 16:
        with pytest.raises(PlumveilError, match=said):
            partitions.parse(ended(summed(STOCK_ROWS + raw)))


def test_too_many_entries_are_refused() -> None:
    many = [Partition(f"p{i}", TYPE_DATA, 6, 0x200000 + i * 0x1000, 0x1000) for i in range(94)]
    assert partitions.parse(partitions.make(tuple(many))) == tuple(many)
    with pytest.raises(PlumveilError, match="more than fit"):
        partitions.make((*many, Partition("p94", TYPE_DATA, 6, 0x300000, 0x1000)))


def test_the_size_of_the_flash_is_a_bound() -> None:
    partitions.check(STOCK, 0x200000)
    with pytest.raises(PlumveilError, match=r"'factory' .* ends beyond the flash of 0x1ff000"):
        partitions.check(STOCK, 0x1FF000)


def test_the_application_is_factory_or_the_first() -> None:
    ota = (
        Partition("ota_0", TYPE_APPLICATION, 0x10, 0x10000, 0x10000),
        Partition("ota_1", TYPE_APPLICATION, 0x11, 0x20000, 0x10000),
    )
    assert partitions.application(ota).label == "ota_0"
    factory = Partition("factory", TYPE_APPLICATION, 0, 0x30000, 0x10000)
    assert partitions.application((*ota, factory)) is factory
    with pytest.raises(PlumveilError, match="no application"):
        partitions.application(STOCK[:2])


def test_files_lie_where_micropython_puts_them() -> None:
    # ports/esp32/main.c: an entry labelled vfs or ffat, else all from the largest end on.
    assert partitions.file_system(STOCK, 0x400000) == Partition("vfs", TYPE_DATA, 0x81, 0x200000, 0x200000)
    assert partitions.file_system(STOCK[::-1], 0x800000) == Partition("vfs", TYPE_DATA, 0x81, 0x200000, 0x600000)
    own = Partition("vfs", TYPE_DATA, 0x81, 0x300000, 0x10000)
    assert partitions.file_system((*STOCK, own), 0x400000) is own
    assert partitions.file_system(STOCK, 0x200000) is None
    assert partitions.file_system((), 0x200000) is None


def test_the_key_partition_is_added_as_the_board_says() -> None:
    table = partitions.with_keys(STOCK, BOARD)
    assert table == (*STOCK, KEYS)
    assert table[-1].label == wire.KEYS_PARTITION
    assert partitions.with_keys(table, BOARD) == table  # again: nothing new
    moved = (*STOCK, replace(KEYS, offset_bytes=0x300000))
    assert partitions.with_keys(moved, BOARD) == table
    assert partitions.with_keys(STOCK, NO_KEYS) == STOCK
    files = partitions.file_system(table, BOARD.flash.size_bytes)
    assert files is not None
    assert (files.offset_bytes, files.size_bytes) == (BOARD.flash.vfs_offset_bytes, BOARD.flash.vfs_size_bytes)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ((*STOCK, Partition("romfs", TYPE_DATA, 0x8F, 0x200000, 0x20000)), "'romfs' .* and 'pv_keys' .* overlap"),
        ((*STOCK, Partition("vfs", TYPE_DATA, 0x81, 0x200000, 0x200000)), "'vfs' .* and 'pv_keys' .* overlap"),
        (
            (*STOCK, Partition("vfs", TYPE_DATA, 0x81, 0x210000, 0x1F0000)),
            "files would lie at 0x210000.*ESP32_GENERIC",
        ),
        (
            (*STOCK, Partition("more", TYPE_DATA, 6, 0x300000, 0x1000)),
            "files would lie at 0x301000.*says at 0x204000",
        ),
        ((*STOCK, Partition("more", TYPE_DATA, 6, 0x3FF000, 0x1000)), "files would lie nowhere"),
        ((*STOCK, Partition("more", TYPE_DATA, 6, 0x400000, 0x1000)), "ends beyond the flash"),
    ],
)
def test_an_image_that_does_not_suit_the_board_is_refused(table: partitions.Table, said: str) -> None:
    with pytest.raises(PlumveilError, match=said):
        partitions.with_keys(table, BOARD)


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c3"])
def test_only_the_table_of_an_image_is_patched(chip: str) -> None:
    before = image.standin_micropython(chip)
    after = partitions.patched(before, BOARD)
    assert image.describe(after).table == (*STOCK, KEYS)
    at = partitions.TABLE_OFFSET_BYTES - image.offset_of(chip)
    assert len(after) == len(before)
    assert after[:at] == before[:at]
    assert after[at + 0xC00 :] == before[at + 0xC00 :]
    assert after == image.standin_micropython(chip, (*STOCK, KEYS))
    assert partitions.patched(after, BOARD) == after


def test_what_is_no_image_is_not_patched() -> None:
    with pytest.raises(PlumveilError, match="the image is no firmware image"):
        partitions.patched(bytes(0x20000), BOARD)
    with pytest.raises(PlumveilError, match="the partition table is damaged"):
        partitions.patched(image.standin_micropython("esp32")[:0x7000], BOARD)
