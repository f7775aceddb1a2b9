"""The ROM loader against the real esptool and espefuse, run as programs over a pty."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import re
import select
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from host_tools.esp import image, partitions
from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.rom import Loader, Security, boot

CHIPS = ("esp32", "esp32s3", "esp32c3")
TITLES = {"esp32": "ESP32-D0WD-V3", "esp32s3": "ESP32-S3 (QFN56)", "esp32c3": "ESP32-C3 (QFN32)"}
MAC = bytes.fromhex("24a160c0ffee")
FLASH_BYTES = 0x400000
SECTOR_BYTES = 4096
TIMEOUT_S = 60
POLL_S = 0.05


class Line:
    """A pty with a loader at its end; `port` is what tools open."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self._master, self._slave = pty.openpty()  # the slave stays open: its raw mode goes with its last user
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], POLL_S)
            if ready:
                answer = self.loader.feed(os.read(self._master, 65536))
                while answer:
                    answer = answer[os.write(self._master, answer) :]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_S)
        os.close(self._slave)
        os.close(self._master)


class Bench(NamedTuple):
    """One board on the bench."""

    chip: str
    flash: FlashChip
    line: Line
    folder: Path

    def tool(self, *arguments: str, module: str = "esptool", code: int = 0) -> str:
        command = [sys.executable, "-m", module, "--port", self.line.port, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def file(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return name

    def fuses(self) -> dict[str, str]:
        """What `espefuse summary` says: name -> meaning."""
        said = self.tool("summary", module="espefuse")
        return dict(re.findall(r"^([A-Z]\w+) \(BLOCK\d+\).*?= (\S.*?) R/W", said, re.MULTILINE | re.DOTALL))


@contextlib.contextmanager
def bench(chip: str, folder: Path, security: Security | None = None) -> Iterator[Bench]:
    flash = FlashChip(folder / "flash.bin", FLASH_BYTES)
    line = Line(Loader(chip, flash, MAC, security))
    try:
        yield Bench(chip, flash, line, folder)
    finally:
        line.close()
        flash.close()


@pytest.fixture(params=CHIPS)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with bench(request.param, tmp_path) as made:
        yield made


def mixed(n: int, seed: int) -> bytes:
    """n bytes that deflate to about half."""
    noise = random.Random(seed)
    return b"".join(noise.randbytes(32) + bytes([seed]) * 32 for _ in range(n // 64 + 1))[:n]


def test_the_chip_tells_who_it_is(board: Bench) -> None:
    for options in ([], ["--no-stub"], []):  # ROM and stub; the last run meets the stub of the first
        said = board.tool(*options, "chip-id")
        assert TITLES[board.chip] in said
        assert "24:a1:60:c0:ff:ee" in said
        assert "40MHz" in said
    assert "already running" in said
    assert "24:a1:60:c0:ff:ee" in board.tool("read-mac")


def test_another_chip_is_not_accepted(board: Bench) -> None:
    other = {"esp32": "esp32s3", "esp32s3": "esp32c3", "esp32c3": "esp32"}[board.chip]
    assert "Wrong chip argument?" in board.tool("--chip", other, "chip-id", code=2)


def test_the_flash_tells_what_it_is(board: Bench) -> None:
    for options in (["--no-stub"], []):
        said = board.tool(*options, "flash-id")
        assert "Manufacturer: ef" in said
        assert "Device: 4016" in said
        assert "Detected flash size: 4MB" in said
    assert "0x53 0x46 0x44 0x50" in board.tool("read-flash-sfdp", "0", "4")
    board.tool("write-flash-status", "--bytes", "1", "0x04")
    assert "0x0004" in board.tool("read-flash-status")


@pytest.mark.parametrize("options", [(), ("--no-compress",)], ids=["deflated", "plain"])
@pytest.mark.parametrize("stub", [(), ("--no-stub",)], ids=["stub", "rom"])
def test_what_is_written_is_there_and_nothing_else(
    board: Bench, stub: tuple[str, ...], options: tuple[str, ...]
) -> None:
    start, data = 0x21000, mixed(40_001, 5)
    board.flash.program(0, bytes(FLASH_BYTES))
    name = board.file("data.bin", data)
    said = board.tool("--baud", "460800", *stub, "write-flash", *options, hex(start), name)
    assert "Hash of data verified" in said
    assert board.line.loader.baud == 460800
    assert board.flash.read(start, len(data)) == data
    end = start + -(-len(data) // SECTOR_BYTES) * SECTOR_BYTES
    assert board.flash.read(0, start) == bytes(start)
    assert set(board.flash.read(start + len(data), end - start - len(data))) == {0xFF}
    assert board.flash.read(end, FLASH_BYTES - end) == bytes(FLASH_BYTES - end)


def test_the_last_sectors_of_the_flash_can_be_written(board: Bench) -> None:
    data = mixed(2 * SECTOR_BYTES, 9)
    name = board.file("data.bin", data)
    for options in (["--no-stub"], []):
        board.tool(*options, "write-flash", hex(FLASH_BYTES - len(data)), name)
        assert board.flash.read(FLASH_BYTES - len(data), len(data)) == data


def test_what_is_there_is_read_and_verified(board: Bench) -> None:
    data = mixed(3 * SECTOR_BYTES + 100, 3)
    board.flash.program(0x8000, data)
    name = board.file("data.bin", data)
    for options in (["--no-stub"], []):
        board.tool(*options, "read-flash", "0x8000", str(len(data)), "read.bin")
        assert (board.folder / "read.bin").read_bytes() == data
        assert "digest matched" in board.tool(*options, "verify-flash", "0x8000", name)
    board.flash.program(0x8001, b"\0")
    assert "digest mismatch" in board.tool("verify-flash", "0x8000", name, code=2)


def test_what_is_erased_is_blank(board: Bench) -> None:
    board.flash.program(0, bytes(FLASH_BYTES))
    board.tool("erase-region", "0x10000", "0x3000")
    assert board.flash.read(0x10000, 0x3000) == b"\xff" * 0x3000
    assert board.flash.read(0xF000, 0x1000) + board.flash.read(0x13000, 0x1000) == bytes(0x2000)
    board.tool("erase-flash")
    assert board.flash.read(0, FLASH_BYTES) == b"\xff" * FLASH_BYTES


def test_a_flashed_image_boots(board: Bench) -> None:
    assert boot(board.chip, board.flash).info is None
    data = image.standin_micropython(board.chip, partitions.STOCK)
    said = board.tool("write-flash", hex(image.offset_of(board.chip)), board.file("micropython.bin", data))
    assert "Hash of data verified" in said
    started = boot(board.chip, board.flash).info
    assert started is not None
    assert image.is_virtual(started)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_fuses_tell_what_is_protected(chip: str, encrypted: bool, signed: bool, tmp_path: Path) -> None:
    with bench(chip, tmp_path, Security(flash_encryption=encrypted, secure_boot=signed)) as board:
        fuses = board.fuses()
        assert fuses["MAC"].startswith("24:a1:60:c0:ff:ee (")
        assert "OK" in fuses["MAC"]
        if chip == "esp32":
            assert fuses["FLASH_CRYPT_CNT"] == str(int(encrypted))
            assert fuses["ABS_DONE_1"] == str(signed)
            return
        assert fuses["SPI_BOOT_CRYPT_CNT"] == ("Enable" if encrypted else "Disable")
        assert fuses["SECURE_BOOT_EN"] == str(signed)
        said = board.tool("--no-stub", "get-security-info")
        assert f"Secure Boot: {'Enabled' if signed else 'Disabled'}" in said
        assert f"Flash Encryption: {'Enabled' if encrypted else 'Disabled'}" in said
        assert ("BLOCK_KEY0 - XTS_AES_128_KEY" in said) == encrypted
        assert ("BLOCK_KEY1 - SECURE_BOOT_DIGEST0" in said) == signed


def test_an_s3_with_secure_boot_starts_a_stub_through_its_read_function(tmp_path: Path) -> None:
    with bench("esp32s3", tmp_path, Security(secure_boot=True)) as board:
        assert "Stub flasher running" in board.tool("flash-id")


def test_the_stub_can_be_left_for_the_rom_and_the_rom_for_the_application(board: Bench) -> None:
    board.tool("--after", "no-reset", "flash-id")
    assert "Uploading stub" in board.tool("--after", "no-reset", "flash-id")
    assert not board.line.loader.left
    board.tool("--no-stub", "--after", "soft-reset", "flash-id")
    assert board.line.loader.left


@pytest.mark.parametrize("chip", ["esp32s3", "esp32c3"])
@pytest.mark.parametrize("options", [(), ("--no-stub",)])
def test_the_watchdog_restarts_the_chip(chip: str, options: tuple[str, ...], tmp_path: Path) -> None:
    with bench(chip, tmp_path) as board:
        board.tool(*options, "flash-id")
        assert not board.line.loader.left
        board.tool(*options, "--after", "watchdog-reset", "flash-id")
        assert board.line.loader.left
