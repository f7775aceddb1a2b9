"""The command `audit`: options and help only; host_tools.audit_show and host_tools.auditing do the work."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_shared import MOMENTS, PassphraseFile, finish, unix_s
from host_tools.errors import UsageError

EPILOG = (
    "A log put back to an earlier state together with its head looks sound: note the last line elsewhere, ENTRY:HASH,"
    " and give it to --expect. With --messages the audit is of consent: each node's history with its chain of"
    " receipts verified, positions by receipt and policy version, refused grants, drops, and who read; it takes the"
    " controller's keystore, and is itself logged first. Exit codes: 0 sound, 1 the log or a chain is changed or has"
    " gaps, a position is without a receipt or the run failed, 2 wrong usage, 130 interrupted."
)

Keystore = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The log's own keystore, or an auditor's. Without it: $PLUMVEIL_KEYSTORE, else ./plumveil.keystore.",
        show_default=False,
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The log. Without it: the keystore's name and .log.", show_default=False),
]
Node = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Show entries about this node or pseudonym only. An auditor's keystore has no key to look for one.",
        show_default=False,
    ),
]
From = Annotated[
    datetime | None,
    typer.Option(
        "--from", metavar="UTC", formats=MOMENTS, help="Show entries from then on only.", show_default=False
    ),
]
To = Annotated[
    datetime | None,
    typer.Option("--to", metavar="UTC", formats=MOMENTS, help="Show entries before then only.", show_default=False),
]
Expect = Annotated[
    str | None,
    typer.Option(metavar="ENTRY:HASH", help="Find this entry too, noted at an earlier audit.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Messages = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Audit consent by these messages: a file, a folder, or - for standard input.",
        show_default=False,
    ),
]
NodeToml = Annotated[
    Path | None,
    typer.Option(
        "--node-toml",
        metavar="FILE",
        help="With --messages: a node.toml that tells jurisdiction, region and safeguard of the node that it, or"
        " --node, names.",
        show_default=False,
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --messages: write a printable page as well.", show_default=False),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        metavar="UTC",
        formats=MOMENTS,
        help="With --messages: take this as the present, for simulated messages.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("audit", epilog=EPILOG)(audit)


def audit(
    keystore: Keystore = None,
    log: Log = None,
    passphrase_file: PassphraseFile = None,
    messages: Messages = None,
    node: Node = None,
    begins: From = None,
    ends: To = None,
    expect: Expect = None,
    node_toml: NodeToml = None,
    html: Html = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Verify a keystore's access log from end to end, and show who read personal data when; or audit consent."""
    from host_tools import audit_show
    from host_tools.keys.commands import Where

    if begins is not None and ends is not None and begins >= ends:
        raise UsageError("--from is not before --to: nothing lies between them, so give an earlier --from")
    wanted = audit_show.Wanted(audit_show.moment(begins), audit_show.moment(ends), node)
    where = Where(keystore, passphrase_file)
    if messages is None:
        if node_toml is not None or html is not None or now is not None:
            raise UsageError("--node-toml, --html and --now belong to an audit of consent: say --messages PATH")
        finish(lambda: audit_show.run(where, log, wanted, expect, as_json=as_json))
        return
    from host_tools.auditing import commands
    from host_tools.auditing.books import Period

    period = Period(unix_s(begins), unix_s(ends))
    task = commands.Task(messages, wanted, period, log, expect, unix_s(now), node_toml, html)
    finish(lambda: commands.run(where, task, as_json=as_json))
