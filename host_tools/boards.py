"""Boards: reads and checks boards/<name>/board.toml, the wiring of one board as data.

A board file states what is soldered where and holds no rule of the filter. A wiring that would leave a position
receiver powered without a switch, or a pin that cannot do its task on the chip, is refused here and never reaches
a node.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from host_tools.errors import PlumveilError, UsageError
from host_tools.pinout import CHIPS, GPS_RAILS, Chip, PowerChip, PowerSwitch, Silicon

BOARDS_DIR = Path(__file__).resolve().parent.parent / "boards"

OUTPUTS = ("i2c_scl", "i2c_sda", "onewire", "gps_tx", "gps_power", "led")
SENSOR_PINS = {
    "sht4x": ("i2c_scl", "i2c_sda"),
    "lis3dh": ("i2c_scl", "i2c_sda", "shock_interrupt"),
    "ds18b20": ("onewire",),
    "battery": ("battery_adc",),
    "gps": ("gps_rx", "gps_tx"),
}
# Beside those of SENSOR_PINS, what switches the receiver's power needs.
GPS_POWER_PINS = {"pin": ("gps_power",), "axp192": ("i2c_scl", "i2c_sda"), "axp2101": ("i2c_scl", "i2c_sda")}

Sensor = Literal["sht4x", "ds18b20", "lis3dh", "battery", "gps"]
Gpio = Annotated[int, Field(ge=0, le=48, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Micropython(_Strict):
    """The base firmware: release and the name of the port's board variant."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    board: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Flash(_Strict):
    """Flash chip, and the places in it of the file system and of the node's keys, in bytes.

    keys_*: a data partition labelled wire.KEYS_PARTITION, two blocks or more; None where the board has none, and the
    keys lie in files, which cannot be erased for good.
    """

    size_bytes: Annotated[int, Field(ge=0x100000, le=0x8000000)]
    vfs_offset_bytes: Annotated[int, Field(ge=0, multiple_of=4096)]
    vfs_size_bytes: Annotated[int, Field(ge=0x10000, multiple_of=4096)]
    keys_offset_bytes: Annotated[int, Field(ge=0x10000, multiple_of=4096)] | None = None
    keys_size_bytes: Annotated[int, Field(ge=2 * 4096, multiple_of=4096)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Flash:
        if self.vfs_offset_bytes + self.vfs_size_bytes > self.size_bytes:
            raise ValueError("the file system ends beyond the flash")
        if (self.keys_offset_bytes is None) != (self.keys_size_bytes is None):
            raise ValueError("keys_offset_bytes and keys_size_bytes go together")
        if self.keys_offset_bytes is not None and self.keys_size_bytes is not None:
            keys_end = self.keys_offset_bytes + self.keys_size_bytes
            if keys_end > self.size_bytes:
                raise ValueError("the key partition ends beyond the flash")
            if (
                self.keys_offset_bytes < self.vfs_offset_bytes + self.vfs_size_bytes
                and self.vfs_offset_bytes < keys_end
            ):
                raise ValueError("the key partition and the file system overlap")
        return self


class Pins(_Strict):
    """GPIO numbers; None where the board has no such line."""

    i2c_scl: Gpio | None = None
    i2c_sda: Gpio | None = None
    onewire: Gpio | None = None
    shock_interrupt: Gpio | None = None
    battery_adc: Gpio | None = None
    gps_rx: Gpio | None = None
    gps_tx: Gpio | None = None
    gps_power: Gpio | None = None
    consent_button: Gpio | None = None
    led: Gpio | None = None

    def used(self) -> dict[str, int]:
        """Returns the lines that are wired: name -> GPIO number."""
        return {name: pin for name, pin in self.model_dump().items() if pin is not None}


class I2c(_Strict):
    """The sensors' bus; 7-bit addresses."""

    frequency_hz: Annotated[int, Field(ge=10_000, le=1_000_000)] = 400_000
    sht4x_address: Literal[0x44, 0x45, 0x46] = 0x44  # SHT4x datasheet, section 1 "Device overview"
    lis3dh_address: Literal[0x18, 0x19] = 0x18  # LIS3DH datasheet, section 6.1.1: SA0 low or high


class Led(_Strict):
    """The LED that shows whether location is on. low: lit while its pin is low."""

    low: bool = False


class Gps(_Strict):
    """The receiver's serial line, and what switches its power: the pin gps_power, or the board's power chip.

    receiver: "ublox" is told by UBX to send only what is read; "nmea" is taken as it is. backup: its clock and
    ephemeris are kept while its power is off, by a cell of its own.
    """

    power: Literal["pin"] | PowerChip = "pin"
    uart: Annotated[int, Field(ge=1, le=2)] = 2  # UART 0 is the console
    receiver: Literal["nmea", "ublox"] = "nmea"
    backup: bool = False
    baud: Literal[4800, 9600, 19200, 38400, 57600, 115200] = 9600


class Battery(_Strict):
    """Battery voltage = ADC voltage * numerator / denominator."""

    numerator: Annotated[int, Field(ge=1, le=1000)] = 2
    denominator: Annotated[int, Field(ge=1, le=1000)] = 1


class Board(_Strict):
    """One board as checked data; see boards/ESP32_GENERIC/board.toml for the file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    title: Annotated[str, Field(min_length=1, max_length=80)]
    chip: Silicon | Literal["virtual"]
    sensors: Annotated[tuple[Sensor, ...], Field(min_length=1)]
    micropython: Micropython
    flash: Flash
    pins: Pins
    i2c: I2c = I2c()
    led: Led = Led()
    gps: Gps = Gps()
    battery: Battery = Battery()

    @model_validator(mode="after")
    def _wired(self) -> Board:
        used = self.pins.used()
        if len(set(self.sensors)) != len(self.sensors):
            raise ValueError("sensors: named twice")
        if len(set(used.values())) != len(used):
            raise ValueError("pins: two lines share one pin")
        for sensor in self.sensors:
            needed = SENSOR_PINS[sensor] + (GPS_POWER_PINS[self.gps.power] if sensor == "gps" else ())
            missing = [name for name in needed if name not in used]
            if missing:
                raise ValueError(f"pins: {sensor} needs {', '.join(missing)}")
        if self.gps.power != "pin" and "gps_power" in used:
            raise ValueError(f"pins: gps_power and gps.power = {self.gps.power!r} exclude each other")
        _check_capabilities(used, self.chip_facts)
        if self.gps.uart >= self.chip_facts.uarts:
            raise ValueError(f"gps.uart: the {self.chip_facts.title} has no UART {self.gps.uart}")
        return self

    @property
    def silicon(self) -> Silicon:
        """The chip as esptool and image headers name it; a virtual board behaves as an ESP32."""
        return "esp32" if self.chip == "virtual" else self.chip

    @property
    def chip_facts(self) -> Chip:
        """What the chip's pins can do."""
        return CHIPS[self.silicon]

    def power_switch(self) -> PowerSwitch | None:
        """The power chip's rail that feeds the receiver; None where the pin gps_power switches it."""
        return None if self.gps.power == "pin" else GPS_RAILS[self.gps.power]

    def cautions(self) -> list[str]:
        """What to mind when wiring: lines on pins whose level the chip reads at reset."""
        return [
            f"{name} is on GPIO {pin}, whose level the {self.chip_facts.title} reads at reset: see its datasheet, "
            "Strapping Pins"
            for name, pin in self.pins.used().items()
            if pin in self.chip_facts.strapping
        ]

    def without(self, *sensors: str) -> Board:
        """Returns the same board with fewer sensors fitted; their pins stay reserved."""
        kept = tuple(sensor for sensor in self.sensors if sensor not in sensors)
        return Board.model_validate({**self.model_dump(), "sensors": kept})

    def unattended(self) -> Board:
        """Returns the same board without its button: where nobody is to press it, looking at it four times a second
        would be most of a simulated node's work."""
        pins = {**self.pins.model_dump(), "consent_button": None}
        return Board.model_validate({**self.model_dump(), "pins": pins})


def _check_capabilities(used: dict[str, int], chip: Chip) -> None:
    for name, pin in used.items():
        if pin in chip.taken or pin not in chip.pins:
            raise ValueError(f"pins: {name} on GPIO {pin}, which the {chip.title} uses itself or does not have")
        if name in OUTPUTS and pin in chip.input_only:
            raise ValueError(f"pins: {name} on GPIO {pin}, which has no output")
    if used.get("battery_adc", min(chip.adc1)) not in chip.adc1:
        raise ValueError(f"pins: battery_adc has to be on ADC1 ({_span(chip.adc1)}), ADC2 stops while Wi-Fi runs")
    if used.get("shock_interrupt", min(chip.rtc)) not in chip.rtc:
        raise ValueError("pins: shock_interrupt has to be on an RTC pin, others do not wake the chip")


def _span(pins: frozenset[int]) -> str:
    return f"GPIO {min(pins)}-{max(pins)}"


def names(folder: Path = BOARDS_DIR) -> list[str]:
    """Returns the names of all boards that have a board.toml, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/board.toml"))


def load(name: str, folder: Path = BOARDS_DIR) -> Board:
    """Reads and checks one board.

    Errors: UsageError for a name that does not exist, PlumveilError for a file that is no valid board.
    """
    if name not in names(folder):
        raise UsageError(f"no board named {name!r}; there are: {', '.join(names(folder))}")
    path = folder / name / "board.toml"
    try:
        board = Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlumveilError(f"boards/{name}/board.toml is not TOML: {error}") from error
    except ValidationError as error:
        raise PlumveilError(f"boards/{name}/board.toml: {_first_fault(error)}") from error
    if board.name != name:
        raise PlumveilError(f"boards/{name}/board.toml names itself {board.name!r}")
    return board


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    text = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
