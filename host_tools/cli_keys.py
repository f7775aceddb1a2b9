"""The commands `keys ...`: options and help only; host_tools.keys.commands does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from host_tools.cli_shared import PassphraseFile, finish

EPILOG = (
    "Exit codes: 0 done, 1 refused or failed (passphrase, damage, expiry, role, node), 2 wrong usage,"
    " 130 interrupted."
)

Keystore = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The keystore. Without it: $PLUMVEIL_KEYSTORE, else ./plumveil.keystore.",
        show_default=False,
    ),
]
Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's name.")]
Port = Annotated[
    str | None, typer.Option(metavar="PORT", help="Serial port of the board: /dev/ttyUSB0.", show_default=False)
]
SlotOut = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the node's key slot into a file instead.", show_default=False),
]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day, UTC.", show_default=False)]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, UTC.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

keys = typer.Typer(
    name="keys",
    help="The tenant's keystore: nodes' keys, what roles are handed of them, and who a pseudonym is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


group = typer.Typer(name="group", help="Named groups of nodes.", no_args_is_help=True, pretty_exceptions_enable=False)
keys.add_typer(group)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(keys)


@keys.command(epilog=EPILOG)
def init(
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Whose nodes they will be.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Default: $PLUMVEIL_KEYSTORE, else ./plumveil.keystore."),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a tenant's keystore."""
    from host_tools.keys import commands

    finish(lambda: commands.init(file, tenant, passphrase_file))


@keys.command(epilog=EPILOG)
def enrol(
    node: Node,
    port: Port = None,
    out: SlotOut = None,
    board: Annotated[str, typer.Option(help="The board it runs on.")] = "ESP32_GENERIC",
    profile: Annotated[str, typer.Option(help="Policy profile.")] = "general",
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give a new node its keys, over its serial port or as a file."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.enrol(where, node, board, profile, commands.Target(port, out)))


@keys.command(epilog=EPILOG)
def rekey(
    node: Node,
    port: Port = None,
    out: SlotOut = None,
    new_board: Annotated[
        bool, typer.Option("--new-board", help="The node goes on on another board (controller only).")
    ] = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give a node other keys. What it sealed with the old ones still opens."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.rekey(where, node, commands.Target(port, out), new_board=new_board))


@keys.command("list", epilog=EPILOG)
def list_(keystore: Keystore = None, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Show what a keystore is for, and the nodes in it."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.list_nodes(where, as_json=as_json))


@keys.command(epilog=EPILOG)
def export(
    role: Annotated[
        Literal["controller", "technician", "processor", "auditor"], typer.Option(help="Whom it is for.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The keystore to make.")],
    streams: Annotated[
        str | None,
        typer.Option(help="For a processor: readings,location,device,events,dates or some.", show_default=False),
    ] = None,
    begins: From = None,
    ends: To = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last day of its use. Default: in 90 days.", show_default=False),
    ] = None,
    out_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The new keystore's passphrase. Without it: $PLUMVEIL_EXPORT_PASSPHRASE, else asked for.",
            show_default=False,
        ),
    ] = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a keystore for a role, with the keys of that role and no others."""
    from host_tools.keys import commands

    wanted = commands.Export(role, streams, begins, ends, expires, out, out_passphrase_file)
    finish(lambda: commands.export(commands.Where(keystore, passphrase_file), wanted))


@keys.command("import", epilog=EPILOG)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A technician's outbox, or a plain keys.json.")],
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Take in what a technician enrolled."""
    from host_tools.keys import commands

    finish(lambda: commands.import_nodes(commands.Where(keystore, passphrase_file), file))


@keys.command(epilog=EPILOG)
def resolve(
    pseudonyms: Annotated[list[str], typer.Argument(metavar="PSEUDONYM...", help="Hexadecimal, or a topic.")],
    begins: From = None,
    ends: To = None,
    ahead: Annotated[
        int, typer.Option(metavar="EPOCHS", help="Look at nodes whose clock ran ahead, by so many days at most.")
    ] = 0,
    as_json: AsJson = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Tell which node a pseudonym is: of the last 31 days, or others. It is logged (plumveil audit)."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.resolve(where, pseudonyms, begins, ends, ahead, as_json=as_json))


@keys.command(epilog=EPILOG)
def retire(
    node: Node,
    port: Port = None,
    without_node: Annotated[
        bool, typer.Option("--without-node", help="The node is out of reach: destroy its keys here only.")
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the receipt there too.", show_default=False)
    ] = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Destroy a node's keys, on the node and here: what it sealed is then unreadable. Asks twice."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.retire(where, node, port, receipt, without_node=without_node))


@keys.command(epilog=EPILOG)
def rotate(
    new_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The new passphrase. Without it: $PLUMVEIL_NEW_PASSPHRASE, else asked for.",
            show_default=False,
        ),
    ] = None,
    end_technicians: Annotated[
        bool, typer.Option("--end-technicians", help="Technicians' keystores need not be heard of any more.")
    ] = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Renew passphrase, master, index, signing and enrolment keys. Nodes keep theirs."""
    from host_tools.keys import commands

    where = commands.Where(keystore, passphrase_file)
    finish(lambda: commands.rotate_keys(where, new_passphrase_file, end_technicians=end_technicians))


@keys.command(epilog=EPILOG)
def receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `keys retire --receipt` wrote.")],
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Verify a retired node's receipt, with the controller's keystore or an auditor's."""
    from host_tools.keys import commands

    finish(lambda: commands.check_receipt(commands.Where(keystore, passphrase_file), file))


@group.command("set", epilog=EPILOG)
def set_(
    name: Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")],
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="NODE...", help="Its nodes, and no others; none: no such group.")
    ] = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a group consist of these nodes."""
    from host_tools.keys import commands

    finish(lambda: commands.set_group(commands.Where(keystore, passphrase_file), name, nodes or []))


@group.command("list", epilog=EPILOG)
def list_groups(keystore: Keystore = None, passphrase_file: PassphraseFile = None) -> None:
    """Show the groups and their nodes."""
    from host_tools.keys import commands

    finish(lambda: commands.list_groups(commands.Where(keystore, passphrase_file)))
