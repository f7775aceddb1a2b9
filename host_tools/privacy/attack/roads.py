"""Speed and roads: where on known roads a vehicle was, and how fast, given all that was told of it (forward and
backward, Rabiner 1989, as map matching does).

Roads and usual speeds are those of other vehicles of the same scene; whose way is sought never is among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, Scene

NAME = "speed and roads"
THIN_M = 150.0
CANDIDATES = 300
SPEED_MAX_M_S = 28
NEVER = 1e-12  # faster than any vehicle is next to never
WINDOW = 12  # slots: an hour
PATHS = 20  # drawn of those that what is told allows
PAIRS = 100_000


@dataclass(frozen=True)
class Known:
    """Of the other vehicles: points (n, 2) metres where they have been, one for each square of THIN_M; likely: by
    m/s of a step, how often such a step is driven, over how many pairs of points lie so far apart; hour_m_s: median
    of the mean speeds over an hour."""

    points: Floats
    likely: Floats
    hour_m_s: float


def known(scene: Scene, keep: slice, every_s: int) -> Known:
    """What these vehicles of a scene drove."""
    every = [np.stack((trace.lat_e6, trace.lon_e6), axis=-1) / 1e6 for trace in scene.traces[keep]]
    points = scene.frame.metres(np.concatenate(every))
    _, first = np.unique(np.round(points / THIN_M).astype(np.int64), axis=0, return_index=True)
    points = points[first]
    dues = [trace.due(every_s) for trace in scene.traces[keep]]
    steps = np.concatenate(
        [_steps(due, scene.frame.metres(due.degrees))[np.diff(due.slots_s) == every_s] for due in dues]
    )
    hours = np.concatenate([_by_hour(due, scene.frame.metres(due.degrees)) for due in dues])
    pair = np.random.default_rng(0).integers(0, len(points), (2, PAIRS))
    there = np.hypot(*(points[pair[0]] - points[pair[1]]).T) / every_s
    bins = np.arange(SPEED_MAX_M_S + 1)
    driven, lie = (np.histogram(values, bins)[0] + 1.0 for values in (steps, there))
    return Known(points, np.append(_unit(driven) / _unit(lie), NEVER), float(np.median(hours)) if len(hours) else 0.0)


def attack(
    mechanism: Mechanism, runs: list[tuple[Due, Told]], others: Known, frame: Frame, slots: int, seed: int
) -> list[Figure]:
    """Distance of the way found from the true one at each slot, beside that of the points told; error of the mean
    speed over an hour, beside that of always guessing the others' median, and the speed itself."""
    rng = np.random.default_rng(seed)
    found_m, told_m, speed, constant, speeds = [], [], [], [], []
    for due, told in runs:
        due = due.part((told.at(due.times_s) >= 0) & (np.arange(len(due)) < slots))
        if len(due) < 2 * WINDOW:
            continue
        truth, (way, hours) = frame.metres(due.degrees), follow(mechanism, due, told, others, frame, rng)
        found_m.append(ground.distances_m(way, truth))
        told_m.append(ground.distances_m(frame.metres(told.points[told.at(due.times_s)]), truth))
        true = _by_hour(due, truth)
        speed.append(np.abs(hours - true))
        constant.append(np.abs(others.hour_m_s - true))
        speeds.append(true)
    return [
        median(NAME, "error", found_m),
        median(NAME, "error of the points", told_m),
        median(NAME, "error of the speed", speed, "m/s"),
        median(NAME, "error of a constant speed", constant, "m/s"),
        median(NAME, "true speed", speeds, "m/s"),
    ]


def follow(
    mechanism: Mechanism, due: Due, told: Told, others: Known, frame: Frame, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """(n, 2) metres: the mean place at each slot of due, over road points that what is told allows; and the expected
    mean speed over each hour, of ways drawn among those."""
    lattice = _Lattice(mechanism, told, others, frame, rng)
    reports = told.at(due.times_s)
    passed_s = np.diff(due.slots_s).tolist()
    ways = [lattice.way(int(reports[step]), int(reports[step + 1]), passed_s[step]) for step in range(len(passed_s))]
    candidates, likely = zip(*(lattice.allowed(int(at)) for at in reports), strict=True)
    behind = [np.ones(len(likely[-1]))]
    for step in range(len(ways) - 1, -1, -1):
        behind.append(_unit(ways[step] @ (behind[-1] * likely[step + 1])))
    behind.reverse()
    ahead = _unit(likely[0])
    means = [_unit(ahead * behind[0]) @ candidates[0]]
    at = rng.choice(len(ahead), PATHS, p=_unit(ahead * behind[0]))
    drawn = [candidates[0][at]]
    for step, way in enumerate(ways, start=1):
        ahead = _unit(ahead @ way * likely[step])
        means.append(_unit(ahead * behind[step]) @ candidates[step])
        at = _drawn(way[at] * (likely[step] * behind[step]), rng)
        drawn.append(candidates[step][at])
    paths = np.stack(drawn, axis=1)
    return np.array(means), np.mean([_by_hour(due, path) for path in paths], axis=0)


@dataclass
class _Lattice:
    """Road points that each report allows, and how likely each is followed by each; kept, since much is told
    again."""

    mechanism: Mechanism
    told: Told
    others: Known
    frame: Frame
    rng: np.random.Generator
    _allowed: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)
    _ways: dict[tuple[int, int, int], Floats] = field(default_factory=dict)

    def allowed(self, at: int) -> tuple[Floats, Floats]:
        """Road points (k, 2), and how likely each is (k,) by this report alone; the point told where there is
        none."""
        value = int(self.told.values[at])
        if value not in self._allowed:
            part = self.told.part(np.array([at]))
            point, box = self.frame.metres(part.points)[0], ground.boxes_m(part, self.frame)[0]
            self._allowed[value] = _allowed(point, box, self.others.points, self.mechanism.spread_m, self.rng)
        return self._allowed[value]

    def way(self, here: int, there: int, passed_s: int) -> Floats:
        """(k, l): how likely each point of a report is followed by each of another, so much later."""
        key = int(self.told.values[here]), int(self.told.values[there]), passed_s
        if key not in self._ways:
            one, other = self.allowed(here)[0], self.allowed(there)[0]
            speed = np.hypot(*np.moveaxis(one[:, None] - other[None], -1, 0)) / passed_s
            self._ways[key] = self.others.likely[np.minimum(speed, SPEED_MAX_M_S).astype(int)]
        return self._ways[key]


def _drawn(weights: Floats, rng: np.random.Generator) -> Ints:
    """(n,): of each row of weights (n, k) one column."""
    heap = np.cumsum(weights, axis=1)
    drawn = rng.random(len(heap)) * heap[:, -1]
    found: Ints = np.minimum(np.sum(heap <= drawn[:, None], axis=1), weights.shape[1] - 1)
    return found


def _unit(weights: Floats) -> Floats:
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))


def _allowed(
    point: Floats, box: Floats, roads: Floats, spread_m: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    if np.isnan(box).any():
        away = np.hypot(*(roads - point).T)
        near = np.flatnonzero(away < 3 * spread_m)
        likely = np.exp(-2 * away / spread_m)
    else:
        near = np.flatnonzero(np.all((roads >= box[:2]) & (roads <= box[2:]), axis=1))
        likely = np.ones(len(roads))
    if not len(near):
        return point[None], np.ones(1)
    if len(near) > CANDIDATES:
        near = rng.choice(near, CANDIDATES, replace=False)
    return roads[near], likely[near]


def _steps(due: Due, way: Floats) -> Floats:
    """(n - 1,): speed from slot to slot, m/s."""
    found: Floats = np.hypot(*np.diff(way, axis=0).T) / np.diff(due.slots_s)
    return found


def _by_hour(due: Due, way: Floats) -> Floats:
    """Mean speed over each WINDOW of slots, m/s."""
    passed_s = np.diff(due.slots_s).astype(float)
    whole = len(passed_s) // WINDOW * WINDOW
    metres = (_steps(due, way) * passed_s)[:whole].reshape(-1, WINDOW).sum(axis=1)
    found: Floats = metres / passed_s[:whole].reshape(-1, WINDOW).sum(axis=1)
    return found
