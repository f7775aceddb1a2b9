"""What a virtual board is made of, and what lives on in it over a reset. Holds data, runs nothing."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from host_tools.virtual_board.chip import FlashChip

YEAR_2000_MS = 946_684_800_000  # what a clock without a battery shows at power-on
TYPE_APP, TYPE_DATA = 0, 1
SUBTYPE_FAT = 0x81  # under which the port registers "vfs" when the table has none (ports/esp32/main.c)


class Cause(IntEnum):
    """Why the processor started, with the numbers of machine.reset_cause()."""

    PWRON = 1
    HARD = 2
    WDT = 3
    DEEPSLEEP = 4
    SOFT = 5


class End(Enum):
    """How a piece of the board's life ended."""

    PROMPT = "the prompt waits for input"
    RESET = "the chip resets"
    POWER_CUT = "the supply went while flash was worked on"
    KILLED = "ended from outside"
    DIED = "the VM's process broke down"


@dataclass(frozen=True)
class Ended:
    """cause: of a RESET, for the next boot. why: of a death, for a log."""

    end: End
    cause: Cause = Cause.PWRON
    why: str = ""


class Region(NamedTuple):
    """One entry of the partition table."""

    label: str
    type: int
    subtype: int
    offset_bytes: int
    size_bytes: int


class Anywhere(Container[tuple[str, int]]):
    """For a board that may reach every host and port, as one on a desk can."""

    def __contains__(self, _address: object) -> bool:
        return True


@dataclass
class Hardware:
    """regions: the flash's partition table as it is now. mac: 6 bytes. machine, build: as os.uname(), the
    banner and sys.implementation name it.

    world: spec of the surroundings, see host_tools/standins/world.py; without start_unix_s it begins now.
    world_folder: where the recordings lie that it names. allow: (host, port) that sockets may reach. speed: how much
    faster than real time the world's runs.
    """

    flash: FlashChip
    regions: tuple[Region, ...]
    mac: bytes
    machine: str = "Generic ESP32 module with ESP32"
    build: str = "ESP32_GENERIC"
    world: dict[str, Any] = field(default_factory=dict)
    world_folder: Path | None = None
    allow: Container[tuple[str, int]] = frozenset()
    speed: float = 1.0

    def partitions(self) -> tuple[Region, ...]:
        """The table, and the file system's place as stock MicroPython adds it: from the last entry to the end."""
        if any(region.label in ("vfs", "ffat") for region in self.regions):
            return self.regions
        end = max((region.offset_bytes + region.size_bytes for region in self.regions), default=0)
        left = self.flash.size_bytes - end
        return (*self.regions, Region("vfs", TYPE_DATA, SUBTYPE_FAT, end, left)) if left > 0 else self.regions

    def running(self) -> str | None:
        """Label of the partition that the application runs from."""
        return next((region.label for region in self.regions if region.type == TYPE_APP), None)


class Memory:
    """What outlives a reset: the RTC's clock and memory. All but power-on keep them."""

    def __init__(self, hardware: Hardware) -> None:
        self._started_s = time.monotonic()
        self._speed = hardware.speed
        self.start_unix_s = int(hardware.world.get("start_unix_s", time.time()))
        self.rtc = b""
        self.booted_ms = 0
        self._clock_less_elapsed_ms = 0

    def elapsed_ms(self) -> int:
        """Since the world began, in its time."""
        return int((time.monotonic() - self._started_s) * 1000 * self._speed)

    def start(self, cause: Cause, clock_set: bool) -> None:
        """The processor starts. clock_set: whether the board's clock is right without being set."""
        if cause is not Cause.SOFT:
            self.booted_ms = self.elapsed_ms()
        if cause is Cause.PWRON:
            self.rtc = b""
            true_ms = self.start_unix_s * 1000 + self.booted_ms
            self.set_clock(true_ms if clock_set else YEAR_2000_MS)

    def set_clock(self, unix_ms: int) -> None:
        """The node's own clock is set to this."""
        self._clock_less_elapsed_ms = unix_ms - self.elapsed_ms()

    def clock_ms(self) -> int:
        """What the node's own clock shows, Unix milliseconds."""
        return self._clock_less_elapsed_ms + self.elapsed_ms()
