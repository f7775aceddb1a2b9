"""MicroPython images: the stand-in against esptool's own reading of it, damage, and the words for wrong files."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.errors import PlumveilError, UsageError
from host_tools.esp import image, partitions
from host_tools.esp.chips import CHIPS, chip_named
from host_tools.esp.segments import Description, Segment, build, describe_bytes, parse

NAMES = ("esp32", "esp32s3", "esp32c3")
TITLES = {"esp32": "ESP32", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3"}
HASH_FLAG_AT = 23
TIMEOUT_S = 60


@pytest.fixture(params=NAMES)
def chip(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def application_of(chip: str, data: bytes) -> bytes:
    return data[0x10000 - image.offset_of(chip) :]


def image_info(path: Path) -> str:
    command = [sys.executable, "-m", "esptool", "image-info", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    return done.stdout


def test_places_in_flash_are_the_chips_own() -> None:
    # esp-idf "Bootloader": 0x1000 on the ESP32, 0x0 on ESP32-S3 and ESP32-C3.
    assert [image.offset_of(name) for name in (*NAMES, "virtual")] == [0x1000, 0, 0, 0x1000]
    assert {chip.name: chip.image_id for chip in CHIPS.values()} == {"esp32": 0, "esp32s3": 9, "esp32c3": 5}
    with pytest.raises(UsageError, match="no chip named 'esp8266'; there are: esp32, esp32s3, esp32c3"):
        image.offset_of("esp8266")


def test_the_standin_is_described(chip: str) -> None:
    data = image.standin_micropython(chip)
    info = image.describe(data)
    assert (info.chip, info.project, info.version) == (chip, "micropython", "v1.28.0-virtual")
    assert info.offset_bytes == image.offset_of(chip)
    assert info.table == partitions.STOCK
    assert info.application.label == "factory"
    assert info.application_bytes == len(application_of(chip, data))
    assert info.sha256 == application_of(chip, data)[-32:].hex()
    assert image.is_virtual(info)
    image.require(info, chip)


def test_esptool_finds_the_standin_right(chip: str, tmp_path: Path) -> None:
    data = image.standin_micropython(chip)
    for name, content in (("merged.bin", data), ("app.bin", application_of(chip, data))):
        (tmp_path / name).write_bytes(content)
        said = image_info(tmp_path / name)
        assert f"Detected image type: {TITLES[chip]}" in said
        assert "(invalid" not in said
        assert said.count("(valid)") == 2  # checksum and hash
        assert ("Project name: micropython" in said) == (name == "app.bin")
        assert ("App version: v1.28.0-virtual" in said) == (name == "app.bin")
        for kind in ("DROM", "IROM", "IRAM", "PADDING") if name == "app.bin" else ("DRAM", "IRAM"):
            assert kind in said


def test_the_same_input_gives_the_same_image(chip: str) -> None:
    assert image.standin_micropython(chip) == image.standin_micropython(chip)


def test_an_application_elsewhere_is_found() -> None:
    table = (
        partitions.STOCK[0],
        partitions.Partition("ota_0", 0, 0x10, 0x20000, 0x180000),
        partitions.Partition("ota_1", 0, 0x11, 0x1A0000, 0x180000),
    )
    info = image.describe(image.standin_micropython("esp32c3", table))
    assert (info.table, info.application) == (table, table[1])


def test_what_follows_the_application_does_not_matter(chip: str) -> None:
    data = image.standin_micropython(chip)
    assert image.describe(data + b"\xff" * 5000 + b"files") == image.describe(data)


def test_damage_is_noticed(chip: str) -> None:
    data = image.standin_micropython(chip)
    base = image.offset_of(chip)
    bootloader = range(parse(data).size_bytes)
    table = range(0x8000 - base, 0x8000 - base + 32 * 5)
    start = 0x10000 - base
    noise = random.Random(f"image {chip}")
    application = [start + at for at in range(0x140)] + noise.sample(range(start, len(data)), 300)
    for place in (*bootloader, *table, *application):
        changed = bytearray(data)
        changed[place] ^= 1 << noise.randrange(8)
        if place in (HASH_FLAG_AT, start + HASH_FLAG_AT) and not changed[place]:
            continue  # says that no hash was appended, as it may
        with pytest.raises(PlumveilError, match=r"^the image") as caught:
            image.describe(bytes(changed))
        assert "\n" not in str(caught.value)


def test_without_a_hash_the_checksum_counts(chip: str) -> None:
    data = bytearray(image.standin_micropython(chip))
    start = 0x10000 - image.offset_of(chip)
    data[start + HASH_FLAG_AT] = 0
    assert image.describe(bytes(data)).sha256 == ""
    data[start + 0x100] ^= 1
    with pytest.raises(PlumveilError, match="its application is damaged: its checksum is wrong"):
        image.describe(bytes(data))


def test_a_file_cut_short_anywhere_is_refused(chip: str) -> None:
    data = image.standin_micropython(chip)
    ends = [*range(200), *range(0x6F00, 0x7100), *range(0x7FF0, 0x8C10), 0x10000, len(data) - 33, len(data) - 1]
    for n in ends:
        with pytest.raises(PlumveilError, match=r"^the image"):
            image.describe(data[: min(n, len(data) - 1)])


def test_noise_is_refused() -> None:
    noise = random.Random("no image")
    for _ in range(2000):
        data = bytearray(noise.randbytes(noise.randrange(2000)))
        if data and noise.random() < 0.8:
            data[:1] = b"\xe9"
            data[12:14] = noise.choice((b"\0\0", b"\5\0", b"\t\0"))
        with pytest.raises(PlumveilError):
            image.describe(bytes(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "x.bin is too short for a firmware image"),
        (b"UF2\n" + bytes(600), "x.bin is a UF2 file"),
        (b"\x7fELF" + bytes(600), "x.bin is an ELF file"),
        (b"PK\x03\x04" + bytes(600), "x.bin is a zip archive"),
        (bytes(600), "x.bin is no firmware image: it begins with 0x00, not 0xe9"),
        (b"\xe9\x01" + bytes(10) + b"\x0d" + bytes(100), "x.bin is for a chip with id 13; Plumveil knows esp32, "),
    ],
)
def test_another_kind_of_file_is_named(data: bytes, said: str) -> None:
    with pytest.raises(PlumveilError) as caught:
        image.describe(data, "x.bin")
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("; the .bin of micropython.org/download is the right file")


def test_parts_of_a_merged_image_are_told_from_it(chip: str) -> None:
    data = image.standin_micropython(chip)
    with pytest.raises(PlumveilError, match="is an application alone, without bootloader and partition table"):
        image.describe(application_of(chip, data))
    with pytest.raises(PlumveilError, match="ends before the partition table"):
        image.describe(data[: parse(data).size_bytes])


def test_an_image_for_another_chip_is_refused() -> None:
    info = image.describe(image.standin_micropython("esp32s3"))
    with pytest.raises(PlumveilError, match=r"^fw\.bin is for esp32s3, the board has esp32$"):
        image.require(info, "virtual", "fw.bin")
    with pytest.raises(UsageError, match="no chip named"):
        image.require(info, "esp8266")


def merged(chip: str, application: bytes, table: partitions.Table = partitions.STOCK) -> bytes:
    data = bytearray(image.standin_micropython(chip, table))
    at = partitions.application(table).offset_bytes - image.offset_of(chip)
    return bytes(data[:at]) + application


def application(chip: str, told: Description | None, *more: Segment) -> bytes:
    facts = chip_named(chip)
    first = describe_bytes(told) if told else bytes(256)
    return build(facts, facts.iram_address, [Segment(facts.rom_data_address, first), *more])


def test_another_firmware_is_not_micropython() -> None:
    told = Description("blink", "1.0", "v5.5")
    info = image.describe(merged("esp32", application("esp32", told)))
    assert (info.project, info.version, info.idf_version) == ("blink", "1.0", "v5.5")
    assert not image.is_virtual(info)
    with pytest.raises(PlumveilError, match="the image is 'blink', not MicroPython"):
        image.require(info, "esp32")


def test_an_image_that_contradicts_itself_is_refused() -> None:
    told = Description("micropython", "v1", "v5")
    facts = chip_named("esp32")
    unmapped = build(facts, facts.iram_address, [Segment(facts.rom_data_address + 4, describe_bytes(told))])
    large = application("esp32", told, Segment(facts.iram_address, bytes(0x2000)))
    small_table = (partitions.Partition("factory", 0, 0, 0x10000, 0x1000),)
    for data, said in (
        (merged("esp32", application("esp32", None)), "does not say what it is"),
        (merged("esp32", application("esp32c3", told)), "bootloader is for esp32, its application for esp32c3"),
        (merged("esp32", large, small_table), "application is larger than partition 'factory'"),
        (merged("esp32", unmapped), "its application is damaged: segment 0 cannot be mapped to 0x3f400024"),
    ):
        with pytest.raises(PlumveilError, match=said):
            image.describe(data)


def test_text_of_an_image_cannot_control_a_terminal() -> None:
    told = Description("micropython", "v1\x1b[2J\n", "v5")
    info = image.describe(merged("esp32", application("esp32", told)))
    assert info.version == "v1?[2J?"
