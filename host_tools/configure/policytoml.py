"""[policy] of a node.toml: which profile, and what of this node narrows it further. Holds no coordinate: a zone given
by a place is its cell from the moment it is read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from host_tools.configure import faults
from host_tools.policy import profile as profiles
from host_tools.policy.hours import Hours
from host_tools.policy.zones import Zone
from plumveil import wire


class Section(BaseModel):
    """A section of node.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def midnight_s(day: date) -> int:
    """Unix s at which a day begins in UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp())


def _dated(day: date) -> date:
    if not wire.UNIX_MIN_S <= midnight_s(day) < wire.UNIX_MAX_S - wire.EPOCH_S:
        raise ValueError(f"{day} is outside the years that nodes know, 2026 to 2099")
    return day


Day = Annotated[date, AfterValidator(_dated)]


def _profile(name: str) -> str:
    return faults.known(name, profiles.profile_names(), "profile")


class ScatterSection(Section):
    """[policy.scatter]"""

    scale_m: Annotated[int, Field(ge=1, le=wire.SCATTER_MAX_M)] = Field(
        description="scale in metres of the noise by which positions are moved before they become cells: by twice as"
        " much on average",
    )
    per_day: Annotated[int, Field(ge=1, le=wire.SCATTER_DAY_MAX)] = Field(
        24, description="positions told in a UTC day at most"
    )


class PolicySection(Section):
    """[policy]"""

    profile: Annotated[str, AfterValidator(_profile)] = Field(
        description="name of a profile in host_tools/profiles, as `plumveil policy show` lists them",
        json_schema_extra=lambda schema: schema.update(enum=[*profiles.profile_names()]),
    )
    version: Annotated[int, Field(ge=1, le=wire.POLICY_VERSION_MAX)] | None = Field(
        None,
        description="the policy's version, where this file lets out more than one before it did under the profile's;"
        " it stands in clear in every message, so it is best the same in all of a fleet; default: the profile's",
    )
    effective: Day | None = Field(
        None,
        description="date from whose beginning (00:00 UTC) all of this file is in force; until then the node keeps"
        " what it has; without it: at once",
    )
    alarm_only: bool = Field(False, description="true: positions at and during an alarm only")
    zones: Annotated[tuple[Zone, ...], Field(max_length=wire.ZONES_MAX, strict=False)] = Field(
        (),
        description='places of which no position leaves, each a whole cell: "area/ROW/COLUMN", or'
        f' "LATITUDE,LONGITUDE,area" for the cell a place lies in; {wire.ZONES_MAX} at most',
    )
    scatter: ScatterSection | None = Field(None, description="moves positions; without it they stay where they are")
    schedule: Hours | None = Field(None, description="hours in which positions may be taken; without it all")
