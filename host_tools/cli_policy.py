"""The commands `policy ...`: options and help only; host_tools.policy.commands does the work."""

from __future__ import annotations

from typing import Annotated

import typer

from host_tools.cli_keys import Keystore
from host_tools.cli_shared import PassphraseFile, finish

EPILOG = "Exit codes: 0 done, 1 refused or failed (node.toml, keystore), 2 wrong usage, 130 interrupted."
NAME = "A profile, a node.toml, or a node of the keystore."

policy = typer.Typer(
    name="policy",
    help="What may leave a node, when and how precisely; why, and on which clause.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(policy)


@policy.command(epilog=EPILOG)
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help=f"{NAME} Without it: list the profiles.", show_default=False)
    ] = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Show a policy, and each of a profile's rules with its clauses and its limit."""
    from host_tools.keys.commands import Where
    from host_tools.policy import commands

    finish(lambda: commands.listed() if name is None else commands.shown(name, Where(keystore, passphrase_file)))


@policy.command(epilog=EPILOG)
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help=NAME)],
    other: Annotated[str, typer.Argument(metavar="B", help="Likewise.")],
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Say in what B is wider than A, and in what narrower."""
    from host_tools.keys.commands import Where
    from host_tools.policy import commands

    finish(lambda: commands.differing(one, other, Where(keystore, passphrase_file)))


@policy.command(epilog=EPILOG)
def explain(
    field: Annotated[str, typer.Argument(metavar="FIELD", help="A field, `position`, `event` or `date`.")],
    profile: Annotated[str, typer.Option(metavar="NAME", help="The profile it is asked of.")] = "general",
) -> None:
    """Say of one field what is taken, what is sent, why, on which clause and to what limit."""
    from host_tools.policy import commands

    finish(lambda: commands.explained(field, profile))
