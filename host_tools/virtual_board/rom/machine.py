"""What ROM and stub work on: one chip with its registers and its flash. Knows no protocol."""

from __future__ import annotations

import hashlib

from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom import efuses
from host_tools.virtual_board.rom.chips import RomChip, rom_chip
from host_tools.virtual_board.rom.registers import Registers
from host_tools.virtual_board.rom.writing import Area

_MD5_CHUNK_BYTES = 0x10000


class Machine:
    """A chip in its loader. `left`: it was told to run the application, or restarted."""

    def __init__(self, name: str, flash: FlashChip, mac: bytes, security: efuses.Security) -> None:
        self.chip: RomChip = rom_chip(name)
        fuses = efuses.burned(self.chip, mac, security)
        self.security_info = fuses.info
        self.registers = Registers(self.chip, fuses, flash.size_bytes)
        self.area = Area(flash)
        self.told_to_leave = False

    @property
    def left(self) -> bool:
        """True when the loader no longer runs."""
        return self.told_to_leave or self.registers.restarted

    def digest(self, at: int, n: int) -> bytes:
        """Returns the MD5 of n bytes of flash. Errors: ReadFailed beyond the end."""
        self.area.read(at + n, 0)
        md5 = hashlib.md5(usedforsecurity=False)
        for start in range(at, at + n, _MD5_CHUNK_BYTES):
            md5.update(self.area.read(start, min(_MD5_CHUNK_BYTES, at + n - start)))
        return md5.digest()
