"""The audit as one document: plain values by name, from which the text, the JSON and the page are made.

Holds no coordinate and no cell, only how many; no key, and no consent's secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from host_tools import render, rules
from host_tools.auditing import history, iso27560
from host_tools.auditing.books import Book, Books, Period, Places, Span
from host_tools.auditing.history import Granted, Judged, Log
from host_tools.auditing.iso27560 import Context
from host_tools.keys.entries import Entry
from host_tools.keys.when import date_text, moment_text
from host_tools.receipts import words
from plumveil import terms, wire

SCHEMA = "plumveil audit 1"


def messages_part(books: Books) -> dict[str, Any]:
    """What messages came to."""
    return {
        "read": books.messages,
        "valid": books.valid,
        "invalid": books.messages - books.valid - books.unknown,
        "duplicates": books.duplicates,
        "unknown": books.unknown,
        "broken_off": books.cut,
        "rules": {name: books.broken[name] for name, _ in rules.RULES if books.broken[name]},
    }


def node_part(entry: Entry, book: Book, context: Context, period: Period) -> dict[str, Any]:
    """All of one node."""
    logs = history.logs_of(entry, book)
    granted = history.consents(logs)
    judged = [history.judge(serial, book.taken[serial], granted.get(serial)) for serial in sorted(book.taken)]
    return {
        "node": entry.name,
        "state": entry.state,
        "logs": [_log(log, period) for log in logs],
        "consents": _consents(entry, granted, context, period),
        "positions": _positions(judged, granted, book.without),
        "policies": _policies(entry, logs, book.policies, period),
        "refused_grants": _refused(logs, period),
        "drops": {"reports": book.reports, "rules": _named(book.drops)},
    }


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong, a line each; none: every position has its receipt, and every log is whole."""
    found = []
    for node in document["nodes"]:
        name = render.printable(node["node"])
        without = sum(one["count"] for one in node["positions"]["without"])
        if without:
            found.append(f"{name}: positions without a receipt: {without}")
        for log in node["logs"]:
            since = f"log since {log['keys_since']}"
            found += [f"{name}, {since}: {text} missing" for text in log["gaps"]]
            found += [f"{name}, {since}: another entry {n} came than is on record" for n in log["contradicted"]]
            found += [f"{name}, {since}: entry {n} does not fit its neighbours" for n in log["broken"]]
    found += [f"{place}: the sequence breaks off there" for place in document["messages"]["broken_off"]]
    if not document["access_log"]["sound"]:
        found.append("the access log is not as it was written")
    return found


def _log(log: Log, period: Period) -> dict[str, Any]:
    gaps = [gap for gap in log.gaps if _meets(gap.first, gap.last, log, period)]
    return {
        "keys_since": date_text(log.since_day),
        "entries": len(log.entries),
        "whole": not (gaps or log.contradicted or log.broken),
        "gaps": [str(gap) for gap in gaps],
        "contradicted": log.contradicted,
        "broken": log.broken,
        "last": log.entries[-1].hash.hex() if log.entries else None,
        "history": [
            {**words.as_json(entry), "text": words.text(entry)} for entry in log.entries if period.holds(entry.t_s)
        ],
    }


def _meets(first: int, last: int, log: Log, period: Period) -> bool:
    """Whether what is missing may be of the period: it came between its neighbours."""
    before = [entry.t_s for entry in log.entries if entry.number < first and entry.t_s is not None]
    after = [entry.t_s for entry in log.entries if entry.number > last and entry.t_s is not None]
    too_late = before and period.ends_s is not None and before[-1] >= period.ends_s
    too_early = after and period.begins_s is not None and after[0] < period.begins_s
    return not (too_late or too_early)


def _consents(entry: Entry, granted: Mapping[int, Granted], context: Context, period: Period) -> list[dict[str, Any]]:
    on_record = {consent.serial: consent for consent in entry.consents}
    found = []
    for serial in sorted({*on_record, *granted}):
        consent, receipt = on_record.get(serial), granted.get(serial)
        if receipt is not None:
            starts_s, expires_s = (
                receipt.receipt.details[terms.G_STARTS_S],
                receipt.receipt.details[terms.G_EXPIRES_S],
            )
        else:
            starts_s, expires_s = on_record[serial].starts_s, on_record[serial].expires_s
        begins_s, ends_s = period
        if (begins_s is None or expires_s > begins_s) and (ends_s is None or starts_s < ends_s):
            found.append(iso27560.record(context, consent, receipt))
    return found


def _positions(
    judged: Sequence[Judged], granted: Mapping[int, Granted], without: Mapping[str, Places]
) -> dict[str, Any]:
    missing = [{"reason": reason, "count": one.count, "first": one.first} for reason, one in without.items()]
    against = Counter[str]()
    for one in judged:
        against.update(one.against)
    missing += [{"reason": reason, "count": count, "first": []} for reason, count in against.items()]
    return {
        "with_receipt": sum(one.covered for one in judged),
        "receipts": [_under(one, granted[one.serial]) for one in judged if one.covered],
        "without": missing,
    }


def _under(one: Judged, granted: Granted) -> dict[str, Any]:
    return {
        "consent": one.serial,
        "receipt": granted.receipt.number,
        "receipt_id": granted.receipt.hash.hex(),
        "granted": words.when(granted.receipt.t_s),
        "positions": one.covered,
        "tiers": {words.tier_name(tier): count for tier, count in sorted(one.tiers.items())},
        "cells": {words.tier_name(tier): count for tier, count in sorted(one.cells.items())},
        "first": moment_text(one.first_s),
        "last": moment_text(one.last_s),
        "policy_versions": {str(version): count for version, count in sorted(one.policies.items())},
    }


def _policies(entry: Entry, logs: Sequence[Log], named: Mapping[int, Span], period: Period) -> list[dict[str, Any]]:
    """Versions that messages name, and those whose coming into force the log tells."""
    begun: dict[int, list[str | None]] = {}
    for log in logs:
        for one in log.entries:
            if one.kind == terms.LOG_POLICY and period.holds(one.t_s):
                begun.setdefault(one.details[0], []).append(words.when(one.t_s))
    on_record = {policy.version for policy in entry.policies}
    rows = []
    for version in sorted({*begun, *named}):
        span = named.get(version)
        rows.append(
            {
                "version": version,
                "in_force": begun.get(version, []),
                "on_record": version in on_record,
                "messages": span.messages if span else 0,
                "first": moment_text(span.first_s) if span else None,
                "last": moment_text(span.last_s) if span else None,
            }
        )
    return rows


def _refused(logs: Iterable[Log], period: Period) -> list[dict[str, Any]]:
    return [
        {"number": entry.number, "time": words.when(entry.t_s), **_reason(entry.details[0])}
        for log in logs
        for entry in log.entries
        if entry.kind == terms.LOG_REFUSED and period.holds(entry.t_s)
    ]


def _reason(reason: int) -> dict[str, str]:
    return {"reason": dict(terms.REFUSALS)[reason], "text": words.REFUSAL_WORDS[reason]}


def _named(drops: Counter[int]) -> dict[str, int]:
    names = dict(wire.RULES)
    return {names[rule]: count for rule, count in sorted(drops.items()) if count}
