"""Audits of consent for tests: a keystore, messages of one node with receipts and positions, and the command run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from host_tools.accesslog import head_path, log_path
from plumveil import terms, wire
from tests.host import messages, receipts, stores
from tests.host.command_line import NOW, Ended, run
from tests.host.messages import START_S
from tests.host.receipts import GRANTED_S, WITHOUT_RECEIPT, Log, grant

ROW, COLUMN = 15077, 1277  # of the tests' cells: looked for in everything that is written
WHO = receipts.UNSEEN.who


def given() -> Log:
    """A log of a policy and a grant."""
    log = Log()
    log.add(terms.LOG_POLICY, [1], START_S)
    log.add(terms.LOG_GRANTED, grant(), GRANTED_S)
    return log


def positions(*after_s: int, first: int = 0) -> list[bytes]:
    """Positions so many seconds after the messages' hour, each in a cell of its own."""
    return [receipts.position(first + n, time=START_S + s, cell=[3, ROW, COLUMN + n]) for n, s in enumerate(after_s)]


def keystore(folder: Path, *entries: Any) -> Path:
    """The controller's, of the node whose consent has no receipt yet."""
    return stores.controller(folder, *(entries or (stores.entry(WITHOUT_RECEIPT),)))


def put(folder: Path, *data: bytes) -> Path:
    """A file of messages."""
    path = folder / "messages.cborseq"
    path.write_bytes(b"".join(data))
    return path


def audit(store: Path, path: Path, *arguments: str | Path, **more: str) -> Ended:
    """Runs the audit at the messages' present."""
    given: dict[str, Any] = {"PLUMVEIL_PASSPHRASE": stores.PASSPHRASE, "COLUMNS": "200", **more}
    return run("audit", "--keystore", store, "--messages", path, "--now", NOW, *arguments, **given)


def document(store: Path, path: Path, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """(exit code, the JSON document)."""
    ended = audit(store, path, *arguments, "--json")
    assert ended.err == ""
    found: dict[str, Any] = json.loads(ended.out)
    return ended.code, found


def forget_log(store: Path) -> None:
    """Takes the access log away."""
    for path in (log_path(store), head_path(log_path(store))):
        path.unlink(missing_ok=True)


def leaks(text: str) -> list[str]:
    """What is in a text that must not be in any output: keys and consent secrets in hex, and where the node was."""
    node = WITHOUT_RECEIPT
    hexes = [node.k_id, node.k_chain, node.k_config, node.k_consent, receipts.UNSEEN.secret]
    hexes.append(messages.sender(wire.LOCATION).kid.hex())
    # As numbers of their own: the digits may well stand in a hash.
    places = [rf"(?<![0-9a-f]){number}(?![0-9a-f])" for number in (ROW, *(COLUMN + n for n in range(3)))]
    return [pattern for pattern in (*hexes, *places) if re.search(pattern, text)]


def node(found: dict[str, Any]) -> dict[str, Any]:
    (one,) = found["nodes"]
    return dict(one)


def without(found: dict[str, Any]) -> dict[str, int]:
    return {one["reason"]: one["count"] for one in node(found)["positions"]["without"]}


def collected(store: Path, *data: bytes) -> Path:
    """The keystore after its receipts were collected."""
    path = put(store.parent, *(data or receipts.receipts(given())))
    arguments = ("consent", "collect", path, "--keystore", store, "--now", NOW)
    assert run(*arguments, PLUMVEIL_PASSPHRASE=stores.PASSPHRASE).code == 0
    return store
