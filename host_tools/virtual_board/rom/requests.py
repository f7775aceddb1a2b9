"""The serial protocol's requests: numbers, layout, checksum, and the ways in which one can be refused.

Source: esptool's documentation "Serial Protocol". Layouts are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from host_tools.esp.segments import CHECKSUM_SEED, xor_bytes
from host_tools.virtual_board.rom.frames import END, framed

HEADER = struct.Struct("<BBHI")  # direction, command, length of data, checksum or value
BLOCK_HEADER = struct.Struct("<IIII")  # of the commands *_DATA: length, sequence number, 0, 0
_REQUEST = 0
_RESPONSE = 1


class Command(IntEnum):
    """Numbers of requests; from 0xD0 on only a flasher stub knows them."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


SYNC_DATA = b"\x07\x07\x12\x20" + b"\x55" * 32
_SYNC_FRAME = framed(HEADER.pack(_REQUEST, Command.SYNC, len(SYNC_DATA), 0) + SYNC_DATA)
SYNC_BYTES = len(_SYNC_FRAME)


class Refused(Exception):
    """A request is not done. ROM and stub have a code of their own for each kind."""


class BadLength(Refused):
    """Its data are too short, too long, or not as long as they say."""


class BadChecksum(Refused):
    """The block was changed on the line."""


class NotBegun(Refused):
    """A block or an end without a beginning."""


class TooMuchData(Refused):
    """More than was announced."""


class FlashFailed(Refused):
    """Beyond the flash, or it does not hold what was written to it."""


class ReadFailed(Refused):
    """Beyond the flash."""


class InflateFailed(Refused):
    """No deflated data."""


class NotKnown(Refused):
    """No such command."""


@dataclass(frozen=True)
class Request:
    """One request as it came; `whole` is False when it does not begin or end as a request does."""

    command: int
    data: bytes
    checksum: int
    whole: bool

    def words(self, *counts: int) -> tuple[int, ...]:
        """Returns the data as 32-bit words, one of `counts` of them. Errors: BadLength."""
        if len(self.data) not in {4 * n for n in counts}:
            raise BadLength
        return struct.unpack(f"<{len(self.data) // 4}I", self.data)

    def block(self) -> tuple[int, bytes]:
        """Returns (sequence number, block) of a *_DATA request. Errors: BadLength, BadChecksum."""
        if len(self.data) < BLOCK_HEADER.size:
            raise BadLength
        n, sequence, _, _ = BLOCK_HEADER.unpack_from(self.data)
        block = self.data[BLOCK_HEADER.size :]
        if n != len(block):
            raise BadLength
        if CHECKSUM_SEED ^ xor_bytes(block) != self.checksum:
            raise BadChecksum
        return sequence, block


def parse(frame: bytes) -> Request | None:
    """Reads a frame; None when it is too short even for a header."""
    if len(frame) < HEADER.size:
        return None
    direction, command, n, check = HEADER.unpack_from(frame)
    data = frame[HEADER.size :]
    return Request(command, data, check, direction == _REQUEST and n == len(data))


def response(command: int, value: int, data: bytes) -> bytes:
    """Returns a framed answer; data end with the status bytes."""
    return framed(HEADER.pack(_RESPONSE, command, len(data), value) + data)


def find_sync(buffer: bytes) -> int:
    """Returns where in the buffer a SYNC request begins, -1 where none is complete."""
    return buffer.find(_SYNC_FRAME)


def is_sync(buffer: bytes) -> bool:
    """True when a flasher asks for the loader: a complete SYNC request stands in the buffer.

    Who cuts a line into buffers keeps the last SYNC_BYTES - 1 bytes of one for the next.
    """
    return END in buffer and find_sync(buffer) >= 0
