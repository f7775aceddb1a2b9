"""Firmware that gives more away, or tells something else, than it should misses a threshold: a bound that catches no
such mutant is worth nothing.

A mutant is run on a few real vehicles where they are, else on invented ones, without what takes long.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from host_tools.privacy.attack import ours, study, thresholds
from host_tools.privacy.attack.study import Settings
from plumveil import grid, wire
from tests.host.attacking import buses

FEW = Settings(
    places=12,
    fixes=288,
    homes=4,
    days=2,
    fleets=4,
    nodes=60,
    vehicles=16,
    road_vehicles=0,
    zone_draws=0,
    peers=False,
)  # fmt: skip
pytestmark = pytest.mark.slow
CELLS = [f"cells.{name}" for name, _ in wire.TIERS[1:]]
SCATTER = [f"scatter.{name}" for name, _ in wire.TIERS[1:]]
Patch = pytest.MonkeyPatch


def sized(name: str, size_m: int) -> Callable[[Patch], None]:
    """The tier's cells in another size, on the node and on the host."""
    tiers = tuple((tier, size_m if tier == name else told_m) for tier, told_m in wire.TIERS)
    return lambda patch: patch.setattr(wire, "TIERS", tiers)


def wide_margin(patch: Patch) -> None:
    margin_m = grid.margin_m
    patch.setattr(grid, "margin_m", lambda tier: 3 * margin_m(tier))


def held_for_ever(patch: Patch) -> None:
    cell_for = grid.cell_for
    patch.setattr(grid, "cell_for", lambda lat, lon, tier, held: held or cell_for(lat, lon, tier, None))


def nothing_held(patch: Patch) -> None:
    patch.setattr(grid, "cell_for", lambda lat, lon, tier, _held: grid.locate(lat, lon, tier))


def times_not_rounded(patch: Patch) -> None:
    patch.setattr(wire, "POSITION_TIME_S", 1)


def drawn_anew(patch: Patch) -> None:
    patch.setattr(ours._Keys, "place_key", lambda _keys: os.urandom(32))


def scale(part: int) -> Callable[[Patch], None]:
    """Scatter moves by a part of its scale; by nothing for 0."""

    def mutate(patch: Patch) -> None:
        ours.Ours("street", "scatter")  # the firmware's crypto can be imported from here on
        from plumveil import scatter

        moved: Any = scatter.moved

        def less(lat: int, lon: int, scale_m: int, key: bytes) -> Any:
            return moved(lat, lon, scale_m // part, key) if part else (lat, lon)

        patch.setattr(scatter, "moved", less)

    return mutate


MUTANTS = [
    *(pytest.param(key, scale(0), id=f"{key}-not-moved") for key in SCATTER),
    *(pytest.param(key, scale(10), id=f"{key}-a-tenth") for key in SCATTER),
    *(pytest.param(key, drawn_anew, id=f"{key}-drawn-anew") for key in SCATTER),
    *(
        pytest.param(key, sized(key.split(".")[1], size_m), id=f"{key}-of-{size_m}-m")
        for key, size_m in zip(CELLS, (50_000, 5000, 700, 100), strict=True)
    ),
    *(pytest.param(key, wide_margin, id=f"{key}-margin-x3") for key in CELLS),
    *(pytest.param(key, held_for_ever, id=f"{key}-held-for-ever") for key in CELLS),
    *(pytest.param(key, nothing_held, id=f"{key}-nothing-held") for key in CELLS),
    *(pytest.param(key, times_not_rounded, id=f"{key}-times-not-rounded") for key in CELLS + SCATTER),
]


def faults(key: str) -> tuple[str, ...]:
    mode, tier = key.split(".")
    done = study.run([buses()], [tier], [mode], FEW, lambda _what, _share: None)
    return thresholds.judge(done.rows, thresholds.load()).faults


@pytest.mark.parametrize("key", CELLS + SCATTER)
def test_the_firmware_as_it_is_misses_nothing_here(key: str) -> None:
    assert faults(key) == ()


@pytest.mark.parametrize(("key", "mutate"), MUTANTS)
def test_a_mutant_misses_a_threshold(key: str, mutate: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutate(monkeypatch)
    assert faults(key) != ()
