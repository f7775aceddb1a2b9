"""What a simulation yields: a node's messages as they were opened, and the figures of summary.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from host_tools.simulate.recordings import Surroundings

Ring = Sequence[tuple[float, float]]  # corners as (latitude, longitude) in degrees


@dataclass(frozen=True)
class SentCell:
    """A reported position: its rounded time and the cell's outline."""

    time_s: int
    cell: tuple[int, int, int]  # tier, row, column
    ring: Ring


@dataclass(frozen=True)
class NodeFigures:
    """One node's line of summary.json."""

    name: str
    messages: int
    readings: int
    locations: int
    sealed_bytes_per_reading: float
    senml_cbor_bytes_per_reading: float
    json_bytes_per_reading: float
    dropped: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "messages": self.messages,
            "readings": self.readings,
            "locations": self.locations,
            "sealed_bytes_per_reading": round(self.sealed_bytes_per_reading, 2),
            "senml_cbor_bytes_per_reading": round(self.senml_cbor_bytes_per_reading, 2),
            "json_bytes_per_reading": round(self.json_bytes_per_reading, 2),
            "dropped": dict(sorted(self.dropped.items())),
        }


@dataclass(frozen=True)
class NodeView:
    """One node as the report shows it."""

    figures: NodeFigures
    surroundings: Surroundings
    tier: int  # index into wire.TIERS
    about: str
    sent_celsius: Sequence[tuple[int, float]]
    cells: Sequence[SentCell]
    temperature_alarms_s: Sequence[int]
    bytes_by_stream: Mapping[str, tuple[int, int]]  # stream -> (messages, bytes)
    pseudonyms: int  # different ones seen, over all streams


@dataclass(frozen=True)
class Verdict:
    """The validator's count, and its words on the first messages that failed."""

    valid: int
    invalid: int
    failures: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Outcome:
    """A whole run."""

    title: str
    lead: str
    nodes: Sequence[NodeView]
    verdict: Verdict
    seconds: float
    notes: Sequence[str]

    def summary(self) -> dict[str, object]:
        """Returns summary.json's content."""
        return {
            "nodes": [node.figures.as_json() for node in self.nodes],
            "validator": {"valid": self.verdict.valid, "invalid": self.verdict.invalid},
            "seconds": round(self.seconds, 1),
        }
