"""Where a passphrase comes from: a file, the environment, or the terminal. Never an argument, and never shown.

A new one is asked for twice and has a shortest length, wherever it comes from.
"""

import getpass
import os
import unicodedata
from pathlib import Path

from host_tools.errors import UsageError
from host_tools.keys.files import open_private

VARIABLE = "PLUMVEIL_PASSPHRASE"
EXPORT_VARIABLE = "PLUMVEIL_EXPORT_PASSPHRASE"
NEW_VARIABLE = "PLUMVEIL_NEW_PASSPHRASE"
SHORTEST = 12  # characters of a new one
LONGEST_BYTES = 1024
ATTEMPTS = 3


def get(file: Path | None, prompt: str = "Passphrase", variable: str = VARIABLE) -> str:
    """The passphrase of a keystore there is: the first line of `file`, else the environment's, else asked for.

    UsageError when there is none to be had.
    """
    given = _given(file, variable)
    return given if given is not None else _ask(prompt, variable)


def get_new(file: Path | None, prompt: str = "New passphrase", variable: str = VARIABLE) -> str:
    """A passphrase for a file to be made; at the terminal asked for twice. UsageError when it is too short."""
    given = _given(file, variable)
    if given is not None:
        return _long_enough(given)
    for _ in range(ATTEMPTS):
        typed = _long_enough(_ask(prompt, variable))
        if typed == _ask(f"{prompt}, once more", variable):
            return typed
    raise UsageError("the two were not the same; nothing was written")


def _given(file: Path | None, variable: str) -> str | None:
    if file is not None:
        with open_private(file, "passphrase file") as opened:
            first = opened.read(LONGEST_BYTES + 2).split(b"\n", 1)[0].removesuffix(b"\r")
        try:
            return _sound(first.decode("utf-8"), f"the first line of {file}")
        except UnicodeDecodeError:
            raise UsageError(f"the first line of {file} is not UTF-8 text") from None
    value = os.environ.get(variable)
    return None if value is None else _sound(value, f"${variable}")


def _ask(prompt: str, variable: str) -> str:
    try:
        # Without a terminal getpass would read, and show, whatever comes in on standard input.
        Path("/dev/tty").open("r+b", buffering=0).close()
    except OSError:
        raise UsageError(f"no passphrase: no terminal to ask at, no passphrase file given, no ${variable}") from None
    try:
        return _sound(getpass.getpass(f"{prompt}: "), "what was typed")
    except EOFError:
        raise UsageError("no passphrase was typed") from None


def _sound(text: str, where: str) -> str:
    # One spelling for what looks the same, whichever keyboard typed it (RFC 8265 section 4.2.1).
    normal = unicodedata.normalize("NFC", text)
    try:
        length_bytes = len(normal.encode("utf-8"))
    except UnicodeEncodeError:
        raise UsageError(f"the passphrase from {where} is not UTF-8 text") from None
    if not 0 < length_bytes <= LONGEST_BYTES:
        raise UsageError(f"the passphrase from {where} is empty or longer than {LONGEST_BYTES} bytes")
    return normal


def _long_enough(text: str) -> str:
    if len(text) < SHORTEST:
        raise UsageError(f"a new passphrase has at least {SHORTEST} characters")
    return text
