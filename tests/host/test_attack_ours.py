"""Our modes in the attack are the firmware's own: every report is what its grid says, zones and all."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from host_tools import cells
from host_tools.privacy.attack import generator
from host_tools.privacy.attack.ours import EVERY_S, PLACE_TIER, Ours
from plumveil import grid, wire
from tests.host.attacking import fleet, households

RNG = np.random.default_rng(1)
TIERS = [name for name, _ in wire.TIERS[1:]]


@pytest.mark.parametrize("tier", TIERS)
def test_reports_are_the_cells_of_the_firmwares_grid(tier: str) -> None:
    """Walked through by hand: the held cell, a report on each change, its time rounded."""
    due = fleet().traces[0].due(EVERY_S)
    mechanism = Ours(tier)
    told = mechanism.tell(due, RNG)
    held, expected = None, []
    for t_s, lat, lon in zip(due.times_s.tolist(), due.lat_e6.tolist(), due.lon_e6.tolist(), strict=True):
        cell = grid.cell_for(lat, lon, mechanism.tier, held)
        if cell is not held:
            expected.append((t_s - t_s % wire.POSITION_TIME_S, (cell[1] << 32) + cell[2]))
        held = cell
    assert list(zip(told.times_s.tolist(), told.values.tolist(), strict=True)) == expected


def test_the_firmware_itself_is_run() -> None:
    """Taken away from it, there is nothing told."""
    with mock.patch.object(grid, "cell_for", side_effect=RuntimeError("asked")), pytest.raises(RuntimeError):
        Ours("area").tell(fleet().traces[0].due(EVERY_S), RNG)


@pytest.mark.parametrize("tier", TIERS)
def test_the_place_lies_in_the_box_that_the_observer_has(tier: str) -> None:
    for one in households(4, 2):
        told = Ours(tier).tell(one.due, RNG)
        at = told.at(one.due.times_s)
        box = told.boxes[at]
        assert (at >= 0).all()
        assert np.all((one.due.degrees >= box[:, :2] - 2e-6) & (one.due.degrees <= box[:, 2:] + 2e-6))


def test_nothing_is_told_in_a_zone() -> None:
    due = households(1, 2)[0].due
    home = cells.locate(int(due.lat_e6[0]), int(due.lon_e6[0]), 3)
    told = Ours("street", zones=(home,)).tell(due, RNG)
    assert len(told)
    row, column = (np.round(told.points * 1e6).astype(int)[:, axis] for axis in (0, 1))
    assert all(cells.locate(int(a), int(b), 3) != home for a, b in zip(row, column, strict=True))


def test_a_parked_node_tells_one_value_over_reboots() -> None:
    due = generator.parked(generator.jitter(2, 1, 1440)[0], (48_000_000, 9_000_000), EVERY_S)
    told = Ours("area").tell(due, RNG)
    assert len(due) == 1440
    assert len(told) == 1


def test_scatter_gives_a_place_one_answer_and_nodes_different_ones() -> None:
    due = generator.parked(generator.jitter(2, 1, 300)[0], (48_000_000, 9_000_000), EVERY_S)
    answers = [
        set(Ours("street", "scatter").tell(due, np.random.default_rng(key)).values.tolist()) for key in range(12)
    ]
    assert [len(answer) for answer in answers] == [1] * 12
    assert len(set.union(*answers)) > 2


def test_scatters_places_are_the_firmwares() -> None:
    Ours("area", "scatter")  # what its crypto imports can be imported from here on
    from plumveil import scatter

    assert PLACE_TIER == scatter.PLACE_TIER
