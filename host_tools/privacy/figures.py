"""The linker's answers as figures: hits beside what chance would give, with their uncertainty; and the verdict.

Must never call a run good whose linker was shown to be blind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from host_tools.privacy.linker import Linked, Query, Told

BAR = 2.0  # times chance: P6
PLANTED_BAR = 0.9  # share of nodes that a linker must name when each has a constant in its client id
Z_95 = 1.959_964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Score:
    """Right nodes named first. hits: of `queries` (ties count in part); by_chance: as many as guessing gives; factor:
    the one over the other, low and high its 95 % interval (Wilson 1927); top5: share of queries with the right node
    among the first five."""

    queries: int
    hits: float
    by_chance: float
    top5: float

    @property
    def factor(self) -> float:
        """Times chance."""
        return self.hits / self.by_chance if self.by_chance else math.nan

    @property
    def share(self) -> float:
        """Top-1 accuracy."""
        return self.hits / self.queries if self.queries else math.nan

    @property
    def low(self) -> float:
        """Lower end of the factor's interval."""
        return self._bound(-1.0)

    @property
    def high(self) -> float:
        """Upper end of the factor's interval."""
        return self._bound(1.0)

    def _bound(self, sign: float) -> float:
        if not self.queries:
            return math.nan
        n, p, z = self.queries, self.share, Z_95
        middle = p + z * z / (2 * n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle + sign * half) / (1 + z * z / n) * n / self.by_chance)

    def told(self) -> dict[str, float]:
        """For the report."""
        known = ("queries", "hits", "by_chance", "share", "factor", "low", "high", "top5")
        return {name: round(float(getattr(self, name)), 4) for name in known}


def score(queries: Iterable[Query]) -> Score:
    """The score of some queries."""
    asked = list(queries)
    return Score(
        queries=len(asked),
        hits=sum(query.top1 for query in asked),
        by_chance=sum(1 / query.candidates for query in asked),
        top5=sum(query.top5 for query in asked) / len(asked) if asked else math.nan,
    )


def neighbours(linked: Linked) -> Score:
    """The score over epochs that follow one another."""
    return score(query for query in linked.queries if query.gap_days == 1)


@dataclass(frozen=True)
class Study:
    """All that came of a run. linked, features: on what is seen, and what the best linker went by; unmasked: were the
    health mask off (empty when it is); planted: with a constant put into each node's client ids."""

    nodes: int
    epochs: int
    seed: int
    health_mask: bool
    counts: dict[str, float]
    linked: Sequence[Linked]
    features: Sequence[Told]
    unmasked: Sequence[Linked]
    planted: Sequence[Linked]

    @property
    def best(self) -> Linked:
        """The linker that named most nodes."""
        return _best(self.linked)

    def faults(self) -> list[str]:
        """Why the run does not show the promise kept, a line each; none when it does."""
        found = []
        every, next_day = score(self.best.queries), neighbours(self.best)
        if every.factor > BAR:
            found.append(f"linked at {every.factor:.1f} times chance, where {BAR:g} are allowed")
        if next_day.low > BAR:
            found.append(f"epochs that follow one another are linked at {next_day.factor:.1f} times chance")
        if score(_best(self.planted).queries).share < PLANTED_BAR:
            found.append("the linker misses a constant planted in client ids: it shows nothing")
        if self.unmasked and score(_best(self.unmasked).queries).low <= BAR:
            found.append("the linker finds no node by unmasked health values: it shows nothing")
        return found

    def report(self) -> dict[str, Any]:
        """The JSON report; no name, key or pseudonym is in it."""
        return {
            "promise": "P6",
            "bar_times_chance": BAR,
            "kept": not self.faults(),
            "faults": self.faults(),
            "nodes": self.nodes,
            "epochs": self.epochs,
            "seed": self.seed,
            "health_mask": self.health_mask,
            "seen": self.counts,
            "linkers": [_told(one) for one in self.linked],
            "best": self.best.name,
            "features": [asdict(one) for one in self.features],
            "controls": {
                "health mask off": [_told(one) for one in self.unmasked],
                "constant in client id": [_told(one) for one in self.planted],
            },
        }


def _best(linked: Sequence[Linked]) -> Linked:
    return max(linked, key=lambda one: score(one.queries).hits)


def _told(one: Linked) -> dict[str, Any]:
    gaps = sorted({query.gap_days for query in one.queries})
    by_gap = {str(gap): score(query for query in one.queries if query.gap_days == gap).told() for gap in gaps}
    return {"name": one.name, "auc": round(one.auc, 4), **score(one.queries).told(), "by_days_between": by_gap}
