"""The fleet: same seed, same lives; boots that follow one another; differences that are there; goods of one kind."""

from __future__ import annotations

from collections import Counter

import pytest

from host_tools.boards import load
from host_tools.privacy.fleet import AFTER_S, BEFORE_S, BOOT_MIN_S, START_DAY, NodePlan, make_fleet
from plumveil import wire

EPOCHS = 3
POSITION_S = 43200
DAY_S = wire.EPOCH_S


@pytest.fixture(scope="module")
def plans() -> list[NodePlan]:
    return make_fleet(7, 60, EPOCHS, POSITION_S)


def test_the_seed_decides(plans: list[NodePlan]) -> None:
    assert make_fleet(7, 3, EPOCHS, POSITION_S) == plans[:3]
    assert make_fleet(8, 3, EPOCHS, POSITION_S) != plans[:3]


def test_lives_cover_the_epochs(plans: list[NodePlan]) -> None:
    for plan in plans:
        first_s = plan.boots[0].start_ms / 1000
        assert BEFORE_S[0] - 1 <= START_DAY * DAY_S - first_s <= BEFORE_S[1]
        assert plan.boots[-1].end_s == (START_DAY + EPOCHS) * DAY_S + AFTER_S
        for before, after in zip(plan.boots, plan.boots[1:], strict=False):
            assert after.start_ms >= before.end_s * 1000
        assert all(boot.end_s - boot.start_ms / 1000 >= BOOT_MIN_S - 1 for boot in plan.boots)
        assert plan.around.start_s <= first_s
        assert plan.around.end_s == plan.boots[-1].end_s


def test_nodes_differ_as_in_life(plans: list[NodePlan]) -> None:
    assert len({plan.boots[0].rssi_dbm for plan in plans}) > 10
    assert len({plan.drift_ppb for plan in plans}) == len(plans)
    assert len({plan.boots[0].start_ms % 1000 for plan in plans}) > 30
    assert len({plan.ballast_bytes for plan in plans}) > 10
    faults = Counter(bool(len(plan.around.faults) > 3) for plan in plans)
    assert 3 <= faults[True] <= 30
    assert sum(len(plan.boots) > 1 for plan in plans) >= 10
    assert sum(bool(plan.outages) for plan in plans) >= 10
    assert any(boot.cause != 1 for plan in plans for boot in plan.boots)


def test_power_cuts_come_mostly_at_night() -> None:
    plans = make_fleet(3, 80, 10, POSITION_S)
    hours = [boot.end_s % DAY_S // 3600 for plan in plans for boot in plan.boots[:-1]]
    night = sum(hour >= 21 or hour < 6 for hour in hours)
    assert len(hours) > 50
    assert night > 0.5 * len(hours)


def test_the_goods_are_of_one_kind(plans: list[NodePlan]) -> None:
    """Refrigerators: all between 2 and 8 degC, so that no alarm tells one from another."""
    for plan in plans:
        middle_c = sum(plan.around.temperature.values_milli) / len(plan.around.temperature.values_milli) / 1000
        assert 3.5 < middle_c < 6.5


def test_the_receiver_speaks_when_a_position_is_due(plans: list[NodePlan]) -> None:
    nmea = plans[0].around.nmea
    assert nmea is not None
    times_s = {time_s for time_s, _ in nmea.index}
    for due_s in range(START_DAY * DAY_S, (START_DAY + EPOCHS) * DAY_S, POSITION_S):
        assert set(range(due_s, due_s + 60)) <= times_s
    files = plans[0].around.files(load("virtual"))
    assert files["nmea.bin"].count(b"$GPRMC") == len(nmea.index)
