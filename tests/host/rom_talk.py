"""A loader and what one says to it, request by request, in bytes made here and nowhere else."""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor

from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom import Loader

CHIPS = ("esp32", "esp32s3", "esp32c3")
MAC = bytes(6)
FLASH_BYTES = 0x40000
SECTOR_BYTES = 4096
OK, FAILED = 0, 1
FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA, SYNC = 2, 3, 4, 5, 6, 7, 8
WRITE_REG, READ_REG, SET_PARAMS, ATTACH, READ_SLOW, BAUD = 9, 10, 11, 13, 14, 15
DEFL_BEGIN, DEFL_DATA, DEFL_END, MD5, SECURITY = 16, 17, 18, 19, 20
ERASE_FLASH, ERASE_REGION, READ_FLASH, RUN = 0xD0, 0xD1, 0xD2, 0xD3
COMMANDS = (*range(2, 12), 13, 14, 15, 16, 17, 18, 19, 20, 0xD0, 0xD1, 0xD2, 0xD3)
SYNC_DATA = bytes.fromhex("07071220") + b"U" * 32
ROM_LENGTH, ROM_STATE, ROM_SUM, ROM_WRITE, ROM_READ, ROM_INFLATE = 5, 6, 7, 8, 9, 11
STUB_LENGTH, STUB_SUM, STUB_UNKNOWN, STUB_FLASH, STUB_STATE = 0xC0, 0xC1, 0xC3, 0xC4, 0xC6
STUB_INFLATE, STUB_TOO_MUCH, STUB_NOT_THERE = 0xC7, 0xC9, 0xFF


def slip(payload: bytes) -> bytes:
    return b"\xc0" + payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def frames(data: bytes) -> list[bytes]:
    """All frames, which have to fill `data` without anything between them."""
    assert not data or (data[:1] == data[-1:] == b"\xc0")
    parts = data[1:-1].split(b"\xc0\xc0") if data else []
    return [part.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb") for part in parts]


def request(command: int, data: bytes = b"", check: int = 0) -> bytes:
    return slip(struct.pack("<BBHI", 0, command, len(data), check) + data)


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def block(sequence: int, data: bytes, wrong: int = 0) -> tuple[bytes, int]:
    """Data and checksum of a *_DATA request; `wrong` is added to the checksum."""
    return words(len(data), sequence, 0, 0) + data, reduce(xor, data, 0xEF) ^ wrong


class Talk:
    """A loader and what one says to it."""

    def __init__(self, flash: FlashChip, chip: str = "esp32", *, stub: bool = False) -> None:
        self.flash = flash
        self.stub = stub
        self.loader = Loader(chip, flash, MAC)
        if stub:
            self.start_stub()

    def start_stub(self) -> None:
        assert self.ask(MEM_BEGIN, words(4, 1, 0x1800, 0x40080000)) == OK
        assert self.ask(MEM_DATA, *block(0, b"code")) == OK
        answer = frames(self.loader.feed(request(MEM_END, words(0, 0x40080000))))
        assert answer[1:] == [b"OHAI"]

    def replies(self, command: int, data: bytes = b"", check: int = 0) -> list[tuple[int, int, bytes]]:
        """(command, value, data with status) of each answer."""
        found = []
        for frame in frames(self.loader.feed(request(command, data, check))):
            direction, answered, n, value = struct.unpack("<BBHI", frame[:8])
            assert direction == 1
            assert n == len(frame) - 8
            found.append((answered, value, frame[8:]))
        return found

    def full(self, command: int, data: bytes = b"", check: int = 0) -> tuple[int, bytes, int]:
        """(value, data, error) of the one answer; error is 0 when it was done."""
        ((answered, value, rest),) = self.replies(command, data, check)
        assert answered == command
        size = 2 if self.stub else 4
        data, status = rest[:-size], rest[-size:]
        if self.stub:
            return value, data, status[0] or status[1]
        assert status[0] in (OK, FAILED)
        assert bool(status[0]) == bool(status[1])
        return value, data, status[1]

    def ask(self, command: int, data: bytes = b"", check: int = 0) -> int:
        return self.full(command, data, check)[2]

    def write_fives(self) -> None:
        assert self.ask(FLASH_BEGIN, words(0x4000, 4, 0x1000, 0)) == OK
        for sequence in range(4):
            assert self.ask(FLASH_DATA, *block(sequence, b"\x55" * 0x1000)) == OK
