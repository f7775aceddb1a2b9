"""What a person at a virtual board does and sees: its button, its LED, whether its position receiver has power.

Real time; the button is let go by itself. Several threads may use it at once.
"""

from __future__ import annotations

import time

from host_tools.virtual_board.timing import Waiting

SLEEP_POLL_S = 0.02


class Outside:
    """asleep: the chip is in light sleep and hears nothing. shown: what the stand-in world notes of the node, by name
    (host_tools/standins/world.py, `note`); switched: how often that changed. Both of the boot that runs."""

    def __init__(self) -> None:
        self.asleep = False
        self.shown: dict[str, int] = {}
        self.switched: dict[str, int] = {}
        self._pressed_until_s = 0.0

    @property
    def pressed(self) -> bool:
        """Whether somebody holds the button down."""
        return time.monotonic() < self._pressed_until_s

    def press(self, seconds: float) -> None:
        """Holds the button down for so long from now."""
        self._pressed_until_s = time.monotonic() + seconds

    def start(self) -> None:
        """The chip starts: nothing it showed before counts."""
        self.asleep = False
        self.shown = {}
        self.switched = {}

    def note(self, name: str, value: int) -> None:
        """The world's word."""
        self.switched[name] = self.switched.get(name, 0) + (self.shown.get(name, 0) != value)
        self.shown[name] = value

    def sleep(self, waiting: Waiting, seconds: float, by_button: int) -> None:
        """Light sleep; by_button: until somebody presses it, at the latest after `seconds`. Errors: Stopped."""
        until_s = time.monotonic() + seconds
        self.asleep = True
        try:
            while (left_s := until_s - time.monotonic()) > 0 and not (by_button and self.pressed):
                waiting.wait(min(left_s, SLEEP_POLL_S), deaf=True)
        finally:
            self.asleep = False
