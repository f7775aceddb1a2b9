"""The files in a flash image, read without the board: a copy of it is mounted, the image itself is never written."""

from __future__ import annotations

from host_tools import disk_image
from host_tools.errors import PlumveilError
from host_tools.esp.partitions import TABLE_BYTES, TABLE_OFFSET_BYTES, file_system, parse


def files_of(image: bytes) -> dict[str, bytes]:
    """Every file of a whole flash image: path -> content. Errors: PlumveilError when there is no sound disk in it."""
    table = parse(image[TABLE_OFFSET_BYTES : TABLE_OFFSET_BYTES + TABLE_BYTES])
    region = file_system(table, len(image))
    if region is None:
        raise PlumveilError("the flash has no room for files behind its last partition")
    return disk_image.read(image[region.offset_bytes : region.end_bytes])
