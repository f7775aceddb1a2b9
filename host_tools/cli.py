"""The command `plumveil`: options and help only. What a command does stands in a module of its own, imported when it
is called for; every error a user can make ends as one line and an exit code.
"""

import io
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools import cli_simulate
from host_tools.errors import PlumveilError, UsageError

INTERRUPTED = 130
BROKEN_PIPE = 141  # what a shell reports of a program ended by SIGPIPE

EPILOG = "Exit codes: 0 all messages valid, 1 some invalid, 2 wrong usage, 130 interrupted."

app = typer.Typer(
    name="plumveil",
    help="Telemetry privacy filter: the host's tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

cli_simulate.register(app)

MessagesPath = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A file, a folder, or - for standard input: raw messages or CBOR sequences."),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        help="The key file. Without it: keys.json beside the messages or one folder up, else $PLUMVEIL_KEYS.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, a message a line.")]
Now = Annotated[
    datetime | None,
    typer.Option(
        metavar="UTC",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"],
        help="Take this as the present, for simulated messages.",
        show_default=False,
    ),
]
Stream = Annotated[
    Literal["readings", "location", "device", "events"] | None,
    typer.Option(help="Show this stream only.", show_default=False),
]


@app.callback()
def _app() -> None:
    """Telemetry privacy filter: the host's tools."""


@app.command(epilog=EPILOG)
def decode(
    path: MessagesPath = "-", keys: Keys = None, as_json: AsJson = False, stream: Stream = None, now: Now = None
) -> None:
    """Open messages and show what is in them."""
    from host_tools import commands

    _finish(lambda: commands.decode(path, keys, as_json, stream, _unix_s(now)))


@app.command(epilog=EPILOG)
def validate(path: MessagesPath = "-", keys: Keys = None, as_json: AsJson = False, now: Now = None) -> None:
    """Check messages against every rule of the format, and say what is wrong and where."""
    from host_tools import commands

    _finish(lambda: commands.validate(path, keys, as_json, _unix_s(now)))


def _unix_s(moment: datetime | None) -> int | None:
    """A moment as typed, in UTC whatever the machine's zone -> Unix s."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())


def _finish(command: Callable[[], int]) -> None:
    """Ends with the command's exit code; quietly when whoever read our output has gone."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        code = BROKEN_PIPE
    except OSError as error:
        # Readers of messages and of the key file turn theirs into a UsageError.
        _drop_output()
        raise UsageError(f"cannot write the output: {error.strerror}") from None
    raise typer.Exit(code)


def _drop_output() -> None:
    """What is still buffered would fail once more when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Entry point of the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A node's name may have letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="plumveil")
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            print("plumveil: interrupted", file=sys.stderr)
        raise
    except PlumveilError as error:
        print(f"plumveil: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
