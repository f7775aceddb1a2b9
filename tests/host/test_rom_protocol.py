"""The ROM loader and the stub: how they answer, what they refuse and how, how they are left."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.errors import UsageError
from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom import SYNC_BYTES, Loader, find_sync, is_sync
from tests.host.rom_talk import (
    ATTACH,
    BAUD,
    DEFL_BEGIN,
    ERASE_FLASH,
    ERASE_REGION,
    FLASH_BEGIN,
    FLASH_BYTES,
    FLASH_DATA,
    FLASH_END,
    MAC,
    MD5,
    MEM_BEGIN,
    MEM_END,
    OK,
    READ_FLASH,
    READ_REG,
    READ_SLOW,
    ROM_LENGTH,
    ROM_READ,
    ROM_STATE,
    ROM_WRITE,
    RUN,
    SECTOR_BYTES,
    SECURITY,
    SET_PARAMS,
    STUB_FLASH,
    STUB_LENGTH,
    STUB_NOT_THERE,
    STUB_STATE,
    STUB_UNKNOWN,
    SYNC,
    SYNC_DATA,
    WRITE_REG,
    Talk,
    block,
    frames,
    request,
    slip,
    words,
)


@pytest.fixture
def flash(tmp_path: Path) -> Iterator[FlashChip]:
    chip = FlashChip(tmp_path / "flash.bin", FLASH_BYTES)
    yield chip
    chip.close()


@pytest.fixture(params=["rom", "stub"])
def talk(request: pytest.FixtureRequest, flash: FlashChip) -> Talk:
    return Talk(flash, stub=request.param == "stub")


def test_a_sync_is_answered_eight_times(talk: Talk) -> None:
    replies = talk.replies(SYNC, SYNC_DATA)
    assert len(replies) == 8
    assert {(answered, set(rest)) == (SYNC, {0}) for answered, _, rest in replies} == {True}
    assert {value == 0 for _, value, _ in replies} == {talk.stub}


def test_a_sync_is_found_in_what_a_line_carries() -> None:
    sync = request(SYNC, SYNC_DATA)
    assert len(sync) == SYNC_BYTES
    assert is_sync(sync)
    assert is_sync(b"\r\n>>> \x03" + sync + b"more")
    assert find_sync(b"noise" + sync) == 5
    for n in range(SYNC_BYTES):
        assert not is_sync(sync[:n])
        assert not is_sync(sync[:n] + bytes([sync[n] ^ 1]) + sync[n + 1 :])
    for other in (b"", b"\xc0" * 100, request(READ_REG, words(0)), bytes(range(256)) * 4):
        assert not is_sync(other)


def test_an_unknown_chip_is_refused(flash: FlashChip) -> None:
    with pytest.raises(UsageError, match="no chip named 'esp8266'"):
        Loader("esp8266", flash, MAC)
    with pytest.raises(ValueError, match="6 bytes"):
        Loader("esp32", flash, b"short")
    assert Loader("virtual", flash, MAC).feed(request(READ_REG, words(0x40001000))).find(b"\x83\x1d\xf0\x00") > 0


def test_unknown_requests_are_refused(flash: FlashChip) -> None:
    rom = Talk(flash)
    for command in (0x01, SECURITY, ERASE_FLASH, ERASE_REGION, READ_FLASH, RUN, 0xFF):
        replies = rom.replies(command)
        assert len(replies) == 8
        assert {(answered != command, rest[:2]) for answered, _, rest in replies} == {(True, b"\x01\x05")}
    stub = Talk(flash, stub=True)
    assert stub.ask(SECURITY) == STUB_NOT_THERE
    assert [stub.ask(command) for command in (0x01, 0xD4, 0xFF)] == [STUB_UNKNOWN] * 3


def test_later_chips_tell_their_security(flash: FlashChip) -> None:
    for stub in (False, True):
        for chip, number in (("esp32s3", 9), ("esp32c3", 5)):
            _, data, error = Talk(flash, chip, stub=stub).full(SECURITY)
            assert (error, data) == (OK, bytes(12) + words(number, 0))


def test_a_request_of_the_wrong_length_is_refused(talk: Talk) -> None:
    refused = STUB_LENGTH if talk.stub else ROM_LENGTH
    exact = [FLASH_BEGIN, FLASH_END, MEM_BEGIN, MEM_END, SYNC, WRITE_REG, READ_REG, SET_PARAMS, ATTACH, BAUD]
    exact += [DEFL_BEGIN, MD5] + ([ERASE_REGION, READ_FLASH] if talk.stub else [READ_SLOW])
    for command in exact:
        assert talk.ask(command, b"12345") == refused, command
    assert talk.ask(FLASH_BEGIN, words(0, 0, 0x400, 0)) == OK
    assert talk.ask(FLASH_DATA, b"short") == refused
    assert talk.ask(FLASH_DATA, words(5, 0, 0, 0) + b"four") == refused


def test_a_damaged_request_is_refused(talk: Talk) -> None:
    good = struct.pack("<BBHI", 0, READ_REG, 4, 0) + words(0x40001000)
    for bad in (good[:-1], good + b"x", b"\x01" + good[1:]):
        (frame,) = frames(talk.loader.feed(slip(bad)))
        assert frame[8:10] == (b"\xc0\0" if talk.stub else b"\x01\x05")
    assert talk.loader.feed(slip(good[:7])) == b""
    assert talk.ask(READ_REG, words(0)) == OK


def test_noise_between_and_in_frames_costs_only_its_frame(talk: Talk) -> None:
    good = request(READ_REG, words(0x40001000))
    expected = talk.loader.feed(good)
    assert talk.loader.feed(b"MicroPython >>> " + good + b"MicroPython >>> " + good) == expected * 2
    assert talk.loader.feed(good[:-1] + b"\xdb\x00\xc0") == b""  # no such escape
    assert talk.loader.feed(good) == expected
    assert talk.loader.feed(b"\xc0" + b"x" * 100_000 + b"\xc0") == b""
    assert talk.loader.feed(good) == expected
    assert b"".join(talk.loader.feed(good[i : i + 1]) for i in range(len(good))) == expected
    assert talk.loader.feed(b"\xc0\xc0\xc0" + good) == expected


def test_escaped_bytes_come_through(talk: Talk) -> None:
    data = bytes.fromhex("c0dbdcdddbdbc0c0dddc00") * 50
    talk.ask(FLASH_BEGIN, words(len(data), 1, 0x400, 0))
    assert talk.ask(FLASH_DATA, *block(0, data)) == OK
    assert talk.flash.read(0, len(data)) == data


def test_registers_keep_what_is_written(talk: Talk) -> None:
    at = 0x3FF48074 if talk.stub else 0x3FFC0000
    assert talk.ask(WRITE_REG, words(at, 0x12345678, 0xFFFFFFFF, 0)) == OK
    assert talk.ask(WRITE_REG, words(at, 0, 0x0000FF00, 0)) == OK
    assert talk.full(READ_REG, words(at))[0] == 0x12340078
    for fixed in (0x40001000, 0x3FF5A008, 0x3FF5A00C, 0x3FF6607C):
        before = talk.full(READ_REG, words(fixed))[0]
        talk.ask(WRITE_REG, words(fixed, before ^ 0xFFFFFFFF, 0xFFFFFFFF, 0))
        assert talk.full(READ_REG, words(fixed))[0] == before


def test_the_flash_answers_as_many_bits_as_were_asked_for(talk: Talk) -> None:
    base = 0x3FF42000
    for bits, expected in ((8, 0xEF), (16, 0x40EF), (24, 0x1240EF)):  # 0x40000 bytes: 2 to the power of 0x12
        for offset, value in ((0x2C, bits - 1), (0x24, 7 << 28 | 0x9F), (0x80, 0), (0, 1 << 18)):
            assert talk.ask(WRITE_REG, words(base + offset, value, 0xFFFFFFFF, 0)) == OK
        assert talk.full(READ_REG, words(base))[0] == 0
        assert talk.full(READ_REG, words(base + 0x80))[0] == expected


def test_nothing_is_written_beyond_the_end(talk: Talk) -> None:
    begin_refused, read_refused = (STUB_FLASH, STUB_FLASH) if talk.stub else (ROM_WRITE, ROM_READ)
    for command in (FLASH_BEGIN, DEFL_BEGIN):
        assert talk.ask(command, words(1, 1, 0x400, FLASH_BYTES)) == begin_refused
        assert talk.ask(command, words(0xFFFFFFFF, 1, 0x400, 0xFFFFFFFF)) == begin_refused
        assert talk.ask(command, words(SECTOR_BYTES + 1, 2, 0x1000, FLASH_BYTES - SECTOR_BYTES)) == begin_refused
    assert talk.ask(FLASH_DATA, *block(0, b"data")) == (STUB_STATE if talk.stub else ROM_STATE)
    assert talk.ask(MD5, words(FLASH_BYTES - 1, 2, 0, 0)) == read_refused
    assert talk.ask(MD5, words(FLASH_BYTES - 1, 1, 0, 0)) == OK
    if talk.stub:
        assert talk.ask(ERASE_REGION, words(FLASH_BYTES, SECTOR_BYTES)) == STUB_FLASH
        assert talk.ask(READ_FLASH, words(FLASH_BYTES, 1, 4096, 64)) == STUB_FLASH
    else:
        assert talk.ask(READ_SLOW, words(FLASH_BYTES - 1, 2)) == ROM_READ
        assert talk.ask(READ_SLOW, words(0, 65)) == ROM_READ
    assert talk.flash.operations == 0


def test_code_that_was_not_loaded_restarts_the_chip(flash: FlashChip) -> None:
    rom = Talk(flash)
    assert rom.ask(MEM_END, words(0, 0x40080000)) == ROM_STATE
    rom.ask(MEM_BEGIN, words(4, 1, 0x400, 0x40080000))
    assert rom.ask(MEM_END, words(1, 0)) == OK
    rom.ask(MEM_BEGIN, words(4, 1, 0x400, 0x40080000))
    assert [rom.loader.left, rom.ask(MEM_END, words(0, 0x40090000)), rom.loader.left] == [False, OK, True]
    assert rom.loader.feed(request(SYNC, SYNC_DATA)) == b""


@pytest.mark.parametrize("flag", [0, 1])
def test_the_end_of_a_download_leaves_the_rom(flash: FlashChip, flag: int) -> None:
    rom = Talk(flash)
    assert rom.ask(FLASH_END, words(flag)) == ROM_STATE
    rom.ask(FLASH_BEGIN, words(0, 0, 0x400, 0))
    assert [rom.loader.left, rom.ask(FLASH_END, words(flag)), rom.loader.left] == [False, OK, True]


def test_a_stub_goes_back_to_the_rom_or_runs_the_application(flash: FlashChip) -> None:
    stub = Talk(flash, stub=True)
    stub.ask(FLASH_BEGIN, words(0, 0, 0x400, 0))
    assert stub.ask(FLASH_END, words(0)) == OK
    assert stub.replies(SYNC, SYNC_DATA)[0][1] != 0  # the ROM answers
    stub = Talk(flash, stub=True)
    stub.start_stub()  # one stub may start another
    assert stub.loader.feed(request(RUN)) == b""
    assert stub.loader.left
