"""The commands `configure ...`: options and help only; host_tools.configure.commands does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from host_tools.cli_keys import Keystore, Port
from host_tools.cli_shared import PassphraseFile, finish

EPILOG = "Exit codes: 0 done, 1 refused or failed (node.toml, rule, keystore, node), 2 wrong usage, 130 interrupted."
WRITE = "write"


class _WriteUnlessNamed(TyperGroup):
    """`configure node.toml` and `configure --dry-run` are `configure write ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [WRITE, *args]
        return super().parse_args(ctx, args)


configure = typer.Typer(
    name="configure",
    help="A node's configuration: node.toml checked, compared, and written to the node."
    f" Without one of these commands: {WRITE}.",
    cls=_WriteUnlessNamed,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(configure)


@configure.command(WRITE, epilog=EPILOG)
def write(
    file: Annotated[Path, typer.Argument(metavar="NODE.toml", help="What the node is to be.")] = Path("node.toml"),
    port: Port = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; without --port and --diff look at no node either.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what changes on the node; of secrets only that.")
    ] = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Configure the node on the line. It keeps its old configuration until it has run with the new one."""
    from host_tools.configure import commands
    from host_tools.keys.commands import Where

    wanted = commands.Wanted(file, port, dry_run, diff)
    finish(lambda: commands.write(wanted, Where(keystore, passphrase_file)))


@configure.command(epilog=EPILOG)
def check(
    file: Annotated[Path, typer.Argument(metavar="NODE.toml", help="The file to check.")] = Path("node.toml"),
) -> None:
    """Say all that is wrong in a node.toml: keys, values, and rules of a secure configuration."""
    from host_tools.configure import commands

    finish(lambda: commands.check(file))


@configure.command(epilog=EPILOG)
def export(
    port: Port = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write it there, the CA beside it.", show_default=False),
    ] = None,
    keystore: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A keystore that knows the node: proves what it has, and tells its name.",
            show_default=False,
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a node.toml of what the node has. Secrets are left out."""
    from host_tools.configure import commands
    from host_tools.keys.commands import Where

    finish(lambda: commands.export(port, out, Where(keystore, passphrase_file)))


@configure.command(epilog=EPILOG)
def schema() -> None:
    """Print node.toml's JSON Schema, for an editor."""
    from host_tools.configure import schema as schemas

    def printed() -> int:
        print(schemas.text(), end="")
        return 0

    finish(printed)
