"""Start from flash: what ROM and bootloader check before an application runs, and what they print. Changes nothing.

Sources: esp-idf "Bootloader" and "App Image Format"; the ROM's own words as chips print them.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.errors import PlumveilError
from host_tools.esp import partitions
from host_tools.esp.chips import Chip, chip_named
from host_tools.esp.image import ImageInfo, describe
from host_tools.esp.segments import BadImage, Parsed, parse
from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom.chips import Reset, rom_chip


@dataclass(frozen=True)
class Boot:
    """info: what was started, None when nothing was. printed: what came over the line, with CR LF."""

    info: ImageInfo | None
    printed: bytes


def boot(chip: str, flash: FlashChip, reset: Reset = Reset.POWER_ON) -> Boot:
    """Starts a chip from its flash. Errors: UsageError for an unknown chip, PowerCut while the supply is off."""
    facts = chip_named(chip)
    data = flash.read(facts.bootloader_offset_bytes, flash.size_bytes - facts.bootloader_offset_bytes)
    said = rom_chip(chip).started(reset)
    try:
        bootloader = _bootloader(data, facts)
    except BadImage as error:
        return Boot(None, _lines(said + _refusal(data, error)))
    for segment in bootloader.segments:
        said += f"load:0x{segment.address:08x},len:{len(segment.data)}\n"
    said += f"entry 0x{bootloader.entry:08x}\n"
    try:
        info = describe(data, "flash")
        partitions.check(info.table, flash.size_bytes)
    except PlumveilError as error:
        return Boot(None, _lines(said + f"E (60) boot: {error}\nE (61) boot: No bootable app partitions\n"))
    return Boot(info, _lines(said))


def downloading(chip: str, reset: Reset = Reset.POWER_ON) -> bytes:
    """Returns what the chip prints when its reset finds the pin for the serial loader low."""
    return _lines(rom_chip(chip).downloading(reset))


def _bootloader(data: bytes, facts: Chip) -> Parsed:
    bootloader = parse(data)
    if bootloader.chip is not facts:
        raise BadImage(f"is for {bootloader.chip.name}")
    return bootloader


def _refusal(data: bytes, error: BadImage) -> str:
    # An image without its first byte is no image to the ROM: it prints the first word. Blank flash reads 0xffffffff.
    if data[0] != 0xE9:
        return f"invalid header: 0x{int.from_bytes(data[:4], 'little'):08x}\n"
    return f"bootloader {error}\n"


def _lines(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("ascii", "replace")
