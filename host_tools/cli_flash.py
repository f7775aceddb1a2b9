"""The commands `flash`, `erase`, `monitor` and `shell`: options and help only; host_tools.flashing does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools.cli_shared import PassphraseFile, finish

EPILOG = (
    "Exit codes: 0 done, 1 failed (the node boots what it had, or the new version; except while MicroPython itself is"
    " written: nothing, until the same command has finished), 2 wrong usage, 130 interrupted."
)


Port = Annotated[
    str | None,
    typer.Option(
        metavar="PORT", help="Serial port of the board. Without it: the only one there is.", show_default=False
    ),
]
FlashPort = Annotated[
    str | None,
    typer.Option(
        metavar="PORT|all",
        help="Serial port of the board, or all: every board there is, at once. Without it: the only one there is.",
        show_default=False,
    ),
]
Board = Annotated[
    str | None,
    typer.Option(
        metavar="B",
        help="Name of the board. Without it: node.toml's, else the generic one of its chip.",
        show_default=False,
    ),
]

Firmware = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="MicroPython's merged .bin for the board; needed where the board has none, or another.",
        show_default=False,
    ),
]
Node = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="node.toml: gives the node keys and its first configuration, if it has none yet.",
        show_default=False,
    ),
]
Tool = Annotated[
    Literal["mpremote", "ampy"],
    typer.Option(help="What talks to the board. ampy is slower, and gets in where mpremote does not."),
]
Rekey = Annotated[
    bool, typer.Option("--rekey", help="Give the node other keys; what it sealed with the old ones still opens.")
]
Keystore = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The keystore. Without it: $PLUMVEIL_KEYSTORE, else ./plumveil.keystore.",
        show_default=False,
    ),
]
Receipt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where the receipt goes; with --port all a folder. Default: build/receipts.",
        show_default=False,
    ),
]
Numbered = Annotated[bool, typer.Option("--numbered", help="Add the next free number to the node's name.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(epilog=EPILOG)(flash)
    app.command(epilog=EPILOG)(erase)
    app.command(epilog=EPILOG)(monitor)
    app.command(epilog=EPILOG)(shell)


def flash(
    port: FlashPort = None,
    board: Board = None,
    firmware: Firmware = None,
    node: Node = None,
    tool: Tool = "mpremote",
    rekey: Rekey = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
    receipt: Receipt = None,
    numbered: Numbered = False,
) -> None:
    """Make a board a working node: MicroPython, Plumveil, keys, configuration, self-test, receipt."""
    from host_tools.flashing import commands
    from host_tools.keys.commands import Where

    where = Where(keystore, passphrase_file)
    request = commands.Request(board, port, firmware, node, tool, rekey, numbered, receipt, where)
    finish(lambda: commands.flash(request))


def erase(
    port: Port = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a board's whole flash: MicroPython, files, keys."""
    from host_tools.flashing import commands

    finish(lambda: commands.erase(port, yes=yes))


def monitor(
    port: Port = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="S", min=0, help="End after so long. Without it: Ctrl-C.", show_default=False),
    ] = None,
) -> None:
    """Show what a node says, with the time; the node goes on meanwhile."""
    from host_tools.flashing import monitor as listening

    finish(lambda: listening.monitor(port, seconds))


def shell(port: Port = None) -> None:
    """Open MicroPython's prompt on a node, which stops it; it starts again when the prompt is left (Ctrl-])."""
    from host_tools.flashing import commands

    finish(lambda: commands.shell(port))
