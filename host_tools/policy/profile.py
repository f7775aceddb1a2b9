"""A profile: a policy as data, each rule with the clause it stands on and where it ends. From host_tools/profiles.

Whatever is missing, unknown or out of bounds in one is an error that names it; nothing is taken as meant.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from host_tools.errors import UsageError
from host_tools.policy.clauses import CLAUSES
from host_tools.policy.hours import Hours
from host_tools.policy.zones import Cell
from plumveil import wire

PROFILES_DIR = Path(__file__).resolve().parents[1] / "profiles"
FIELD_IDS = {row[1]: row[0] for row in wire.FIELDS}
FIELD_NAMES = {number: name for name, number in FIELD_IDS.items()}
STREAM_OF = {row[1]: row[2] for row in wire.FIELDS}
TIER_NAMES = tuple(name for name, _ in wire.TIERS)
# Rules of a profile, in the order they are shown, each with what the node and the host do about it.
RULES = {
    "ground": "whose leave the data are taken by is for the controller to say; positions need a consent in any case",
    "allow_list": "a field that the profile does not name does not leave the node",
    "resolution": "each value leaves in steps, and each interval is kept to, as the purpose needs them and no finer",
    "location": "a position leaves as a cell under a consent in force, no finer than the ceiling",
    "narrowing": "per node, hours, alarms, private zones and noise narrow positions further",
    "names": "a node is called by names that are others every day and in every stream; no serial number, MAC or"
    " hardware id leaves it",
    "health": "of the node's own state only the controller sees the values",
    "sealing": "every message is sealed on the node, for whoever the controller gave that stream's keys of that day",
    "retention": "what could not be delivered is dropped on the node after so many days, and counted",
    "dates": "messages tell the time of day alone; which day it was stands in a stream of its own",
    "transfer": "configure refuses a route without a ground, and past its end the node sends nothing",
}
SHOCK_MAX = 160  # 0.1 g: as far as the accelerometer reaches
Days = Annotated[int, Field(ge=1, le=wire.RETENTION_MAX_DAYS)]
Words = Annotated[str, Field(min_length=1, max_length=400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """Alarm limits in wire units: 0.1 degC, 0.1 degC, 0.1 g."""

    temperature_low: Annotated[int, Field(ge=-550, le=1250)]
    temperature_high: Annotated[int, Field(ge=-550, le=1250)]
    shock: Annotated[int, Field(ge=1, le=SHOCK_MAX)]


class Scatter(_Strict):
    """Positions are moved before they become cells. scale_m: of planar Laplace noise, which moves by twice as much on
    average; per_day: positions told in a UTC day at most."""

    scale_m: Annotated[int, Field(ge=1, le=wire.SCATTER_MAX_M)]
    per_day: Annotated[int, Field(ge=1, le=wire.SCATTER_DAY_MAX)]


class FieldRule(_Strict):
    """One field: step in wire units, days that it waits on the node at most, what it is for; and a limit of its own,
    where it has one."""

    step: Annotated[int, Field(ge=1)]
    keep_days: Days
    purpose: Words
    limit: Words | None = None


class StreamRule(_Strict):
    """What leaves in a stream of its own, positions or events."""

    keep_days: Days
    purpose: Words


class Rule(_Strict):
    """Why one of RULES is there: clauses, and where it ends."""

    basis: Annotated[tuple[str, ...], Field(min_length=1)]
    limit: Words

    @model_validator(mode="after")
    def _known(self) -> Self:
        for clause in self.basis:
            if clause not in CLAUSES:
                raise ValueError(f"{clause!r} is no clause that host_tools/policy/clauses.py knows: look it up")
        return self


class Profile(_Strict):
    """A policy as data; see ``host_tools/profiles/general.toml``. Intervals in seconds, steps in wire units.

    hours, alarm_only, zones, scatter: what a node has of its own, and no profile: they narrow positions further.
    """

    name: str
    about: Words
    version: Annotated[int, Field(ge=1, le=wire.POLICY_VERSION_MAX)]
    location_ceiling: str
    sample_s: Annotated[int, Field(ge=10, le=wire.INTERVAL_MAX_S)]
    position_s: Annotated[int, Field(ge=wire.POSITION_TIME_S, le=86400)]
    device_s: Annotated[int, Field(ge=600, le=86400)]
    upload_s: Annotated[int, Field(ge=60, le=86400)]
    batch_max: Annotated[int, Field(ge=1, le=wire.BATCH_MAX)]
    health_mask: bool
    split_dates: bool = False
    fields: dict[str, FieldRule]
    positions: StreamRule | None = None
    events: StreamRule
    rules: dict[str, Rule]
    limits: Limits | None = None
    hours: Hours | None = None
    alarm_only: bool = False
    zones: Annotated[tuple[Cell, ...], Field(max_length=wire.ZONES_MAX)] = ()
    scatter: Scatter | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name in self.fields:
            if name not in FIELD_IDS:
                raise ValueError(f"unknown field {name!r}")
        if self.location_ceiling not in TIER_NAMES:
            raise ValueError(f"location_ceiling: unknown tier {self.location_ceiling!r}")
        if (self.positions is not None) != (self.ceiling > wire.TIER_OFF):
            raise ValueError(
                "[positions] belongs into a profile whose location_ceiling is not off, and into no other"
            )
        wanted = {name for name in RULES if name != "dates" or self.split_dates}
        for name in sorted(wanted ^ self.rules.keys()):
            raise ValueError(f"[rules.{name}] {'is missing' if name in wanted else 'does not belong here'}")
        return self

    @property
    def ceiling(self) -> int:
        """The location ceiling as an index into ``wire.TIERS``."""
        return TIER_NAMES.index(self.location_ceiling)

    def with_fields(self, steps: Mapping[str, int]) -> Profile:
        """The same with these of its fields only, in steps of their own."""
        fields = {name: self.fields[name].model_copy(update={"step": step}) for name, step in steps.items()}
        return self.model_copy(update={"fields": fields})

    def steps(self) -> dict[int, int]:
        """Field id -> step in wire units."""
        steps = {FIELD_IDS[name]: rule.step for name, rule in self.fields.items()}
        return dict(sorted(steps.items()))

    def retention(self) -> list[int]:
        """Days that a message waits at most, per stream: the longest of its fields'. A date waits as long as any."""
        days = [
            max((rule.keep_days for name, rule in self.fields.items() if STREAM_OF[name] == stream), default=1)
            for stream in range(len(wire.STREAMS))
        ]
        days[wire.LOCATION] = self.positions.keep_days if self.positions else 1
        days[wire.EVENTS] = self.events.keep_days
        days[wire.DATES] = max(days)
        return days


def tier_index(name: str) -> int:
    """Index into ``wire.TIERS`` of a tier's name; UsageError names those there are."""
    if name not in TIER_NAMES:
        raise UsageError(f"unknown tier {name!r}: use one of {', '.join(TIER_NAMES)}")
    return TIER_NAMES.index(name)


def profile_names() -> list[str]:
    """Names of the profiles there are."""
    return sorted(path.stem for path in PROFILES_DIR.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Reads ``profiles/<name>.toml``; UsageError when there is none or it is out of bounds."""
    if name not in profile_names():
        raise UsageError(f"unknown profile {name!r}: use one of {', '.join(profile_names())}")
    try:
        profile = Profile.model_validate(tomllib.loads((PROFILES_DIR / f"{name}.toml").read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"profile {name} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"profile {name}: {place + ': ' if place else ''}{_words(first['msg'])}") from None
    if profile.hours or profile.alarm_only or profile.zones or profile.scatter:
        raise UsageError(
            f"profile {name}: hours, alarm_only, zones and scatter are a node's own: write them into its node.toml"
        )
    if profile.name != name:
        raise UsageError(f"profile {name}: calls itself {profile.name!r}; name it as its file")
    return profile


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")
