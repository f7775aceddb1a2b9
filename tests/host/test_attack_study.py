"""The thresholds of our modes, held on a small seeded run; the same bounds are missed where nothing protects."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np
import pytest

from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack import peers, study, thresholds, traces
from host_tools.privacy.attack.figures import Figure, share, values
from host_tools.privacy.attack.ours import MODES, Ours
from host_tools.privacy.attack.study import Row, Settings, Verdict
from tests.host.attacking import BUSES, buses, fleet

CI = Settings(
    places=18,
    fixes=432,
    homes=32,
    days=2,
    fleets=6,
    nodes=60,
    vehicles=40,
    road_vehicles=8,
    slots=144,
    zone_draws=2,
    peers=False,
)
FEW = replace(
    CI, places=9, fixes=288, homes=16, days=2, fleets=2, vehicles=8, road_vehicles=1, slots=48, zone_draws=1
)


@cache
def row(mode: str, tier: str) -> Row:
    """Its figures, on as many vehicles as a minute allows."""
    return study.run([buses()], [tier], [mode], CI, lambda _what, _share: None).rows[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tier", TIER_NAMES[1:])
def test_our_modes_keep_their_thresholds(mode: str, tier: str) -> None:
    verdict = thresholds.judge([row(mode, tier)], thresholds.load())
    assert verdict.faults == ()
    # A bound that nothing is measured for would be kept by anything.
    assert verdict.unmeasured == () or not BUSES.exists()


def test_without_protection_the_same_run_misses_them() -> None:
    """The attackers and bounds are the same; the node tells raw places."""
    raw = peers.Raw()
    with mock.patch.object(Ours, "tell", lambda _self, due, rng: raw.tell(due, rng)):
        bare = study.run([buses()], ["area"], ["cells"], FEW, lambda _what, _share: None).rows[0]
    missed = thresholds.judge([bare], thresholds.load()).faults
    for key in ("averaging.values told", "averaging.error", "home.error", "home.within 100 m", "home.within 250 m"):
        assert any(f"cells.area: {key} is" in fault for fault in missed), key


def test_every_tier_of_every_mode_has_bounds() -> None:
    assert set(thresholds.load()) == {f"{mode}.{tier}" for mode in MODES for tier in TIER_NAMES[1:]}


def test_a_bound_is_missed_by_all_of_an_interval_only() -> None:
    bounds: dict[str, thresholds.Bounds] = {
        "cells.area": {"home.within 100 m": {"max": 0.1}, "home.error": {"min": 100}}
    }

    def missed(hits: int, error_m: float) -> int:
        error = Figure("home", "error", error_m, error_m - 5, error_m + 5, 100, "m")
        return len(
            thresholds.judge(
                [Row("", "cells.area", (share("home", "within 100 m", hits, 100), error))], bounds
            ).faults
        )

    assert missed(10, 99) == 0
    assert missed(30, 99) == 1
    assert missed(30, 90) == 2
    assert thresholds.judge([Row("", "", ())], bounds) == Verdict()


@pytest.mark.parametrize("figures", [(), (share("home", "error", 0, 0),)])
def test_what_was_not_measured_is_said_to_be_that(figures: tuple[Figure, ...]) -> None:
    bounds: dict[str, thresholds.Bounds] = {"cells.area": {"home.error": {"min": 100}}}
    assert thresholds.judge([Row("", "cells.area", figures)], bounds) == Verdict((), ("cells.area: home.error",))


def test_the_least_and_the_largest_of_several_values_are_held_themselves() -> None:
    bounds: dict[str, thresholds.Bounds] = {"cells.area": {"utility.sides": {"min": 100, "max": 110}}}
    for numbers, missed in (([100, 110], 0), ([99, 105], 1), ([105, 111], 1), ([90, 120], 2)):
        row = Row("", "cells.area", (values("utility", "sides", numbers),))
        assert len(thresholds.judge([row], bounds).faults) == missed


def test_same_seed_same_figures() -> None:
    few = replace(FEW, places=3, homes=3, vehicles=3, slots=24)

    def told() -> tuple[Row, ...]:
        return study.run([fleet()], ["area"], ["cells"], few, lambda _what, _share: None).rows

    assert repr(told()) == repr(told())


def test_told_holds_no_raw_place_but_of_raw() -> None:
    """What the attackers are handed has nothing of the input's digits in it."""
    due = buses().traces[0].due(300)
    told = Ours("area").tell(due, np.random.default_rng(0))
    raw = {tuple(point) for point in due.degrees.tolist()}
    assert not raw & {tuple(point) for point in told.points.tolist()}


def test_every_scene_is_attacked_and_named_and_only_the_largest_compares_vehicles() -> None:
    few = replace(FEW, places=3, homes=3, vehicles=4, slots=24)
    alone = traces.scene("drive", buses().traces[:1])
    (found,) = study.run([alone, fleet()], ["district"], ["cells"], few, lambda _what, _share: None).rows
    keys = {figure.key for figure in found.figures}
    assert "drive: edge crossing.error" in keys
    assert "drive: utility.error" in keys
    assert not any(key.startswith("drive: re-identification") for key in keys)
    assert "re-identification.named" in keys
