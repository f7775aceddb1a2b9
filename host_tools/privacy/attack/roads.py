"""Speed and roads: where on known roads a vehicle was, given all that was told of it (forward and backward, Rabiner
1989, as map matching does).

The roads are the places of other vehicles of the same scene; whose way is sought never is among them.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, Scene

NAME = "speed and roads"
THIN_M = 150.0
CANDIDATES = 48
SPEED_M_S, SPEED_MAX_M_S = 5.0, 28.0
TOO_FAST = -60.0
WINDOW = 12  # slots: an hour


def known_roads(scene: Scene, keep: slice) -> Floats:
    """(n, 2) metres: where these vehicles have been, one point for each square of THIN_M."""
    every = [np.stack((trace.lat_e6, trace.lon_e6), axis=-1) / 1e6 for trace in scene.traces[keep]]
    points = scene.frame.metres(np.concatenate(every))
    _, first = np.unique(np.round(points / THIN_M).astype(np.int64), axis=0, return_index=True)
    return points[first]


def attack(
    mechanism: Mechanism, runs: list[tuple[Due, Told]], roads: Floats, frame: Frame, slots: int, seed: int
) -> list[Figure]:
    """Distance of the way found from the true one at each slot, beside that of the points told; error of the mean
    speed over an hour, beside the speed itself."""
    rng = np.random.default_rng(seed)
    found_m, told_m, speed, speeds = [], [], [], []
    for due, told in runs:
        due = due.part((told.at(due.times_s) >= 0) & (np.arange(len(due)) < slots))
        if len(due) < 2 * WINDOW:
            continue
        truth, way = frame.metres(due.degrees), follow(mechanism, due, told, roads, frame, rng)
        found_m.append(ground.distances_m(way, truth))
        told_m.append(ground.distances_m(frame.metres(told.points[told.at(due.times_s)]), truth))
        true_speed = _speeds(due, truth)
        speed.append(np.abs(_speeds(due, way) - true_speed))
        speeds.append(true_speed)
    return [
        median(NAME, "error", found_m),
        median(NAME, "error of the points", told_m),
        median(NAME, "error of the speed", speed, "m/s"),
        median(NAME, "true speed", speeds, "m/s"),
    ]


def follow(
    mechanism: Mechanism, due: Due, told: Told, roads: Floats, frame: Frame, rng: np.random.Generator
) -> Floats:
    """(n, 2) metres: the mean place at each slot of due, over road points that what is told allows."""
    points, boxes = frame.metres(told.points), ground.boxes_m(told, frame)
    candidates: list[Floats] = []
    costs: list[Floats] = []
    choice: dict[int, tuple[Floats, Floats]] = {}
    for at in told.at(due.times_s).tolist():
        if at not in choice:
            choice[at] = _allowed(points[at], boxes[at], roads, mechanism.spread_m, rng)
        candidates.append(choice[at][0])
        costs.append(choice[at][1])
    ways = [
        _ways(candidates[step - 1], candidates[step], due.slots_s[step - 1 : step + 1]) for step in range(1, len(due))
    ]
    forward, backward = [_unit(np.exp(costs[0]))], [np.ones(len(costs[-1]))]
    for step, way in enumerate(ways, start=1):
        forward.append(_unit(forward[-1] @ way * np.exp(costs[step])))
    for step in range(len(ways), 0, -1):
        backward.append(_unit(ways[step - 1] @ (backward[-1] * np.exp(costs[step]))))
    shares = [_unit(ahead * behind) for ahead, behind in zip(forward, backward[::-1], strict=True)]
    return np.array([share @ points for share, points in zip(shares, candidates, strict=True)])


def _ways(here: Floats, there: Floats, slots_s: Ints) -> Floats:
    """(k, l): how likely each of k points is followed by each of l; faster than any vehicle is next to never."""
    speed = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1)) / float(slots_s[1] - slots_s[0])
    likely: Floats = np.exp(-speed / SPEED_M_S + np.where(speed > SPEED_MAX_M_S, TOO_FAST, 0.0))
    return likely


def _unit(weights: Floats) -> Floats:
    total = float(weights.sum())
    return weights / total if total > 0 else np.full_like(weights, 1 / len(weights))


def _allowed(
    point: Floats, box: Floats, roads: Floats, spread_m: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Road points, and the logarithm of how likely each is by this report alone; the point itself where there is
    none."""
    if np.isnan(box).any():
        away = np.hypot(*(roads - point).T)
        near = np.flatnonzero(away < 3 * spread_m)
        likely = -2 * away / spread_m
    else:
        near = np.flatnonzero(np.all((roads >= box[:2]) & (roads <= box[2:]), axis=1))
        likely = np.zeros(len(roads))
    if not len(near):
        return point[None], np.zeros(1)
    if len(near) > CANDIDATES:
        near = rng.choice(near, CANDIDATES, replace=False)
    return roads[near], likely[near]


def _speeds(due: Due, way: Floats) -> Floats:
    """Mean speed over each hour, m/s."""
    steps = np.hypot(*np.diff(way, axis=0).T)
    passed = np.diff(due.slots_s).astype(float)
    whole = len(steps) // WINDOW * WINDOW
    metres, seconds = steps[:whole].reshape(-1, WINDOW).sum(axis=1), passed[:whole].reshape(-1, WINDOW).sum(axis=1)
    found: Floats = metres / seconds
    return found
