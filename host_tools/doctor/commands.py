"""What `plumveil doctor` does: this machine first, then the board on it, then the report and the exit code.

A board that does not answer is a finding, not a failure: the rest of the report stands. Changes nothing on the board
but that it starts anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from host_tools import firmware_build
from host_tools.commands import console_for_output
from host_tools.doctor import fuses, host, node, probe
from host_tools.doctor.findings import Finding, State, worst
from host_tools.errors import PlumveilError, UsageError
from host_tools.node_link import NodeLink

FINE, SICK = 0, 1
MARKS = {State.OK: ("ok  ", "green"), State.WARN: ("warn", "yellow"), State.BAD: ("BAD ", "bold red")}
TITLES = {"host": "This machine", "node": "The board"}
NO_NODE = "the board is not there, another program has the port, or there is no MicroPython on it"


def run(port: str | None, *, host_only: bool, as_json: bool) -> int:
    """Prints the report. Returns FINE, or SICK when something is bad. Errors: UsageError when `port` is no device."""
    if port is not None and not Path(port).is_char_device():
        raise UsageError(f"there is no serial port {port}; give a device such as /dev/ttyUSB0")
    found = host.examine(port)
    if not host_only:
        found += _board(port)
    if as_json:
        print(json.dumps({"state": str(worst(found)), "findings": [one.as_dict() for one in found]}, indent=1))
    else:
        _show(console_for_output(), found)
    return SICK if worst(found) is State.BAD else FINE


def _board(port: str | None) -> list[Finding]:
    if port is None:
        there = [one.device for one in host.serial_ports()]
        if len(there) != 1:
            return _none_chosen(there)
        port = there[0]
    # The prompt first: asking the chip leaves it in its loader, from which it then starts as at power-on.
    return [*examine(port), *fuses.findings(fuses.read(port))]


def _none_chosen(there: Iterable[str]) -> list[Finding]:
    ports = " ".join(there)
    if not ports:
        return []
    means = "several boards are attached, and one at a time is looked at"
    return [Finding("node", "port", State.WARN, ports, means, "name one with --port")]


def examine(port: str) -> list[Finding]:
    """All findings about the node at a port, but for its chip's fuses."""
    firmware = firmware_build.compile_firmware()
    try:
        with NodeLink(port) as link:
            state = probe.ask(link)
    except PlumveilError as error:
        return [Finding("node", "line", State.BAD, str(error), NO_NODE, f"run `plumveil flash --port {port}`")]
    return node.judge(state, firmware, int(time.time()))


def _show(console: Console, found: list[Finding]) -> None:
    part = ""
    for one in found:
        if one.part != part:
            part = one.part
            console.print(Text(TITLES[part], style="bold"))
        mark, style = MARKS[one.state]
        console.print(Text.assemble("  ", (mark, style), f"  {one.check}: {one.found}"), soft_wrap=True)
        for line in filter(None, (one.means, one.advice and f"-> {one.advice}")):
            console.print(Text(f"        {line}"), soft_wrap=True)
    counts = {state: sum(one.state is state for one in found) for state in State}
    console.print(Text(", ".join(f"{n} {state}" for state, n in counts.items())))
