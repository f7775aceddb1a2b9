"""Chips: what each ESP32 can do with which pin, and how a power chip switches its rails. Facts of datasheets only: no
board's wiring stands here, and nothing is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Silicon = Literal["esp32", "esp32s3", "esp32c3"]
PowerChip = Literal["axp192", "axp2101"]


@dataclass(frozen=True)
class Chip:
    """The pins of one chip, as GPIO numbers.

    taken: there, but used by flash, PSRAM, USB or the console; rtc: those that wake the chip from deep sleep;
    strapping: read once at reset; uarts: how many there are, number 0 being the console.
    """

    title: str
    pins: frozenset[int]
    taken: frozenset[int]
    input_only: frozenset[int]
    adc1: frozenset[int]
    rtc: frozenset[int]
    strapping: frozenset[int]
    uarts: int

    @property
    def highest(self) -> int:
        """The highest GPIO number."""
        return max(self.pins)


@dataclass(frozen=True)
class PowerSwitch:
    """One rail of a power chip on the sensors' I2C bus; 7-bit address, registers of one byte, masks of their bits.

    id: what register 03H holds; enable_*: 1 is on, the other bits are other rails, the ESP32's own among them;
    voltage*: the rail at 3.3 V; backup_*: 1 charges the cell that keeps the receiver's clock and ephemeris.
    """

    address: int
    id: int
    enable_register: int
    enable_mask: int
    voltage_register: int
    voltage_mask: int
    voltage: int
    backup_register: int
    backup_mask: int


def _numbers(*parts: int | range) -> frozenset[int]:
    return frozenset(number for part in parts for number in (part if isinstance(part, range) else (part,)))


# Tables: ESP-IDF Programming Guide, "GPIO & RTC GPIO", section "GPIO Summary", of each chip. ADC2 is not listed: it
# does not work while Wi-Fi runs.
CHIPS: dict[Silicon, Chip] = {
    # ESP32 Series Datasheet, section 2.2 "Pin Overview", 2.3 "IO Pins", "Strapping Pins": 6-11 carry the flash, 34-39
    # have no output.
    "esp32": Chip(
        title="ESP32",
        pins=_numbers(range(20), 21, 22, 23, 25, 26, 27, range(32, 40)),
        taken=_numbers(1, 3, range(6, 12)),
        input_only=_numbers(range(34, 40)),
        adc1=_numbers(range(32, 40)),
        rtc=_numbers(0, 2, 4, range(12, 16), 25, 26, 27, range(32, 40)),
        strapping=_numbers(0, 2, 5, 12, 15),
        uarts=3,
    ),
    # ESP32-S3 Series Datasheet, section 2.3 "IO Pins", "Restrictions for GPIOs and RTC_GPIOs", "Strapping Pins":
    # 26-32 carry flash and PSRAM, 33-37 octal PSRAM, 19 and 20 USB, 43 and 44 the console.
    "esp32s3": Chip(
        title="ESP32-S3",
        pins=_numbers(range(22), range(26, 49)),
        taken=_numbers(19, 20, range(26, 38), 43, 44),
        input_only=frozenset(),
        adc1=_numbers(range(1, 11)),
        rtc=_numbers(range(22)),
        strapping=_numbers(0, 3, 45, 46),
        uarts=3,
    ),
    # ESP32-C3 Series Datasheet, section 2.3 "IO Pins", "Restrictions for GPIOs and RTC_GPIOs", "Strapping Pins":
    # 11 feeds the flash, 12-17 carry it, 18 and 19 are USB, 20 and 21 the console.
    "esp32c3": Chip(
        title="ESP32-C3",
        pins=_numbers(range(22)),
        taken=_numbers(range(11, 22)),
        input_only=frozenset(),
        adc1=_numbers(range(5)),
        rtc=_numbers(range(6)),
        strapping=_numbers(2, 8, 9),
        uarts=2,
    ),
}

# The rail that feeds the position receiver on LILYGO's T-Beam.
GPS_RAILS: dict[PowerChip, PowerSwitch] = {
    # LDO3. X-Powers AXP192 datasheet: REG 03H, REG 12H "power output control", REG 28H "LDO2/3 output voltage",
    # which is 1.8 V + 0.1 V * n; REG 35H "backup battery charging", bit 7. T-Beam V1.1 schematic.
    "axp192": PowerSwitch(0x34, 0x03, 0x12, 0x08, 0x28, 0x0F, 0x0F, 0x35, 0x80),
    # ALDO3. X-Powers AXP2101 datasheet: REG 03H "chip ID", REG 90H "LDO on/off control 0", REG 94H "ALDO3 voltage",
    # which is 0.5 V + 0.1 V * n; REG 18H "charger, gauge, watchdog on/off", bit 2: button battery. T-Beam V1.2
    # schematic.
    "axp2101": PowerSwitch(0x34, 0x4A, 0x90, 0x04, 0x94, 0x1F, 0x1C, 0x18, 0x04),
}
