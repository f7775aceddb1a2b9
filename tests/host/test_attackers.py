"""Each attacker finds what is there when nothing protects it, and fails where it should."""

from __future__ import annotations

import numpy as np
import pytest

from host_tools.privacy.attack import (
    averaging,
    edges,
    fingerprint,
    generator,
    match,
    moves,
    reidentify,
    roads,
    trips,
    utility,
    zones,
)
from host_tools.privacy.attack.ours import EVERY_S, Ours
from host_tools.privacy.attack.peers import FreshLaplace, Memo, PlainSnap, Raw
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, epochs
from tests.host.attacking import SEED, Silent, fleet, households, runs, value

FRAME = fleet().frame


@pytest.mark.parametrize("mechanism", [Raw(), FreshLaplace(), Memo()], ids=lambda one: one.name)
def test_averaging_finds_a_parked_node_through_fresh_noise(mechanism: Raw) -> None:
    figures = averaging.attack(mechanism, 6, 1440, EVERY_S, SEED)
    assert value(figures, "error") < 40
    assert value(figures, "values told") > 100


def test_averaging_finds_a_parked_node_at_a_corner_of_plain_cells_but_not_of_held_ones() -> None:
    plain, held = (averaging.attack(one, 9, 288, EVERY_S, SEED) for one in (PlainSnap("area"), Ours("area")))
    assert value(plain, "values told") > 1
    assert value(plain, "within 100 m") >= 3 / 9
    assert value(held, "values told") == 1
    assert value(held, "within 100 m") == 0


def test_a_home_is_found_raw_and_its_cell_at_best_otherwise() -> None:
    lived = households(12, 3)
    assert value(trips.homes(Raw(), lived, SEED), "within 100 m") == 1
    assert value(trips.homes(FreshLaplace(), lived, SEED), "within 100 m") == 1
    figures = trips.homes(Ours("district"), lived, SEED)
    assert value(figures, "within 250 m") == 0
    assert value(figures, "error") > 1000
    assert value(trips.homes(Silent(), lived, SEED), "within 1000 m") == 0


def test_ends_of_trips_and_the_depot() -> None:
    scene = fleet()
    assert value(trips.ends(runs(Raw(), scene), FRAME), "within 100 m") == 1
    assert trips.depot(runs(Raw(), scene), FRAME).value < 100
    assert value(trips.ends(runs(Ours("district"), scene), FRAME), "within 250 m") < 0.2
    assert trips.depot(runs(Silent(), scene), FRAME).value > 500


def test_crossing_an_edge_tells_more_than_the_cell_where_cells_are_large() -> None:
    scene = fleet()
    told = runs(Ours("district"), scene)
    figures = edges.attack(Ours("district"), told[1::2], told[::2], FRAME, EVERY_S)
    assert value(figures, "error") < 0.7 * value(figures, "error of the middle")
    assert edges.attack(Silent(), runs(Silent(), scene), [], FRAME, EVERY_S)[0].n == 0
    raw = runs(Raw(), scene)
    assert value(edges.attack(Raw(), raw[1::2], raw[::2], FRAME, EVERY_S), "error") < 1


def test_cells_before_and_after_narrow_an_area_down() -> None:
    told = runs(Ours("area"), fleet())
    figures = edges.attack(Ours("area"), told[1::2], told[::2], FRAME, EVERY_S)
    assert value(figures, "error") < 0.92 * value(figures, "error of the middle")


def test_known_roads_narrow_a_region_down_and_tell_nothing_of_who_is_silent() -> None:
    scene = fleet()
    known = roads.known(scene, slice(0, None, 2), EVERY_S)
    for mechanism in (Ours("region"), Raw()):
        figures = roads.attack(mechanism, runs(mechanism, scene)[1:5:2], known, FRAME, 96, SEED)
        assert value(figures, "error") <= 0.5 * value(figures, "error of the points") + 1
    silent = roads.attack(Silent(), runs(Silent(), scene)[1:5:2], known, FRAME, 96, SEED)
    assert value(silent, "error") > 1500
    # What others drive is known without it.
    assert value(silent, "error of the speed") > 0.7 * value(silent, "error of a constant speed")


def test_a_vehicle_that_keeps_to_its_ways_is_named_again_and_one_that_tells_nothing_is_not() -> None:
    scene = generator.fleet(SEED, 16, 3, routes=16)
    raw = reidentify.attack(Raw(), runs(Raw(), scene), FRAME)
    assert value(raw, "times chance") > 3
    silent = reidentify.attack(Silent(), runs(Silent(), scene), FRAME)
    assert value(silent, "times chance") == pytest.approx(1, abs=0.3)


def test_going_on_where_another_left_off_names_a_vehicle() -> None:
    """Vehicles that stand still over midnight, each at a place of its own."""
    pairs = []
    for number in range(10):
        slots = np.arange(86_400 - 3000, 86_400 + 3000, 300)
        due = Due(slots, slots, np.full(20, 48_400_000 + 30_000 * number), np.full(20, 9_800_000))
        pairs.append((due, Raw().tell(due, np.random.default_rng(0))))
    assert value(reidentify.attack(Raw(), pairs, FRAME), "continuity") == 1


def test_zones_show_as_holes_in_dense_traffic_and_not_through_wide_cells() -> None:
    scene = fleet(24, 4)
    chosen = zones.choose(scene, SEED, EVERY_S)
    assert len(chosen) == zones.ZONES
    rng = np.random.default_rng(SEED)

    def found(ours: Ours | None) -> float:
        dues = [trace.due(EVERY_S) for trace in scene.traces]
        tells = [Raw().tell(zones.outside(due, chosen), rng) if ours is None else ours.tell(due, rng) for due in dues]
        return value(zones.attack([(tells, chosen)]), "found")

    assert found(None) >= 0.5
    assert found(Ours("area", zones=chosen)) >= 0.5
    assert found(Ours("region", zones=chosen)) == 0


def test_four_sightings_single_a_vehicle_out_and_the_seconds_do_so_where_they_are_told() -> None:
    scene = fleet()
    assert value(fingerprint.attack(runs(Raw(), scene), FRAME, SEED), "singled out by 4 sightings") > 0.9
    assert value(fingerprint.attack(runs(Silent(), scene), FRAME, SEED), "singled out by 4 sightings") == 0
    own = fingerprint.attack(runs(Ours("street"), scene), FRAME, SEED)
    assert value(own, "seconds, times chance") == pytest.approx(1, abs=0.3)
    assert value(own, "times finer than 5 minutes") == 0


def test_seconds_of_a_clock_of_its_own_name_a_vehicle() -> None:
    pairs = []
    for number in range(12):
        slots = np.arange(300, 2 * 86_400, 300)
        due = Due(slots, slots - 20 * number, np.full(len(slots), 48_400_000), np.full(len(slots), 9_800_000))
        pairs.append((due, Raw().tell(due, np.random.default_rng(0))))
    assert value(fingerprint.attack(pairs, FRAME, SEED), "named by the seconds") == 1
    rounded = [(due, Told(due.slots_s, told.points, told.values, told.boxes)) for due, told in pairs]
    assert value(fingerprint.attack(rounded, FRAME, SEED), "named by the seconds") == pytest.approx(1 / 12, abs=0.03)


def test_what_is_useful_grows_with_what_is_told() -> None:
    scene = fleet()
    raw, area, region = (
        utility.attack(runs(one, scene), scene, SEED) for one in (Raw(), Ours("area"), Ours("region"))
    )
    assert value(raw, "error") == 0
    assert value(raw, "excursions in the right area") == 1
    assert 0.8 < value(area, "excursions in the right area") < 1
    assert value(region, "excursions in the right area") < 0.2
    assert value(raw, "routes recognised") > 0.9 > value(region, "routes recognised")


def test_an_epoch_is_judged_by_its_own_reports_alone() -> None:
    due, told = runs(Ours("area"), fleet())[0]
    day = int(epochs(due.times_s)[0])
    assert set(epochs(reidentify.day(told, day).times_s).tolist()) == {day}


def test_nodes_that_share_places_are_named_by_their_moves_and_not_by_their_cells() -> None:
    def named(mechanism: Ours, name: str = "3, times chance") -> float:
        return value(moves.attack(mechanism, 40, EVERY_S, SEED), name)

    assert named(Ours("area")) == pytest.approx(1, abs=0.3)
    assert named(Ours("area", "scatter")) > 10
    assert named(Ours("area", "scatter"), "1, times chance") > 3


def test_a_tie_is_no_hit() -> None:
    assert match.assigned(np.zeros((40, 40))).mean() == pytest.approx(1 / 40, abs=0.02)
    assert match.assigned(np.eye(40)).mean() == 1
