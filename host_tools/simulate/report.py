"""Writes the report: one HTML file that opens from disk, all figures inside, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from host_tools.simulate import figures, words
from host_tools.simulate.recordings import Track
from host_tools.simulate.results import NodeView, Outcome
from plumveil import wire

FAILURES_SHOWN = 12


def render(outcome: Outcome) -> str:
    """Returns the report as HTML. The same outcome gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("host_tools.simulate", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    maps = [_map(node, outcome.nodes) for node in outcome.nodes if node.surroundings.nmea is not None]
    return environment.get_template("report.html.j2").render(
        title=outcome.title,
        lead=outcome.lead,
        tiles=_tiles(outcome),
        maps=maps,
        map_words=_map_words(outcome.nodes),
        curves=[_curve(node) for node in outcome.nodes],
        nodes=[_node(node) for node in outcome.nodes],
        rules=_rules(outcome.nodes),
        verdict=_verdict(outcome),
        limits=words.LIMITS,
        notes=outcome.notes,
        footer=f"Made in {outcome.seconds:.1f} s by Plumveil: its firmware, compiled, in MicroPython.",
    )


def _tiles(outcome: Outcome) -> list[dict[str, str]]:
    nodes = [node.figures for node in outcome.nodes]
    readings = sum(node.readings for node in nodes)

    def mean(total: float) -> float:
        return total / readings if readings else 0.0

    sealed = mean(sum(node.sealed_bytes_per_reading * node.readings for node in nodes))
    senml = mean(sum(node.senml_cbor_bytes_per_reading * node.readings for node in nodes))
    good = outcome.verdict.invalid == 0
    messages, locations = sum(node.messages for node in nodes), sum(node.locations for node in nodes)
    fixes = sum(len(node.surroundings.nmea.track) for node in outcome.nodes if node.surroundings.nmea)
    return [
        _tile(
            "Messages", _number(messages), "all of them valid" if good else f"{_number(outcome.verdict.valid)} valid"
        ),
        _tile("Readings", _number(readings), "rows of all sensor fields, opened on the host"),
        _tile(
            "Sealed bytes a reading",
            f"{sealed:.1f}",
            f"{senml / sealed:.0f}× below SenML-CBOR unsealed" if sealed else "–",
        ),
        _tile("Positions", _number(locations), f"cells sent, of {_number(fixes)} fixes the receivers had"),
    ]


def _tile(name: str, value: str, text: str) -> dict[str, str]:
    return {"name": name, "value": value, "words": text}


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _map_words(nodes: Sequence[NodeView]) -> str:
    mapped = [node for node in nodes if node.surroundings.nmea is not None]
    if len(mapped) > 1:
        return "The same drive, recorded once and fed to every node below. Only the consent differs."
    return "The drive as recorded, and what the node made of it."


def _map(node: NodeView, nodes: Sequence[NodeView]) -> dict[str, object]:
    nmea = node.surroundings.nmea
    track = nmea.track if nmea else None
    rings = list({cell.cell: cell.ring for cell in node.cells}.values())
    consent = words.tier_words(node.tier)
    frame = _frame(nodes)
    label = f"Map for {node.figures.name}: raw track and {len(rings)} reported cells; {consent}"
    svg = figures.track_map(track, rings, f"map-{node.figures.name}", label, frame)
    if node.cells:
        caption = (
            f"{len(node.cells)} positions in {len(rings)} cells. The node sends a cell's number and a time rounded "
            f"down to {wire.POSITION_TIME_S // 60} minutes, and only when the cell changes: no coordinate, speed, "
            "heading or altitude."
        )
    elif node.tier == wire.TIER_OFF:
        caption = "No position left the node: without consent the receiver has no power and is not read."
    else:
        caption = "Consent was given, and no position was found that could be reported."
    return {"name": node.figures.name, "consent": consent, "svg": svg, "caption": caption}


def _frame(nodes: Sequence[NodeView]) -> Track | None:
    """One extent for all maps of one drive, cells included, so that they can be compared."""
    lats: list[float] = []
    lons: list[float] = []
    for node in nodes:
        if node.surroundings.nmea is not None:
            lats += [*node.surroundings.nmea.track.lat_deg, *(lat for cell in node.cells for lat, _ in cell.ring)]
            lons += [*node.surroundings.nmea.track.lon_deg, *(lon for cell in node.cells for _, lon in cell.ring)]
    return Track((0,) * len(lats), tuple(lats), tuple(lons)) if lats else None


def _curve(node: NodeView) -> dict[str, object]:
    name, felt = node.figures.name, node.surroundings
    curve = figures.Curve(felt.temperature, node.sent_celsius, node.temperature_alarms_s, felt.start_s, felt.end_s)
    label = f"Temperature of {name} over the day, as measured and as sent"
    sent = [celsius for _, celsius in node.sent_celsius]
    if sent:
        caption = f"{_number(len(sent))} values sent, {min(sent):.1f} to {max(sent):.1f} °C, rounded to 0.1 °C."
    else:
        caption = "No temperature arrived within the simulated time."
    if node.temperature_alarms_s:
        times = ", ".join(
            datetime.fromtimestamp(time_s, UTC).strftime("%H:%M") for time_s in node.temperature_alarms_s[:6]
        )
        caption += f" Alarm sent at {times} UTC."
    return {
        "name": name,
        "note": node.about,
        "wide": figures.temperature(curve, f"temperature-{name}", label, narrow=False),
        "narrow": figures.temperature(curve, f"temperature-{name}", label, narrow=True),
        "caption": caption,
    }


def _node(node: NodeView) -> dict[str, object]:
    own = node.figures
    rows = [
        ("JSON", own.json_bytes_per_reading, "json"),
        ("SenML-CBOR", own.senml_cbor_bytes_per_reading, "muted"),
        ("sealed, as sent", own.sealed_bytes_per_reading, "accent"),
    ]
    longest = max((value for _, value, _ in rows), default=0.0) or 1.0
    bars = [
        {"name": name, "value": f"{value:.1f} B", "percent": f"{100 * value / longest:.2f}", "colour": colour}
        for name, value, colour in rows
    ]
    facts = [
        (_number(own.messages), "messages"),
        (_number(own.readings), "readings"),
        (_number(own.locations), "positions"),
    ]
    for stream, (messages, size) in node.bytes_by_stream.items():
        if messages:
            facts.append((f"{_number(size)} B", f"in {messages} × {stream}"))
    facts.append((str(node.pseudonyms), "pseudonyms used"))
    label = ", ".join(f"{name} {value:.1f} bytes per reading" for name, value, _ in rows)
    return {"name": own.name, "about": node.about, "bars": bars, "facts": facts, "bars_label": label}


def _rules(nodes: Sequence[NodeView]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for rule, name in wire.RULES:
        counts = [node.figures.dropped.get(name, 0) for node in nodes]
        if any(counts):
            rows.append({"name": name, "words": words.rule_words(rule), "counts": counts})
    return rows


def _verdict(outcome: Outcome) -> dict[str, object]:
    verdict = outcome.verdict
    total = verdict.valid + verdict.invalid
    good = verdict.invalid == 0 and total > 0
    if good:
        head = f"All {_number(total)} messages are valid"
    elif total == 0:
        head = "No message arrived"
    else:
        head = f"{_number(verdict.invalid)} of {_number(total)} messages are not valid"
    text = (
        "Each message was opened with the registry's keys, by another implementation than the firmware's, and "
        "checked for COSE structure, authenticity, deterministic CBOR, fields, resolution, range, order of time, "
        "the pseudonym of its epoch, and consent to its location."
    )
    failures = list(verdict.failures[:FAILURES_SHOWN])
    if len(verdict.failures) > FAILURES_SHOWN:
        failures.append(f"and {len(verdict.failures) - FAILURES_SHOWN} more; plumveil validate shows all")
    return {"good": good, "head": head, "words": text, "failures": failures}
