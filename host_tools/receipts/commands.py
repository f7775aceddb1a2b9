"""What `plumveil consent collect` does and prints. Returns the exit code."""

from __future__ import annotations

from collections.abc import Iterator

from host_tools import render, sources
from host_tools.commands import REST
from host_tools.consent.receipts import Received
from host_tools.keys.commands import Where, opened
from host_tools.receipts import chains
from host_tools.receipts import collect as collecting
from host_tools.receipts.collect import Collected

DONE, FAILED = 0, 1


def collect(where: Where, path: str, now_s: int | None) -> int:
    """Takes in the receipts in messages at a path, and says what came of it."""
    # A path mistyped would else be answered with a question for the passphrase.
    sources.require(path)
    with opened(where, write=True) as store:
        found = collecting.collect(store, path, now_s)
    for line in _lines(found):
        print(line)
    return DONE if found.sound else FAILED


def _lines(found: Collected) -> Iterator[str]:
    for source, message in found.refused:
        for finding in message.findings:
            yield f"{render.place_text(source)}, events: {render.finding_text(finding)}"
    for source in found.broken:
        yield f"{render.place_text(source)}: {REST}"
    for node in found.nodes:
        yield from _node_lines(node)
    repeated = sum(node.merged.repeated for node in found.nodes)
    nodes = len({node.entry.number for node in found.nodes})
    yield f"{found.receipts} receipts of {nodes} nodes in {found.events} events: {found.added} new, {repeated} known"
    if found.delegated:
        yield f"{found.delegated} consents that delegates gave are on record now: their positions open from here on"
    if found.passed:
        yield f"{found.passed} messages of other streams, or of nobody here, were not opened"


def _node_lines(node: Received) -> Iterator[str]:
    name = render.printable(node.entry.name)
    for number in node.merged.contradicted:
        yield f"{name}: another entry {number} is on record than came: its log was changed, or its flash put back"
    for number in node.merged.broken:
        yield f"{name}: entry {number} does not fit its neighbours, and is left out"
    for serial, why in node.against.items():
        yield f"{name}: consent {serial}: {why}"
    for gap in chains.gaps(node.merged.entries):
        yield f"{name}: {gap} missing so far"
