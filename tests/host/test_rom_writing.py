"""Writing, erasing and reading through the ROM loader and the stub: order, bounds, damage, power cuts."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.virtual_board.chip import FlashChip, PowerCut
from tests.host.rom_talk import (
    DEFL_BEGIN,
    DEFL_DATA,
    DEFL_END,
    ERASE_FLASH,
    ERASE_REGION,
    FLASH_BEGIN,
    FLASH_BYTES,
    FLASH_DATA,
    FLASH_END,
    MD5,
    MEM_BEGIN,
    MEM_DATA,
    OK,
    READ_FLASH,
    READ_REG,
    ROM_INFLATE,
    ROM_STATE,
    ROM_SUM,
    ROM_WRITE,
    SECTOR_BYTES,
    SET_PARAMS,
    STUB_FLASH,
    STUB_INFLATE,
    STUB_LENGTH,
    STUB_STATE,
    STUB_SUM,
    STUB_TOO_MUCH,
    SYNC,
    SYNC_DATA,
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


def test_a_smaller_size_is_believed_a_larger_not(talk: Talk) -> None:
    refused = STUB_FLASH if talk.stub else ROM_WRITE
    talk.ask(SET_PARAMS, words(0, 0x10000, 0x10000, 0x1000, 0x100, 0xFFFF))
    assert talk.ask(FLASH_BEGIN, words(16, 1, 0x400, 0x10000)) == refused
    talk.ask(SET_PARAMS, words(0, 0x1000000, 0x10000, 0x1000, 0x100, 0xFFFF))
    assert talk.ask(FLASH_BEGIN, words(16, 1, 0x400, 0x10000)) == OK
    assert talk.ask(FLASH_BEGIN, words(16, 1, 0x400, FLASH_BYTES)) == refused


@pytest.mark.parametrize("wrong", [1, 0x100])
def test_a_block_with_a_wrong_checksum_is_not_written(talk: Talk, wrong: int) -> None:
    refused = STUB_SUM if talk.stub else ROM_SUM
    for begin, data in ((FLASH_BEGIN, FLASH_DATA), (DEFL_BEGIN, DEFL_DATA)):
        at, content = (0x1000, zlib.compress(b"data")) if begin == DEFL_BEGIN else (0, b"data")
        assert talk.ask(begin, words(4, 1, 0x400, at)) == OK
        assert talk.ask(data, *block(0, content, wrong)) == refused
        assert talk.flash.read(at, 4) == b"\xff" * 4
        assert talk.ask(data, *block(0, content)) == OK
        assert talk.flash.read(at, 4) == b"data"
    talk.ask(MEM_BEGIN, words(4, 1, 0x400, 0))
    assert talk.ask(MEM_DATA, *block(0, b"data", wrong)) == refused


def test_more_than_announced_is_refused(flash: FlashChip) -> None:
    rom = Talk(flash)
    assert rom.ask(FLASH_BEGIN, words(8, 1, 8, 0)) == OK
    assert rom.ask(FLASH_DATA, *block(1, b"too late")) == ROM_STATE
    assert rom.ask(FLASH_DATA, *block(0, b"longer than 8")) == ROM_STATE
    assert rom.ask(FLASH_BEGIN, words(4, 1, 8, 0)) == OK
    assert rom.ask(FLASH_DATA, *block(0, b"longer\xff\xff")) == ROM_STATE
    assert rom.ask(FLASH_DATA, *block(0, b"four\xff\xff\xff\xff")) == OK  # the rest is padding
    assert rom.ask(MEM_BEGIN, words(4, 1, 0x400, 0)) == OK
    assert rom.ask(MEM_DATA, *block(0, b"12345")) == ROM_STATE
    for stub in (False, True):
        talk = Talk(flash, stub=stub)
        assert talk.ask(DEFL_BEGIN, words(4, 1, 0x400, 0x1000)) == OK
        packed = zlib.compress(b"12345")
        first = talk.ask(DEFL_DATA, *block(0, packed))
        assert (first, talk.ask(MD5, words(0, 1, 0, 0))) == ((OK, STUB_TOO_MUCH) if stub else (ROM_STATE, OK))
    assert flash.read(0, 8) == b"four\xff\xff\xff\xff"
    assert set(flash.read(0x1004, 0x1000)) == {0xFF}


def test_a_deflated_stream_that_is_none_is_refused(flash: FlashChip) -> None:
    packed = bytearray(zlib.compress(random.Random(1).randbytes(300)))
    packed[-1] ^= 1  # Adler-32
    for content in (b"no stream at all", bytes(packed)):
        rom = Talk(flash)
        rom.ask(DEFL_BEGIN, words(300, 1, 0x400, 0))
        assert rom.ask(DEFL_DATA, *block(0, content)) == ROM_INFLATE
        stub = Talk(flash, stub=True)
        stub.ask(DEFL_BEGIN, words(300, 1, 0x400, 0))
        assert stub.ask(DEFL_DATA, *block(0, content)) == OK
        assert stub.ask(SYNC, SYNC_DATA) == STUB_INFLATE  # told with the next request, whatever it is
        assert len(stub.replies(SYNC, SYNC_DATA)) == 8


def test_deflated_blocks_have_to_come_in_order(flash: FlashChip) -> None:
    packed = zlib.compress(random.Random(2).randbytes(300))
    rom = Talk(flash)
    rom.ask(DEFL_BEGIN, words(300, 4, 100, 0))
    assert rom.ask(DEFL_DATA, *block(0, packed[:100])) == OK
    assert rom.ask(DEFL_DATA, *block(0, packed[:100])) == ROM_INFLATE
    assert rom.ask(DEFL_DATA, *block(2, packed[200:300])) == ROM_INFLATE


def test_a_plain_block_that_comes_twice_stays_where_it_is(flash: FlashChip) -> None:
    rom = Talk(flash)
    rom.ask(FLASH_BEGIN, words(16, 2, 8, 0))
    for sequence, data in ((0, b"01234567"), (0, b"01234567"), (1, b"89abcdef")):
        assert rom.ask(FLASH_DATA, *block(sequence, data)) == OK
    assert flash.read(0, 16) == b"0123456789abcdef"
    assert rom.ask(FLASH_DATA, *block(0, b"otherone")) == ROM_WRITE  # not erased: it reads back as something else


def test_a_stub_wants_all_that_was_announced(flash: FlashChip) -> None:
    stub = Talk(flash, stub=True)
    assert stub.ask(FLASH_END, words(1)) == STUB_STATE
    for begin, data, end, content in (
        (FLASH_BEGIN, FLASH_DATA, FLASH_END, b"12345678"),
        (DEFL_BEGIN, DEFL_DATA, DEFL_END, zlib.compress(b"12345678")),
    ):
        assert stub.ask(begin, words(8, 1, 0x400, 0)) == OK
        assert stub.ask(end, words(1)) == STUB_LENGTH
        assert stub.ask(data, *block(0, content)) == OK
        assert stub.ask(end, words(1)) == OK
    assert not stub.loader.left


def test_a_download_erases_what_it_has_to(flash: FlashChip) -> None:
    flash.program(0, bytes(FLASH_BYTES))
    for stub, blank in ((False, False), (True, False), (True, True)):
        start = 0x8000 * (1 + stub + blank)
        if blank:
            flash.erase(start, 3 * SECTOR_BYTES)
        before = flash.operations
        talk = Talk(flash, stub=stub)
        talk.ask(FLASH_BEGIN, words(2 * SECTOR_BYTES + 1, 3, 0x1000, start))
        erased = [flash.read(start + i * SECTOR_BYTES, 1) == b"\xff" for i in range(4)]
        assert erased == ([True] * 3 + [False] if blank or not stub else [False] * 4)
        assert flash.operations - before == (0 if stub else 3)
        for sequence in range(3):
            assert talk.ask(FLASH_DATA, *block(sequence, b"\x55" * (0x1000 if sequence < 2 else 1))) == OK
        assert flash.read(start, 2 * SECTOR_BYTES + 2) == b"\x55" * (2 * SECTOR_BYTES + 1) + b"\xff"
        assert flash.operations - before == (3 if blank else 6)


def test_whole_sectors_only_are_erased(flash: FlashChip) -> None:
    stub = Talk(flash, stub=True)
    flash.program(0, bytes(FLASH_BYTES))
    assert stub.ask(ERASE_REGION, words(0, 100)) == STUB_LENGTH
    assert stub.ask(ERASE_REGION, words(100, SECTOR_BYTES)) == STUB_LENGTH
    assert flash.read(0, FLASH_BYTES) == bytes(FLASH_BYTES)
    stub.ask(SET_PARAMS, words(0, 0x10000, 0x10000, 0x1000, 0x100, 0xFFFF))
    assert stub.ask(ERASE_FLASH) == OK  # the chip's own command knows no size
    assert flash.read(0, FLASH_BYTES) == b"\xff" * FLASH_BYTES


def test_flash_is_read_packet_by_packet(flash: FlashChip) -> None:
    data = random.Random(3).randbytes(10_000)
    flash.program(0, data)
    stub = Talk(flash, stub=True)
    assert stub.ask(READ_FLASH, words(0, 100, 4097, 64)) == STUB_LENGTH
    assert stub.ask(READ_FLASH, words(0, 100, 0, 64)) == STUB_LENGTH
    first = frames(stub.loader.feed(request(READ_FLASH, words(0, len(data), 4096, 64))))
    got, packets = first[1], [first[1]]
    while len(got) < len(data):
        (packet,) = frames(stub.loader.feed(slip(words(len(got)))))
        packets.append(packet)
        got += packet
    assert [len(packet) for packet in packets] == [4096, 4096, 1808]
    assert got == data
    assert frames(stub.loader.feed(slip(words(len(got))))) == [hashlib.md5(data).digest()]
    assert stub.ask(READ_REG, words(0)) == OK


def test_a_reader_who_goes_away_is_noticed(flash: FlashChip) -> None:
    stub = Talk(flash, stub=True)
    stub.loader.feed(request(READ_FLASH, words(0, 0x10000, 4096, 64)))
    assert len(frames(stub.loader.feed(request(SYNC, SYNC_DATA)))) == 1  # taken for an answer: the digest ends it
    assert len(stub.replies(SYNC, SYNC_DATA)) == 8


@pytest.mark.parametrize("stub", [False, True])
@pytest.mark.parametrize("torn", [False, True])
def test_a_power_cut_ends_a_write_where_it_is(flash: FlashChip, stub: bool, torn: bool) -> None:
    flash.program(0, bytes(0x4000))
    talk = Talk(flash, stub=stub)
    flash.order_cut(after_bytes=0x2800, torn=torn)
    with pytest.raises(PowerCut):
        talk.write_fives()
    with pytest.raises(PowerCut):
        talk.ask(MD5, words(0, 1, 0, 0))
    flash.power_on()
    left = flash.read(0, 0x4000)
    assert left != b"\x55" * 0x4000
    Talk(flash, stub=stub).write_fives()
    assert flash.read(0, 0x4000) == b"\x55" * 0x4000
