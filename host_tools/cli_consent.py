"""The commands `consent ...`: options and help only; host_tools.consent.commands does the work."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_keys import AsJson, Keystore
from host_tools.cli_shared import MOMENTS, PassphraseFile, finish, unix_s

EPILOG = "Exit codes: 0 done, 1 refused or failed (passphrase, role, policy, broker), 2 wrong usage, 130 interrupted."
RECEIPT = (
    "It is on record first. What a broker takes is not confirmed yet: the node's receipt is what confirms it. Whoever"
    " sees the broker can tell that messages of one run belong together, and so, with one --node, that node's"
    " connections of those days. "
)

Nodes = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="NODE", help="Node; as often as it takes.", show_default=False),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="GROUP", help="All nodes of a group (plumveil keys group).", show_default=False),
]
Tier = Annotated[str, typer.Option(help="Finest precision: region, district, area, street.")]
Purpose = Annotated[str, typer.Option(metavar="TEXT", help="What for; it goes to the node's log.")]
Notice = Annotated[str, typer.Option(metavar="VERSION", help="Version of the notice that was given.")]
From = Annotated[
    datetime | None,
    typer.Option("--from", metavar="UTC", formats=MOMENTS, help="When it begins. Default: now.", show_default=False),
]
Until = Annotated[datetime, typer.Option(metavar="UTC", formats=MOMENTS, help="When it ends.")]
BrokerUrl = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="URL",
        help="Leave it for the node at this broker: mqtts://[USER@]HOST[:PORT].",
        show_default=False,
    ),
]
BrokerCa = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Authority (PEM) to trust there. Default: the system's.", show_default=False),
]
BrokerPasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Its first line is USER's password. Without it: $PLUMVEIL_BROKER_PASSWORD, else asked for.",
        show_default=False,
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Write the messages there, for whoever runs the broker."),
]
Days = Annotated[int, typer.Option(help="For how many days, from today on, it waits for the node.")]

consent = typer.Typer(
    name="consent",
    help="Consent to location: given, listed, taken back, and delegated.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(consent)


@consent.command(epilog=EPILOG)
def issue(
    tier: Tier,
    purpose: Purpose,
    notice: Notice,
    until: Until,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who gives the consent.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE|FOLDER", help="One file for all nodes, or a folder that is there: one each.")
    ],
    node: Nodes = None,
    group: Group = None,
    begins: From = None,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Give consent: write grants, which `plumveil gps on` puts in force at the node."""
    from host_tools.consent import commands
    from host_tools.keys.commands import Where

    where, nodes = Where(keystore, passphrase_file), commands.Nodes(node or [], group)
    finish(
        lambda: commands.issue(
            where, nodes, commands.given(tier, purpose, notice, by, unix_s(begins), unix_s(until)), out
        )
    )


@consent.command("list", epilog=EPILOG)
def list_(
    node: Nodes = None,
    as_json: AsJson = False,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Show consents and delegations: the controller's, or those a technician's keystore holds. It is logged."""
    from host_tools.consent import commands
    from host_tools.keys.commands import Where

    finish(lambda: commands.list_consents(Where(keystore, passphrase_file), node or [], as_json=as_json))


@consent.command(epilog=RECEIPT + EPILOG)
def revoke(
    node: Nodes = None,
    group: Group = None,
    broker: BrokerUrl = None,
    broker_ca: BrokerCa = None,
    broker_password_file: BrokerPasswordFile = None,
    out: OutFolder = None,
    days: Days = 14,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Take consents back, and have the nodes hear of it when they connect."""
    from host_tools.consent import commands
    from host_tools.keys.commands import Where

    where = Where(keystore, passphrase_file)
    finish(
        lambda: commands.revoke(
            where,
            commands.Nodes(node or [], group),
            commands.way(broker, broker_ca, broker_password_file, out, days),
        )
    )


@consent.command(epilog=EPILOG)
def delegate(
    person: Annotated[str, typer.Option(metavar="NAME", help="Who may grant on the controller's behalf.")],
    tier: Tier,
    purpose: Purpose,
    notice: Notice,
    until: Until,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The technician's keystore to make.")],
    node: Nodes = None,
    group: Group = None,
    begins: From = None,
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
    """Let a technician grant on site, within bounds that the node checks. His keystore holds what else he may use."""
    from host_tools.consent import commands
    from host_tools.keys.commands import Where

    where = Where(keystore, passphrase_file)
    finish(
        lambda: commands.delegate(
            where,
            commands.Nodes(node or [], group),
            commands.given(tier, purpose, notice, person, unix_s(begins), unix_s(until)),
            commands.Into(out, out_passphrase_file),
        )
    )


@consent.command(epilog=RECEIPT + EPILOG)
def void(
    number: Annotated[int, typer.Argument(metavar="DELEGATION", help="Its number: plumveil consent list.")],
    node: Nodes = None,
    broker: BrokerUrl = None,
    broker_ca: BrokerCa = None,
    broker_password_file: BrokerPasswordFile = None,
    out: OutFolder = None,
    days: Days = 14,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Declare a delegation void: nodes that hear of it take no grant under it, and end one in force."""
    from host_tools.consent import commands
    from host_tools.keys.commands import Where

    where = Where(keystore, passphrase_file)
    finish(
        lambda: commands.void(
            where, number, node or [], commands.way(broker, broker_ca, broker_password_file, out, days)
        )
    )
