"""Shows what a node says, line by line with the time, and sends it nothing: the node goes on meanwhile."""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import datetime

import serial  # type: ignore[import-untyped]

from host_tools import ports

BAUD = 115200
POLL_S = 0.2
AGAIN_S = 0.5
LINE_MAX_BYTES = 4096
DONE = 0


def monitor(port: str | None, seconds: float | None) -> int:
    """Prints until Ctrl-C, or for so long. A board that is unplugged is waited for."""
    device = ports.one(port).device
    ends_s = None if seconds is None else time.monotonic() + seconds
    print(f"{device}: Ctrl-C ends; the node goes on.", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        while not _is_over(ends_s):
            try:
                _follow(device, ends_s)
            except (OSError, TypeError):
                # pyserial meets a port that closes under it with either.
                print(f"{device}: the line is gone; waiting for it", file=sys.stderr)
                time.sleep(AGAIN_S)
    return DONE


def _is_over(ends_s: float | None) -> bool:
    return ends_s is not None and time.monotonic() >= ends_s


def _follow(device: str, ends_s: float | None) -> None:
    line = b""
    # Opened without raising DTR and RTS: on many boards these lines reset the chip.
    port = serial.Serial(baudrate=BAUD, timeout=POLL_S, exclusive=True)
    port.port, port.dtr, port.rts = device, False, False
    port.open()
    with port:
        while not _is_over(ends_s):
            line += port.read(max(1, port.in_waiting))
            *whole, line = line.split(b"\n")
            for one in whole:
                _show(one)
            if len(line) > LINE_MAX_BYTES:
                _show(line)
                line = b""
        if line:
            _show(line)


def _show(line: bytes) -> None:
    text = "".join(c if c.isprintable() else "" for c in line.decode("utf-8", "replace"))
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", flush=True)
