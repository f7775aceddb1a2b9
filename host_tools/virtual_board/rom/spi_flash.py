"""The flash chip as seen through the SPI controller's registers: identification, parameters, status.

A flasher asks for these with single SPI commands (Winbond W25Q datasheet, section 8 "Instructions"). Data go another
way (writing.py): commands that read, program or erase are not answered here.
"""

from __future__ import annotations

import struct

from host_tools.virtual_board.rom.chips import SpiRegisters

CONTROLLER_BYTES = 0x100
_COMMAND, _ADDRESS = 0x00, 0x04
_RUN = 1 << 18  # SPI_USR in SPI_CMD_REG: send the command that the other registers describe
_WINBOND, _W25Q = 0xEF, 0x40

_READ_ID, _READ_PARAMETERS = 0x9F, 0x5A
_READ_STATUS = {0x05: 0, 0x35: 1, 0x15: 2}
_WRITE_STATUS = {0x01: 0, 0x31: 1, 0x11: 2}
_WRITE_ENABLE, _WRITE_ENABLE_VOLATILE, _WRITE_DISABLE = 0x06, 0x50, 0x04
_PARAMETERS_AT = 0x30


class SpiFlash:
    """The controller's registers with a flash chip of `size_bytes` behind them."""

    def __init__(self, registers: SpiRegisters, size_bytes: int) -> None:
        self._at = registers
        self._words: dict[int, int] = {}
        self._status = bytearray(3)
        self._writable = False
        self._id = bytes([_WINBOND, _W25Q, size_bytes.bit_length() - 1])
        self._parameters = _sfdp(size_bytes)

    def owns(self, address: int) -> bool:
        """True for an address of the controller."""
        return self._at.base <= address < self._at.base + CONTROLLER_BYTES

    def read(self, address: int) -> int:
        """Returns a register. A command is done at once: its bit reads 0."""
        return self._words.get(address - self._at.base, 0)

    def write(self, address: int, value: int) -> None:
        """Sets a register; the one with the run bit sends a command."""
        offset = address - self._at.base
        if offset != _COMMAND:
            self._words[offset] = value
        elif value & _RUN:
            self._run(self._words.get(self._at.user2, 0) & 0xFF)

    def _run(self, command: int) -> None:
        if command in (_WRITE_ENABLE, _WRITE_ENABLE_VOLATILE, _WRITE_DISABLE):
            self._writable = command != _WRITE_DISABLE
        elif command in _WRITE_STATUS:
            self._write_status(_WRITE_STATUS[command])
        else:
            bits = min(self._words.get(self._at.miso_bits, 0) + 1, 32)
            answer = int.from_bytes(self._answer(command)[:4], "little")
            self._words[self._at.window] = answer & ((1 << bits) - 1)

    def _answer(self, command: int) -> bytes:
        if command == _READ_ID:
            return self._id
        if command in _READ_STATUS:
            return bytes([self._status[_READ_STATUS[command]]])
        if command == _READ_PARAMETERS:
            address = self._words.get(_ADDRESS, 0)
            address = address >> 8 if self._at.address_high else address & 0xFFFFFF
            return self._parameters[address : address + 4].ljust(4, b"\xff")
        return b"\xff" * 4  # nobody drives the line

    def _write_status(self, first: int) -> None:
        if not self._writable:
            return
        n = min((self._words.get(self._at.mosi_bits, 0) + 1) // 8, len(self._status) - first)
        data = self._words.get(self._at.window, 0).to_bytes(4, "little")
        self._status[first : first + n] = data[:n]
        self._writable = False


def _sfdp(size_bytes: int) -> bytes:
    # JESD216, sections 6.2 to 6.4: header, one parameter header, the first two words of the basic table.
    header = b"SFDP" + bytes([6, 1, 0, 0xFF]) + bytes([0, 6, 1, 2]) + _PARAMETERS_AT.to_bytes(3, "little") + b"\xff"
    table = struct.pack("<II", 0xFFF120E5, 8 * size_bytes - 1)
    return header.ljust(_PARAMETERS_AT, b"\xff") + table
