"""The commands `boards`, `image` and `doctor`: options and help only; modules of their own do the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_keys import Keystore
from host_tools.cli_shared import PassphraseFile, finish

BOARDS_EPILOG = "Exit codes: 0 done, 1 a board file is not valid, 2 wrong usage."
IMAGE_EPILOG = "Exit codes: 0 done, 1 refused or failed (image, keystore, node.toml), 2 wrong usage, 130 interrupted."
DOCTOR_EPILOG = (
    "Exit codes: 0 nothing bad found (warnings are none), 1 something bad, 2 wrong usage, 130 interrupted."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("boards", epilog=BOARDS_EPILOG)(boards)
    app.command("image", epilog=IMAGE_EPILOG)(image)
    app.command("doctor", epilog=DOCTOR_EPILOG)(doctor)


def boards(
    board: Annotated[
        str | None, typer.Argument(metavar="BOARD", help="Show this one's wiring.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the boards there are, or show one's wiring."""
    from host_tools import boards_show

    if board is None:
        finish(lambda: boards_show.listed(as_json=as_json))
    else:
        finish(lambda: boards_show.one(board, as_json=as_json))


def image(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    board: Annotated[
        str | None,
        typer.Option(metavar="BOARD", help="Default: the board that node.toml names.", show_default=False),
    ] = None,
    node: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="node.toml of the node it is for: enrols it, and puts its keys and its configuration in.",
            show_default=False,
        ),
    ] = None,
    micropython: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="MicroPython for the board, as micropython.org ships it; `virtual` for a virtual board's stand-in.",
            show_default=False,
        ),
    ] = None,
    rekey: Annotated[
        bool, typer.Option("--rekey", help="The node is enrolled already: give it other keys, on another board.")
    ] = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Write MicroPython, firmware and a node's keys into one file that esptool flashes."""
    from host_tools import image_commands
    from host_tools.keys.commands import Where

    task = image_commands.Task(board, node, micropython, out, rekey)
    finish(lambda: image_commands.make(task, Where(keystore, passphrase_file)))


def doctor(
    port: Annotated[
        str | None,
        typer.Option(metavar="PORT", help="The board's serial port. Default: the one there is.", show_default=False),
    ] = None,
    host_only: Annotated[bool, typer.Option("--host", help="Look at this machine only, at no board.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look this machine and the board on it over, and say what each finding means."""
    from host_tools.doctor import commands

    finish(lambda: commands.run(port, host_only=host_only, as_json=as_json))
