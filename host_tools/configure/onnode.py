"""A node's configuration on an open line: which files it has, the new one put beside the old, and whether it took it.

Never writes the file in force: a new configuration is on trial until the node has run with it.
"""

from __future__ import annotations

import binascii
import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import serial  # type: ignore[import-untyped]

from host_tools.configure import compiling
from host_tools.configure.inforce import Content, content_of
from host_tools.configure.rules import NODE_FILES
from host_tools.errors import PlumveilError
from host_tools.node_link import FILE_MAX_BYTES, NodeLink, NodeLost
from plumveil import wire

BAUD = 115200
TRIAL_FILE = f"{wire.FILE_CONFIG}.{wire.CONFIG_STARTS}"
TRIAL_FILES = tuple(f"{wire.FILE_CONFIG}.{left}" for left in range(wire.CONFIG_STARTS + 1))
# A first step may wait for the access point, a position and the broker: plumveil.uplink, plumveil.service.
TAKEN_TIMEOUT_S = 150.0
STARTS_TIMEOUT_S = 20.0  # from one start that failed to the next
LINE_TIMEOUT_S = 0.5
LINE_MAX_BYTES = 400
_READ = """
from binascii import hexlify
try:
    with open({path!r}, "rb") as f:
        print("<01" + hexlify(f.read({most})).decode() + ">")
except OSError:
    print("<00>")
"""
_WRITE = """
from binascii import a2b_base64
from plumveil import flash
flash.make_folder({path!r}.rpartition("/")[0])
flash.save({path!r}, a2b_base64({data!r}))
print("<01>")
"""
_IN_FORCE = re.compile(rb"^plumveil: configuration (\d{1,10}) in force\r?$")
_FAULT = re.compile(rb"^plumveil: ([A-Za-z][\x20-\x7e]{0,200}?)\r?$")


@dataclass(frozen=True)
class State:
    """What a node on the line has. content: of the configuration in force, None when there is none that can be
    believed and read; ahead: the same of the one that was loaded ahead; damaged: there is a file in force, and it
    cannot. highest: the highest version on it, trials too, 0 without.
    """

    content: Content | None = field(repr=False)
    ahead: Content | None = field(repr=False)
    damaged: bool
    highest: int
    others: dict[str, bytes] = field(repr=False)

    @property
    def there(self) -> list[Content]:
        """What is in force, and what is loaded ahead."""
        return [one for one in (self.content, self.ahead) if one is not None]


def read_file(link: NodeLink, path: str) -> bytes | None:
    """A file of the node's, None when there is none. PlumveilError when it is longer than any that is looked for."""
    found = link.run(_READ.format(path=path, most=FILE_MAX_BYTES + 1))
    if found[:1] == b"\x00":
        return None
    if len(found) > FILE_MAX_BYTES + 1:
        raise PlumveilError(f"the node's {path} is longer than any file Plumveil puts there")
    return found[1:]


def state(link: NodeLink, k_config: bytes | None) -> State:
    """What a node has. k_config None: its configuration is taken as it is, unproven."""
    data = read_file(link, wire.FILE_CONFIG)
    parts = None if data is None else compiling.unseal(data, k_config)
    trials = [read_file(link, path) for path in TRIAL_FILES]
    tried = [compiling.unseal(trial, k_config) for trial in trials if trial is not None]
    waiting = read_file(link, wire.FILE_NEXT)
    ahead = None if waiting is None else compiling.unseal(waiting, k_config)
    versions = [one.get(wire.C_VERSION) for one in (parts, ahead, *tried) if one is not None]
    others = {path: file for path in NODE_FILES if (file := read_file(link, path)) is not None}
    content = _content(parts)
    return State(
        content,
        _content(ahead),
        data is not None and content is None,
        max((version for version in versions if type(version) is int), default=0),
        others,
    )


def _content(parts: dict[int, Any] | None) -> Content | None:
    with contextlib.suppress(PlumveilError):
        return None if parts is None else content_of(parts)
    return None


def put(link: NodeLink, data: bytes, path: str = TRIAL_FILE) -> None:
    """Puts a new configuration file beside the one in force; the node tries it at its next start, or as
    wire.FILE_NEXT at its time. NodeLost, NodeRefused."""
    encoded = binascii.b2a_base64(data, newline=False)
    if link.run(_WRITE.format(path=path, data=encoded)) != b"\x01":
        raise NodeLost("the node did not say that it has the new configuration")


def wait_until_taken(port: str, version: int, timeout_s: float = TAKEN_TIMEOUT_S) -> bool:
    """Listens, without a word to the node, until it says which configuration is in force -> whether it said so.

    PlumveilError when it says that another is, or that it cannot start. False when it says nothing in time.
    """
    last_s = ends_s = time.monotonic() + timeout_s
    fault, rest = "", b""
    with contextlib.suppress(OSError), _listening(port) as line:
        while time.monotonic() < ends_s:
            *heard, rest = (rest[-LINE_MAX_BYTES:] + line.read(max(1, line.in_waiting))).split(b"\n")
            for one in heard:
                if found := _IN_FORCE.match(one):
                    _check_version(int(found[1]), version, fault)
                    return True
                if said := _FAULT.match(one):
                    # It starts a few times more before it goes back to the old one, if it has one.
                    fault = said[1].decode("ascii")
                    ends_s = min(last_s, time.monotonic() + STARTS_TIMEOUT_S)
    if fault:
        raise PlumveilError(f"the node cannot start: {fault}")
    return False


def _check_version(found: int, version: int, fault: str) -> None:
    if found != version:
        why = fault and f" ({fault})"
        raise PlumveilError(f"the node goes on with configuration {found}: it did not take version {version}{why}")


@contextlib.contextmanager
def _listening(port: str) -> Iterator[serial.Serial]:
    with serial.Serial(port, BAUD, timeout=LINE_TIMEOUT_S, exclusive=True) as line:
        try:
            yield line
        finally:
            # On a board whose reset hangs on these lines, dropping DTR first would reset it; a pty has none.
            with contextlib.suppress(OSError):
                line.rts = False
                line.dtr = False


def taken(link: NodeLink, k_config: bytes, version: int) -> bool:
    """Whether the file in force is of that version, by looking. Costs the node a start."""
    data = read_file(link, wire.FILE_CONFIG)
    parts = None if data is None else compiling.unseal(data, k_config)
    return parts is not None and parts.get(wire.C_VERSION) == version
