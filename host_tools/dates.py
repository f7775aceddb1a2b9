"""Dates split off from times (wire.P_SPLIT_DATES): times of day get their day back, where whoever reads may know it.

The day is what the epoch's message of dates says; before that came, what the epoch would be by the calendar. Who may
not know it reads times of day, also of messages that had a date. That the names in it are the node's own only the
controller can tell.
"""

from typing import NamedTuple

from host_tools import rules
from host_tools.content import KEY_NAMES, Dates
from host_tools.keyring import StreamKeys
from host_tools.limits import Limits
from host_tools.rules import Finding
from plumveil import wire

NAMES_MAX = 100_000  # pseudonyms whose day is remembered
_TIME = KEY_NAMES[wire.K_TIME]


class Placing(NamedTuple):
    """How the times under a pseudonym and a policy are read. split: whether that splits dates off, None where it is
    not known; day: None where that is not for who reads to know."""

    split: bool | None
    day: int | None

    def placed(self, raw_s: int, findings: list[Finding]) -> int:
        """Unix s of a time as it stands in a message; seconds of the day for who may not know the day."""
        of_day = 0 <= raw_s < wire.EPOCH_S
        split = of_day if self.split is None else self.split
        if split and not of_day:
            findings.append(Finding(rules.TIME, _TIME, "carries a date, which its policy splits off"))
        if self.day is None:
            if not split and not wire.UNIX_MIN_S <= raw_s <= wire.UNIX_MAX_S:
                findings.append(Finding(rules.TIME, _TIME, "outside the limits of the format"))
            return raw_s % wire.EPOCH_S
        return raw_s + self.day * wire.EPOCH_S if of_day else raw_s


class Calendar:
    """The days that messages of dates told of, by the pseudonyms in them."""

    def __init__(self, names_max: int = NAMES_MAX) -> None:
        self._names_max = names_max
        self._days: dict[bytes, int] = {}

    def note(self, dates: Dates) -> None:
        """Takes in a sound message."""
        for name in dates.names:
            self._days.pop(name, None)
            self._days[name] = dates.t_s // wire.EPOCH_S
        while len(self._days) > self._names_max:
            del self._days[next(iter(self._days))]

    def placing(self, keys: StreamKeys, limits: Limits | None) -> Placing | None:
        """How times are read under `limits`, None where they stand with their dates."""
        if keys.stream == wire.DATES:
            return None
        split = None if limits is None else limits.split_dates
        return Placing(split, self._days.get(keys.kid, keys.day))
