"""P3 at the pipeline: many pairs of twins that differ in the receiver's input alone. Whole nodes, where time and
flash take part, are tests/e2e/test_interference.py's matter."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools import cells
from plumveil import scatter, wire
from tests.vectors.make_core import locate

PAIRS = 5000  # of each of two kinds
PAIRS_QUICK = 200
DUE = 6
TIER = 3


class Gps:
    """A receiver that has these positions, one a search, and so many bad sentences between them."""

    def __init__(self, positions: list[tuple[int, int] | None], bad: int) -> None:
        self._positions = list(positions)
        self._bad = bad

    def fix(self) -> tuple[int, int] | None:
        return self._positions.pop(0)

    def take_bad(self) -> int:
        return self._bad


def lived(
    consent: dict[int, Any] | None,
    gps: Gps,
    rng: random.Random,
    tier_now: Callable[[], int] | None = None,
    **policy: int,
) -> list[bytes]:
    """Every message of a few readings, positions and health reports. tier_now: what a search finds when it ends."""
    Path(wire.FILE_CELL).unlink(missing_ok=True)
    pipeline, store, _ = nodefiles.pipeline(consent, **policy)
    for n in range(DUE):
        t_s = nodefiles.NOON_S + n * 300
        pipeline.take(t_s, {wire.F_TEMPERATURE: rng.randint(0, 9000), wire.F_HUMIDITY: rng.randint(0, 99000)})
        pipeline.take_position(t_s, True, gps, tier_now)
        pipeline.take_health(t_s, {wire.F_UPTIME: 60})
    pipeline.close()
    return [sealed.message for sealed in store.sealed]


def anywhere(rng: random.Random) -> tuple[int, int]:
    return rng.randint(-89_000_000, 89_000_000), rng.randint(-179_999_999, 179_999_999)


def inside(rng: random.Random, box: cells.Box) -> tuple[int, int]:
    """A point of a cell further from its edges than a held cell reaches."""
    south, west, north, east = box
    height, width = north - south, east - west
    lat = rng.randint(south + height // 4, north - height // 4)
    return lat, rng.randint(west + width // 4, east - width // 4)


@pytest.fixture(autouse=True)
def own_cell_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wire, "FILE_CELL", str(tmp_path / "cell.bin"))


@pytest.mark.parametrize("pairs", [PAIRS_QUICK, pytest.param(PAIRS, marks=pytest.mark.slow)])
def test_without_consent_no_input_changes_a_byte(pairs: int) -> None:
    rng = random.Random(1)
    for pair in range(pairs):
        twins = [Gps([anywhere(rng) for _ in range(DUE)], rng.randint(0, 9)) for _ in range(2)]
        one, other = (lived(None, gps, random.Random(pair)) for gps in twins)
        assert one == other


@pytest.mark.parametrize("pairs", [PAIRS_QUICK, pytest.param(PAIRS // 5, marks=pytest.mark.slow)])
def test_once_consent_ends_in_a_search_nothing_of_it_changes_a_byte(pairs: int) -> None:
    """Nor whether there was a fix: it is none that may count."""
    rng = random.Random(4)
    for pair in range(pairs):
        twins = [Gps([rng.choice((None, anywhere(rng))) for _ in range(DUE)], rng.randint(0, 9)) for _ in range(2)]
        one, other = (lived(nodefiles.consent(TIER), gps, random.Random(pair), lambda: 0) for gps in twins)
        assert one == other


@pytest.mark.parametrize("pairs", [PAIRS_QUICK, pytest.param(PAIRS, marks=pytest.mark.slow)])
def test_with_consent_only_the_cell_changes_a_byte(pairs: int) -> None:
    rng = random.Random(2)
    differing = 0
    for pair in range(pairs):
        way = [cells.box(*locate(*anywhere(rng), TIER)) for _ in range(DUE)]
        twins = [Gps([inside(rng, box) for box in way], rng.randint(0, 9)) for _ in range(2)]
        stranger = Gps([anywhere(rng) for _ in range(DUE)], 0)
        one, other, third = (lived(nodefiles.consent(TIER), gps, random.Random(pair)) for gps in (*twins, stranger))
        assert one == other
        differing += one != third
    assert differing == pairs


@pytest.mark.parametrize("pairs", [PAIRS_QUICK, pytest.param(PAIRS // 5, marks=pytest.mark.slow)])
def test_moved_positions_change_a_byte_by_their_place_alone(pairs: int) -> None:
    rng = random.Random(3)
    differing = 0
    for pair in range(pairs):
        way = [cells.box(*locate(*anywhere(rng), scatter.PLACE_TIER)) for _ in range(DUE)]
        # In the very place, since the held cell holds by what lies around.
        twins = [
            Gps([((b.south_e6 + b.north_e6) // 2 + side, (b.west_e6 + b.east_e6) // 2 + side) for b in way], 0)
            for side in (-9, 9)
        ]
        stranger = Gps([anywhere(rng) for _ in range(DUE)], 0)
        moving: dict[str, Any] = {"P_SCATTER_M": 300, "P_SCATTER_DAY": DUE}
        one, other, third = (
            lived(nodefiles.consent(TIER), gps, random.Random(pair), **moving) for gps in (*twins, stranger)
        )
        assert one == other
        differing += one != third
    assert differing == pairs
