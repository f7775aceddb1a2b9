"""The chip's ROM loader: the requests it knows, its answers and its error codes. It ends when a stub is started.

Source: esptool's documentation "Serial Protocol", tables "Commands" and "ROM Loader Errors".
"""

from __future__ import annotations

from host_tools.virtual_board.rom.machine import Machine
from host_tools.virtual_board.rom.program import DONE, SYNC_ANSWERS, Answer, Program, Work
from host_tools.virtual_board.rom.requests import (
    BadChecksum,
    BadLength,
    Command,
    FlashFailed,
    InflateFailed,
    NotBegun,
    NotKnown,
    ReadFailed,
    Refused,
    Request,
    TooMuchData,
    response,
)
from host_tools.virtual_board.rom.writing import RomDeflated, RomPlain, Stretch

READ_BLOCK_BYTES = 64
SYNC_VALUE = 0x20120707  # the request's own first bytes; a stub answers 0
UNKNOWN_ANSWERS = 8  # how often a ROM says that it does not know a command

_CODES = {
    BadLength: 0x05,
    NotKnown: 0x05,
    NotBegun: 0x06,
    TooMuchData: 0x06,
    BadChecksum: 0x07,
    FlashFailed: 0x08,
    ReadFailed: 0x09,
    InflateFailed: 0x0B,
}


class Rom(Program):
    """One run of the ROM loader."""

    def __init__(self, machine: Machine) -> None:
        self._download: RomPlain | RomDeflated | None = None
        own: dict[Command, Work] = {
            Command.SYNC: self._sync,
            Command.FLASH_BEGIN: self._flash_begin,
            Command.FLASH_DEFL_BEGIN: self._flash_begin,
            Command.FLASH_DATA: self._flash_data,
            Command.FLASH_DEFL_DATA: self._flash_data,
            Command.FLASH_END: self._flash_end,
            Command.FLASH_DEFL_END: self._flash_end,
            Command.SPI_ATTACH: self._attach,
            Command.SPI_FLASH_MD5: self._md5,
            Command.READ_FLASH_SLOW: self._read_flash,
        }
        if machine.chip.security_info:
            own[Command.GET_SECURITY_INFO] = self._security_info
        super().__init__(machine, own)

    def answer(self, request: Request) -> bytes:
        """Does one request and returns what goes back over the line."""
        work = self.known.get(request.command)
        if work is None or not request.whole:
            # In the field of the command stands 0: flashers tell an unknown command from a failed one by that.
            return response(0, 0, _status(NotKnown)) * (UNKNOWN_ANSWERS if request.whole else 1)
        try:
            value, data = work(request)
        except Refused as refused:
            return response(request.command, 0, _status(type(refused)))
        if self._hooked(request.command):
            return b""  # the stub that runs now never returns to the ROM's answer
        answers = SYNC_ANSWERS if request.command == Command.SYNC else 1
        return response(request.command, value, data + bytes(4)) * answers

    def _sync(self, request: Request) -> Answer:
        request.words(9)
        return SYNC_VALUE, b""

    def _flash_begin(self, request: Request) -> Answer:
        # Chips after the ESP32 take a fifth word: encrypt what is written.
        size, blocks, block_bytes, offset, *_ = request.words(5 if self._machine.chip.security_info else 4)
        kind = RomPlain if request.command == Command.FLASH_BEGIN else RomDeflated
        self._download = None
        self._download = kind(Stretch(self._machine.area, offset, size), blocks, block_bytes)
        return DONE

    def _flash_data(self, request: Request) -> Answer:
        kind = RomPlain if request.command == Command.FLASH_DATA else RomDeflated
        if not isinstance(self._download, kind):
            raise NotBegun
        self._download.write(*request.block())
        return DONE

    def _flash_end(self, request: Request) -> Answer:
        request.words(1)  # 0: restart, 1: run the application; either way the loader is left
        if self._download is None:
            raise NotBegun
        self._download = None
        self._machine.told_to_leave = True
        return DONE

    def _attach(self, request: Request) -> Answer:
        request.words(1, 2)
        return DONE

    def _md5(self, request: Request) -> Answer:
        at, n, _, _ = request.words(4)
        return 0, self._machine.digest(at, n).hex().encode("ascii")

    def _read_flash(self, request: Request) -> Answer:
        at, n = request.words(2)
        if self._hooked(request.command):
            self.jump(self._hooked(request.command))
            return DONE
        if n > READ_BLOCK_BYTES:
            raise ReadFailed
        return 0, self._machine.area.read(at, n).ljust(READ_BLOCK_BYTES, b"\0")

    def _hooked(self, command: int) -> int:
        # Where flash reads were led to by a flasher, 0 when they still go to the ROM's own function.
        hook = self._machine.chip.read_hook
        if command != Command.READ_FLASH_SLOW or hook is None:
            return 0
        return self._machine.registers.read(hook)

    def _security_info(self, request: Request) -> Answer:
        request.words(0)
        return 0, self._machine.security_info


def _status(kind: type[Refused]) -> bytes:
    return bytes([1, _CODES[kind], 0, 0])
