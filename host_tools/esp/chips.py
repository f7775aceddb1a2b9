"""Facts of the chips on Plumveil's boards, as images and flash layouts need them. Data, no logic beyond look-up.

Sources: esp-idf "App Image Format" (chip ids), "Bootloader" (place in flash), the chips' Technical Reference Manuals,
chapter "System and Memory" (address ranges).
"""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.errors import UsageError


@dataclass(frozen=True)
class Chip:
    """One chip.

    mapped: address ranges [start, end) that the cache maps from flash. The others are where a bootloader and an
    application load code and data to RAM. idle_code: one instruction that jumps to itself.
    """

    name: str
    title: str
    image_id: int
    bootloader_offset_bytes: int
    mapped: tuple[tuple[int, int], ...]
    bootloader_data_address: int
    bootloader_code_address: int
    rom_data_address: int
    iram_address: int
    flash_code_address: int
    idle_code: bytes


_XTENSA_IDLE = bytes.fromhex("06ffff00")  # j . ; Xtensa ISA reference, CALL format, offset -4
_RISCV_IDLE = bytes.fromhex("6f000000")  # jal x0, 0

CHIPS = {
    chip.name: chip
    for chip in (
        Chip(
            name="esp32",
            title="ESP32",
            image_id=0,
            bootloader_offset_bytes=0x1000,
            mapped=((0x3F400000, 0x3F800000), (0x400D0000, 0x40400000)),
            bootloader_data_address=0x3FFF0030,
            bootloader_code_address=0x40080400,
            rom_data_address=0x3F400020,
            iram_address=0x40080000,
            flash_code_address=0x400D0020,
            idle_code=_XTENSA_IDLE,
        ),
        Chip(
            name="esp32s3",
            title="ESP32-S3",
            image_id=9,
            bootloader_offset_bytes=0,
            mapped=((0x3C000000, 0x3E000000), (0x42000000, 0x44000000)),
            bootloader_data_address=0x3FCE2820,
            bootloader_code_address=0x403C8700,
            rom_data_address=0x3C000020,
            iram_address=0x40374000,
            flash_code_address=0x42000020,
            idle_code=_XTENSA_IDLE,
        ),
        Chip(
            name="esp32c3",
            title="ESP32-C3",
            image_id=5,
            bootloader_offset_bytes=0,
            mapped=((0x3C000000, 0x3C800000), (0x42000000, 0x42800000)),
            bootloader_data_address=0x3FCD5820,
            bootloader_code_address=0x403CC710,
            rom_data_address=0x3C000020,
            iram_address=0x40380000,
            flash_code_address=0x42000020,
            idle_code=_RISCV_IDLE,
        ),
    )
}
VIRTUAL_BOARDS_CHIP = "esp32"  # what a board with chip = "virtual" shows on its line


def chip_named(name: str) -> Chip:
    """Returns the chip of a board file's `chip`; "virtual" is an esp32. Errors: UsageError for any other name."""
    chip = CHIPS.get(VIRTUAL_BOARDS_CHIP if name == "virtual" else name)
    if chip is None:
        raise UsageError(f"no chip named {name!r}; there are: {', '.join(CHIPS)}")
    return chip


def chip_with_id(image_id: int) -> Chip | None:
    """Returns the chip that an image's header names, None for one that Plumveil has no boards of."""
    return next((chip for chip in CHIPS.values() if chip.image_id == image_id), None)
