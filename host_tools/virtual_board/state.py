"""The folder of one virtual board: its flash, what it was made as, and where its process is found while it runs.

One process has a folder at a time, by a lock that ends with the process; what a dead one left behind is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from host_tools.errors import PlumveilError, UsageError

_Kind = TypeVar("_Kind")
TAKE_TRIES = 20
TAKE_PAUSE_S = 0.02
ESPRESSIF_OUI = bytes.fromhex("240ac4")
MAC_BYTES = 6


@dataclass(frozen=True)
class Made:
    """What a board was made as, and stays. mac: its hardware id, hex. version: of this file's format."""

    board: str
    mac: str = field(repr=False)
    version: int = 1


@dataclass(frozen=True)
class Running:
    """Where a running board is found. port: the pty's stable name. url: of its RFC 2217 port, empty without one."""

    board: str
    state: str
    port: str
    url: str
    pid: int
    socket: str


class State:
    """The files of a board in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.flash = self.folder / "flash.bin"
        self.port = self.folder / "port"
        self.log = self.folder / "log"
        self.errors = self.folder / "errors"
        self._made = self.folder / "made.json"
        self._running = self.folder / "running.json"
        self._lock = self.folder / "lock"
        self._held: int | None = None

    def make_folder(self) -> None:
        """Makes the folder, for its owner's eyes only: the flash holds keys. Errors: PlumveilError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PlumveilError(f"cannot make the board's folder {self.folder}: {error.strerror}") from error

    def made(self) -> Made | None:
        """What the board was made as; None for a folder without a board. Errors: PlumveilError for a damaged one."""
        found = _read(self._made)
        return None if found is None else _as(Made, found, self._made)

    def make(self, board: str, mac: str | None) -> Made:
        """Notes what a new board is. mac: hex with or without colons, None for one of chance. Errors: UsageError."""
        octets = ESPRESSIF_OUI + secrets.token_bytes(3) if mac is None else _octets(mac)
        made = Made(board, octets.hex())
        _write(self._made, asdict(made))
        return made

    def running(self) -> Running | None:
        """Where the board's process is found; None when none runs."""
        found = _read(self._running)
        return _as(Running, found, self._running) if found is not None and not self._free() else None

    def announce(self, running: Running) -> None:
        """Tells others where the board is found."""
        _write(self._running, asdict(running))

    def is_mine(self) -> bool:
        """Whether the folder still tells of this process."""
        found = _read(self._running)
        return found is not None and found.get("pid") == os.getpid()

    def take(self) -> None:
        """Takes the folder for this process. Errors: PlumveilError when another one has it."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(TAKE_TRIES):  # somebody may be looking just now
            if _locked(handle, fcntl.LOCK_EX):
                self._held = handle
                self._running.unlink(missing_ok=True)
                return
            time.sleep(TAKE_PAUSE_S)
        os.close(handle)
        raise PlumveilError(f"a board runs in {self.folder} already; `plumveil board stop` ends it")

    def leave(self) -> None:
        """Gives the folder back; it may be gone."""
        if self._held is not None:
            self._running.unlink(missing_ok=True)
            os.close(self._held)
            self._held = None

    def _free(self) -> bool:
        try:
            handle = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            return _locked(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _octets(mac: str) -> bytes:
    try:
        octets = bytes.fromhex(mac.replace(":", "").replace("-", ""))
    except ValueError:
        octets = b""
    if len(octets) != MAC_BYTES or octets[0] & 1:
        raise UsageError("--mac has to be 6 bytes in hexadecimal, the first one even: 24:0a:c4:00:00:01")
    return octets


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PlumveilError(f"{path} is damaged; remove the folder, or choose another --dir") from error
    return found if isinstance(found, dict) else {}


def _as(kind: type[_Kind], found: dict[str, Any], path: Path) -> _Kind:
    try:
        return kind(**found)
    except TypeError as error:
        raise PlumveilError(f"{path} is of another version; remove the folder, or choose another --dir") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content), encoding="utf-8")
    fresh.replace(path)
