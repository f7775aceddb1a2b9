"""MicroPython as one merged file for an ESP32: what it is, whether it is whole, and a stand-in for virtual boards.

A merged file is what the flash holds from the bootloader on, as micropython.org ships it (ports/esp32/makeimg.py):
bootloader, partition table at 0x8000, application. Reads bytes; never a network, never a port.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.errors import PlumveilError
from host_tools.esp import partitions
from host_tools.esp.chips import Chip, chip_named
from host_tools.esp.segments import (
    HEADER,
    MMU_PAGE_BYTES,
    SEGMENT,
    BadImage,
    Description,
    Parsed,
    Segment,
    build,
    describe_bytes,
    description,
    parse,
)

MICROPYTHON = "micropython"  # project name in the official images (ports/esp32/CMakeLists.txt)
VIRTUAL_VERSION = "v1.28.0-virtual"
_OTHER_FILES = {
    b"UF2\n": "a UF2 file",
    b"\x7fELF": "an ELF file",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
}
_WHERE = "the .bin of micropython.org/download is the right file"


@dataclass(frozen=True)
class ImageInfo:
    """What a merged image holds.

    chip: a name as in board.toml. offset_bytes: where in the flash the file begins. sha256: of the application, hex,
    empty where the image has none.
    """

    chip: str
    project: str
    version: str
    idf_version: str
    offset_bytes: int
    table: partitions.Table
    application: partitions.Partition
    application_bytes: int
    sha256: str


def offset_of(chip: str) -> int:
    """Returns the place in the flash, in bytes, where a merged image of the chip begins. Errors: UsageError."""
    return chip_named(chip).bootloader_offset_bytes


def describe(data: bytes, name: str = "the image") -> ImageInfo:
    """Checks a merged image as ROM and bootloader would before they start it, and says what it is.

    data: may go on behind the application (files, keys). Errors: PlumveilError of one line that begins with `name`.
    """
    try:
        return _describe(data)
    except BadImage as error:
        raise PlumveilError(f"{name} {error}; {_WHERE}") from error
    except PlumveilError as error:
        raise PlumveilError(f"{name}: {error}") from error


def _describe(data: bytes) -> ImageInfo:
    for start, what in _OTHER_FILES.items():
        if data.startswith(start):
            raise BadImage(f"is {what}")
    bootloader = parse(data)
    if description(bootloader) is not None:
        raise BadImage("is an application alone, without bootloader and partition table")
    base = bootloader.chip.bootloader_offset_bytes
    if base + bootloader.size_bytes > partitions.TABLE_OFFSET_BYTES:
        raise BadImage("is damaged: the bootloader reaches into the partition table")
    at = partitions.TABLE_OFFSET_BYTES - base
    if len(data) < at + partitions.TABLE_BYTES:
        raise BadImage("ends before the partition table")
    table = partitions.parse(data[at : at + partitions.TABLE_BYTES])
    place = partitions.application(table)
    try:
        application = parse(data[place.offset_bytes - base :])
    except BadImage as error:
        raise PlumveilError(f"its application {error}") from error
    return _info(bootloader.chip, table, place, application)


def _info(chip: Chip, table: partitions.Table, place: partitions.Partition, application: Parsed) -> ImageInfo:
    told = description(application)
    if told is None:
        raise PlumveilError("its application does not say what it is")
    if application.chip is not chip:
        raise PlumveilError(f"its bootloader is for {chip.name}, its application for {application.chip.name}")
    if application.size_bytes > place.size_bytes:
        raise PlumveilError(f"its application is larger than partition {place}")
    digest = application.sha256.hex() if application.sha256 else ""
    return ImageInfo(
        chip=chip.name,
        project=told.project,
        version=told.version,
        idf_version=told.idf_version,
        offset_bytes=chip.bootloader_offset_bytes,
        table=table,
        application=place,
        application_bytes=application.size_bytes,
        sha256=digest,
    )


def require(info: ImageInfo, chip: str, name: str = "the image") -> None:
    """Refuses an image for another chip, or not of MicroPython. Errors: PlumveilError, UsageError (no such chip)."""
    wanted = chip_named(chip).name
    if info.chip != wanted:
        raise PlumveilError(f"{name} is for {info.chip}, the board has {wanted}")
    if info.project != MICROPYTHON:
        raise PlumveilError(f"{name} is {info.project!r}, not MicroPython; {_WHERE}")


def is_virtual(info: ImageInfo) -> bool:
    """True for a stand-in, which runs on virtual boards only: a real chip would start it and do nothing."""
    return info.version.endswith("-virtual")


def standin_micropython(chip: str, table: partitions.Table = partitions.STOCK) -> bytes:
    """Returns a merged image for virtual boards: right in all that ROM and bootloader check; its code does nothing.

    chip: as in board.toml. table: the partitions it carries. Errors: UsageError, PlumveilError for a bad table.
    """
    facts = chip_named(chip)
    base = facts.bootloader_offset_bytes
    image = bytearray(_standin_bootloader(facts))
    for at, data in (
        (partitions.TABLE_OFFSET_BYTES, partitions.make(table)),
        (partitions.application(table).offset_bytes, _standin_application(facts)),
    ):
        image += b"\xff" * (at - base - len(image)) + data
    return bytes(image)


def _standin_bootloader(chip: Chip) -> bytes:
    text = b"Plumveil: bootloader of a virtual board\0"
    code = Segment(chip.bootloader_code_address, chip.idle_code)
    return build(chip, code.address, [Segment(chip.bootloader_data_address, text), code])


def _standin_application(chip: Chip) -> bytes:
    told = Description(MICROPYTHON, VIRTUAL_VERSION, "none")
    described = Segment(chip.rom_data_address, describe_bytes(told))
    code = Segment(chip.iram_address, chip.idle_code)
    return build(chip, code.address, [described, code, *_mapped_code(chip, [described, code])])


def _mapped_code(chip: Chip, before: list[Segment]) -> list[Segment]:
    # The cache maps whole pages: a segment of padding (address 0) moves the code to its place in one.
    at = HEADER.size + sum(SEGMENT.size + len(segment.data) for segment in before)
    padding = (chip.flash_code_address - at - 2 * SEGMENT.size) % MMU_PAGE_BYTES
    return [Segment(0, bytes(padding)), Segment(chip.flash_code_address, chip.idle_code)]
