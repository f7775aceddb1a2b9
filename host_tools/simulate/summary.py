"""Opens and judges what the nodes sent, and turns it into the figures of summary.json and the report.

Opening is done by the host's own validator, another implementation than the firmware's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from host_tools import cells, senml
from host_tools.content import Batch, Content, Event, Position
from host_tools.keyring import KeyRing
from host_tools.limits import FIELDS
from host_tools.registry import Registry
from host_tools.simulate.results import NodeFigures, NodeView, SentCell, Verdict
from host_tools.simulate.runner import NodeRun
from host_tools.validate import Message as Judged
from host_tools.validate import Validator
from plumveil import wire

_TEMPERATURES = (wire.F_TEMPERATURE, wire.F_PROBE_TEMPERATURE)
_TEMPERATURE_ALARMS = (wire.E_TEMPERATURE_HIGH, wire.E_TEMPERATURE_LOW)
_STREAM_OF_LETTER = dict(zip(wire.TOPIC_LETTERS, wire.STREAMS, strict=True))


def registry_of(runs: Sequence[NodeRun]) -> Registry:
    """Returns the key file's content for these nodes."""
    return Registry(nodes=tuple(run.record for run in runs))


def judge(runs: Sequence[NodeRun]) -> tuple[list[NodeView], Verdict]:
    """Opens every message, in the order in which it came, and returns what each node sent and the verdict."""
    latest_s = max((run.spec.surroundings.end_s for run in runs), default=0)
    now_s = max(int(time.time()), latest_s)
    validator = Validator(KeyRing(registry_of(runs), now_s), now_s)
    views = []
    valid = 0
    failures: list[str] = []
    for run in runs:
        judged = [validator.check(message.payload) for message in run.messages]
        for number, message in enumerate(judged, 1):
            valid += message.valid
            failures += [
                f"{run.spec.name} {number}: {found.rule} at {found.where}: {found.what}"
                for found in message.findings[:1]
            ]
        views.append(_view(run, judged))
    return views, Verdict(valid, len(failures), failures)


def _view(run: NodeRun, judged: Sequence[Judged]) -> NodeView:
    contents = [message.content for message in judged if message.valid and message.content is not None]
    batches = [content for content in contents if isinstance(content, Batch)]
    positions = [content for content in contents if isinstance(content, Position)]
    by_stream = _by_stream(run)
    readings = sum(batch.readings for batch in batches)
    senml_bytes, json_bytes = _senml_sizes(batches)
    per = max(readings, 1)
    figures = NodeFigures(
        name=run.spec.name,
        messages=len(run.messages),
        readings=readings,
        locations=len(positions),
        sealed_bytes_per_reading=by_stream[wire.STREAMS[wire.READINGS]][1] / per,
        senml_cbor_bytes_per_reading=senml_bytes / per,
        json_bytes_per_reading=json_bytes / per,
        dropped=run.dropped,
    )
    return NodeView(
        figures=figures,
        surroundings=run.spec.surroundings,
        tier=run.spec.tier,
        about=_about(run),
        sent_celsius=_celsius(batches),
        cells=[_cell(position) for position in positions],
        temperature_alarms_s=_alarms_s(contents),
        bytes_by_stream=by_stream,
        pseudonyms=len({message.topic for message in run.messages}),
    )


def _about(run: NodeRun) -> str:
    receiver = f"{run.receiver_bytes:,} bytes read from the GPS receiver".replace(",", "\u202f")
    return f"board {run.spec.board.name}, " + (receiver if "gps" in run.spec.board.sensors else "no GPS receiver")


def _by_stream(run: NodeRun) -> dict[str, tuple[int, int]]:
    sizes: dict[str, list[int]] = {stream: [] for stream in wire.STREAMS}
    for message in run.messages:
        sizes[_STREAM_OF_LETTER[message.topic[len(wire.TOPIC_PREFIX)]]].append(len(message.payload))
    return {stream: (len(own), sum(own)) for stream, own in sizes.items()}


def _celsius(batches: Sequence[Batch]) -> list[tuple[int, float]]:
    """(Unix s, degC) of the first temperature each reading has."""
    rows = []
    for batch in batches:
        columns = [batch.columns[batch.fields.index(field)] for field in _TEMPERATURES if field in batch.fields]
        numerator, denominator = FIELDS[wire.F_TEMPERATURE].senml_scale
        for j, values in enumerate(zip(*columns, strict=True)):
            value = next((value for value in values if value is not None), None)
            if value is not None:
                rows.append((batch.start_s + j * batch.interval_s, value * numerator / denominator))
    return sorted(rows)


def _alarms_s(contents: Sequence[Content]) -> list[int]:
    events = (content for content in contents if isinstance(content, Event))
    return sorted(event.t_s for event in events if event.event in _TEMPERATURE_ALARMS)


def _cell(position: Position) -> SentCell:
    edges = cells.box(position.tier, position.row, position.column)
    south, west, north, east = (edge / cells.DEGREE_E6 for edge in edges)
    ring = ((south, west), (south, east), (north, east), (north, west))
    return SentCell(position.t_s, (position.tier, position.row, position.column), ring)


def _senml_sizes(batches: Sequence[Batch]) -> tuple[int, int]:
    """Bytes of the readings as one self-standing pack each, as SenML-CBOR and as SenML-JSON."""
    packs = [senml.reading_pack(batch, j) for batch in batches for j in range(batch.readings)]
    return sum(len(senml.to_cbor(pack)) for pack in packs), sum(len(senml.to_json(pack)) for pack in packs)
