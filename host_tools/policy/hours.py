"""Hours in which positions may be taken: weekdays and times of a place with a fixed offset from UTC.

No summer time: who has one writes other hours twice a year, or leaves an hour's room.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 1440
WEEK_MIN = 7 * DAY_MIN
OFFSET_MAX_MIN = 14 * 60
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):([0-5]\d)")

# As the node has them (wire.P_SCHEDULE): offset from UTC in minutes, weekdays as bits, first minute, end.
Compiled = tuple[int, int, int, int]


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no time of day: write it as 08:00, up to 24:00")
    return text


def _offset(text: str) -> str:
    if not _OFFSET.fullmatch(text) or abs(_offset_min(text)) > OFFSET_MAX_MIN:
        raise ValueError(f"{text[:20]!r} is no offset from UTC: write it as +05:30, -14:00 to +14:00")
    return text


class Hours(BaseModel):
    """Working hours; the end may be past midnight, and then belongs to the day they began on."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    days: Annotated[tuple[Weekday, ...], Field(min_length=1, strict=False)] = Field(
        description=f"weekdays on which they begin, out of {', '.join(WEEKDAYS)}"
    )
    begins: Annotated[str, AfterValidator(_time)] = Field(description="time of day, as 08:00")
    ends: Annotated[str, AfterValidator(_time)] = Field(
        description="time of day up to 24:00, as 18:00; before `begins`: on the day after"
    )
    utc_offset: Annotated[str, AfterValidator(_offset)] = Field(
        description="of the place's clock, as +05:30; a fixed one, without summer time"
    )

    @model_validator(mode="after")
    def _sound(self) -> Hours:
        if len(set(self.days)) != len(self.days):
            raise ValueError("a weekday is named twice: leave one")
        if self.begins == "24:00":
            raise ValueError("hours that begin at 24:00 begin at 00:00 of the next day: write that")
        if _minutes(self.ends) == 0:
            raise ValueError("hours that end at 00:00 end at 24:00: write that")
        if self.begins == self.ends:
            raise ValueError("hours that end when they begin are none: correct one, or leave them out")
        return self

    def compiled(self) -> Compiled:
        """For the node."""
        weekdays = sum(1 << WEEKDAYS.index(day) for day in self.days)
        return _offset_min(self.utc_offset), weekdays, _minutes(self.begins), _minutes(self.ends)

    @classmethod
    def of(cls, compiled: Compiled) -> Hours:
        """What was compiled. ValueError when it is none."""
        offset, weekdays, begins, ends = compiled
        sign = "-" if offset < 0 else "+"
        return cls(
            days=tuple(day for number, day in enumerate(WEEKDAYS) if weekdays >> number & 1),
            begins=_clock(begins),
            ends=_clock(ends),
            utc_offset=f"{sign}{_clock(abs(offset))}",
        )

    def __str__(self) -> str:
        return f"{', '.join(self.days)} {self.begins} to {self.ends} (UTC{self.utc_offset})"


def open_minutes(hours: Compiled | None) -> int:
    """The minutes of a week in UTC, from Monday 00:00, in which they are open: a bit each. None: always."""
    if hours is None:
        return (1 << WEEK_MIN) - 1
    offset, weekdays, begins, ends = hours
    length = ends - begins if ends > begins else ends + DAY_MIN - begins
    open_ = 0
    for day in range(7):
        if weekdays >> day & 1:
            for minute in range(length):
                open_ |= 1 << (day * DAY_MIN + begins - offset + minute) % WEEK_MIN
    return open_


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _offset_min(text: str) -> int:
    return _minutes(text[1:]) * (-1 if text[0] == "-" else 1)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
