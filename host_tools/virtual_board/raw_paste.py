"""MicroPython's raw-paste mode, spoken in the VM's stead: the VM announces it and then waits for ever.

The protocol is that of MicroPython's documentation, "reference/repl: Raw-paste mode". Collects code and grants
windows; never runs anything.
"""

from __future__ import annotations

from typing import NamedTuple

CTRL_A, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x03", b"\x04", b"\x05"
PROBE = CTRL_E + b"A" + CTRL_A
WINDOW_BYTES = 128  # the ESP32's: half of its input buffer
ACCEPTED = b"R\x01" + WINDOW_BYTES.to_bytes(2, "little") + CTRL_A


class Pasted(NamedTuple):
    """What a piece of the line led to. code: None as long as more has to come; rest: bytes behind the end."""

    said: bytes
    code: bytes | None
    interrupted: bool
    rest: bytes


class RawPaste:
    """One piece of code on its way in."""

    def __init__(self) -> None:
        self._code = bytearray()
        self._left = WINDOW_BYTES

    def feed(self, data: bytes) -> Pasted:
        """Takes bytes of the line. Ctrl-D ends the code, Ctrl-C throws it away; both are answered with Ctrl-D."""
        ends = [at for at in (data.find(CTRL_C), data.find(CTRL_D)) if at >= 0]
        end = min(ends, default=len(data))
        self._code += data[:end]
        said = self._granted(end)
        if not ends:
            return Pasted(said, None, False, b"")
        interrupted = data[end : end + 1] == CTRL_C
        return Pasted(said + CTRL_D, bytes(self._code), interrupted, data[end + 1 :])

    def _granted(self, count: int) -> bytes:
        windows, used = divmod(WINDOW_BYTES - self._left + count, WINDOW_BYTES)
        self._left = WINDOW_BYTES - used
        return CTRL_A * windows
