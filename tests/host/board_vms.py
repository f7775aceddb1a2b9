"""A virtual board's processor on a desk, without a serial line: what it says is collected, what it is told is fed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host_tools.virtual_board.chip import FlashChip
from host_tools.virtual_board.vm import BoardVm, Cause, End, Ended, Hardware, Region

HANG_S = 60.0  # after which a board that hangs is killed, and the test fails
FLASH_BYTES = 0x400000
MAC = bytes.fromhex("240ac4000001")
TABLE = (
    Region("nvs", 1, 0x02, 0x9000, 0x6000),
    Region("phy_init", 1, 0x01, 0xF000, 0x1000),
    Region("factory", 0, 0x00, 0x10000, 0x1F0000),
    Region("pv_keys", 1, 0x06, 0x200000, 0x4000),
)
VFS_OFFSET, VFS_BYTES = 0x204000, 0x1FC000
RAW = b"\x01"
BANNER = "MicroPython v1.28.0 on 2026-04-06; Generic ESP32 module with ESP32\r\n"
BANNER += 'Type "help()" for more information.\r\n>>> '
FRIENDLY_PROMPT, RAW_PROMPT = b">>> ", b"raw REPL; CTRL-B to exit\r\n>"


class Desk:
    """Services of a BoardVm. said: all that came out of the line. typed: what code may read from it."""

    def __init__(self, flash: FlashChip, **options: Any) -> None:
        self.said = b""
        self.typed = b""
        self.flash = flash
        self.vm = BoardVm(self, Hardware(flash, TABLE, MAC, **options))

    def output(self, data: bytes) -> None:
        self.said += data

    def read_input(self, n: int) -> bytes:
        data, self.typed = self.typed[:n], self.typed[n:]
        return data

    def boot(self, cause: Cause = Cause.PWRON, *, raw: bool = False) -> str:
        """Boots to the prompt -> what it said before it."""
        assert self.take(lambda: self.vm.boot(cause, raw=raw)).end is End.PROMPT
        return self.heard()

    def take(self, action: Callable[[], Ended]) -> Ended:
        """Does something to the board with nothing said before."""
        self.said = b""
        with later(self.vm.kill, HANG_S):
            return action()

    def heard(self) -> str:
        return self.said.decode()

    def run(self, code: str, during: Callable[[], None] | None = None, after_s: float = 0.3) -> str:
        """Runs code as a tool does, by raw paste -> what it printed and its traceback. during: done meanwhile."""
        if not self.vm.raw:
            self.take(lambda: self.vm.feed(RAW))
        with later(during, after_s):
            ended = self.take(lambda: self.vm.feed(b"\x05A\x01" + code.encode() + b"\x04"))
        assert ended.end is End.PROMPT, (ended, self.said)
        head, output, error, prompt = self.said.split(b"\x04")
        assert (head.rstrip(b"\x01"), prompt) == (b"R\x01\x80\x00", b">"), self.said
        return (output + error).decode().replace("\r\n", "\n")

    def write(self, path: str, text: str) -> None:
        """Writes a file onto the board's disk."""
        assert self.run(f"with open({path!r}, 'w') as f: f.write({text!r})") == ""

    def last(self, code: str, during: Callable[[], None] | None = None, after_s: float = 0.3) -> Ended:
        """Runs code that ends the processor's life -> how."""
        if not self.vm.raw:
            self.take(lambda: self.vm.feed(RAW))
        with later(during, after_s):
            return self.take(lambda: self.vm.feed(code.encode() + b"\x04"))


@contextmanager
def later(action: Callable[[], None] | None, after_s: float) -> Iterator[None]:
    """Has something done from another thread, a while after the block has begun."""
    timer = threading.Timer(after_s, action or (lambda: None))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join(5)


@contextmanager
def desk(folder: Path, **options: Any) -> Iterator[Desk]:
    """A board that is off; its flash is the file flash.bin in the folder."""
    flash = FlashChip(folder / "flash.bin", FLASH_BYTES)
    one = Desk(flash, **options)
    try:
        yield one
    finally:
        one.vm.close()
        flash.close()
