"""esptool, run as the program it is: which chip is at a port, what its flash holds, writing and erasing it.

It is never imported. What it prints goes no further than a line about what failed: it shows the chip's MAC.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from host_tools.errors import PlumveilError

BAUD = 460800
TIMEOUT_S = 600.0
APPLICATION_AT = 0x10000  # of "factory" in MicroPython's partition tables (ports/esp32/partitions-*.csv)
_APPLICATION = b"\xe9"  # esp-idf "App Image Format": first byte of the header
_CHIP = re.compile(rb"Detecting chip type\.\.\.\s*(ESP[0-9A-Z-]+)")
_PERCENT = re.compile(rb"(\d{1,3})(?:\.\d)?\s*%")
_FATAL = re.compile(rb"A fatal error occurred: ([^\n\r]{1,200})")
_NAMES = {b"ESP32": "esp32", b"ESP32-S3": "esp32s3", b"ESP32-C3": "esp32c3"}
# What is ours in the environment, passphrases and network keys, is not handed on.
_ENVIRONMENT = (
    "PATH",
    "PYTHON",
    "VIRTUAL_ENV",
    "HOME",
    "USER",
    "LANG",
    "LC_",
    "TMP",
    "TEMP",
    "SYSTEMROOT",
    "ESPTOOL_",
)
_DIFFERS = b"Verification failed"
_MAC = re.compile(r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,7}\b")

Percent = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    """Bytes of the flash, from `offset_bytes` on."""

    offset_bytes: int
    data: bytes


class NoChip(PlumveilError):
    """No chip answers at the port."""


def chip_at(port: str) -> str:
    """The chip's name as in board.toml. Errors: NoChip; PlumveilError when it is none that Plumveil knows.

    The chip stays in its loader, where its line has no reset.
    """
    code, said = _run(["--port", port, "chip-id"])
    found = _CHIP.search(said)
    if code != 0 or found is None:
        raise NoChip(
            f"no board answers at {port}: is it plugged in, and no other program on the line? On some boards the BOOT"
            " button has to be held"
        )
    if found[1] not in _NAMES:
        raise PlumveilError(f"the chip at {port} is an {found[1].decode()}, which Plumveil does not know")
    return _NAMES[found[1]]


def has_application(port: str, chip: str) -> bool:
    """Whether an application begins where MicroPython's does. Errors: PlumveilError when the chip does not answer."""
    return read(port, chip, APPLICATION_AT, len(_APPLICATION)) == _APPLICATION


def read(port: str, chip: str, offset_bytes: int, size_bytes: int) -> bytes:
    """A piece of the flash. Errors: PlumveilError when the chip does not answer."""
    with tempfile.TemporaryDirectory(prefix="plumveil-") as folder:
        path = Path(folder) / "piece.bin"
        place = [f"0x{offset_bytes:x}", str(size_bytes), str(path)]
        code, said = _run(["--port", port, "--chip", chip, "read-flash", *place])
        if code != 0 or not path.is_file():
            raise _failure(port, said)
        return path.read_bytes()


def holds(port: str, chip: str, parts: Sequence[Part]) -> bool:
    """Whether the flash holds these parts. Errors: PlumveilError when the chip does not answer."""
    code, said = _with_files(["--port", port, "--chip", chip, "--baud", str(BAUD), "verify-flash"], parts)
    if code != 0 and _DIFFERS not in said:
        raise _failure(port, said)
    return code == 0


def write(port: str, chip: str, parts: Sequence[Part], percent: Percent) -> None:
    """Writes parts in their order and in one go, which esptool verifies. Errors: PlumveilError."""
    sizes = [len(part.data) for part in parts]
    at, last = 0, 0

    def told(of_part: int) -> None:
        nonlocal at, last
        # It counts each part from the beginning.
        at, last = min(at + (of_part < last), len(sizes) - 1), of_part
        percent((sum(sizes[:at]) * 100 + sizes[at] * of_part) // (sum(sizes) or 1))

    code, said = _with_files(["--port", port, "--chip", chip, "--baud", str(BAUD), "write-flash"], parts, told)
    if code != 0:
        raise _failure(port, said)


def erase(port: str) -> None:
    """Erases the whole flash. Errors: PlumveilError."""
    code, said = _run(["--port", port, "erase-flash"])
    if code != 0:
        raise _failure(port, said)


def _failure(port: str, said: bytes) -> PlumveilError:
    found = _FATAL.search(said)
    why = "" if found is None else ": " + _MAC.sub("...", found[1].decode("utf-8", "replace").strip().rstrip("."))
    return PlumveilError(f"esptool failed at {port}{why}; look at the cable, and run the command again")


def _with_files(arguments: list[str], parts: Sequence[Part], percent: Percent | None = None) -> tuple[int, bytes]:
    with tempfile.TemporaryDirectory(prefix="plumveil-") as folder:
        for n, part in enumerate(parts):
            path = Path(folder) / f"{n}.bin"
            path.write_bytes(part.data)
            arguments = [*arguments, f"0x{part.offset_bytes:x}", str(path)]
        return _run(arguments, percent)


def _run(arguments: list[str], percent: Percent | None = None) -> tuple[int, bytes]:
    """Runs esptool -> (exit code, all it printed). Killed when it takes too long, or when we are interrupted."""
    command = [sys.executable, "-m", "esptool", *arguments]
    said = b""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        env={name: value for name, value in os.environ.items() if name.startswith(_ENVIRONMENT)},
    ) as process:
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            while process.stdout is not None and (data := process.stdout.read(4096)):
                said += data
                found = _PERCENT.findall(data)
                if found and percent is not None:
                    percent(min(100, int(found[-1])))
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    return process.returncode, said
