"""The two transistors between DTR, RTS and the chip's EN, IO0 that development boards have. Pure logic.

Source: "ESP32-DevKitC schematic", auto program: EN is pulled low by RTS unless DTR is set too, IO0 by DTR unless RTS.
"""

from __future__ import annotations

from collections.abc import Callable

# The capacitor at EN holds the chip in reset for a moment, so that a tool can set DTR and RTS one after the other.
# Over a network, with a round trip and a pause of 50 ms for each (pyserial's rfc2217), that moment has to be longer.
RISE_S = 0.15


class ResetLines:
    """Turns levels of DTR and RTS into resets. `settle` has to be called every few ms while `pending`."""

    def __init__(self, hold: Callable[[], None], release: Callable[[bool], None]) -> None:
        """hold: EN went low. release: EN is high again; its argument tells whether IO0 was low (download mode)."""
        self._hold, self._release = hold, release
        self.dtr = False
        self.rts = False
        self._held = False
        self._rises_s: float | None = None
        self._download = False

    @property
    def pending(self) -> bool:
        """Whether EN is on its way up."""
        return self._rises_s is not None

    def set(self, now_s: float, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """A line was set. now_s: any clock that only rises, seconds."""
        self.dtr = self.dtr if dtr is None else dtr
        self.rts = self.rts if rts is None else rts
        enabled = not (self.rts and not self.dtr)
        if not enabled:
            self._rises_s = None
            self._download = False
            if not self._held:
                self._held = True
                self._hold()
        elif self._held and self._rises_s is None:
            self._rises_s = now_s + RISE_S
        self._look()

    def settle(self, now_s: float) -> None:
        """Lets EN rise when its time has come."""
        if self._rises_s is not None and now_s >= self._rises_s:
            self._rises_s = None
            self._held = False
            self._release(self._download)

    def _look(self) -> None:
        if self.pending and self.dtr and not self.rts:
            self._download = True
