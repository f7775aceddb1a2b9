"""What a chip's ROM and registers show to a flasher: addresses, revision, identification. Data only.

Sources: Technical Reference Manuals, chapters "eFuse Controller", "SPI Controller", "UART", "Low-power Management";
register addresses as esp-idf's soc headers name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from host_tools.esp.chips import CHIPS, chip_named

DETECT_ADDRESS = 0x40001000  # a word of the ROM that differs between chips
XTAL_HZ = 40_000_000


class Reset(IntEnum):
    """Why a chip starts, as its ROM numbers it (Technical Reference Manuals, "Reset and Clock", reset sources)."""

    POWER_ON = 0x01
    DEEP_SLEEP = 0x05
    SOFTWARE = 0x0C
    WATCHDOG = 0x10


# How the ROMs call it: the ESP32's, and the later ones'.
_WORDS = {
    Reset.POWER_ON: ("POWERON_RESET", "POWERON"),
    Reset.DEEP_SLEEP: ("DEEPSLEEP_RESET", "DSLEEP"),
    Reset.SOFTWARE: ("SW_CPU_RESET", "RTC_SW_CPU_RST"),
    Reset.WATCHDOG: ("RTCWDT_RTC_RESET", "RTCWDT_RTC_RST"),
}


@dataclass(frozen=True)
class SpiRegisters:
    """The flash's SPI controller: offsets of its registers. address_high: an address is sent from the top bit on."""

    base: int
    user: int
    user2: int
    mosi_bits: int
    miso_bits: int
    window: int
    address_high: bool


@dataclass(frozen=True)
class Watchdog:
    """The RTC watchdog: a flasher without reset lines restarts the chip with it."""

    config: int
    protect: int


@dataclass(frozen=True)
class RomChip:
    """One chip as its loader shows it.

    security_info: whether the ROM knows GET_SECURITY_INFO. read_hook: address of the ROM's pointer to its flash read
    function (flashers start their stub through it where secure boot forbids the direct way), None where nobody does.
    fixed: registers that always read the same.
    """

    name: str
    detect_value: int
    efuse_base: int
    spi: SpiRegisters
    baud_divider: int
    watchdog: Watchdog | None
    security_info: bool
    read_hook: int | None
    fixed: dict[int, int]
    greeting: str
    boot_mode: str
    download_mode: str

    @property
    def image_id(self) -> int:
        """The number by which images and the ROM name this chip."""
        return CHIPS[self.name].image_id

    def started(self, reset: Reset) -> str:
        """Returns what the ROM prints before it reads the flash."""
        return self._said(reset, self.boot_mode)

    def downloading(self, reset: Reset) -> str:
        """Returns what the ROM prints when it stays in its loader."""
        return self._said(reset, self.download_mode) + "waiting for download\n"

    def _said(self, reset: Reset, mode: str) -> str:
        word = _WORDS[reset][self.security_info]
        return f"{self.greeting}rst:0x{reset:x} ({word}),boot:{mode}\n"


_SPI_ESP32 = SpiRegisters(0x3FF42000, 0x1C, 0x24, 0x28, 0x2C, 0x80, address_high=True)
_SPI_LATER = SpiRegisters(0x60002000, 0x18, 0x20, 0x24, 0x28, 0x58, address_high=False)

ROM_CHIPS = {
    chip.name: chip
    for chip in (
        RomChip(
            name="esp32",
            detect_value=0x00F01D83,
            efuse_base=0x3FF5A000,
            spi=_SPI_ESP32,
            baud_divider=0x3FF40014,
            watchdog=None,
            security_info=False,
            read_hook=None,
            # SYSCON_DATE_REG, whose top bit is part of revision 3; RTCCALICFG1: with the fuse CK8M_FREQ, 50, the ROM
            # measured a crystal of 40 MHz (value * 15625 * CK8M_FREQ / 40).
            fixed={0x3FF6607C: 1 << 31, 0x3FF5F06C: 2048 << 7},
            greeting="ets Jul 29 2019 12:21:46\n\n",
            boot_mode="0x13 (SPI_FAST_FLASH_BOOT)",
            download_mode="0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))",
        ),
        RomChip(
            name="esp32s3",
            detect_value=0x00000009,
            efuse_base=0x60007000,
            spi=_SPI_LATER,
            baud_divider=0x60000014,
            watchdog=Watchdog(config=0x60008098, protect=0x600080B0),
            security_info=True,
            read_hook=0x3FCEF688,
            fixed={},
            greeting="ESP-ROM:esp32s3-20210327\nBuild:Mar 27 2021\n",
            boot_mode="0x8 (SPI_FAST_FLASH_BOOT)",
            download_mode="0x0 (DOWNLOAD(USB/UART0))",
        ),
        RomChip(
            name="esp32c3",
            detect_value=0x1B31506F,
            efuse_base=0x60008800,
            spi=_SPI_LATER,
            baud_divider=0x60000014,
            watchdog=Watchdog(config=0x60008090, protect=0x600080A8),
            security_info=True,
            read_hook=None,
            fixed={},
            greeting="ESP-ROM:esp32c3-api1-20210207\nBuild:Feb  7 2021\n",
            boot_mode="0xc (SPI_FAST_FLASH_BOOT)",
            download_mode="0x4 (DOWNLOAD(USB/UART0/1))",
        ),
    )
}


def rom_chip(name: str) -> RomChip:
    """Returns the chip of a board file's `chip`. Errors: UsageError for one that does not exist."""
    return ROM_CHIPS[chip_named(name).name]
