"""The fuses of a virtual chip: its MAC, revision and security state, as words of the fuse controller.

Burned at the factory, so to say: nothing that comes over the line changes them. Sources: Technical Reference Manuals,
chapter "eFuse Controller", tables of parameters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from host_tools.virtual_board.rom.chips import RomChip

MAC_BYTES = 6
CONTROLLER_BYTES = 0x200  # registers of the fuse controller from its base on
_CK8M_FREQ = 50  # see ROM_CHIPS
_XTS_AES_128_KEY = 4  # key purposes
_SECURE_BOOT_DIGEST0 = 9
_INFO = struct.Struct("<IB7BII")
_FLAG_SECURE_BOOT = 1


@dataclass(frozen=True)
class Security:
    """What is burned for good. The virtual flash stays readable either way; this is what tools are told."""

    flash_encryption: bool = False
    secure_boot: bool = False


@dataclass(frozen=True)
class Fuses:
    """words: address of a register -> value. info: the answer to GET_SECURITY_INFO, empty where the ROM has none."""

    words: dict[int, int] = field(repr=False)
    info: bytes


def burned(chip: RomChip, mac: bytes, security: Security) -> Fuses:
    """Returns the fuses of one chip. mac: 6 bytes, as printed from left to right. Errors: ValueError."""
    if len(mac) != MAC_BYTES:
        raise ValueError("a MAC has 6 bytes")
    if chip.name == "esp32":
        words, info = _esp32(mac, security), b""
    else:
        words, info = _later(chip, mac, security)
    return Fuses({chip.efuse_base + offset: word for offset, word in words.items()}, info)


def _esp32(mac: bytes, security: Security) -> dict[int, int]:
    # ESP32-D0WD-V3, revision 3.1 (bits REV1, REV2 and the top bit of SYSCON_DATE_REG).
    crypt_count, crypt_config = (1, 0xF) if security.flash_encryption else (0, 0)
    return {
        0x00: crypt_count << 20,
        0x04: int.from_bytes(mac[2:], "big"),
        0x08: _crc8(mac) << 16 | int.from_bytes(mac[:2], "big"),
        0x0C: 1 << 15 | 1 << 13 | 1 << 9,
        0x10: _CK8M_FREQ,
        0x14: crypt_config << 28 | 1 << 24 | 1 << 20,
        0x18: (1 << 5) * security.secure_boot,  # ABS_DONE_1: secure boot V2
    }


def _later(chip: RomChip, mac: bytes, security: Security) -> tuple[dict[int, int], bytes]:
    # ESP32-S3 v0.2, ESP32-C3 v0.4, flash outside of the package.
    minor = {"esp32s3": 2, "esp32c3": 4}[chip.name]
    purposes = [0] * 7
    if security.flash_encryption:
        purposes[0] = _XTS_AES_128_KEY
    if security.secure_boot:
        purposes[1] = _SECURE_BOOT_DIGEST0
    crypt_count = 1 if security.flash_encryption else 0
    words = {
        0x34: purposes[1] << 28 | purposes[0] << 24 | crypt_count << 18,
        0x38: (1 << 20) * security.secure_boot,
        0x44: int.from_bytes(mac[2:], "big"),
        0x48: int.from_bytes(mac[:2], "big"),
        0x50: minor << 18,
    }
    flags = _FLAG_SECURE_BOOT * security.secure_boot
    return words, _INFO.pack(flags, crypt_count, *purposes, chip.image_id, 0)


def _crc8(mac: bytes) -> int:
    # ESP32 TRM, "eFuse Controller": CRC-8 of the MAC, polynomial x^8 + x^5 + x^4 + 1, lowest bit first.
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc
