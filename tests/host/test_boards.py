"""Board files: those there are must be sound, and wirings a chip cannot do are refused in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from host_tools import boards
from host_tools.errors import PlumveilError, UsageError

SOURCE = (boards.BOARDS_DIR / "ESP32_GENERIC" / "board.toml").read_text(encoding="utf-8")


def board_with(tmp_path: Path, old: str, new: str) -> Path:
    """A folder with one board, ESP32_GENERIC with one line changed."""
    assert old in SOURCE
    (tmp_path / "ESP32_GENERIC").mkdir()
    (tmp_path / "ESP32_GENERIC" / "board.toml").write_text(SOURCE.replace(old, new), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", boards.names())
def test_every_board_is_sound_and_can_switch_its_receiver_off(name: str) -> None:
    board = boards.load(name)
    assert board.name == name
    assert (board.pins.gps_power is None) != (board.power_switch() is None)


def test_the_boards_that_are_promised_are_there() -> None:
    promised = {"virtual", "ESP32_GENERIC", "ESP32_GENERIC_S3", "ESP32_GENERIC_C3", "LILYGO_TBEAM"}
    assert promised <= set(boards.names())


def test_the_virtual_board_is_wired_like_the_real_one() -> None:
    virtual, real = boards.load("virtual"), boards.load("ESP32_GENERIC")
    assert virtual.pins == real.pins
    assert virtual.sensors == real.sensors


def test_without_removes_a_sensor_and_nothing_else() -> None:
    board = boards.load("virtual")
    fridge = board.without("gps")
    assert "gps" in board.sensors
    assert fridge.sensors == tuple(sensor for sensor in board.sensors if sensor != "gps")
    assert fridge.pins == board.pins


def test_a_board_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no board named 'ESP99'; there are: .*virtual"):
        boards.load("ESP99")


@pytest.mark.parametrize("name", ["../virtual", "virtual/../virtual", "", "."])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(UsageError):
        boards.load(name)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("gps_power = 25 ", "#", "gps needs gps_power"),
        ("gps_power = 25 ", "gps_power = 34 #", "gps_power on GPIO 34, which has no output"),
        ("gps_power = 25 ", "gps_power = 17 #", "two lines share one pin"),
        ("i2c_scl = 22", "i2c_scl = 6", "GPIO 6, which the ESP32 uses itself"),
        ("i2c_scl = 22", "i2c_scl = 1", "GPIO 1, which the ESP32 uses itself"),
        ("i2c_scl = 22", "i2c_scl = 40", "GPIO 40, which the ESP32 uses itself or does not have"),
        ("i2c_scl = 22", "i2c_scl = 49", "less than or equal to 48"),
        ("i2c_scl = 22", 'i2c_scl = "22"', "integer"),
        ("battery_adc = 35", "battery_adc = 14", "battery_adc has to be on ADC1"),
        ("shock_interrupt = 33", "shock_interrupt = 18", "RTC pin"),
        ('"ds18b20", ', '"ds18b20", "ds18b20", ', "named twice"),
        ('"ds18b20", ', '"camera", ', "sensors"),
        ("vfs_size_bytes = 0x1FC000", "vfs_size_bytes = 0x400000", "ends beyond the flash"),
        ("keys_size_bytes = 0x4000", "keys_size_bytes = 0x5000", "overlap"),
        ("keys_size_bytes = 0x4000", "keys_size_bytes = 0x1000", "keys_size_bytes"),
        ("keys_size_bytes = 0x4000", "#", "go together"),
        ("keys_offset_bytes = 0x200000", "keys_offset_bytes = 0x3FF000", "key partition ends beyond"),
        ("baud = 9600", "baud = 9601", "gps.baud"),
        ("baud = 9600", 'power = "axp192"', "gps_power and gps.power = 'axp192' exclude each other"),
        ("baud = 9600", 'power = "axp999"', "gps.power"),
        ('chip = "esp32"', 'chip = "esp32c3"', "GPIO 22, which the ESP32-C3 uses itself or does not have"),
        ('chip = "esp32"', 'chip = "esp8266"', "chip"),
        ("[gps]", "[gsp]", "gsp"),
        ('name = "ESP32_GENERIC"', 'name = "OTHER"', "names itself 'OTHER'"),
        ('name = "ESP32_GENERIC"', 'name = "', "not TOML"),
    ],
)
def test_a_wrong_wiring_is_refused_in_one_line(tmp_path: Path, old: str, new: str, fault: str) -> None:
    folder = board_with(tmp_path, old, new)
    with pytest.raises(PlumveilError) as caught:
        boards.load("ESP32_GENERIC", folder)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_pins_lists_only_what_is_wired() -> None:
    pins = boards.load("ESP32_GENERIC").model_copy(update={"pins": boards.Pins(onewire=4)}).pins
    assert pins.used() == {"onewire": 4}
    assert set(tomllib.loads(SOURCE)["pins"]) == set(boards.load("ESP32_GENERIC").pins.used())


def test_a_board_that_nobody_attends_has_no_button() -> None:
    board = boards.load("virtual").unattended()
    assert board.pins.consent_button is None
    assert board.pins.used() == {
        name: pin for name, pin in boards.load("virtual").pins.used().items() if name != "consent_button"
    }
