"""The audit's document as text for a terminal, a few tables a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from host_tools.commands import console_for_output
from host_tools.render import printable

Row = Mapping[str, Any]


def show(document: Row, log_verdict: Iterable[str]) -> None:
    """Prints a document, and how the access log stands."""
    console = console_for_output()
    for node in document["nodes"]:
        _show_node(console, node)
    _show_readers(console, document["access_log"]["shown"])
    for line in log_verdict:
        _line(console, line)
    _line(console, _messages(document["messages"]))
    for fault in document["faults"]:
        _line(console, fault)
    if not document["faults"]:
        total = sum(node["positions"]["with_receipt"] for node in document["nodes"])
        _line(console, f"sound: {total} positions, every one under a receipt; every log is whole")


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _table(console: Console, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if not rows:
        return
    table = Table(*head, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    console.print(table)


def _show_node(console: Console, node: Row) -> None:
    _line(console, f"{printable(node['node'])} ({node['state']})")
    for log in node["logs"]:
        _line(console, f"log since {log['keys_since']}: {_chain(log)}")
        rows = [(one["number"], one["time"], one["kind"], one["text"]) for one in log["history"]]
        _table(console, ("entry", "time (UTC)", "what", ""), rows)
    if not node["logs"]:
        _line(console, "no receipts")
    consents = [(one["serial"], one["event_state"], _receipt(one)) for one in node["consents"]]
    _table(console, ("consent", "state", "receipt"), consents)
    positions = node["positions"]
    _table(
        console,
        ("positions under consent", "receipt", "count", "cells", "first (UTC)", "last (UTC)", "policy"),
        [_under(one) for one in positions["receipts"]],
    )
    missing = [(one["count"], one["reason"], "; ".join(one["first"])) for one in positions["without"]]
    _table(console, ("positions WITHOUT", "why", "where"), missing)
    if not positions["receipts"] and not missing:
        _line(console, "no positions")
    _table(
        console,
        ("policy", "in force from (UTC)", "messages", "first (UTC)", "last (UTC)"),
        [_policy(one) for one in node["policies"]],
    )
    refused = [(one["time"], one["reason"], one["text"]) for one in node["refused_grants"]]
    _table(console, ("grant refused (UTC)", "reason", ""), refused)
    _table(console, ("dropped by rule", "count"), list(node["drops"]["rules"].items()))
    console.print()


def _chain(log: Row) -> str:
    entries = f"{log['entries']} entries"
    if log["whole"]:
        return f"{entries}, whole; the last is {log['last']}"
    wrong = [f"{text} missing" for text in log["gaps"]]
    wrong += [f"entry {number} came in two versions" for number in log["contradicted"]]
    wrong += [f"entry {number} does not fit its neighbours" for number in log["broken"]]
    return f"{entries}, NOT whole: {', '.join(wrong)}"


def _receipt(consent: Row) -> str:
    receipt = consent["consent_receipt"]
    return "none" if receipt is None else receipt["receipt_id"]


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _under(one: Row) -> tuple[object, ...]:
    versions = ", ".join(one["policy_versions"])
    return (
        one["consent"],
        f"{one['receipt']}, {one['granted']}",
        one["positions"],
        _named(one["cells"]),
        one["first"],
        one["last"],
        versions,
    )


def _policy(one: Row) -> tuple[object, ...]:
    version = str(one["version"]) if one["on_record"] else f"{one['version']} (not on record)"
    begun = ", ".join(at or "without a trusted clock" for at in one["in_force"])
    return version, begun, one["messages"], one["first"], one["last"]


def _show_readers(console: Console, shown: Sequence[Row]) -> None:
    rows = [
        (
            one["seq"],
            one["time"],
            f"{one['actor']} ({one['uid']})",
            one["role"],
            one["action"],
            one["count"],
            one["detail"],
        )
        for one in shown
    ]
    _table(console, ("read: entry", "time (UTC)", "who (uid)", "as", "what", "count", "detail"), rows)


def _messages(counts: Row) -> str:
    text = f"{counts['read']} messages: {counts['valid']} valid, {counts['invalid']} invalid"
    broken = ", ".join(f"{name} {count}" for name, count in counts["rules"].items())
    text += f" ({broken})" if broken else ""
    if counts["unknown"]:
        text += f"; {counts['unknown']} of nobody who is asked for were not opened"
    return f"{text}; {counts['duplicates']} came more than once" if counts["duplicates"] else text
