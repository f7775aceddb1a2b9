"""What is burned into a board's chip: flash encryption, secure boot, the ways past them. Read by `espefuse summary`,
run as a program; nothing is ever burned.

Its answer holds the chip's MAC and key blocks: only the fields named here are looked at, and nothing of it is kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from host_tools.doctor.findings import Finding, State

TIMEOUT_S = 60
# Sources: ESP-IDF Programming Guide, "Flash Encryption" and "Secure Boot"; Technical Reference Manuals, "eFuse
# Controller". An odd number of bits set in the counter is encryption on.
CRYPT_COUNTS = ("FLASH_CRYPT_CNT", "SPI_BOOT_CRYPT_CNT")
SECURE_BOOT = ("ABS_DONE_0", "ABS_DONE_1", "SECURE_BOOT_EN")
DOWNLOAD_OFF = ("UART_DOWNLOAD_DIS", "DIS_DOWNLOAD_MODE", "ENABLE_SECURITY_DOWNLOAD")
# All fuses of one of these sets: an S3 and a C3 have JTAG on pins and, by itself, on their USB.
JTAG_OFF = (("JTAG_DISABLE",), ("DIS_PAD_JTAG", "DIS_USB_JTAG"))
NO_ANSWER = (
    "hold the board's BOOT button while you run this again, or look that no other program has the port; the rest of"
    " the report stands without it"
)


@dataclass(frozen=True)
class Fuses:
    """True where it is burned in."""

    encrypted: bool
    secure_boot: bool
    download_off: bool
    jtag_off: bool


def read(port: str) -> Fuses | None:
    """Asks the chip at `port`, which restarts it. None when it does not answer, or makes no sense."""
    command = [
        sys.executable,
        "-m",
        "espefuse",
        "--port",
        port,
        "--after",
        "hard-reset",
        "summary",
        "--format",
        "json",
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parsed(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


def parsed(text: str) -> Fuses | None:
    """The fuses in what espefuse printed; None when they are not in it."""
    start, end = text.find("{\n"), text.rfind("}")
    try:
        fields = json.loads(text[start : end + 1]) if start >= 0 else {}
    except json.JSONDecodeError:
        return None
    if not isinstance(fields, dict) or not any(name in fields for name in CRYPT_COUNTS):
        return None
    return Fuses(
        encrypted=any(_raw(fields, name).bit_count() % 2 for name in CRYPT_COUNTS),
        secure_boot=any(_raw(fields, name) for name in SECURE_BOOT),
        download_off=any(_raw(fields, name) for name in DOWNLOAD_OFF),
        jtag_off=any(all(_raw(fields, name) for name in names) for names in JTAG_OFF),
    )


def _raw(fields: dict[str, Any], name: str) -> int:
    # The value may be a word ("Disable"); the raw one is a number always.
    try:
        return int(fields[name]["raw_value"], 16)
    except (KeyError, TypeError, ValueError):
        return 0


def findings(fuses: Fuses | None) -> list[Finding]:
    """What they mean for a node. Stock MicroPython runs with none of them burned, so none is bad by itself."""
    if fuses is None:
        means = "whether the flash is encrypted and the boot secured is not known"
        return [Finding("node", "chip's fuses", State.WARN, "the chip's loader does not answer", means, NO_ANSWER)]
    return [
        _burned(
            "flash encryption",
            fuses.encrypted,
            "whoever has the node reads its flash: today's keys, the network's password, what waits to be sent; not"
            " what was sealed before the current hour",
            "retire a node that is lost (`plumveil keys retire`); a build of your own with ESP-IDF's flash encryption"
            " closes it, stock MicroPython cannot",
        ),
        _burned(
            "secure boot",
            fuses.secure_boot,
            "whoever has the node can put another firmware on it, which takes what it is given from then on",
            "look for marks on the case; ESP-IDF's secure boot with a build of your own closes it",
        ),
        _burned(
            "serial loader",
            fuses.download_off,
            "the flash can be read and written over the serial port",
            "leave it so while nodes are serviced over the port; burn it together with flash encryption",
        ),
        _burned(
            "JTAG",
            fuses.jtag_off,
            "a debugger on the chip's pins or USB reads the RAM of the running node, keys in use too",
            "burn it together with flash encryption; by itself it keeps nobody out",
        ),
    ]


def _burned(check: str, burned: bool, means: str, advice: str) -> Finding:
    opened, closed = ("open", "closed") if check in ("serial loader", "JTAG") else ("off", "on")
    if burned:
        return Finding("node", check, State.OK, closed)
    return Finding("node", check, State.WARN, opened, means, advice)
