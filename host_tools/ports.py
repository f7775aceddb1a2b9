"""Serial ports that boards hang on: USB adapters, boards with USB of their own, and virtual boards. Opens none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports  # type: ignore[import-untyped]

from host_tools.errors import PlumveilError, UsageError
from host_tools.virtual_board import registry

NONE_THERE = (
    "no board is attached: plug it in with a cable that carries data, not a charging cable; a CP210x or CH340 bridge"
    " may need its maker's driver; `plumveil doctor` looks further. Without hardware: `plumveil board start`"
)


@dataclass(frozen=True)
class Port:
    """A serial port: its device file, what the adapter calls itself, and the board's name where it is known."""

    device: str
    what: str = ""
    board: str | None = None


def attached() -> list[Port]:
    """The ports of USB adapters and boards; a PC's own COM ports have no hardware id and are left out."""
    # Inside a container a USB port may lack its ids as well.
    usb = ("/dev/ttyUSB", "/dev/ttyACM")
    return [
        Port(info.device, info.description or "")
        for info in list_ports.comports()
        if info.vid is not None or info.device.startswith(usb)
    ]


def virtual() -> list[Port]:
    """The ports of the virtual boards that run."""
    return [Port(one.port, f"virtual {one.board}", one.board) for one in registry.running()]


def choose(given: str | None) -> list[Port]:
    """The ports that are meant: the one given, "all", or without either the only one there is.

    Errors: UsageError when `given` is no device, or several are there; PlumveilError when none is, or none may be
    opened.
    """
    there = [*attached(), *virtual()]
    if given is not None and given != "all":
        known = [port for port in there if os.path.realpath(port.device) == os.path.realpath(given)]
        if not Path(given).is_char_device():
            raise UsageError(f"there is no serial port {given}; {_list(there)}")
        found = [Port(given, known[0].what, known[0].board) if known else Port(given)]
    else:
        found = there
    if not found:
        raise PlumveilError(NONE_THERE)
    if given is None and len(found) > 1:
        raise UsageError(f"several boards are attached, say which with --port, or --port all; {_list(found)}")
    if given != "all":
        # Of all, each says so for itself, and the others go on.
        _check_permission(found[0].device)
    return found


def one(given: str | None) -> Port:
    """The one port that is meant. Errors as of `choose`."""
    if given == "all":
        raise UsageError("this is done to one board at a time: give its --port")
    return choose(given)[0]


def _list(ports: list[Port]) -> str:
    if not ports:
        return "no board is attached"
    return "there are: " + ", ".join(f"{port.device} ({port.what})" if port.what else port.device for port in ports)


def _check_permission(device: str) -> None:
    if os.access(device, os.R_OK | os.W_OK):
        return
    group = _group_of(device)
    raise PlumveilError(
        f"no permission to open {device}: run `sudo usermod -a -G {group} $USER`, then log out and in again"
    )


def _group_of(device: str) -> str:
    # No such module where there are no groups.
    import grp

    number = Path(device).stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
