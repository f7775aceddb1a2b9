"""Whole nodes under each profile, and narrowed further: what leaves keeps the policy, and where no position is to be
taken the receiver is not read.
"""

from __future__ import annotations

from typing import Any

import pytest

from host_tools import boards
from host_tools.content import Dates, Position
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import make_table
from host_tools.policy.hours import Hours
from host_tools.policy.profile import Profile, load_profile, profile_names
from host_tools.simulate import runner
from host_tools.validate import Message, Validator
from plumveil import grid, wire
from tests.e2e.days import HOURS, START_S, TIER, Place, day, receiver

HERE = Place(49.0265, 12.0652, 336.7, 0.0, 131.9)
THERE = Place(49.1371, 12.1826, 351.2, 42.1, 12.3)
NOW_S = START_S + 2 * wire.EPOCH_S
CELL = grid.locate(49026500, 12065200, TIER["area"])
# 2026-02-01 is a Sunday.
MORNING = Hours(days=("sun",), begins="04:00", ends="08:00", utc_offset="+02:00")
NIGHT = Hours(days=("sun",), begins="20:00", ends="24:00", utc_offset="+00:00")


def lived(profile: Profile, tier: int, **hardware: Any) -> runner.NodeRun:
    surroundings = day(receiver([HERE, THERE]), **hardware)
    spec = runner.NodeSpec("node", boards.load("virtual"), profile, tier, surroundings)
    (ran,) = runner.simulate([spec], lambda *_: None)
    return ran


def judged(ran: runner.NodeRun) -> list[Message]:
    one = Validator(KeyRing([ran.record], NOW_S), NOW_S)
    return [one.check(message.payload) for message in ran.messages]


def positions(ran: runner.NodeRun) -> list[Position]:
    return [found.content for found in judged(ran) if isinstance(found.content, Position)]


def due(ran: runner.NodeRun) -> int:
    """Positions that were due and not taken: the first before the grant came, the others by the policy."""
    assert ran.dropped.get("no_consent", 0) <= 1
    return ran.dropped["not_now"] + ran.dropped.get("no_consent", 0)


@pytest.mark.parametrize("name", profile_names())
def test_what_leaves_under_a_profile_keeps_it(name: str) -> None:
    profile = load_profile(name)
    ran = lived(profile, profile.ceiling)
    found = judged(ran)
    assert [one.findings for one in found] == [[] for _ in found]
    streams = {wire.STREAMS[one.keys.stream] for one in found if one.keys}
    assert ("location" in streams) == (profile.ceiling > 0) == (ran.receiver_bytes > 0)
    assert ("dates" in streams) == profile.split_dates
    assert {one.tier for one in positions(ran)} == ({profile.ceiling} if profile.ceiling else set())


def test_in_the_united_states_a_processor_reads_no_day() -> None:
    ran = lived(load_profile("healthcare-us"), wire.TIER_OFF)
    first = START_S // wire.EPOCH_S
    others = Validator(TableRing(make_table([ran.record], range(wire.DATES), first - 1, first + 1)), NOW_S)
    read = [others.check(message.payload) for message in ran.messages]
    known = [one for one in read if one.keys is not None]
    assert len(read) - len(known) == sum(isinstance(one.content, Dates) for one in judged(ran)) > 0
    assert [one.findings for one in known] == [[] for _ in known]
    assert all(0 <= one.content[0] < wire.EPOCH_S for one in known if one.content is not None)
    assert not any(one.dated for one in known)


def test_within_its_hours_and_not_outside() -> None:
    profile = load_profile("general")
    for hours, span in ((MORNING, (2, 6)), (NIGHT, None)):
        ran = lived(profile.model_copy(update={"hours": hours}), TIER["area"])
        taken = positions(ran)
        if span is None:
            assert (taken, ran.receiver_bytes) == ([], 0)
            assert due(ran) == HOURS * 12
            continue
        assert taken
        assert all(span[0] * 3600 <= one.t_s - START_S < span[1] * 3600 for one in taken)
        assert due(ran) == (HOURS - 4) * 12


def test_at_an_alarm_only() -> None:
    """The day has 4.87 degC throughout: nothing is wrong until the limit says that 4 is too much."""
    profile = load_profile("general").model_copy(update={"alarm_only": True})
    quiet = lived(profile, TIER["area"])
    assert (positions(quiet), quiet.receiver_bytes) == ([], 0)
    assert due(quiet) == HOURS * 12
    assert profile.limits is not None
    hot = profile.model_copy(update={"limits": profile.limits.model_copy(update={"temperature_high": 40})})
    loud = lived(hot, TIER["area"])
    assert len(positions(loud)) == 2
    assert loud.receiver_bytes > 0
    assert "not_now" not in loud.dropped


def test_nothing_from_a_private_zone() -> None:
    profile = load_profile("general").model_copy(update={"zones": (CELL,)})
    ran = lived(profile, TIER["area"])
    taken = positions(ran)
    assert [(one.tier, one.row, one.column) for one in taken] == [grid.locate(49137100, 12182600, TIER["area"])]
    assert ran.dropped["zone"] >= HOURS * 12 // 2 - 1
