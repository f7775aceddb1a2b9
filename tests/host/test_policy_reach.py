"""What makes a policy wider: each respect alone, in both directions, and in a row of policies."""

from __future__ import annotations

import dataclasses
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.policy.compiling import policy_map
from host_tools.policy.hours import Hours
from host_tools.policy.profile import load_profile
from host_tools.policy.reach import Reach, changes, wider
from plumveil import wire

GENERAL = Reach.of(policy_map(load_profile("general")))
OFFICE = Hours(days=("mon", "fri"), begins="08:00", ends="18:00", utc_offset="+00:00").compiled()
LATER = Hours(days=("mon", "fri"), begins="08:00", ends="19:00", utc_offset="+00:00").compiled()
SHIFTED = Hours(days=("mon", "fri"), begins="08:00", ends="18:00", utc_offset="+01:00").compiled()
HOME, WORK = (3, 15000, 1200), (3, 15000, 1210)
NARROW = dataclasses.replace(GENERAL, hours=OFFICE, alarm_only=True, zones=frozenset({HOME, WORK}), split_dates=True)


def but(reach: Reach, **changed: Any) -> Reach:
    return dataclasses.replace(reach, **changed)


def kept(stream: int, days: int) -> tuple[int, ...]:
    return tuple(days if number == stream else n for number, n in enumerate(NARROW.retention))


def without(field: int) -> dict[int, int]:
    return {number: step for number, step in NARROW.fields.items() if number != field}


# From the first to the second is wider, the other way round narrower; and how that is said.
WIDER: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"fields": without(wire.F_RSSI)}, {}, "rssi: does not leave -> in steps of 10 dBm"),
    ({"fields": {**NARROW.fields, 1: 2}}, {}, "temperature: in steps of 0.2 degC -> in steps of 0.1 degC"),
    ({"ceiling": 2}, {}, "finest position: district -> area"),
    ({"ceiling": 0}, {}, "finest position: off -> area"),
    ({}, {"intervals": {**NARROW.intervals, "sample_s": 299}}, "a reading: every 300 s -> every 299 s"),
    ({"intervals": {**NARROW.intervals, "position_s": 900}}, {}, "a position: every 900 s -> every 300 s"),
    (
        {"intervals": {**NARROW.intervals, "device_s": 86400}},
        {},
        "a report of health: every 86400 s -> every 21600 s",
    ),
    ({}, {"retention": kept(wire.READINGS, 91)}, "longest wait of readings: 90 days -> 91 days"),
    ({}, {"retention": kept(wire.LOCATION, 8)}, "longest wait of location: 7 days -> 8 days"),
    ({}, {"retention": kept(wire.DEVICE, 31)}, "longest wait of device: 30 days -> 31 days"),
    ({"retention": kept(wire.EVENTS, 399)}, {}, "longest wait of events: 399 days -> 400 days"),
    ({}, {"health_mask": False}, "health values: masked -> for whoever has the stream"),
    ({}, {"split_dates": False}, "dates: in a stream of their own -> in every message"),
    ({}, {"hours": LATER}, "positions: mon, fri 08:00 to 18:00 (UTC+00:00) -> mon, fri 08:00 to 19:00 (UTC+00:00)"),
    ({}, {"hours": None}, "positions: mon, fri 08:00 to 18:00 (UTC+00:00) -> at all hours"),
    ({}, {"alarm_only": False}, "positions: at an alarm only -> with an alarm or without"),
    ({}, {"zones": frozenset({WORK})}, "private zones: area/15000/1200, area/15000/1210 -> area/15000/1210"),
    ({}, {"zones": frozenset()}, "private zones: area/15000/1200, area/15000/1210 -> none"),
    ({}, {"limits": (30, 80, 30)}, "below 2 or above 8 degC, from 3 g -> below 3 or above 8 degC, from 3 g"),
    ({}, {"limits": (20, 70, 30)}, "below 2 or above 8 degC, from 3 g -> below 2 or above 7 degC, from 3 g"),
    ({}, {"limits": (20, 80, 29)}, "from 3 g -> below 2 or above 8 degC, from 2.9 g"),
    ({"limits": None}, {}, "alarms that let positions out: none -> below 2"),
    ({"scatter": (500, 24)}, {}, "positions: moved by 1000 m on average, 24 a day at most -> where they are"),
    ({"scatter": (500, 24)}, {"scatter": (499, 24)}, "24 a day at most -> moved by 998 m on average"),
    ({"scatter": (500, 24)}, {"scatter": (500, 25)}, "24 a day at most -> moved by 1000 m on average, 25 a day"),
]


@pytest.mark.parametrize(
    ("old", "new", "words"), WIDER, ids=[f"{old or new}"[:60] + words[-30:] for old, new, words in WIDER]
)
def test_each_respect_alone(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    narrow, wide = but(NARROW, **old), but(NARROW, **new)
    (change,) = changes(narrow, wide)
    assert (change.wider, change.narrower) == (True, False)
    assert words in str(change)
    (back,) = changes(wide, narrow)
    assert (back.wider, back.narrower) == (False, True)
    assert wider(wide, narrow) == []


def test_some_changes_are_both() -> None:
    for old, new in (({"hours": OFFICE}, {"hours": SHIFTED}), ({}, {"zones": frozenset({HOME, (3, 15000, 1300)})})):
        (change,) = changes(but(NARROW, **old), but(NARROW, **new))
        assert change.wider
        assert change.narrower
    (change,) = changes(but(NARROW, scatter=(500, 24)), but(NARROW, scatter=(600, 25)))
    assert change.wider
    assert change.narrower
    (change,) = changes(NARROW, but(NARROW, limits=(30, 90, 30)))
    assert change.wider
    assert change.narrower


def test_what_changes_nothing_is_none() -> None:
    assert changes(NARROW, but(NARROW, version=9, widened=9)) == []
    # The same hours, written by another clock.
    moved = Hours(days=("mon", "fri"), begins="10:00", ends="20:00", utc_offset="+02:00").compiled()
    assert changes(NARROW, but(NARROW, hours=moved)) == []
    # Nor does what narrows positions where there are none.
    off = but(NARROW, ceiling=0)
    assert (
        changes(
            off,
            but(
                off,
                hours=None,
                zones=frozenset(),
                alarm_only=False,
                scatter=(9, 9),
                retention=kept(wire.LOCATION, 99),
            ),
        )
        == []
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"limits": None}, "alarms: below 2 or above 8 degC, from 3 g -> none"),
        (
            {"limits": (20, 80, 29)},
            "alarms: below 2 or above 8 degC, from 3 g -> below 2 or above 8 degC, from 2.9 g",
        ),
    ],
)
@pytest.mark.parametrize("without_positions", [{"alarm_only": False}, {"ceiling": 0}])
def test_alarms_that_no_position_waits_for_are_other_ones_and_no_wider(
    changed: dict[str, Any], words: str, without_positions: dict[str, Any]
) -> None:
    plain = but(NARROW, **without_positions)
    for old, new in ((plain, but(plain, **changed)), (but(plain, **changed), plain)):
        (change,) = changes(old, new)
        assert (change.wider, change.narrower) == (False, False)
        assert wider(old, new) == []
    assert str(changes(plain, but(plain, **changed))[0]) == words


def test_only_what_may_leave_raises_an_alarm() -> None:
    deaf = but(NARROW, fields=without(wire.F_SHOCK_PEAK))
    assert (deaf.alarms, NARROW.alarms) == ((20, 80, None), (20, 80, 30))
    assert changes(deaf, but(deaf, limits=(20, 80, 1))) == []
    # The shock's own change, and that of the alarms.
    joined, alarms = changes(deaf, NARROW)
    assert (joined.wider, alarms.wider, alarms.narrower) == (True, True, False)
    assert str(alarms).endswith("below 2 or above 8 degC -> below 2 or above 8 degC, from 3 g")
    thermometers = {wire.F_TEMPERATURE, wire.F_PROBE_TEMPERATURE}
    for left in thermometers:
        one = {number: step for number, step in NARROW.fields.items() if number not in thermometers - {left}}
        assert but(NARROW, fields=one).alarms == NARROW.alarms
    none = {number: step for number, step in NARROW.fields.items() if number not in thermometers}
    assert but(NARROW, fields=none).alarms == (None, None, 30)
    assert but(NARROW, limits=None).alarms == (None, None, None)


REACHES = st.builds(
    lambda *parts: Reach(1, 1, *parts),
    st.dictionaries(st.sampled_from(sorted(GENERAL.fields)[:3]), st.integers(1, 2)),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.fixed_dictionaries({name: st.sampled_from([600, 1200]) for name in GENERAL.intervals}),
    st.tuples(*(st.sampled_from([1, 2]) for _ in wire.STREAMS)),
    st.sampled_from([None, OFFICE, LATER]),
    st.just(False),
    st.sets(st.sampled_from([HOME, WORK])).map(frozenset),
    st.none(),
)


@given(REACHES, REACHES)
def test_one_way_or_the_other_or_the_same(one: Reach, other: Reach) -> None:
    for change, back in zip(changes(one, other), changes(other, one), strict=True):
        assert (change.wider, change.narrower) == (back.narrower, back.wider)
        assert change.wider or change.narrower


def narrowed(one: Reach, by: Reach) -> Reach:
    """The narrower of two in each respect."""
    by_hours = [hours for hours in (OFFICE, LATER) if hours in (one.hours, by.hours)]
    return Reach(
        1,
        1,
        {field: max(one.fields[field], by.fields[field]) for field in one.fields.keys() & by.fields.keys()},
        min(one.ceiling, by.ceiling),
        one.health_mask or by.health_mask,
        one.split_dates or by.split_dates,
        {name: max(one.intervals[name], by.intervals[name]) for name in one.intervals},
        tuple(map(min, one.retention, by.retention)),
        by_hours[0] if by_hours else None,
        one.alarm_only or by.alarm_only,
        one.zones | by.zones,
        None,
    )


@given(REACHES, REACHES, REACHES)
def test_a_row_of_narrower_ones_ends_no_wider(first: Reach, second: Reach, third: Reach) -> None:
    """So that the version that last widened is all a node has to know (P_WIDENED)."""
    second = narrowed(first, second)
    third = narrowed(second, third)
    for one, other in ((first, second), (second, third), (first, third)):
        assert wider(one, other) == []
        assert bool(wider(other, one)) == (changes(one, other) != [])


def test_a_policy_of_another_kind_is_none() -> None:
    parts = policy_map(load_profile("general"))
    assert Reach.of(cbor2.loads(cbor2.dumps(parts))) == GENERAL
    for key, value in (
        (wire.P_VERSION, "1"),
        (wire.P_FIELDS, {99: 1}),
        (wire.P_FIELDS, {1: "1"}),
        (wire.P_LOCATION_CEILING, 9),
        (wire.P_RETENTION, [1, 2]),
        (wire.P_RETENTION, ["1"] * 5),
        (wire.P_SCHEDULE, [0, 1, 2]),
        (wire.P_ZONES, [1]),
        (wire.P_SAMPLE_S, None),
        (wire.P_SCATTER_M, "500"),
    ):
        with pytest.raises((TypeError, ValueError)):
            Reach.of({**parts, key: value})
    for key in (wire.P_WIDENED, wire.P_RETENTION, wire.P_HEALTH_MASK):
        with pytest.raises(KeyError):
            Reach.of({number: value for number, value in parts.items() if number != key})
