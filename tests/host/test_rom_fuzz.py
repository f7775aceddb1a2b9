"""Noise and floods on the ROM loader's line: nothing breaks, memory stays bounded."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom import Loader, Security
from tests.host.rom_talk import (
    CHIPS,
    COMMANDS,
    DEFL_BEGIN,
    DEFL_DATA,
    FLASH_BYTES,
    FLASH_DATA,
    MAC,
    MEM_DATA,
    SYNC,
    SYNC_DATA,
    WRITE_REG,
    Talk,
    block,
    request,
    words,
)


@pytest.fixture
def flash(tmp_path: Path) -> Iterator[FlashChip]:
    chip = FlashChip(tmp_path / "flash.bin", FLASH_BYTES)
    yield chip
    chip.close()


def fuzzed(noise: random.Random) -> bytes:
    """Bytes as a bad line or a bad program sends them: noise, requests with any data, requests with changed bytes."""
    kind = noise.randrange(4)
    if kind == 0:
        return noise.randbytes(noise.randrange(200))
    command = noise.choice(COMMANDS)
    sizes = (0, 4, 8, 16, 20, 24, 36, noise.randrange(300))
    values = (0, 1, 4, 0x400, 0x1000, 0x3F000, 0x40080000, 0x60008098, 0xFFFFFFFF, noise.getrandbits(32))
    data = b"".join(words(noise.choice(values)) for _ in range(noise.choice(sizes) // 4))
    if kind == 1 and command in (FLASH_DATA, DEFL_DATA, MEM_DATA):
        content = noise.randbytes(64) if command != DEFL_DATA else zlib.compress(bytes(noise.randrange(5000)))
        return request(command, *block(noise.randrange(3), content))
    sent = request(command, data, noise.choice(values) & 0xFF)
    if kind == 2:
        place = noise.randrange(len(sent))
        sent = sent[:place] + noise.randbytes(noise.randrange(3)) + sent[place + 1 :]
    return sent


@pytest.mark.parametrize("chip", CHIPS)
def test_whatever_comes_nothing_breaks_and_memory_is_bounded(chip: str, flash: FlashChip) -> None:
    noise = random.Random(f"rom {chip}")
    talk = Talk(flash, chip)
    left = stubs = 0
    tracemalloc.start()
    try:
        for _ in range(8000):
            answer = talk.loader.feed(fuzzed(noise))
            assert answer[:1] == answer[-1:]
            left += talk.loader.left
            if talk.loader.left or noise.random() < 0.01:
                talk = Talk(flash, chip, stub=noise.random() < 0.5)
                stubs += talk.stub
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert left > 5
    assert stubs > 20
    assert peak < 2_000_000
    assert len(Talk(flash, chip).replies(SYNC, SYNC_DATA)) == 8


def test_memory_is_bounded_against_a_flood(flash: FlashChip) -> None:
    loader = Loader("esp32", flash, MAC, Security())
    bomb = zlib.compress(bytes(16_000_000), 9)[:0x4000]
    tracemalloc.start()
    try:
        loader.feed(b"\xc0")
        for _ in range(200):
            loader.feed(b"x" * 50_000)
        loader.feed(b"\xc0\xc0")
        for address in range(0, 4 * 60_000, 4):
            loader.feed(request(WRITE_REG, words(address, 1, 0xFFFFFFFF, 0)))
        loader.feed(request(DEFL_BEGIN, words(FLASH_BYTES, 1, 0x4000, 0)))
        loader.feed(request(DEFL_DATA, *block(0, bomb)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
