"""A finding: what was looked at, what it is like, what that means and what to do. Never holds a key, a MAC or a
network's name: findings are printed, and mailed around.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is: as it should be, worth knowing, or to be mended."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    part: "host" or "node"; check: what was looked at, a word or two; found: what it is like. means and advice: empty
    where all is well.
    """

    part: str
    check: str
    state: State
    found: str
    means: str = ""
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON: names as here."""
        return {name: str(value) for name, value in asdict(self).items()}


def worst(findings: list[Finding]) -> State:
    """The worst state there is; OK of none."""
    order = list(State)
    return max((finding.state for finding in findings), key=order.index, default=State.OK)
