"""The thresholds of our modes, held on a small seeded run; the same bounds are missed where nothing protects."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np
import pytest

from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack import peers, study, thresholds, traces
from host_tools.privacy.attack.figures import Figure, share
from host_tools.privacy.attack.ours import MODES, Ours
from host_tools.privacy.attack.study import Row, Settings
from tests.host.attacking import fleet
from tests.host.command_line import ROOT

SMALL = Settings(places=9, fixes=288, homes=16, days=2, vehicles=8, road_vehicles=1, slots=48, peers=False)
BUSES = ROOT.parent / "shared" / "data" / "traces" / "capmetro_2016-11-24_27_88vehicles.csv.gz"


@cache
def scene() -> traces.Scene:
    """Real vehicles where they are, else invented ones; a shared folder without them is a failure."""
    if not BUSES.parents[2].is_dir():
        return fleet()
    (found,) = traces.load([BUSES])
    # Two days of each are enough.
    cut = [
        traces.Trace(*(getattr(one, name)[:360] for name in ("times_s", "lat_e6", "lon_e6", "routes")))
        for one in found.traces[:8]
    ]
    return traces.scene(found.name, cut)


@cache
def row(mode: str, tier: str) -> Row:
    """The small run's figures."""
    return study.run([scene()], [tier], [mode], SMALL, lambda _what, _share: None).rows[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tier", TIER_NAMES[1:])
def test_our_modes_keep_their_thresholds(mode: str, tier: str) -> None:
    bounds = thresholds.load()[f"{mode}.{tier}"]
    measured = row(mode, tier)
    assert thresholds.faults([measured], {f"{mode}.{tier}": bounds}) == ()
    # A bound that nothing is measured for would be kept by anything.
    assert [key for key in bounds if (figure := measured.get(key)) is None or not figure.n] == []


def test_without_protection_the_same_run_misses_them() -> None:
    """The attackers and bounds are the same; the node tells raw places."""
    raw = peers.Raw()
    with mock.patch.object(Ours, "tell", lambda _self, due, rng: raw.tell(due, rng)):
        bare = study.run([scene()], ["area"], ["cells"], SMALL, lambda _what, _share: None).rows[0]
    missed = thresholds.faults([bare], thresholds.load())
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
            thresholds.faults([Row("", "cells.area", (share("home", "within 100 m", hits, 100), error))], bounds)
        )

    assert missed(10, 99) == 0
    assert missed(30, 99) == 1
    assert missed(30, 90) == 2
    assert thresholds.faults([Row("", "cells.area", ())], bounds)[0].endswith("was not measured")
    assert thresholds.faults([Row("", "", ())], bounds) == ()


def test_same_seed_same_figures() -> None:
    few = replace(SMALL, places=3, homes=3, vehicles=3, slots=24)

    def told() -> tuple[Row, ...]:
        return study.run([fleet()], ["area"], ["cells"], few, lambda _what, _share: None).rows

    assert repr(told()) == repr(told())


def test_told_holds_no_raw_place_but_of_raw() -> None:
    """What the attackers are handed has nothing of the input's digits in it."""
    due = scene().traces[0].due(300)
    told = Ours("area").tell(due, np.random.default_rng(0))
    raw = {tuple(point) for point in due.degrees.tolist()}
    assert not raw & {tuple(point) for point in told.points.tolist()}


def test_every_scene_is_attacked_and_named_and_only_the_largest_compares_vehicles() -> None:
    few = replace(SMALL, places=3, homes=3, vehicles=4, slots=24)
    alone = traces.scene("drive", scene().traces[:1])
    (found,) = study.run([alone, fleet()], ["district"], ["cells"], few, lambda _what, _share: None).rows
    keys = {figure.key for figure in found.figures}
    assert "drive: edge crossing.error" in keys
    assert "drive: utility.error" in keys
    assert not any(key.startswith("drive: re-identification") for key in keys)
    assert "re-identification.named" in keys
