"""What each chip's pins can do, the T-Beam's power chip, and the manifests that freeze the firmware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from host_tools import boards, provision
from host_tools.boards import Board, Pins
from host_tools.errors import PlumveilError, UsageError
from host_tools.firmware_source import FIRMWARE
from host_tools.pinout import CHIPS, GPS_RAILS

REAL = [name for name in boards.names() if name != "virtual"]


def moved(name: str, line: str, pin: int) -> dict[str, Any]:
    """A board's data with one line on another pin."""
    data = boards.load(name).model_dump()
    data["pins"][line] = pin
    return data


@pytest.mark.parametrize(
    ("name", "line", "pin", "fault"),
    [
        # ESP32-S3: flash and PSRAM on 26-37, USB on 19 and 20, console on 43 and 44, no 22-25.
        ("ESP32_GENERIC_S3", "onewire", 26, "uses itself"),
        ("ESP32_GENERIC_S3", "onewire", 37, "uses itself"),
        ("ESP32_GENERIC_S3", "onewire", 19, "uses itself"),
        ("ESP32_GENERIC_S3", "onewire", 44, "uses itself"),
        ("ESP32_GENERIC_S3", "onewire", 22, "does not have"),
        ("ESP32_GENERIC_S3", "battery_adc", 11, "ADC1 (GPIO 1-10)"),
        ("ESP32_GENERIC_S3", "shock_interrupt", 38, "RTC pin"),
        # ESP32-C3: 0-10 and nothing else.
        ("ESP32_GENERIC_C3", "led", 11, "uses itself"),
        ("ESP32_GENERIC_C3", "led", 21, "uses itself"),
        ("ESP32_GENERIC_C3", "led", 22, "does not have"),
        ("ESP32_GENERIC", "gps_tx", 39, "which has no output"),
        ("LILYGO_TBEAM", "led", 36, "which has no output"),
        ("LILYGO_TBEAM", "shock_interrupt", 23, "RTC pin"),
    ],
)
def test_a_pin_that_cannot_is_refused(name: str, line: str, pin: int, fault: str) -> None:
    with pytest.raises(ValueError, match="pins") as caught:
        Board.model_validate(moved(name, line, pin))
    assert fault in str(caught.value)


def test_the_c3_wakes_and_measures_on_few_pins() -> None:
    free = boards.load("ESP32_GENERIC_C3").model_dump()
    free["pins"]["led"] = None
    for line, fault in (("battery_adc", "ADC1 (GPIO 0-4)"), ("shock_interrupt", "RTC pin")):
        data = {**free, "pins": {**free["pins"], line: 8}}
        with pytest.raises(ValueError, match="pins") as caught:
            Board.model_validate(data)
        assert fault in str(caught.value)


def test_a_serial_line_the_chip_does_not_have_is_refused() -> None:
    data = boards.load("ESP32_GENERIC_C3").model_dump()
    data["gps"]["uart"] = 2
    with pytest.raises(ValueError, match="the ESP32-C3 has no UART 2"):
        Board.model_validate(data)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_facts_of_a_chip_fit_each_other(chip: str) -> None:
    facts = CHIPS[chip]  # type: ignore[index]
    for some in (facts.taken, facts.input_only, facts.adc1, facts.rtc, facts.strapping):
        assert some <= facts.pins
    assert facts.adc1 - facts.taken
    assert facts.rtc - facts.taken


@pytest.mark.parametrize("name", boards.names())
def test_no_pin_of_a_board_is_one_that_the_chip_takes(name: str) -> None:
    board = boards.load(name)
    assert not set(board.pins.used().values()) & board.chip_facts.taken
    strapping = {line for line, pin in board.pins.used().items() if pin in board.chip_facts.strapping}
    assert {caution.split()[0] for caution in board.cautions()} == strapping


def test_both_t_beams_differ_in_the_power_chip_only() -> None:
    new, old = boards.load("LILYGO_TBEAM").model_dump(), boards.load("LILYGO_TBEAM_V1_1").model_dump()
    assert (new["gps"].pop("power"), old["gps"].pop("power")) == ("axp2101", "axp192")
    for key in ("name", "title"):
        assert new.pop(key) != old.pop(key)
    assert new == old


def test_a_power_chip_needs_the_bus() -> None:
    data = boards.load("LILYGO_TBEAM").model_dump()
    data |= {"sensors": ["gps"], "pins": Pins(gps_rx=34, gps_tx=12).model_dump()}
    with pytest.raises(ValueError, match="gps needs i2c_scl, i2c_sda"):
        Board.model_validate(data)


def test_the_node_is_told_the_rail_of_the_receiver_and_no_pin() -> None:
    numbers = provision.board_numbers(boards.load("LILYGO_TBEAM"))
    assert numbers["led_low"] == 1
    axp = {name.removeprefix("axp_"): value for name, value in numbers.items() if name.startswith("axp_")}
    # AXP2101 datasheet: REG 90H bit 2 is ALDO3; REG 94H counts tenths of a volt from 0.5 V.
    assert axp["enable_register"] == 0x90
    assert axp["enable_mask"] == 1 << 2
    assert axp["voltage_register"] == 0x94
    assert 500 + 100 * (axp["voltage"] & axp["voltage_mask"]) == 3300
    assert "gps_power" not in numbers
    old = GPS_RAILS["axp192"]
    # AXP192 datasheet: REG 12H bit 3 is LDO3; the low half of REG 28H counts tenths of a volt from 1.8 V.
    assert (old.enable_register, old.enable_mask, old.voltage_register, old.voltage_mask) == (0x12, 8, 0x28, 0x0F)
    assert 1800 + 100 * old.voltage == 3300


def test_a_board_with_a_pin_for_it_has_no_numbers_of_a_power_chip() -> None:
    numbers = provision.board_numbers(boards.load("ESP32_GENERIC"))
    assert numbers["led_low"] == 0
    assert not [name for name in numbers if name.startswith("axp_")]
    assert numbers["gps_power"] == 25


@pytest.mark.parametrize("name", boards.names())
def test_files_and_keys_follow_the_application(name: str) -> None:
    flash = boards.load(name).flash
    assert flash.keys_offset_bytes is not None
    assert flash.keys_size_bytes is not None
    assert flash.keys_offset_bytes + flash.keys_size_bytes == flash.vfs_offset_bytes
    assert flash.vfs_offset_bytes + flash.vfs_size_bytes == flash.size_bytes


class Manifest:
    """MicroPython's tools/manifestfile.py, as far as our manifests use it: includes, packages, modules."""

    def __init__(self, port: Path) -> None:
        self.port = port
        self.files: dict[str, Path] = {}
        self.included: list[Path] = []

    def include(self, path: str) -> None:
        file = Path(path.replace("$(PORT_DIR)", str(self.port))).absolute()
        self.included.append(file)
        if file.is_relative_to(self.port):
            return
        before = Path.cwd()
        os.chdir(file.parent)
        try:
            offered = {"include": self.include, "package": self.package, "module": self.module}
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), offered)
        finally:
            os.chdir(before)

    def package(self, name: str, *, base_path: str, opt: int) -> None:
        base = Path(base_path).resolve()
        for file in (base / name).rglob("*.py"):
            self.files[file.relative_to(base).as_posix()] = file

    def module(self, name: str, *, base_path: str, opt: int) -> None:
        file = Path(base_path).resolve() / name
        assert file.is_file()
        self.files[name] = file


@pytest.mark.parametrize("name", boards.names())
def test_a_manifest_freezes_the_whole_firmware(name: str, tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.include(str(boards.BOARDS_DIR / name / "manifest.py"))
    assert set(manifest.files) == {path.relative_to(FIRMWARE).as_posix() for path in FIRMWARE.rglob("*.py")}
    # MicroPython's own frozen modules come first: onewire, umqtt.simple, the boot code.
    ours = "variants/pyscript/manifest.py" if name == "virtual" else "boards/manifest.py"
    assert tmp_path / ours in manifest.included


@pytest.mark.parametrize("name", ["LILYGO", "lilygo_tbeam"])
def test_a_name_that_is_nearly_right_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="LILYGO_TBEAM"):
        boards.load(name)


def test_a_board_file_in_another_coding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "X").mkdir()
    (tmp_path / "X" / "board.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(PlumveilError, match="not TOML"):
        boards.load("X", tmp_path)
