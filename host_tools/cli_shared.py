"""What commands share: how one ends, and options that several have. Options and endings only, no command's work."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.errors import UsageError

BROKEN_PIPE = 141  # what a shell reports of a program ended by SIGPIPE
MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Its first line opens the keystore. Without it: $PLUMVEIL_PASSPHRASE, else asked for.",
        show_default=False,
    ),
]


def unix_s(moment: datetime | None) -> int | None:
    """A moment as typed, in UTC whatever the machine's zone -> Unix s."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())


def finish(command: Callable[[], int]) -> None:
    """Ends with the command's exit code; quietly when whoever read our output has gone."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        code = BROKEN_PIPE
    except OSError as error:
        # Readers of messages, key files and logs turn theirs into an error of their own.
        _drop_output()
        raise UsageError(f"cannot write the output: {error.strerror}") from None
    raise typer.Exit(code)


def _drop_output() -> None:
    """What is still buffered would fail once more when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
