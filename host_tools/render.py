"""Verdicts and contents as text and as JSON: units for people, names for numbers.

What a finding says is shown as it is; a file's name is shown without whatever a terminal would obey.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from host_tools import cells
from host_tools.content import Batch, Content, Dates, Event, Health, Position
from host_tools.limits import FIELDS
from host_tools.receipts import entries, words
from host_tools.rules import Finding
from host_tools.senml import number
from host_tools.sources import Source
from host_tools.validate import Message
from plumveil import wire

EVENTS = {row[0]: row[1] for row in wire.EVENT_NAMES}
DROP_RULES = dict(wire.RULES)


def printable(text: str) -> str:
    """`text` with a question mark for each character that is no plain print."""
    return "".join(character if character.isprintable() else "?" for character in text)


def time_text(t_s: int) -> str:
    """Unix seconds as UTC; the number itself where no calendar has it."""
    try:
        return datetime.datetime.fromtimestamp(t_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(t_s)


def clock_text(second_of_day: int) -> str:
    """A time of a day that is not known."""
    minutes, seconds = divmod(second_of_day, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"


def finding_text(finding: Finding) -> str:
    """One line for one finding."""
    return f"{finding.rule} at {finding.where}: {finding.what}"


def place_text(source: Source) -> str:
    """Where a message stands."""
    return f"{printable(source.file)} #{source.number}"


def stream_name(message: Message) -> str | None:
    """The message's stream, None when it could not be told."""
    return wire.STREAMS[message.keys.stream] if message.keys else None


def value_text(field: int, value: int) -> str:
    """A reading for people: name, number, unit."""
    row = FIELDS[field]
    amount = number(field, value)
    digits = str(amount) if isinstance(amount, int) else f"{amount:.4g}"
    return f"{row.name} {digits} {row.senml_unit}".removesuffix(" count")


def rows(content: Content) -> Iterator[tuple[int, str]]:
    """(Unix s, what) lines of a content; one per reading of a batch."""
    if isinstance(content, Batch):
        for j in range(content.readings):
            values = ((field, column[j]) for field, column in zip(content.fields, content.columns, strict=True))
            texts = [value_text(field, value) for field, value in values if value is not None]
            yield content.start_s + j * content.interval_s, ", ".join(texts) or "nothing"
    elif isinstance(content, Position):
        where = (content.tier, content.row, content.column)
        lat, lon = cells.centre(*where)
        tier, nominal_m = wire.TIERS[content.tier]
        what = f"{tier} cell ({nominal_m} m) around {lat:.5f}, {lon:.5f} +-{cells.uncertainty_m(*where)} m"
        consent = content.serial or f"reference {content.consent.hex()}"
        yield content.t_s, f"{what}, consent {consent}"
    elif isinstance(content, Health):
        yield content.t_s, _health_text(content)
    elif isinstance(content, Dates):
        yield content.t_s, "this day"
    else:
        yield content.t_s, f"{EVENTS[content.event]} {event_argument(content)}".rstrip()


def _health_text(content: Health) -> str:
    values = ", ".join(
        f"{FIELDS[field].name} masked" if content.masked else value_text(field, value)
        for field, value in content.values.items()
    )
    drops = "masked" if content.drops is None else ", ".join(f"{rule} {n}" for rule, n in _named(content.drops))
    return "; ".join(part for part in (values, drops and f"drops {drops}") if part) or "nothing"


def _named(drops: dict[int, int]) -> Iterator[tuple[str, int]]:
    return ((DROP_RULES[rule], n) for rule, n in drops.items())


def event_argument(content: Event) -> str:
    """An event's argument for people; empty where it says nothing."""
    if content.event in (wire.E_TEMPERATURE_HIGH, wire.E_TEMPERATURE_LOW):
        return value_text(wire.F_TEMPERATURE, content.argument).partition(" ")[2]
    if content.event == wire.E_SHOCK:
        return value_text(wire.F_SHOCK_PEAK, content.argument).partition(" ")[2]
    if content.event == wire.E_CONSENT and 0 <= content.argument < len(wire.TIERS):
        consent = content.serial or (content.consent and f"reference {content.consent.hex()}")
        return wire.TIERS[content.argument][0] + (f", consent {consent}" if consent else "")
    if content.event == wire.E_RECEIPT and content.argument in entries.KINDS:
        return _receipt_text(content)
    return str(content.argument) if content.argument else ""


def _receipt_text(content: Event) -> str:
    kind, entry = entries.KINDS[content.argument], content.entry
    if entry is None:
        return f"{kind}, for the controller to read"
    at = words.when(entry.t_s) or "without a trusted clock"
    return f"{entry.number}, {kind} {at}: {printable(words.text(entry))}"


def verdict_json(source: Source, message: Message) -> dict[str, Any]:
    """A message and its verdict, without what is in it."""
    envelope, keys = message.envelope, message.keys
    return {
        "file": source.file,
        "number": source.number,
        "bytes": message.size_bytes,
        "valid": message.valid,
        "duplicate": message.duplicate,
        "broken_off": source.broken,
        "findings": [finding._asdict() for finding in message.findings],
        "pseudonym": envelope.kid.hex() if envelope else None,
        "step": envelope.step if envelope else None,
        "policy_version": envelope.policy_version if envelope else None,
        "node": keys.rules.name if keys else None,
        "stream": stream_name(message),
        "epoch": keys.epoch if keys else None,
        "epochs_ahead": message.epochs_ahead,
    }


def content_json(content: Content, *, dated: bool = True) -> dict[str, Any]:
    """What is in a message, in the units and names of the fields. dated: see host_tools.validate.Message."""
    shown = _content_json(content)
    return shown if dated else {_OF_DAY.get(name, name): value for name, value in shown.items()}


# What times are called that are of a day that is not known.
_OF_DAY = {"t_s": "second_of_day", "start_s": "start_second_of_day"}


def _content_json(content: Content) -> dict[str, Any]:
    if isinstance(content, Batch):
        columns = {
            FIELDS[field].name: {
                "unit": FIELDS[field].senml_unit,
                "values": [None if value is None else number(field, value) for value in column],
            }
            for field, column in zip(content.fields, content.columns, strict=True)
        }
        span = {"start_s": content.start_s, "interval_s": content.interval_s, "readings": content.readings}
        return {**span, "fields": columns}
    if isinstance(content, Position):
        where = (content.tier, content.row, content.column)
        feature = cells.feature(*where, {"centre": list(reversed(cells.centre(*where)))})
        consent = {"consent": content.serial, "consent_reference": content.consent.hex()}
        return {"t_s": content.t_s, "cell": list(where), **consent, "feature": feature}
    if isinstance(content, Health):
        values = {
            FIELDS[field].name: None if content.masked else number(field, value)
            for field, value in content.values.items()
        }
        drops = None if content.drops is None else dict(_named(content.drops))
        return {"t_s": content.t_s, "values": values, "drops": drops, "masked": content.masked}
    if isinstance(content, Dates):
        return {"t_s": content.t_s, "names": [name.hex() for name in content.names]}
    return {"t_s": content.t_s, "event": EVENTS[content.event], "argument": content.argument, **_evidence(content)}


def _evidence(content: Event) -> dict[str, Any]:
    """What an event says of a consent beside its argument."""
    if content.event == wire.E_RECEIPT:
        return {"receipt": None if content.entry is None else words.as_json(content.entry)}
    if content.consent is None:
        return {}
    return {"consent": content.serial, "consent_reference": content.consent.hex()}
