"""The serial line to a node: mpremote's or ampy's own transport, as a library, with code that enrols and retires.

What goes over it are keys, so nothing of it is ever printed or put into an error: neither what was sent nor what came
back. Waits are bounded. The port has to be a device of this machine: the transport would take network addresses too.
"""

from __future__ import annotations

import binascii
import contextlib
import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from host_tools.errors import PlumveilError, UsageError
from host_tools.transports import LOST, Tool, open_transport
from plumveil import wire

RUN_TIMEOUT_S = 30.0  # longest that code on the node may be silent: it erases some blocks of flash
FILE_MAX_BYTES = 16384
UNIQUE_ID_MAX_BYTES = 32

_UNIQUE_ID = """
import machine
from binascii import hexlify
print("<" + hexlify(machine.unique_id()).decode() + ">")
"""
_ENROL = """
from plumveil import service
from binascii import a2b_base64
service.enrol(a2b_base64({slot!r}), {replace!r})
print("<01>")
"""
_RETIRE = """
from plumveil import service
area = service.open_vault().area
blank = service.retire()
print("<%04x%04x%02x>" % (blank, area.blocks, 1 if area.raw else 0))
"""
_READ = """
from binascii import hexlify
from plumveil import flash
data = flash.load({path!r})
print("<" + ("" if data is None else hexlify(data).decode()) + ">")
"""
_WRITE = """
from binascii import a2b_base64
from plumveil import flash
flash.make_folder({path!r}.rpartition("/")[0])
flash.save({path!r}, a2b_base64({data!r}))
print("<01>")
"""
_DONE = b"\x01"
_ERASED = struct.Struct(">HHB")
_RESET = "import machine, time\ntime.sleep_ms(100)\nmachine.reset()\n"
_ANSWER = re.compile(rb"<([0-9a-f]*)>\s*$")
_ERROR_TYPE = re.compile(rb"^([A-Z][A-Za-z]{0,30}(?:Error|Refused|Interrupt))\b", re.MULTILINE)
# Words of the firmware's own errors that tell for sure that it did nothing, and say what to do. None carries a value.
_REFUSALS = (
    (b"enrolled already", "the node has keys already; `plumveil keys rekey` gives it others"),
    (b"no module named", "there is no Plumveil firmware on the board; flash it first"),
)
# A slot may be in force all the same.
_WORN = (b"key slot not written", b"spent keys not erased")


class Erased(NamedTuple):
    """Key blocks that read back blank, key blocks there are, and whether they are flash itself or files."""

    blank: int
    blocks: int
    raw: bool


class NodeRefused(PlumveilError):
    """The node answered, and for sure did not do it."""


class NodeLost(PlumveilError):
    """The line broke, or the node failed midway: whether it did what it was told is not known."""


class NodeLink:
    """An open line to a node whose program is stopped; closing it starts the node again."""

    def __init__(self, port: str, tool: Tool = "mpremote") -> None:
        """Opens the line and stops the program. UsageError when `port` is no device, NodeLost when none answers."""
        if not Path(port).is_char_device():
            raise UsageError(f"there is no serial port {port}; give a device such as /dev/ttyUSB0")
        self.port = port
        self._lost = False
        with _quietly(f"no node answers at {port}: is it plugged in, and no other program on the line?"):
            self._transport = open_transport(port, tool)
            try:
                self._enter()
            except BaseException:
                self._transport.close()
                raise

    def _enter(self) -> None:
        # Frees what the program held; main.py does not start again in this mode.
        self._transport.enter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def unique_id(self) -> bytes:
        """The board's hardware id. For a keyed hash, and for nothing else."""
        found = self._run(_UNIQUE_ID)
        if not 0 < len(found) <= UNIQUE_ID_MAX_BYTES:
            raise NodeRefused(f"the board at {self.port} has no hardware id")
        return found

    def enrol(self, slot_bytes: bytes, *, replace: bool = False) -> None:
        """Writes the node's first key slot. NodeRefused when it has keys and `replace` is not set."""
        self._done(_ENROL.format(slot=_base64(slot_bytes), replace=replace))

    def retire(self) -> Erased:
        """Destroys the node's keys and configuration."""
        found = self._run(_RETIRE)
        if len(found) != _ERASED.size:
            raise NodeLost(f"the node at {self.port} did not say what it destroyed")
        blank, blocks, raw = _ERASED.unpack(found)
        return Erased(blank, blocks, bool(raw))

    def read_config(self) -> bytes | None:
        """The node's configuration file, None when it has none. It holds the network's password."""
        found = self._run(_READ.format(path=wire.FILE_CONFIG))
        if len(found) > FILE_MAX_BYTES:
            raise NodeRefused("the node's configuration is longer than any configuration")
        return found or None

    def write_config(self, data: bytes) -> None:
        """Replaces the node's configuration file."""
        self._done(_WRITE.format(path=wire.FILE_CONFIG, data=_base64(data)))

    def close(self) -> None:
        """Restarts the node, which also clears its RAM of what was sent, and closes the line. A node that fell silent
        is left alone: it may be at work."""
        try:
            if not self._lost:
                with contextlib.suppress(*LOST), contextlib.redirect_stdout(io.StringIO()):
                    self._transport.start(_RESET)
        finally:
            self._transport.close()

    def abandon(self) -> None:
        """Closes the line after work on the node that may be cut anywhere: a node that fell silent stops it, as far
        as it still hears, and starts its program."""
        if not self._lost:
            self.close()
            return
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self._transport.leave()
        finally:
            self._transport.close()

    @property
    def lost(self) -> bool:
        """Whether the node fell silent in the middle of what it was told."""
        return self._lost

    def restart(self) -> None:
        """Starts MicroPython anew, its program stopped still. NodeLost when it does not come back."""
        self._lost = True
        with _quietly(f"the node at {self.port} did not come back after a restart"):
            self._transport.enter()
        self._lost = False

    def run(self, code: str, timeout_s: float | None = None) -> bytes:
        """Runs code that ends with printing "<hex>" -> those bytes. timeout_s: longest that it may be silent, if not
        RUN_TIMEOUT_S. NodeRefused, NodeLost."""
        return self._run(code, timeout_s)

    def _done(self, code: str) -> None:
        """Runs code that ends with printing _DONE. NodeRefused, NodeLost."""
        if self._run(code) != _DONE:
            raise NodeLost(f"the node at {self.port} did not say that it did as told")

    def _run(self, code: str, timeout_s: float | None = None) -> bytes:
        self._lost = True
        with _quietly(f"the line to the node at {self.port} broke off; whether it did as told is not known"):
            out, error = self._transport.execute(code, RUN_TIMEOUT_S if timeout_s is None else timeout_s)
        self._lost = False
        if error:
            raise _failure(error)
        answer = _ANSWER.search(out)
        if answer is None or len(answer[1]) % 2:
            raise NodeLost(f"the node at {self.port} gave no answer that makes sense")
        return binascii.unhexlify(answer[1])


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)


def _failure(error: bytes) -> PlumveilError:
    """The node's traceback as one line of our own words: its own may hold what was sent."""
    for words, line in _REFUSALS:
        if words in error:
            return NodeRefused(line)
    if any(words in error for words in _WORN):
        return NodeLost("the node's flash did not write or erase: the board is worn or damaged")
    kinds = _ERROR_TYPE.findall(error)
    kind = kinds[-1].decode("ascii") if kinds else "an error"
    return NodeLost(f"the node failed with {kind}; whether it did as told is not known")


@contextlib.contextmanager
def _quietly(line: str) -> Iterator[None]:
    """Turns what the transport raises into `line`, and keeps what it prints of the node's words off the screen."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except LOST:
        raise NodeLost(line) from None
