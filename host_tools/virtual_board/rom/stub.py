"""The flasher stub's protocol, spoken once a flasher has loaded one: its code cannot run here, its answers are these.

Source: espressif/esp-flasher-stub, src/command_handler.c (what it does, in which order, with which codes). Like it,
this acknowledges a block before it writes it: a failed write is told in answer to the next request.
"""

from __future__ import annotations

import hashlib

from host_tools.virtual_board.rom.frames import framed
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
from host_tools.virtual_board.rom.writing import Stretch, StubDeflated, StubPlain

GREETING = framed(b"OHAI")
READ_PACKET_MAX_BYTES = 4096
_ACK_BYTES = 4

_CODES = {
    BadLength: 0xC0,
    BadChecksum: 0xC1,
    NotKnown: 0xC3,
    FlashFailed: 0xC4,
    ReadFailed: 0xC4,
    NotBegun: 0xC6,
    InflateFailed: 0xC7,
    TooMuchData: 0xC9,
}
_NOT_IMPLEMENTED = bytes([0xFF, 0])


class Stub(Program):
    """One run of the stub. `ended` when a flasher sent it back to the ROM loader."""

    def __init__(self, machine: Machine) -> None:
        self.ended = False
        self._download: StubPlain | StubDeflated | None = None
        self._late: Refused | None = None
        self._reading: _Reading | None = None
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
            Command.READ_FLASH: self._read_flash,
            Command.ERASE_FLASH: self._erase_flash,
            Command.ERASE_REGION: self._erase_region,
            Command.RUN_USER_CODE: self._run,
        }
        super().__init__(machine, own)

    def acknowledged(self, frame: bytes) -> bytes | None:
        """Takes a frame while flash is being read out; None when none is, and the frame is a request."""
        if self._reading is None:
            return None
        packet = self._reading.next(frame)
        if self._reading.done:
            self._reading = None
        return packet

    def answer(self, request: Request) -> bytes:
        """Does one request and returns what goes back over the line."""
        if not request.whole:
            return response(request.command, 0, _status(BadLength))
        if self._late is not None:
            late, self._late = self._late, None
            return response(request.command, 0, _status(type(late)))
        if request.command == Command.GET_SECURITY_INFO:
            info = self._machine.security_info
            return response(request.command, 0, info + bytes(2) if info else _NOT_IMPLEMENTED)
        try:
            work = self.known.get(request.command)
            if work is None:
                raise NotKnown
            value, data = work(request)
        except Refused as refused:
            return response(request.command, 0, _status(type(refused)))
        return self._with_data(request.command, value, data)

    def _with_data(self, command: int, value: int, data: bytes) -> bytes:
        if command == Command.RUN_USER_CODE:
            return b""  # it is gone before it could answer
        answers = response(command, value, data + bytes(2)) * (SYNC_ANSWERS if command == Command.SYNC else 1)
        return answers + (self.acknowledged(bytes(_ACK_BYTES)) or b"" if command == Command.READ_FLASH else b"")

    def _sync(self, request: Request) -> Answer:
        request.words(9)
        return DONE

    def _flash_begin(self, request: Request) -> Answer:
        size, _, _, offset, *_ = request.words(4, 5)
        kind = StubPlain if request.command == Command.FLASH_BEGIN else StubDeflated
        self._download = None
        self._download = kind(Stretch(self._machine.area, offset, size))
        return DONE

    def _flash_data(self, request: Request) -> Answer:
        if self._download is None:
            raise NotBegun
        sequence, block = request.block()
        try:
            self._download.write(sequence, block)
        except Refused as refused:
            self._late = refused
        return DONE

    def _flash_end(self, request: Request) -> Answer:
        (stay,) = request.words(1)
        if self._download is None:
            raise NotBegun
        self._download.finish()
        self._download = None
        self.ended = not stay
        return DONE

    def _attach(self, request: Request) -> Answer:
        request.words(1)
        return DONE

    def _md5(self, request: Request) -> Answer:
        at, n, _, _ = request.words(4)
        return 0, self._machine.digest(at, n)

    def _read_flash(self, request: Request) -> Answer:
        at, n, packet_bytes, _ = request.words(4)
        if not 0 < packet_bytes <= READ_PACKET_MAX_BYTES:
            raise BadLength
        self._machine.area.read(at + n, 0)
        self._reading = _Reading(self._machine, at, n, packet_bytes)
        return DONE

    def _erase_flash(self, request: Request) -> Answer:
        request.words(0)
        self._machine.area.erase_chip()
        return DONE

    def _erase_region(self, request: Request) -> Answer:
        self._machine.area.erase(*request.words(2))
        return DONE

    def _run(self, request: Request) -> Answer:
        request.words(0)
        self._machine.told_to_leave = True
        return DONE


class _Reading:
    """Flash on its way out: a packet for each acknowledgement, then the MD5 of all."""

    def __init__(self, machine: Machine, at: int, n: int, packet_bytes: int) -> None:
        self.done = False
        self._machine = machine
        self._at = at
        self._end = at + n
        self._size = n
        self._packet_bytes = packet_bytes
        self._md5 = hashlib.md5(usedforsecurity=False)

    def next(self, acknowledgement: bytes) -> bytes:
        """Takes an acknowledgement (bytes received so far, 32 bits), returns the next packet, or the digest."""
        received = int.from_bytes(acknowledgement[:_ACK_BYTES], "little")
        given_up = len(acknowledgement) != _ACK_BYTES
        if self._at < self._end and not given_up:
            packet = self._machine.area.read(self._at, min(self._packet_bytes, self._end - self._at))
            self._at += len(packet)
            self._md5.update(packet)
            return framed(packet)
        if received < self._size and not given_up:
            return b""
        self.done = True
        return framed(self._md5.digest())


def _status(kind: type[Refused]) -> bytes:
    return bytes([_CODES[kind], 0])
