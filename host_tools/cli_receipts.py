"""The command `consent collect`: options and help only; host_tools.receipts does the work."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_shared import MOMENTS, PassphraseFile, finish, unix_s

EPILOG = (
    "Only messages of the events stream are opened. Run it before `plumveil validate` and `plumveil audit`: a"
    " position is refused whose consent has no receipt. Exit codes: 0 all that came is kept, 1 something contradicts"
    " what is on record, an event is invalid or the run failed, 2 wrong usage, 130 interrupted."
)

MessagesPath = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A file, a folder, or - for standard input: raw messages or CBOR sequences."),
]
Keystore = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The controller's keystore. Without it: $PLUMVEIL_KEYSTORE, else ./plumveil.keystore.",
        show_default=False,
    ),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        metavar="UTC",
        formats=MOMENTS,
        help="Take this as the present, for simulated messages.",
        show_default=False,
    ),
]


def register(parent: typer.Typer) -> None:
    """Adds the command to the group of consent's."""
    parent.command("collect", epilog=EPILOG)(collect)


def collect(
    path: MessagesPath = "-",
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
) -> None:
    """Keep the receipts that nodes sent, each node's log verified as a chain."""
    from host_tools.keys.commands import Where
    from host_tools.receipts import commands

    finish(lambda: commands.collect(Where(keystore, passphrase_file), path, unix_s(now)))
