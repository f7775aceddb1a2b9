"""The start from flash: what runs, what does not, and what a chip prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.esp import image, partitions
from host_tools.virtual_board.chip import FlashChip, PowerCut
from host_tools.virtual_board.rom import Reset, boot, downloading

CHIPS = ("esp32", "esp32s3", "esp32c3")
FLASH_BYTES = 0x400000


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def flash(tmp_path: Path) -> Iterator[FlashChip]:
    made = FlashChip(tmp_path / "flash.bin", FLASH_BYTES)
    yield made
    made.close()


def test_a_good_flash_starts(chip: str, flash: FlashChip) -> None:
    data = image.standin_micropython(chip)
    flash.program(image.offset_of(chip), data)
    started = boot(chip, flash)
    assert started.info == image.describe(data)
    assert b"POWERON" in started.printed
    assert re.search(rb"\r\nload:0x[0-9a-f]{8},len:\d+\r\nload:.*\r\nentry 0x[0-9a-f]{8}\r\n$", started.printed)
    assert b"\n" not in started.printed.replace(b"\r\n", b"")


def test_a_virtual_board_is_an_esp32(flash: FlashChip) -> None:
    flash.program(0x1000, image.standin_micropython("virtual"))
    info = boot("virtual", flash).info
    assert info is not None
    assert info.chip == "esp32"


def test_a_blank_flash_does_not_start(chip: str, flash: FlashChip) -> None:
    started = boot(chip, flash)
    assert started.info is None
    assert started.printed.endswith(b"\r\ninvalid header: 0xffffffff\r\n")


@pytest.mark.parametrize("place", ["bootloader", "table", "application"])
def test_a_damaged_flash_does_not_start(chip: str, flash: FlashChip, place: str) -> None:
    base = image.offset_of(chip)
    flash.program(base, image.standin_micropython(chip))
    at = {"bootloader": base + 0x30, "table": partitions.TABLE_OFFSET_BYTES + 12, "application": 0x10030}[place]
    assert flash.read(at, 1) != b"\0"
    flash.program(at, b"\0")
    started = boot(chip, flash)
    assert started.info is None
    said = started.printed.decode()
    assert ("entry 0x" in said) == (place != "bootloader")
    assert "damaged" in said
    assert ("No bootable app" in said) == (place != "bootloader")


def test_a_flash_of_another_chip_does_not_start(flash: FlashChip) -> None:
    flash.program(0, image.standin_micropython("esp32s3"))
    assert b"bootloader is for esp32s3" in boot("esp32c3", flash).printed
    assert boot("esp32", flash).info is None


def test_partitions_beyond_the_flash_do_not_start(tmp_path: Path) -> None:
    small = FlashChip(tmp_path / "small.bin", 0x100000)
    small.program(0x1000, image.standin_micropython("esp32"))
    started = boot("esp32", small)
    small.close()
    assert started.info is None
    assert b"ends beyond the flash" in started.printed


def test_without_power_nothing_starts(flash: FlashChip) -> None:
    flash.power_off()
    with pytest.raises(PowerCut):
        boot("esp32", flash)


@pytest.mark.parametrize(
    ("reset", "said"), [(Reset.SOFTWARE, "0xc"), (Reset.DEEP_SLEEP, "0x5"), (Reset.WATCHDOG, "0x10")]
)
def test_the_cause_of_a_start_is_told(chip: str, flash: FlashChip, reset: Reset, said: str) -> None:
    for printed in (boot(chip, flash, reset).printed, downloading(chip, reset)):
        assert f"rst:{said} (".encode() in printed
        assert b"POWERON" not in printed


def test_the_loader_says_that_it_waits(chip: str) -> None:
    # What esptool looks for after it has pulled the reset lines (ESPLoader._connect_attempt).
    assert re.search(rb"boot:(0x[0-9a-fA-F]+)(.*waiting for download)", downloading(chip), re.DOTALL)
