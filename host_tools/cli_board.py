"""The commands `board ...`: options and help only; host_tools.virtual_board.commands does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_shared import finish

EPILOG = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."

Board = Annotated[str | None, typer.Option("--board", metavar="B", help="Name of the board.", show_default=False)]
Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="STATE",
        help="The board's folder: its flash outlives the process there. Default: build/boards/<board>.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

board_app = typer.Typer(
    name="board",
    help="Virtual boards: a serial port with MicroPython and an ESP32's ROM loader behind it, for the real tools.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(board_app)


@board_app.command(epilog=EPILOG)
def start(
    board: Board = None,
    folder: Dir = None,
    blank: Annotated[bool, typer.Option("--blank", help="A new board without MicroPython on it.")] = False,
    mac: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="A new board's hardware id. Default: by chance.", show_default=False),
    ] = None,
    rfc2217: Annotated[
        bool, typer.Option("--rfc2217", help="Also serve the port on the loopback network, with reset lines.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Let the board's sockets reach this; give it again for more."),
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, until Ctrl-C.")] = False,
) -> None:
    """Start a virtual board and print its serial port."""
    from host_tools.virtual_board import commands
    from host_tools.virtual_board.rig import Options

    options = Options(board, mac, blank, rfc2217, commands.addresses(allow or []))
    finish(lambda: commands.start(options, folder, foreground=foreground))


@board_app.command(epilog=EPILOG)
def stop(
    board: Board = None,
    folder: Dir = None,
    everything: Annotated[bool, typer.Option("--all", help="All virtual boards that run.")] = False,
) -> None:
    """End a virtual board; its flash stays in its folder."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.stop(board, folder, everything=everything))


@board_app.command("list", epilog=EPILOG)
def list_(as_json: AsJson = False) -> None:
    """Show the virtual boards that run."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.list_boards(as_json=as_json))


@board_app.command(epilog=EPILOG)
def reset(board: Board = None, folder: Dir = None) -> None:
    """Press the reset button."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.reset(board, folder))


@board_app.command(epilog=EPILOG)
def press(
    board: Board = None,
    folder: Dir = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long.")] = 6.0,
) -> None:
    """Hold the consent button down: 5 seconds take consent back."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.press(board, folder, seconds))


@board_app.command(epilog=EPILOG)
def status(board: Board = None, folder: Dir = None, as_json: AsJson = False) -> None:
    """Show what a virtual board is about."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.status(board, folder, as_json=as_json))


@board_app.command(epilog=EPILOG)
def log(
    board: Board = None,
    folder: Dir = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more comes, until Ctrl-C.")] = False,
) -> None:
    """Show what happened to a board, and what it said while nobody had its port open."""
    from host_tools.virtual_board import commands

    finish(lambda: commands.log(board, folder, follow=follow))


@board_app.command(
    epilog="Faults: drop, garble (--bytes or --rate, --direction), slow (--bytes a second), cut-line (--bytes),"
    " cable-out, cable-in, power-cut (--bytes or --ops of flash writes, --torn, --seconds until it is back),"
    " power-off, power-on, busy (--seconds), disk-full (--bytes left), disk-free, sensor-out and sensor-in"
    f" (--sensor, --how), none. {EPILOG}"
)
def fault(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which one; see below.")],
    board: Board = None,
    folder: Dir = None,
    count: Annotated[int | None, typer.Option("--bytes", metavar="N", show_default=False)] = None,
    ops: Annotated[int | None, typer.Option(metavar="N", show_default=False)] = None,
    rate: Annotated[float | None, typer.Option(metavar="0..1", show_default=False)] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", show_default=False)] = None,
    direction: Annotated[
        str | None, typer.Option(metavar="in|out|both", help="As the board sees it.", show_default=False)
    ] = None,
    torn: Annotated[bool, typer.Option("--torn", help="The write that is cut leaves half-done bits.")] = False,
    sensor: Annotated[str | None, typer.Option(metavar="NAME", show_default=False)] = None,
    how: Annotated[
        str | None, typer.Option(metavar="absent|crc|timeout", help="Default: absent.", show_default=False)
    ] = None,
) -> None:
    """Disturb a virtual board: its line, supply, disk or sensors."""
    from host_tools.virtual_board import commands

    values: dict[str, object] = {"bytes": count, "ops": ops, "rate": rate, "seconds": seconds, "direction": direction}
    values |= {"torn": torn or None, "sensor": sensor, "how": how}
    finish(lambda: commands.fault(board, folder, kind, values))
