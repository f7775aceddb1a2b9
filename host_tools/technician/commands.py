"""What `plumveil gps ...` and `plumveil preview` do at a node that runs: find the port, ask, print; exit codes.

Whatever needs a person's time - a passphrase - comes first: the node stands still while the line is open.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from host_tools import ports
from host_tools.commands import console_for_output
from host_tools.live_line import LiveLine
from host_tools.technician import show
from host_tools.technician.node import LiveNode

if TYPE_CHECKING:
    from host_tools.technician.granting import Asked

DONE = 0
ASLEEP = "the node does not answer at once: if it runs on battery, press its button shortly; Ctrl-C gives up"


def status(port: str | None) -> int:
    """Shows whether location is on, and all that goes with it."""
    with _node(port) as node:
        found = node.status()
    show.status(console_for_output(), found)
    return DONE


def on(port: str | None, asked: Asked) -> int:
    """Puts a grant in force."""
    # Imported when it is needed: keystores take longer to import than a node to answer.
    from host_tools.technician import granting

    choose = granting.choice(asked)
    with _node(port) as node:
        found = node.apply(choose(node))
    show.status(console_for_output(), found)
    return DONE


def off(port: str | None) -> int:
    """Takes consent back. Needs nothing but the line."""
    with _node(port) as node:
        was_on, found = node.withdraw()
        print(
            "Location is off: consent is taken back, its secret and queued positions are destroyed; readings stay."
            if was_on
            else "Location was off already; nothing has changed."
        )
    return DONE if not found.tier else 1


def preview(port: str | None) -> int:
    """Shows what the node takes now, and what would leave of it."""
    with _node(port) as node, Console(stderr=True).status("asking the sensors, and with consent the receiver"):
        found = node.preview()
    console = console_for_output()
    show.status(console, found.status)
    show.preview(console, found)
    return DONE


@contextmanager
def _node(port: str | None) -> Iterator[LiveNode]:
    device = ports.one(port).device
    with LiveLine(device, silent=lambda: print(f"{device}: {ASLEEP}", file=sys.stderr)) as line:
        yield LiveNode(line)
