"""LittleFS on the virtual board's flash chip: what MicroPython's VfsLfs2 does on a board, operation by operation.

Sizes are those of the ESP32 port (extmod/vfs_lfsx.c: read, program and lookahead of 32 bytes, caches of 128, blocks
of 4096), so that an image goes from here to a board and back. Must never go on writing once the supply has gone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

from littlefs import lfs
from littlefs.context import UserContext
from littlefs.errors import LittleFSError

from host_tools.virtual_board.chip import BLOCK_BYTES, FlashChip, PowerCut

UNIT_BYTES = 32
CACHE_BYTES = 4 * UNIT_BYTES
BLOCK_CYCLES = 100
LINE_BYTES = 128  # read at a time when a line's end is looked for

# errno as MicroPython counts; LittleFS has the same numbers, negative.
EIO, EBADF, EINVAL, ENOSPC = 5, 9, 22, 28
DIRECTORY = 2  # LFS_TYPE_DIR
APPEND_FLAGS = 0x2 | 0x100 | 0x800  # LFS_O_WRONLY, LFS_O_CREAT, LFS_O_APPEND

Answer = tuple[int, bytes]


class Device(UserContext):
    """A region of the chip as LittleFS sees it. cut: the supply went; every later call fails."""

    def __init__(self, flash: FlashChip, offset_bytes: int) -> None:
        self._flash = flash
        self._offset = offset_bytes
        self.cut = False

    # An exception cannot pass through LittleFS's C code: the cut is noted, and raised again behind it.

    def read(self, cfg: lfs.LFSConfig, block: int, off: int, size: int) -> bytearray:
        try:
            return bytearray(self._flash.read(self._offset + block * BLOCK_BYTES + off, size))
        except PowerCut:
            self.cut = True
        return bytearray(size)

    def prog(self, cfg: lfs.LFSConfig, block: int, off: int, data: bytes) -> int:
        return self._write(lambda at: self._flash.program(at + off, data), block)

    def erase(self, cfg: lfs.LFSConfig, block: int) -> int:
        return self._write(lambda at: self._flash.erase(at, BLOCK_BYTES), block)

    def sync(self, cfg: lfs.LFSConfig) -> int:
        return 0

    def _write(self, action: Callable[[int], None], block: int) -> int:
        try:
            if not self.cut:
                action(self._offset + block * BLOCK_BYTES)
        except PowerCut:
            self.cut = True
        return -EIO if self.cut else 0


class Disk:
    """One region of the chip, mounted or to be formatted; and the files that are open on it.

    Every operation answers (result or negative errno, bytes). Errors: PowerCut when the supply went in it.
    """

    def __init__(self, flash: FlashChip, offset_bytes: int, size_bytes: int) -> None:
        self._device = Device(flash, offset_bytes)
        self._blocks = size_bytes // BLOCK_BYTES
        self._config = lfs.LFSConfig(
            self._device,
            block_size=BLOCK_BYTES,
            block_count=self._blocks,
            read_size=UNIT_BYTES,
            prog_size=UNIT_BYTES,
            cache_size=CACHE_BYTES,
            lookahead_size=UNIT_BYTES,
            block_cycles=BLOCK_CYCLES,
        )
        self._fs = lfs.LFSFilesystem()
        self._files: dict[int, lfs.LFSFile] = {}
        self._next = 1

    def do(self, operation: Callable[[], Answer]) -> Answer:
        """Runs an operation: LittleFS's error becomes a negative errno, a supply that went becomes PowerCut."""
        try:
            answer = operation()
        except LittleFSError as error:
            answer = (error.code, b"")
        except (KeyError, ValueError):
            answer = (-EBADF, b"")
        if self._device.cut:
            raise PowerCut
        return answer

    def mount(self) -> Answer:
        """Errors: -84 (corrupt) when there is no LittleFS in the region."""
        return lfs.mount(self._fs, self._config), b""

    def format(self) -> Answer:
        """Makes the region an empty file system."""
        return lfs.format(self._fs, self._config), b""

    def open(self, path: str, flags: int) -> Answer:
        """flags: LittleFS's (rdonly 1, wronly 2, creat 256, excl 512, trunc 1024, append 2048) -> file number."""
        handle = lfs.file_open(self._fs, path, lfs.LFSFileFlag(flags))
        number = self._next
        self._next += 1
        self._files[number] = handle
        return number, b""

    def read(self, number: int, count: int) -> Answer:
        """Up to count bytes; count negative: all that are left."""
        file = self._files[number]
        if count < 0:
            count = max(0, lfs.file_size(self._fs, file) - lfs.file_tell(self._fs, file))
        data = lfs.file_read(self._fs, file, count)
        return len(data), data

    def line(self, number: int, count: int) -> Answer:
        """A line with its newline, of up to count bytes (negative: as long as it is)."""
        file = self._files[number]
        found = b""
        while count < 0 or len(found) < count:
            wanted = LINE_BYTES if count < 0 else min(LINE_BYTES, count - len(found))
            piece = lfs.file_read(self._fs, file, wanted)
            end = piece.find(b"\n") + 1
            if end:
                lfs.file_seek(self._fs, file, end - len(piece), 1)
                return len(found) + end, found + piece[:end]
            found += piece
            if len(piece) < wanted:
                break
        return len(found), found

    def write(self, number: int, data: bytes) -> Answer:
        """Returns how many bytes were taken."""
        return lfs.file_write(self._fs, self._files[number], data), b""

    def seek(self, number: int, offset: int, whence: int) -> Answer:
        """Moves to offset from the start (0), from here (1) or from the end (2) -> the new place."""
        file = self._files[number]
        lfs.file_seek(self._fs, file, offset, whence)
        return lfs.file_tell(self._fs, file), b""

    def sync(self, number: int) -> Answer:
        """Writes out what the file still has in its cache."""
        return lfs.file_sync(self._fs, self._files[number]), b""

    def close(self, number: int) -> Answer:
        """Closes a file; one that is closed already is no error."""
        file = self._files.pop(number, None)
        return (0 if file is None else lfs.file_close(self._fs, file)), b""

    def stat(self, path: str) -> Answer:
        """-> [u8 whether a folder][u32 size], big-endian."""
        found = lfs.stat(self._fs, path)
        folder = found.type == DIRECTORY
        return 0, struct.pack(">BI", folder, 0 if folder else found.size)

    def list(self, path: str) -> Answer:
        """-> JSON: [[name, whether a folder, size], ...]."""
        folder = lfs.dir_open(self._fs, path)
        found = []
        try:
            while (entry := lfs.dir_read(self._fs, folder)) is not None:
                if entry.name not in (".", ".."):
                    is_folder = entry.type == DIRECTORY
                    found.append([entry.name, is_folder, 0 if is_folder else entry.size])
        finally:
            lfs.dir_close(self._fs, folder)
        return len(found), json.dumps(found).encode()

    def mkdir(self, path: str) -> Answer:
        """Makes a folder."""
        return lfs.mkdir(self._fs, path), b""

    def remove(self, path: str) -> Answer:
        """Removes a file or an empty folder."""
        return lfs.remove(self._fs, path), b""

    def rename(self, old: str, new: str) -> Answer:
        """Renames at once, over a file that has the new name."""
        return lfs.rename(self._fs, old, new), b""

    def statvfs(self) -> Answer:
        """-> [u32 blocks][u32 free blocks]; the result is the size of a block."""
        used = lfs.fs_size(self._fs)
        return BLOCK_BYTES, struct.pack(">II", self._blocks, max(0, self._blocks - used))

    def fill(self, path: str, leave_bytes: int) -> Answer:
        """Appends to a file, a block at a time, until no more than leave_bytes are free."""
        file = lfs.file_open(self._fs, path, lfs.LFSFileFlag(APPEND_FLAGS))
        try:
            while (self._blocks - lfs.fs_size(self._fs)) * BLOCK_BYTES > leave_bytes:
                lfs.file_write(self._fs, file, bytes(BLOCK_BYTES))
                lfs.file_sync(self._fs, file)
        except LittleFSError as error:
            if error.code != -ENOSPC:
                raise
        finally:
            lfs.file_close(self._fs, file)
        return 0, b""
