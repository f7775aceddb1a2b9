"""The command `plumveil`: options and help only. What a command does stands in a module of its own, imported when it
is called for; every error a user can make ends as one line and an exit code.
"""

import io
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools import (
    cells,
    cli_audit,
    cli_board,
    cli_boards,
    cli_cells,
    cli_configure,
    cli_consent,
    cli_flash,
    cli_gps,
    cli_keys,
    cli_policy,
    cli_privacy,
    cli_receipts,
    cli_simulate,
    usage,
)
from host_tools.cli_shared import MOMENTS, PassphraseFile, finish, unix_s
from host_tools.errors import PlumveilError

INTERRUPTED = 130

EPILOG = "Exit codes: 0 all messages valid, 1 some invalid or the run failed, 2 wrong usage, 130 interrupted."

LOGGED = (
    "With a keystore, whose positions are opened and whose pseudonyms resolved is first written to its access log"
    " (plumveil audit); a keys.json is not logged."
)

app = typer.Typer(
    name="plumveil",
    help="Telemetry privacy filter: the host's tools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

cli_simulate.register(app)
cli_flash.register(app)
cli_gps.register(app)

MessagesPath = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A file, a folder, or - for standard input: raw messages or CBOR sequences."),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="FILE",
        help="A keystore (controller's or processor's) or a simulation's keys.json. Without it: keys.json beside the"
        " messages or one folder up, else $PLUMVEIL_KEYS, else $PLUMVEIL_KEYSTORE.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, a message a line.")]
Now = Annotated[
    datetime | None,
    typer.Option(
        metavar="UTC",
        formats=MOMENTS,
        help="Take this as the present, for simulated messages.",
        show_default=False,
    ),
]
Stream = Annotated[
    Literal["readings", "location", "device", "events", "dates"] | None,
    typer.Option(help="Show this stream only.", show_default=False),
]


@app.callback()
def _app() -> None:
    """Telemetry privacy filter: the host's tools."""


@app.command(epilog=f"A position's +- is of {cells.UNCERTAINTY_OF}. {LOGGED} {EPILOG}")
def decode(
    path: MessagesPath = "-",
    keys: Keys = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    stream: Stream = None,
    now: Now = None,
) -> None:
    """Open messages and show what is in them."""
    from host_tools import commands

    task = commands.Task(path, keys, unix_s(now), passphrase_file)
    finish(lambda: commands.decode(task, as_json=as_json, stream=stream))


@app.command(epilog=f"{LOGGED} {EPILOG}")
def validate(
    path: MessagesPath = "-",
    keys: Keys = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    now: Now = None,
) -> None:
    """Check messages against every rule of the format, and say what is wrong and where."""
    from host_tools import commands

    task = commands.Task(path, keys, unix_s(now), passphrase_file)
    finish(lambda: commands.validate(task, as_json=as_json))


# Here, so that help lists them behind the two above.
cli_keys.register(app)
cli_audit.register(app)
cli_privacy.register(app)
cli_board.register(app)
cli_boards.register(app)
cli_cells.register(app)
cli_configure.register(app)
cli_consent.register(app)
cli_receipts.register(cli_consent.consent)
cli_policy.register(app)


def main() -> None:
    """Entry point of the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A node's name may have letters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(prog_name="plumveil", standalone_mode=False)
    except typer.TyperException as error:
        if line := usage.refused(error):
            print(f"plumveil: error: {line}", file=sys.stderr)
        code = error.exit_code
    except PlumveilError as error:
        print(f"plumveil: error: {error}", file=sys.stderr)
        code = error.exit_code
    if code == INTERRUPTED:
        print("plumveil: interrupted", file=sys.stderr)
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
