"""A node's disk as bytes: LittleFS exactly as stock MicroPython mounts it on an ESP32.

Sources: MicroPython's extmod/vfs_lfs.c and vfs_lfsx.c (VfsLfs2's sizes). A disk made with another cache size would
hold inline files that the board cannot open, one with another block count would not mount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import littlefs
from littlefs.context import UserContext

from host_tools.errors import PlumveilError

BLOCK_BYTES = 4096
# As VfsLfs2 sets them: cache_size is four times read and prog size.
LFS_OPTIONS: dict[str, Any] = {
    "block_size": BLOCK_BYTES,
    "read_size": 32,
    "prog_size": 32,
    "cache_size": 128,
    "lookahead_size": 32,
    "block_cycles": 100,
}
# The oldest that LittleFS 2 knows: every MicroPython mounts it, and takes it to its own version when it first writes.
DISK_VERSION = 0x00020000


def make(files: Mapping[str, bytes], size_bytes: int) -> bytes:
    """Returns a disk of size_bytes with the files, absolute path -> content, and the folders they need.

    The same files give the same bytes. Errors: PlumveilError when they do not fit.
    """
    context = UserContext(buffsize=size_bytes)
    disk = littlefs.LittleFS(
        context=context,
        mount=False,
        block_count=size_bytes // BLOCK_BYTES,
        disk_version=DISK_VERSION,
        **LFS_OPTIONS,
    )
    try:
        disk.format()
        disk.mount()
        for path, content in sorted(files.items()):
            disk.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            with disk.open(path, "wb") as file:
                file.write(content)
        disk.unmount()
    except (littlefs.LittleFSError, OSError) as error:
        raise PlumveilError(f"{len(files)} files do not fit a disk of {size_bytes} bytes: {error}") from error
    return bytes(context.buffer)


def read(image: bytes) -> dict[str, bytes]:
    """Returns every file of a disk, absolute path -> content. Errors: PlumveilError when it does not mount."""
    disk = littlefs.LittleFS(
        context=UserContext(buffer=bytearray(image)),
        mount=False,
        block_count=len(image) // BLOCK_BYTES,
        **LFS_OPTIONS,
    )
    try:
        disk.mount()
        found = dict(_files(disk))
        disk.unmount()
    except (littlefs.LittleFSError, OSError) as error:
        raise PlumveilError(f"the disk does not mount: {error}") from error
    return found


def _files(disk: littlefs.LittleFS) -> Iterator[tuple[str, bytes]]:
    for folder, _, names in disk.walk("/"):
        for name in names:
            path = str(PurePosixPath(folder) / name)
            with disk.open(path, "rb") as file:
                yield path, file.read()
