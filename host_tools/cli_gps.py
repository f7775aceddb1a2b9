"""The commands `gps ...` and `preview`: options and help only; host_tools.technician does the work."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools.cli_flash import Port
from host_tools.cli_keys import Keystore
from host_tools.cli_shared import MOMENTS, PassphraseFile, finish, unix_s

EPILOG = (
    "The node's program stands still meanwhile and goes on afterwards, with all its readings. Exit codes: 0 done, 1"
    " refused or failed, 2 wrong usage, 130 interrupted."
)

gps = typer.Typer(
    name="gps",
    help="Location on the node on the line: whether it is on, on with a grant, off with nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(gps)
    app.command(epilog=EPILOG)(preview)


@gps.command(epilog=EPILOG)
def status(port: Port = None) -> None:
    """Show whether location is on, since when, until when, how precisely, for what, by whom."""
    from host_tools.technician import commands

    finish(lambda: commands.status(port))


@gps.command(epilog=EPILOG)
def on(
    grant: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A grant, a batch or a folder of them: the one for this node is taken.",
            show_default=False,
        ),
    ] = None,
    tier: Annotated[
        Literal["region", "district", "area", "street"] | None,
        typer.Option(help="Make the grant here, under your delegation: how precise.", show_default=False),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it stands in the grant.", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            metavar="UTC", formats=MOMENTS, help="When it ends. Default: with the delegation.", show_default=False
        ),
    ] = None,
    port: Port = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Put a grant in force: from a file, or made here under a delegation."""
    from host_tools.keys.commands import Where
    from host_tools.technician import commands
    from host_tools.technician.granting import Asked

    asked = Asked(grant, tier, reason, unix_s(until), Where(keystore, passphrase_file))
    finish(lambda: commands.on(port, asked))


@gps.command(epilog=EPILOG)
def off(port: Port = None) -> None:
    """Take consent back, at once: no key, no passphrase, no question."""
    from host_tools.technician import commands

    finish(lambda: commands.off(port))


def preview(port: Port = None) -> None:
    """Show what the node takes now and what would leave of it, field by field; a position only under consent."""
    from host_tools.technician import commands

    finish(lambda: commands.preview(port))
