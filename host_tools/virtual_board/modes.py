"""The words in which a virtual board is told what to be: modes, the next start, its chip, its line. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from host_tools.virtual_board.hardware import Cause
from host_tools.virtual_board.rom import Security


class Mode(Enum):
    """What the chip is about."""

    OFF = "off"  # no supply
    HELD = "reset"  # EN is low
    APPLICATION = "application"
    NOTHING = "nothing to run"  # ROM or bootloader found no application
    LOADER = "loader"


@dataclass(frozen=True)
class Start:
    """What is to be next. supply: it is switched on first. first: bytes that the loader has to see; by_sync: they
    called it, no line was pulled."""

    mode: Mode
    cause: Cause = Cause.PWRON
    supply: bool = False
    first: bytes = b""
    by_sync: bool = False


@dataclass(frozen=True)
class Silicon:
    """The chip: esp32, esp32s3 or esp32c3, and what its fuses say."""

    chip: str
    security: Security


class Uart(Protocol):
    """The line out of the board."""

    def send(self, data: bytes) -> None:
        """Takes bytes; may wait a moment."""

    def drained(self, timeout_s: float) -> bool:
        """Waits until they are handed on, at most so long."""
