"""Our own modes: fixes through the firmware's pipeline, minimiser, grid and held cell, imported as they are.

Must never do itself what the firmware does: around the stages stand only doubles of what comes after and before them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from host_tools import cell_arrays, cells
from host_tools.policy.compiling import policy_map
from host_tools.policy.profile import TIER_NAMES, Profile, Scatter, load_profile
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Due, Floats, Ints
from plumveil import wire
from plumveil.drops import Drops
from plumveil.held import HeldCell
from plumveil.minimise import Minimiser
from plumveil.pipeline import Pipeline
from plumveil.policy import Policy

MODES = ("cells", "scatter")
EVERY_S = 300  # the shortest interval of positions that any profile has
SERIAL = 1
# Scatter: the noise's mean radius (twice its scale) is half the tier's nominal size; reports a day, at most.
SCATTER_PART, SCATTER_DAY = 4, 96
PLACE_TIER = len(wire.TIERS) - 1  # whose cells scatter moves as one: the firmware's, which only a node can import

# A node's flash: in memory where the machine has a place for that, since it is written at every change of cell.
FLASH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# Untyped, as all is that runs in MicroPython.
STAGES: tuple[Any, ...] = (Policy, Drops, Minimiser, HeldCell, Pipeline)
STANDINS = str(Path(__file__).resolve().parents[2] / "standins")

Cell = tuple[int, int, int]
Degrees = tuple[float, float, float, float]


@cache
def _logistics() -> Profile:
    """The profile whose ceiling is the finest tier."""
    return load_profile("logistics")


class _Consent:
    """In force from beginning to end."""

    serial, secret = SERIAL, b""

    def __init__(self, tier: int) -> None:
        self._tier = tier

    def tier(self, _t_s: int, _trusted: bool) -> int:
        return self._tier


class _Quiet:
    """Alarms and store: nothing happens."""

    on = False

    def put(self, _sealed: object) -> None:
        raise AssertionError("nothing is sealed here")


class _Keys:
    """The epoch, and the node's own key by which scatter moves positions."""

    epoch = 0

    def __init__(self, place: bytes) -> None:
        self._place = place

    def place_key(self) -> bytes:
        return self._place


class _Exit:
    """Where records would be named, packed and sealed."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def record(self, coarse: Any) -> Any:
        return coarse

    def add(self, record: Any, _secret: bytes) -> tuple[()]:
        if record.stream == wire.LOCATION:
            self.records.append(record)
        return ()


class _Receiver:
    place = 0, 0

    def fix(self) -> tuple[int, int]:
        return self.place

    def take_bad(self) -> int:
        return 0


class Ours:
    """A tier in a mode, as the firmware does it. zones: cells of the policy in which nothing is told."""

    holds = True

    def __init__(self, tier: str, mode: str = "cells", zones: tuple[Cell, ...] = ()) -> None:
        self.name = f"{tier} ({mode})"
        self.tier, self.mode, self._zones = TIER_NAMES.index(tier), mode, zones
        if mode == "scatter" and STANDINS not in sys.path:
            # The firmware's crypto imports what only a board has; behind everything that CPython has itself.
            sys.path.append(STANDINS)
        self.margin_m = float(cells.margin_m(self.tier))
        self.spread_m = 2.0 * self._scale_m() if mode == "scatter" else 0.0

    def tell(self, due: Due, rng: np.random.Generator) -> Told:
        """Reports of one vehicle; it starts anew at every midnight, with what its flash has kept."""
        leaving, keys, receiver = _Exit(), _Keys(rng.bytes(32)), _Receiver()
        with tempfile.TemporaryDirectory(prefix="plumveil-held-", dir=FLASH) as folder:
            pipeline = None
            for t_s, lat_e6, lon_e6 in zip(
                due.times_s.tolist(), due.lat_e6.tolist(), due.lon_e6.tolist(), strict=True
            ):
                if pipeline is None or keys.epoch != t_s // wire.EPOCH_S:
                    keys.epoch = t_s // wire.EPOCH_S
                    pipeline = self._started(leaving, keys, Path(folder) / "held")
                receiver.place = lat_e6, lon_e6
                pipeline.take_position(t_s, True, receiver)
        return self._told(leaving.records)

    def _started(self, leaving: _Exit, keys: _Keys, path: Path) -> Any:
        make_policy, make_drops, make_minimiser, make_held, make_pipeline = STAGES
        policy, drops = make_policy(self._parts()), make_drops()
        minimiser = make_minimiser(policy, drops, keys.place_key)
        held, consent, quiet = make_held(str(path)), _Consent(self.tier), _Quiet()
        return make_pipeline(consent, minimiser, quiet, keys, leaving, leaving, quiet, drops, held, policy)

    def _scale_m(self) -> int:
        return min(wire.TIERS[self.tier][1] // SCATTER_PART, wire.SCATTER_MAX_M)

    def _parts(self) -> dict[int, Any]:
        moved = Scatter(scale_m=self._scale_m(), per_day=SCATTER_DAY) if self.mode == "scatter" else None
        own = {"position_s": EVERY_S, "zones": self._zones, "scatter": moved}
        return policy_map(_logistics().model_copy(update=own))

    def _told(self, records: list[Any]) -> Told:
        row, column = (
            np.array([record.values[wire.K_CELL][part] for record in records], dtype=np.int64) for part in (1, 2)
        )
        return Told(
            times_s=np.array([record.t_s for record in records], dtype=np.int64),
            points=cell_arrays.centres(self.tier, row, column),
            values=(row << 32) + column,
            boxes=self._reach(row, column),
        )

    def _reach(self, row: Ints, column: Ints) -> Floats:
        """Cells with the margin within which they are held. Where scatter moved the place first: anywhere."""
        if self.mode == "scatter":
            return np.full((len(row), 4), np.nan)
        return cell_arrays.held_boxes_e6(self.tier, row, column) / 1e6

    def cell(self, lat_e6: int, lon_e6: int) -> Degrees:
        """The tier's cell around a place."""
        return _around(lat_e6, lon_e6, self.tier)

    def brink(self, lat_e6: int, lon_e6: int) -> Degrees:
        """That cell; of scatter, the place that is moved as one."""
        return _around(lat_e6, lon_e6, PLACE_TIER if self.mode == "scatter" else self.tier)


def _around(lat_e6: int, lon_e6: int, tier: int) -> Degrees:
    south, west, north, east = cells.box(*cells.locate(lat_e6, lon_e6, tier))
    return south / 1e6, west / 1e6, north / 1e6, east / 1e6
