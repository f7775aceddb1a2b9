"""The chip's registers and memory as a flasher reads and writes them, word by word. Memory is bounded.

Fuses and identification read as they are and cannot be written; the flash's SPI controller works; any other address
keeps what was last written to it, the oldest forgotten beyond WORDS_MAX.
"""

from __future__ import annotations

from host_tools.virtual_board.rom import efuses
from host_tools.virtual_board.rom.chips import DETECT_ADDRESS, XTAL_HZ, RomChip
from host_tools.virtual_board.rom.spi_flash import SpiFlash

WORDS_MAX = 4096
ROM_BAUD = 115200
_WATCHDOG_KEY = 0x50D83AA1
_WATCHDOG_ENABLE = 1 << 31


class Registers:
    """32-bit words by address; addresses are rounded down to a word's."""

    def __init__(self, chip: RomChip, fuses: efuses.Fuses, flash_bytes: int) -> None:
        self.baud = ROM_BAUD
        self.restarted = False  # by the watchdog
        self._watched = False
        self._chip = chip
        self._fuses = fuses.words
        self._spi = SpiFlash(chip.spi, flash_bytes)
        self._words: dict[int, int] = {}

    def read(self, address: int) -> int:
        """Returns one word."""
        address &= ~3
        if self._spi.owns(address):
            return self._spi.read(address)
        if self._is_fuse(address):
            return self._fuses.get(address, 0)
        if address == self._chip.baud_divider:
            return XTAL_HZ // self.baud
        if address == DETECT_ADDRESS:
            return self._chip.detect_value
        return self._chip.fixed.get(address, self._words.get(address, 0))

    def write(self, address: int, value: int, mask: int = 0xFFFFFFFF) -> None:
        """Sets the bits of a word that are set in `mask`."""
        address &= ~3
        word = value & mask | self.read(address) & ~mask
        if self._spi.owns(address):
            self._spi.write(address, word)
        else:
            self._watch(address, word)
            self._words.pop(address, None)
            self._words[address] = word
            if len(self._words) > WORDS_MAX:
                del self._words[next(iter(self._words))]

    def _is_fuse(self, address: int) -> bool:
        return self._chip.efuse_base <= address < self._chip.efuse_base + efuses.CONTROLLER_BYTES

    def _watch(self, address: int, word: int) -> None:
        # Its time is up only after the flasher has locked it again.
        watchdog = self._chip.watchdog
        if watchdog is None:
            return
        unlocked = self._words.get(watchdog.protect) == _WATCHDOG_KEY
        if address == watchdog.config and unlocked:
            self._watched = bool(word & _WATCHDOG_ENABLE)
        if address == watchdog.protect and unlocked and self._watched:
            self.restarted = True
