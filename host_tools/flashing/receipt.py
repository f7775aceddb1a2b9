"""The receipt of a flashing: what is on the node now, as JSON for the file and in a few lines for the terminal.

Holds versions, hashes and today's pseudonyms; never a key, and never the board's hardware id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from host_tools import nodejs
from host_tools.keys.files import write_private
from plumveil import wire

FORMAT = 1
FOLDER = nodejs.BUILD / "receipts"
HASH_HEX = 16  # of the whole firmware's digest, as shown


@dataclass(frozen=True)
class Receipt:
    """time: ISO 8601, UTC. firmware: SHA-256 over the files' names and digests. self_test: as node.Node.self_test.
    pseudonyms: by stream, of `epoch`; empty without keys. keys: "partition", "files" or None."""

    time: str
    port: str
    board: str
    micropython: str
    plumveil: str
    firmware: str
    slot: str
    files: dict[str, str] = field(repr=False)
    steps: dict[str, str]
    self_test: dict[str, str]
    epoch: int | None
    pseudonyms: dict[str, str]
    keys: str | None
    configuration: int | None
    consent: str
    format: int = FORMAT

    def save(self, path: Path) -> None:
        """Writes it as JSON, for its owner alone. Errors: UsageError when it cannot be written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, (json.dumps(asdict(self), indent=1) + "\n").encode("utf-8"), "receipt")

    def lines(self) -> list[str]:
        """What is printed of it."""
        names = [f"{stream} {name}" for stream, name in self.pseudonyms.items()]
        shown = f"epoch {self.epoch}: {', '.join(names)}" if names else "none: the node has no keys"
        kept = {"partition": "in flash blocks of their own", "files": "in files, which are not erased for good"}
        return [
            f"MicroPython    {self.micropython}",
            f"Plumveil       {self.plumveil}, firmware {self.firmware[:HASH_HEX]} in slot {self.slot}",
            f"keys           {kept.get(self.keys or '', 'none') if names else 'none'}",
            f"pseudonyms     {shown}",
            f"configuration  {'none' if self.configuration is None else f'version {self.configuration}'}",
            f"consent        {self.consent}",
        ]


def default_path(port: str) -> Path:
    """A receipt's file, by time and port."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return FOLDER / f"{now}-{'-'.join(Path(port).parts[-2:])}.json"


def make(
    *,
    port: str,
    board: str,
    micropython: str,
    slot: str,
    files: Mapping[str, str],
    steps: Mapping[str, str],
    self_test: Mapping[str, str],
    names: Mapping[str, Any],
) -> Receipt:
    """Puts a receipt together. files: name -> SHA-256 in hex; names: as node.Node.names."""
    whole = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sorted(files.items())).encode())
    return Receipt(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        port=port,
        board=board,
        micropython=micropython,
        plumveil=metadata.version("plumveil"),
        firmware=whole.hexdigest(),
        slot=slot,
        files=dict(files),
        steps=dict(steps),
        self_test=dict(self_test),
        epoch=names["epoch"],
        pseudonyms=dict(zip(wire.STREAMS, names["pseudonyms"], strict=False)),
        keys=names["keys"],
        configuration=names["configuration"],
        consent="one was given" if names["consent"] else "off",
    )
