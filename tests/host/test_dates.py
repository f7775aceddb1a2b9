"""Dates split off from times: the controller puts both together again, others without them read times of day."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from host_tools import render, rules
from host_tools.content import Batch, Dates, Event, Health
from host_tools.dates import Calendar
from host_tools.keyring import KeyRing, TableRing
from host_tools.keytable import make_table
from host_tools.registry import Policy
from host_tools.validate import Validator
from plumveil import wire
from tests.host import messages
from tests.host.dated import DATED, DAY, NAMES, OTHERS, OWN, SPLIT, SPLIT_MASKED, table
from tests.host.messages import DAY_S, EPOCH, NODE, NOW_S, START_S, WIDE, broken, event, only, sealed, sender

AT_S = START_S % wire.EPOCH_S
BODIES: dict[int, Callable[..., dict[int, Any]]] = {
    wire.READINGS: messages.readings,
    wire.LOCATION: messages.location,
    wire.DEVICE: messages.device,
    wire.EVENTS: event,
}


def message(stream: int, time_s: int = AT_S, policy: int = SPLIT, **more: Any) -> bytes:
    body = BODIES[stream](time=time_s)
    if stream == wire.LOCATION and "epoch" in more:
        body[wire.K_CONSENT] = messages.reference(epoch=more["epoch"])
    return sealed(stream, body, policy=policy, **more)


def dates(time_s: int = DAY_S, names: list[bytes] | None = None, policy: int = SPLIT, **more: Any) -> bytes:
    body = {wire.K_TIME: time_s, wire.K_NAMES: NAMES if names is None else names}
    return sealed(wire.DATES, body, policy=policy, **more)


def controller() -> Validator:
    return Validator(KeyRing([OWN], NOW_S), NOW_S)


def processor(*streams: int, **more: Any) -> Validator:
    return Validator(TableRing(table(*(streams or OTHERS), **more)), NOW_S)


@pytest.mark.parametrize("stream", OTHERS)
def test_the_controller_knows_the_day(stream: int) -> None:
    found = controller().check(message(stream))
    assert (found.findings, found.dated) == ([], True)
    assert found.content is not None
    plain = controller().check(message(stream, START_S, DATED))
    assert found.content == plain.content
    assert found.content[0] == START_S


def test_masks_over_health_are_those_of_the_whole_time() -> None:
    own = sender(wire.DEVICE)
    values, counts = own.masked(START_S, {wire.F_UPTIME: 3}), own.masked_drops(START_S, messages.DROPS)
    body = {wire.K_TIME: AT_S, wire.K_HEALTH: values, wire.K_DROPS: counts}
    found = controller().check(sealed(wire.DEVICE, body, policy=SPLIT_MASKED))
    assert found.findings == []
    assert found.content == Health(START_S, {wire.F_UPTIME: 3}, messages.DROPS)


@pytest.mark.parametrize("stream", OTHERS)
def test_a_date_is_refused_where_it_is_split_off_and_a_time_of_day_where_not(stream: int) -> None:
    for one in (controller(), processor()):
        assert rules.TIME in broken(one.check(message(stream, START_S)))
        assert rules.TIME in broken(one.check(message(stream, AT_S, DATED)))
        assert rules.TIME in broken(one.check(message(stream, wire.EPOCH_S, counter=1)))
        assert rules.TIME in broken(one.check(message(stream, -1, counter=2)))
    finding = only(controller().check(message(wire.DEVICE, START_S)))
    assert (finding.where, finding.what) == ("time", "carries a date, which its policy splits off")


def test_the_first_and_the_last_second_of_a_day() -> None:
    one = controller()
    for counter, time_s in enumerate((0, 65_535, 65_536, 86_399)):
        found = one.check(sealed(wire.DEVICE, messages.device(time=time_s), policy=SPLIT, counter=counter))
        assert found.findings == []
        assert found.content is not None
        assert found.content[0] == DAY_S + time_s


def test_times_that_fall_and_batches_over_midnight_are_found_without_a_day() -> None:
    for one in (controller(), processor()):
        assert one.check(message(wire.DEVICE, AT_S)).valid
        assert broken(one.check(message(wire.DEVICE, AT_S - 1, counter=1))) == [rules.TIME]
        late = sealed(wire.READINGS, messages.readings(time=wire.EPOCH_S - 300), policy=SPLIT)
        assert broken(one.check(late)) == [rules.EPOCH]


def test_events_of_a_policy_that_nobody_knows() -> None:
    body = event(wire.E_EPOCHS_AHEAD, 7, time=AT_S - AT_S % wire.STEP_S)
    found = controller().check(sealed(wire.EVENTS, body, policy=99))
    assert found.findings == []
    assert found.content == Event(START_S - START_S % wire.STEP_S, wire.E_EPOCHS_AHEAD, 7)
    body = event(wire.E_EPOCHS_AHEAD, 7, time=START_S - START_S % wire.STEP_S)
    assert controller().check(sealed(wire.EVENTS, body, policy=99)).content == found.content
    for time_s in (AT_S, START_S):
        told = processor().check(sealed(wire.EVENTS, event(wire.E_EPOCHS_AHEAD, 7, time=time_s), policy=99))
        assert told.findings == []
        assert told.content == Event(AT_S, wire.E_EPOCHS_AHEAD, 7)


# What is wrong with a message of dates, and the rule it breaks.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"time_s": DAY_S + 1}, rules.RESOLUTION),
    ({"time_s": DAY_S + wire.EPOCH_S}, rules.EPOCH),
    ({"time_s": 0}, rules.TIME),
    ({"names": NAMES[::-1]}, rules.PSEUDONYM),
    ({"names": [sender(stream, EPOCH + 1).kid for stream in OTHERS]}, rules.PSEUDONYM),
    ({"names": NAMES[:3]}, rules.STRUCTURE),
    ({"names": [name[:7] for name in NAMES]}, rules.STRUCTURE),
    ({"policy": DATED}, rules.FIELD),
]


@pytest.mark.parametrize(("changed", "rule"), WRONG, ids=[f"{rule} {n}" for n, (_, rule) in enumerate(WRONG)])
def test_a_message_of_dates_is_held_to_what_it_is(changed: dict[str, Any], rule: str) -> None:
    assert rule in broken(controller().check(dates(**changed)))
    # A processor does not know the names, and has the day.
    seen = processor(*OTHERS, wire.DATES).check(dates(**changed))
    assert (rule in broken(seen)) == (rule != rules.PSEUDONYM)


def test_a_sound_message_of_dates() -> None:
    for one in (controller(), processor(wire.DATES)):
        found = one.check(dates())
        assert found.findings == []
        assert found.content == Dates(DAY_S, tuple(NAMES))
        assert list(render.rows(found.content)) == [(DAY_S, "this day")]


def test_the_day_of_a_node_ahead_is_what_its_dates_say() -> None:
    """Its epoch stands for another day than the calendar's: until it says so, nobody can know."""
    ahead = EPOCH + 37
    names = [sender(stream, ahead).kid for stream in OTHERS]
    body = {wire.K_TIME: AT_S, wire.K_HEALTH: {}, wire.K_DROPS: sender(wire.DEVICE, ahead).masked_drops(START_S, {})}
    health = sealed(wire.DEVICE, body, policy=SPLIT_MASKED, epoch=ahead)
    one = controller()
    unknown = one.check(health)
    assert broken(unknown) == [rules.TIME]
    assert isinstance(unknown.content, Health)
    assert unknown.content.drops != {}
    one = controller()
    told = one.check(dates(DAY_S, names, epoch=ahead))
    assert (told.findings, told.epochs_ahead) == ([], 37)
    known = one.check(health)
    assert (known.findings, known.epochs_ahead, known.content) == ([], 37, Health(START_S, {}, {}))
    for stream in (wire.READINGS, wire.EVENTS):
        found = one.check(message(stream, epoch=ahead))
        assert found.findings == []
        assert found.content is not None
        assert found.content[0] == START_S


def test_only_sound_dates_count() -> None:
    ahead = EPOCH + 37
    names = [sender(stream, ahead).kid for stream in OTHERS]
    for wrong in (dates(DAY_S + 1, names, epoch=ahead), dates(DAY_S, names[::-1], epoch=ahead)):
        one = controller()
        assert not one.check(wrong).valid
        assert not one.check(message(wire.EVENTS, epoch=ahead)).valid


def test_the_calendar_is_bounded() -> None:
    calendar = Calendar(8)
    keys = [KeyRing([OWN], NOW_S).find(name) for name in NAMES]
    calendar.note(Dates(DAY_S - wire.EPOCH_S, tuple(NAMES)))
    limits = OWN.policies[-1]
    assert limits.split_dates
    for n in range(2):
        calendar.note(Dates(DAY_S, tuple(bytes([n, place]) * 4 for place in OTHERS)))
    days = [placing.day for one in keys if one and (placing := calendar.placing(one, None))]
    assert days == [DAY] * 4
    assert len(calendar._days) == 8


def test_a_table_without_dates_has_no_day_in_it() -> None:
    made = table(*OTHERS, days=(DAY, DAY + 1))
    assert len(made.rows) == 8
    assert {row.day for row in made.rows} == {None}
    text = made.model_dump_json()
    numbers = {int(number) for number in re.findall(r"(?<![\w.])\d{4,}(?![\w.])", text)}
    assert all(number <= wire.EPOCH_S for number in numbers)
    consents = [consent for row in made.rows for consent in row.consents]
    assert [(one.starts_s, one.expires_s) for one in consents] == [(AT_S + 100, AT_S + 3600)]
    # With the dates, or where no policy splits them off, it is as ever.
    for other in (table(*OTHERS, wire.DATES), table(*OTHERS, node=NODE)):
        assert {row.day for row in other.rows} == {DAY}
        assert {one.starts_s for row in other.rows for one in row.consents} == {START_S + 100}


def test_policies_that_differ_in_this_alone_are_two() -> None:
    joined = Policy(version=SPLIT, fields=WIDE, location_ceiling=3)
    secrets = {name: f"{n}" * 64 for n, name in enumerate(("k_id", "k_chain", "k_config", "k_consent"), 1)}
    other = OWN.model_copy(update={"name": "other", "policies": (joined,), "consents": (), **secrets})
    made = make_table([OWN, other], set(OTHERS), DAY, DAY)
    assert sorted(policy.split_dates for policy in made.policies if policy.version == SPLIT) == [False, True]
    assert sorted((row.day for row in made.rows), key=str) == [DAY] * 4 + [None] * 4


@pytest.mark.parametrize("stream", OTHERS)
def test_without_dates_times_are_those_of_a_day(stream: int) -> None:
    found = processor().check(message(stream))
    assert (found.findings, found.dated, found.epochs_ahead) == ([], False, 0)
    assert found.content is not None
    assert found.content[0] == AT_S
    # Also of what was sent with a date, before the policy.
    before = processor().check(message(stream, START_S, DATED))
    assert (before.findings, before.dated) == ([], False)
    assert before.content is not None
    assert before.content[0] == AT_S
    with_dates = processor(*OTHERS, wire.DATES).check(message(stream))
    assert (with_dates.findings, with_dates.dated) == ([], True)
    assert with_dates.content is not None
    assert with_dates.content[0] == START_S


def test_a_consent_holds_by_the_time_of_day() -> None:
    for time_s, fault in ((AT_S - 300, [rules.CONSENT]), (AT_S, []), (AT_S + 3600, [rules.CONSENT])):
        for one in (controller(), processor()):
            assert broken(one.check(message(wire.LOCATION, time_s))) == fault


def test_what_is_shown_of_a_time_of_day() -> None:
    assert render.clock_text(AT_S) == "12:00:00Z"
    assert render.clock_text(wire.EPOCH_S - 1) == "23:59:59Z"
    for stream in OTHERS:
        found = processor().check(message(stream))
        assert found.content is not None
        shown = render.content_json(found.content, dated=found.dated)
        assert "t_s" not in shown
        assert "start_s" not in shown
        name = "start_second_of_day" if isinstance(found.content, Batch) else "second_of_day"
        assert shown[name] == AT_S
        assert str(DAY) not in json.dumps(shown)
