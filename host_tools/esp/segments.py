"""One ESP image: header, segments, checksum, SHA-256. Parses and makes it; never looks at what the code does.

Source: esp-idf "App Image Format": 24 bytes of header, segments of 8 bytes (address, length) and data, zeros up to a
checksum byte that ends a 16-byte row, then the SHA-256 of all before it. Integers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor

from host_tools.errors import PlumveilError
from host_tools.esp.chips import CHIPS, Chip, chip_with_id

MAGIC = 0xE9
HEADER = struct.Struct("<BBBBIB3sHBHH4xB")
SEGMENT = struct.Struct("<II")
SEGMENTS_MAX = 16  # ESP_IMAGE_MAX_SEGMENTS
CHECKSUM_SEED = 0xEF
SHA256_BYTES = 32
MMU_PAGE_BYTES = 0x10000
_SPI_MODE_DIO = 2
_FLASH_4_MIB_40_MHZ = 0x20
_WP_PIN_DISABLED = 0xEE
_REVISION_ANY = 0xFFFF

# esp_app_desc_t, which stands first in an application's first segment.
DESCRIPTION = struct.Struct("<II8x32s32s16s16s32s32sHHB3x72x")
DESCRIPTION_MAGIC = 0xABCD5432


class BadImage(PlumveilError):
    """Bytes are no valid image; the message is a clause that goes on from the image's name."""


@dataclass(frozen=True)
class Segment:
    """`data` (a multiple of 4 bytes) goes to `address`."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Description:
    """What an application says of itself."""

    project: str
    version: str
    idf_version: str


@dataclass(frozen=True)
class Parsed:
    """One checked image; size_bytes counts checksum and hash, sha256 is None where none was appended."""

    chip: Chip
    entry: int
    segments: tuple[Segment, ...]
    size_bytes: int
    sha256: bytes | None


def chip_of(data: bytes) -> Chip:
    """Returns the chip that an image's header names. Errors: BadImage."""
    if len(data) < HEADER.size:
        raise BadImage("is too short for a firmware image")
    if data[0] != MAGIC:
        raise BadImage(f"is no firmware image: it begins with 0x{data[0]:02x}, not 0x{MAGIC:02x}")
    image_id = HEADER.unpack_from(data)[7]
    chip = chip_with_id(image_id)
    if chip is None:
        raise BadImage(f"is for a chip with id {image_id}; Plumveil knows {', '.join(CHIPS)}")
    return chip


def parse(data: bytes) -> Parsed:
    """Checks one image at the start of `data`, as ROM and bootloader do; what follows it is left alone.

    Errors: BadImage for anything that they would not start.
    """
    chip = chip_of(data)
    header = HEADER.unpack_from(data)
    count, entry, hashed = header[1], header[4], header[11]
    if not 1 <= count <= SEGMENTS_MAX:
        raise BadImage(f"is damaged: {count} segments")
    segments, at, checksum = [], HEADER.size, CHECKSUM_SEED
    for number in range(count):
        segment = _segment(data, at, number, chip)
        segments.append(segment)
        at += SEGMENT.size + len(segment.data)
        checksum ^= xor_bytes(segment.data)
    end = at - at % 16 + 16
    if len(data) < end + SHA256_BYTES * bool(hashed):
        raise BadImage("is cut short")
    if data[end - 1] != checksum:
        raise BadImage("is damaged: its checksum is wrong")
    sha256 = None
    if hashed:
        sha256 = hashlib.sha256(data[:end]).digest()
        if data[end : end + SHA256_BYTES] != sha256:
            raise BadImage("is damaged: its SHA-256 is wrong")
        end += SHA256_BYTES
    return Parsed(chip, entry, tuple(segments), end, sha256)


def _segment(data: bytes, at: int, number: int, chip: Chip) -> Segment:
    if at + SEGMENT.size > len(data):
        raise BadImage("is cut short")
    address, n = SEGMENT.unpack_from(data, at)
    start = at + SEGMENT.size
    if n % 4:
        raise BadImage(f"is damaged: segment {number} has {n} bytes")
    if start + n > len(data):
        raise BadImage("is cut short")
    mapped = any(low <= address < high for low, high in chip.mapped)
    if mapped and (address - start) % MMU_PAGE_BYTES:
        raise BadImage(f"is damaged: segment {number} cannot be mapped to 0x{address:08x}")
    return Segment(address, bytes(data[start : start + n]))


def xor_bytes(data: bytes) -> int:
    """Returns all bytes of `data`, exclusive or: the checksum of images and of the serial protocol, without seed."""
    # By words of 8 bytes: an application has about 2 million bytes.
    words = memoryview(data + bytes(-len(data) % 8)).cast("Q")
    return reduce(xor, reduce(xor, words, 0).to_bytes(8, "little"))


def build(chip: Chip, entry: int, segments: Sequence[Segment]) -> bytes:
    """Returns the image of these segments, checksum and hash appended."""
    header = (MAGIC, len(segments), _SPI_MODE_DIO, _FLASH_4_MIB_40_MHZ, entry, _WP_PIN_DISABLED, bytes(3))
    image = bytearray(HEADER.pack(*header, chip.image_id, 0, 0, _REVISION_ANY, 1))
    checksum = CHECKSUM_SEED
    for segment in segments:
        image += SEGMENT.pack(segment.address, len(segment.data)) + segment.data
        checksum ^= xor_bytes(segment.data)
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return bytes(image) + hashlib.sha256(image).digest()


def description(parsed: Parsed) -> Description | None:
    """Returns an application's description, None where the image has none (a bootloader)."""
    data = parsed.segments[0].data
    if len(data) < DESCRIPTION.size:
        return None
    magic, _, version, project, _, _, idf_version, *_ = DESCRIPTION.unpack_from(data)
    if magic != DESCRIPTION_MAGIC:
        return None
    return Description(_text(project), _text(version), _text(idf_version))


def describe_bytes(told: Description) -> bytes:
    """Returns an esp_app_desc_t with this in it; no time of building, so that the same input gives the same bytes."""
    names = (told.version, told.project, "00:00:00", "Jan  1 2000", told.idf_version)
    fields = [name.encode("ascii") for name in names]
    return DESCRIPTION.pack(DESCRIPTION_MAGIC, 0, *fields, bytes(32), 0, _REVISION_ANY, 16)


def _text(field: bytes) -> str:
    # Only what prints: the text ends up in one line on a terminal.
    text = field.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)
