"""What a technician reads on the screen: consent in one look, and what would leave field by field. A position appears
as its cell alone.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from host_tools.keys.when import moment_text
from host_tools.limits import FIELDS
from host_tools.senml import number
from host_tools.technician.node import Grant, Preview, Running, Status, Value
from plumveil import wire

RULES = dict(wire.RULES)
UNKNOWN = "not in the node's log any more"
# Why nothing leaves of a value or a position, by rule.
WHY = {
    wire.R_NOT_ON_LIST: "the policy does not name this field",
    wire.R_OUT_OF_RANGE: "outside what the field can hold",
    wire.R_NO_CONSENT: "location is off: the receiver has no power",
    wire.R_NO_FIX: "the receiver has no fix",
    wire.R_SAME_CELL: "the same as was sent last: sent once only",
    wire.R_NOT_NOW: "not in the policy's hours, only at an alarm, or told in this interval already",
    wire.R_ZONE: "in one of the policy's zones",
    wire.R_BUDGET: "as many moved positions were told today as the policy allows",
}


def status(console: Console, found: Status) -> None:
    """Whether location is on, since when, until when, how precisely, why, by whom; what the node would send."""
    style = "bold green" if found.tier else "bold"
    console.print(Text.assemble(("location     ", ""), (on_or_off(found), style)), soft_wrap=True)
    for name, words in [*_consent(found.grant), *_node(found)]:
        console.print(Text(f"{name:12} {words}"), soft_wrap=True)


def on_or_off(found: Status) -> str:
    """One line: the tier in force, or why location is off."""
    if found.tier:
        return f"ON: {precision(found.tier)}"
    return f"off: {_why_off(found)}"


def precision(tier: int) -> str:
    """A tier in words: area, cells of 1 km."""
    name, size_m = wire.TIERS[tier]
    return f"{name}, cells of {size_m // 1000} km" if size_m >= 1000 else f"{name}, cells of {size_m} m"


def _why_off(found: Status) -> str:
    grant, running = found.grant, found.running
    if grant is None:
        return "there is no consent in force"
    if running is None:
        return "the node's program does not run: it may be just starting"
    if running.now_s is None:
        return "the node has no trusted time yet"
    if running.now_s < grant.starts_s:
        return "its consent has not begun"
    if running.now_s >= grant.expires_s:
        return "its consent has ended"
    return "its consent does not suffice for the policy in force"


def _consent(grant: Grant | None) -> list[tuple[str, str]]:
    if grant is None:
        return []
    since = moment_text(grant.starts_s if grant.given_s is None else max(grant.given_s, grant.starts_s))
    who = UNKNOWN if grant.who is None else f"{grant.who}, on notice {grant.notice}"
    found = [
        ("since", since),
        ("until", moment_text(grant.expires_s)),
        ("precision", precision(grant.tier)),
        ("purpose", grant.purpose or UNKNOWN),
        ("given by", who),
    ]
    if grant.delegation:
        person = UNKNOWN if grant.person is None else f"{grant.person}: {grant.reason}"
        found.append(("made by", f"delegation {grant.delegation}, {person}"))
    return [*found, ("consent", f"number {grant.serial}, under policy version {grant.policy}")]


def _node(found: Status) -> list[tuple[str, str]]:
    running = found.running
    if running is None:
        return [("sends now", "nothing: the node's program does not run")]
    finest = wire.TIERS[running.ceiling][0]
    return [
        ("policy", f"version {running.policy}, location at most {finest}"),
        ("refused", f"{running.refusals} since the node's start"),
        ("waiting", f"{running.queued} messages"),
        ("sends now", _readings(running)),
        ("", _position(found, running)),
    ]


def _readings(running: Running) -> str:
    names = [FIELDS[field].name for field in sorted(running.fields) if FIELDS[field].stream == wire.READINGS]
    return f"readings every {running.sample_s} s: {', '.join(names)}"


def _position(found: Status, running: Running) -> str:
    if not running.receiver:
        return "no position: the node has no receiver"
    if not found.tier:
        return "no position: the receiver has no power"
    if not running.now:
        return f"no position now: {WHY[wire.R_NOT_NOW]}"
    return f"a position every {running.position_s} s, as its cell ({precision(found.tier)}), when it has changed"


def preview(console: Console, found: Preview) -> None:
    """Field by field what is taken and what leaves of it; bytes of the messages; the position, or why none."""
    for title, values in (("readings", found.readings), ("health", found.health)):
        console.print(_table(title, values, masked=found.masked and title == "health"))
    for fault in found.faults:
        console.print(Text(f"sensor_fault: {fault}"), soft_wrap=True)
    missing = _missing(found)
    if missing:
        console.print(Text(f"without a value now: {', '.join(missing)}"), soft_wrap=True)
    if wire.READINGS in found.sizes:
        size = found.sizes[wire.READINGS]
        console.print(Text(f"readings     {found.open} wait for their batch; sealed now {size} bytes"))
    console.print(Text(f"position     {_cell(found)}"), soft_wrap=True)


def _table(title: str, values: tuple[Value, ...], *, masked: bool) -> Table:
    table = Table("field", "taken", "sent", "dropped by", title=title, title_justify="left", box=box.SIMPLE)
    for value in values:
        row = FIELDS[value.id]
        sent = "" if value.sent is None else f"{number(value.id, value.sent):g} {row.senml_unit}"
        if sent and masked:
            sent += ", masked"
        dropped = f"{RULES[value.rule]}: {WHY[value.rule]}" if value.rule else ""
        table.add_row(row.name, f"{_taken(value)} {row.senml_unit}", sent, dropped)
    return table


def _taken(value: Value) -> str:
    row = FIELDS[value.id]
    numerator, denominator = row.senml_scale
    return f"{value.taken * numerator / (denominator * row.raw_per_unit):.7g}"


def _missing(found: Preview) -> list[str]:
    if found.status.running is None:
        return []
    there = {value.id for value in (*found.readings, *found.health)}
    return [FIELDS[field].name for field in sorted(found.status.running.fields) if field not in there]


def _cell(found: Preview) -> str:
    if found.cell is None:
        return f"none ({RULES[found.rule]}): {WHY[found.rule]}"
    tier, row, column = found.cell
    cell = f"{precision(tier)}: row {row}, column {column}"
    if found.rule:
        return f"none ({RULES[found.rule]}): {cell} is {WHY[found.rule]}"
    return f"{cell}; sealed {found.sizes[wire.LOCATION]} bytes"
