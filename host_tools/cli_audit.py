"""The command `audit`: options and help only; host_tools.audit_show prints, host_tools.audit verifies."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_shared import MOMENTS, PassphraseFile, finish

EPILOG = (
    "A log put back to an earlier state together with its head looks sound: note the last line elsewhere, ENTRY:HASH,"
    " and give it to --expect. Exit codes: 0 sound, 1 changed or the run failed, 2 wrong usage, 130 interrupted."
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
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, an entry a line.")]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("audit", epilog=EPILOG)(audit)


def audit(
    keystore: Keystore = None,
    log: Log = None,
    passphrase_file: PassphraseFile = None,
    node: Node = None,
    begins: From = None,
    ends: To = None,
    expect: Expect = None,
    as_json: AsJson = False,
) -> None:
    """Verify a keystore's access log from end to end, and show who read personal data when."""
    from host_tools import audit_show
    from host_tools.keys.commands import Where

    wanted = audit_show.Wanted(audit_show.moment(begins), audit_show.moment(ends), node)
    finish(lambda: audit_show.run(Where(keystore, passphrase_file), log, wanted, expect, as_json=as_json))
