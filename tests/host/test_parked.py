"""P4: a parked node gives one cell, however long it stays, wherever in its cell, over reboots, in both modes."""

from __future__ import annotations

import math
import random
from pathlib import Path

import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools import cells
from plumveil import grid, wire
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.minimise import Minimiser
from plumveil.policy import Policy
from plumveil.trust import Fix

FIXES = 1440
REBOOT_EVERY = 97
SERIAL = 7
KEY = b"k" * 32
E6_PER_M = 1e6 / cells.M_PER_DEGREE_LAT
# Where in its cell it stands: (north, east), in parts of the cell.
PLACES = {"centre": (0.5, 0.5), "edge": (0.0, 0.5), "east edge": (0.5, 1.0), "corner": (0.0, 0.0)}


def on_earth(lat_e6: int, lon_e6: int) -> tuple[int, int]:
    """A fix as a receiver gives it: what noise has put over a pole comes down on its other side."""
    if abs(lat_e6) > grid.HALF_LAT_E6:
        lat_e6, lon_e6 = (2 * grid.HALF_LAT_E6 - abs(lat_e6)) * (1 if lat_e6 > 0 else -1), lon_e6 + grid.TURN_E6 // 2
    return lat_e6, (lon_e6 + grid.TURN_E6 // 2) % grid.TURN_E6 - grid.TURN_E6 // 2


def parked(
    folder: Path,
    tier: int,
    sigma_m: float,
    place: str,
    scatter_m: int,
    seed: int,
    around: tuple[int, int] | None = None,
    zone: tuple[int, int, int] | None = None,
) -> list[object]:
    """The cells that leave: all that the location stage reports of its fixes. around: a place in its cell,
    (lat_e6, lon_e6), anywhere in the middle of Europe when there is none; zone: a private one."""
    rng = random.Random(seed)
    parts = nodefiles.policy_map() | {wire.P_LOCATION_CEILING: 4}
    if zone:
        parts[wire.P_ZONES] = [list(zone)]
    if scatter_m:
        parts |= {wire.P_SCATTER_M: scatter_m, wire.P_SCATTER_DAY: wire.SCATTER_DAY_MAX}
    minimiser = Minimiser(Policy(parts), Drops(), lambda: KEY)
    # In the second mode it is a place's edge that could flicker.
    around = around or (48_137_000 + rng.randint(0, 9_000_000), 11_575_000)
    edges = cells.box(*(zone or grid.locate(*around, 4 if scatter_m else tier)))
    north, east = PLACES[place]
    lat = edges.south_e6 + north * (edges.north_e6 - edges.south_e6)
    lon = edges.west_e6 + east * (edges.east_e6 - edges.west_e6)
    wide = max(math.cos(math.radians(lat / 1e6)), 1e-9)
    path = str(folder / "cell.bin")
    held = HeldCell(path)
    told = []
    for n in range(FIXES):
        if n % REBOOT_EVERY == 0:
            held = HeldCell(path)
        t_s = nodefiles.NOON_S + n * 300
        noise_north_e6, noise_east_e6 = (rng.gauss(0, sigma_m) * E6_PER_M for _ in range(2))
        fix = Fix(t_s, *on_earth(round(lat + noise_north_e6), round(lon + noise_east_e6 / wide)))
        coarse, cell = minimiser.position(fix, tier, SERIAL, held)
        if coarse is not None:
            told.append(coarse.values[wire.K_CELL])
            held.hold(cell, SERIAL, t_s)
    return told


@pytest.mark.parametrize("scatter_m", [0, 300])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("tier", range(1, len(wire.TIERS)))
def test_a_parked_node_gives_one_cell(tmp_path: Path, tier: int, place: str, scatter_m: int) -> None:
    for sigma_m in (5.0, 15.0):
        (tmp_path / "cell.bin").unlink(missing_ok=True)
        assert len(parked(tmp_path, tier, sigma_m, place, scatter_m, seed=tier)) == 1


@pytest.mark.parametrize("scatter_m", [0, 300])
@pytest.mark.parametrize("lat_e6", [89_990_000, 89_780_000, 89_000_000, -89_700_000, 0, 60_000_000])
def test_nor_does_one_by_a_pole_or_the_antimeridian_give_two(tmp_path: Path, lat_e6: int, scatter_m: int) -> None:
    for seed, place in enumerate(PLACES):
        for tier in (3, 4):
            (tmp_path / "cell.bin").unlink(missing_ok=True)
            assert len(parked(tmp_path, tier, 15.0, place, scatter_m, seed, (lat_e6, 179_999_999))) == 1


@pytest.mark.parametrize("place", PLACES)
def test_one_that_is_parked_in_a_zone_gives_none(tmp_path: Path, place: str) -> None:
    zone = grid.locate(48_137_000, 11_575_000, 3)
    for tier in range(1, 5):
        (tmp_path / "cell.bin").unlink(missing_ok=True)
        assert parked(tmp_path, tier, 15.0, place, 0, seed=1, zone=zone) == []


def test_without_the_held_cell_it_would_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldCell, "hold", lambda self, cell, serial, slot_s: True)
    told = parked(tmp_path, 3, 5.0, "corner", 0, seed=1)
    assert len(set(told)) > 2
    assert len(told) == FIXES
