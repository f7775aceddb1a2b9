"""What remains useful to the customer: how far off a position is, whether an excursion is put into the right cell,
whether the route can be told from its reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from host_tools import cells
from host_tools.policy.profile import TIER_NAMES
from host_tools.privacy.attack import ground
from host_tools.privacy.attack.figures import Figure, median, share_by, values
from host_tools.privacy.attack.told import Mechanism, Told
from host_tools.privacy.attack.traces import Due, Floats, Frame, Ints, Scene, epochs

NAME = "utility"
YARDSTICKS = ("area", "district", "region")
SQUARE_M = 500.0
BLUR = 2  # squares around a report that it may stand for

Square = tuple[int, int]
Plans = Mapping[str, Mapping[Square, set[int]]]


def attack(runs: list[tuple[Due, Told]], scene: Scene, seed: int) -> list[Figure]:
    """Errors at every slot; slots at which the place lies in the box told; excursions (one in ten
    slots, drawn) put into the cell of the yardstick in which they were, beside always naming the commonest; routes
    recognised, each day judged by the plans that the other vehicles' raw ways give."""
    rng = np.random.default_rng(seed)
    errors, inside, true_cells = [], [], []
    hits: dict[str, list[Floats]] = {tier: [] for tier in YARDSTICKS}
    for due, told in runs:
        due = due.part(told.at(due.times_s) >= 0)
        if not len(due):
            continue
        at = told.at(due.times_s)
        errors.append(ground.distances_m(scene.frame.metres(told.points[at]), scene.frame.metres(due.degrees)))
        boxes = told.boxes[at]
        if not np.isnan(boxes).any():
            # A cell's edges are in whole 1e-6 degree.
            held = (due.degrees >= boxes[:, :2] - 2e-6) & (due.degrees <= boxes[:, 2:] + 2e-6)
            inside.append(np.all(held, axis=1).astype(float))
        drawn = rng.random(len(due)) < 0.1
        true_cells.append({tier: ground.cells(due.degrees[drawn], TIER_NAMES.index(tier)) for tier in YARDSTICKS})
        for tier in YARDSTICKS:
            same = ground.cells(told.points[at][drawn], TIER_NAMES.index(tier)) == true_cells[-1][tier]
            hits[tier].append(np.all(same, axis=1).astype(float))
    return [
        median(NAME, "error", errors),
        median(NAME, "error, 95th percentile", errors, level=95),
        share_by(NAME, "inside the box told", inside),
        *(share_by(NAME, f"excursions in the right {tier}", hits[tier]) for tier in YARDSTICKS),
        *(_commonest([one[tier] for one in true_cells], tier) for tier in YARDSTICKS),
        _routes(runs, scene),
    ]


def sides(mechanism: Mechanism, runs: list[tuple[Due, Told]]) -> Figure:
    """The shortest and the longest side of all cells told, in metres; nothing where points are told."""
    points = np.concatenate([told.points[np.unique(told.values, return_index=True)[1]] for _, told in runs])
    boxes = [mechanism.cell(*np.round(point * 1e6).astype(int).tolist()) for point in np.unique(points, axis=0)]
    found: list[float] = []
    for south, west, north, east in filter(None, boxes):
        found.append((north - south) * cells.M_PER_DEGREE_LAT)
        found += [(east - west) * cells.M_PER_DEGREE_LON * np.cos(np.radians(edge)) for edge in (south, north)]
    return values(NAME, "sides of the cells told", found)


def _commonest(true: list[Ints], tier: str) -> Figure:
    """What naming the commonest cell gets right, whatever is told. true: by vehicle, (n, 2)."""
    found, counts = np.unique(np.concatenate([np.empty((0, 2), dtype=np.int64), *true]), axis=0, return_counts=True)
    hits = [np.all(one == found[counts.argmax()], axis=1).astype(float) for one in true if len(one)]
    return share_by(NAME, f"in the commonest {tier}", hits)


def _routes(runs: list[tuple[Due, Told]], scene: Scene) -> Figure:
    """Days on one route alone, told to be on it."""
    plans: dict[str, dict[Square, set[int]]] = defaultdict(lambda: defaultdict(set))
    days: list[tuple[int, str, Told]] = []
    for number, (trace, (_, told)) in enumerate(zip(scene.traces, runs, strict=True)):
        if not trace.routes:
            continue
        names = np.array(trace.routes)
        squares = _squares(np.stack((trace.lat_e6, trace.lon_e6), axis=-1) / 1e6, scene.frame)
        for name, square in zip(trace.routes, squares, strict=True):
            plans[name][square].add(number)
        for day in np.unique(epochs(trace.times_s)).tolist():
            driven = set(names[epochs(trace.times_s) == day].tolist())
            mine = told.part(epochs(told.times_s) == day)
            if len(driven) == 1 and len(mine):
                days.append((number, driven.pop(), mine))
    # A route that nobody else drives cannot be known from others.
    known = [one for one in days if any(vehicles - {one[0]} for vehicles in plans[one[1]].values())]
    wide = {name: _widened(squares) for name, squares in plans.items()}
    right: list[list[float]] = [[] for _ in runs]
    for number, name, mine in known:
        right[number].append(_likeliest(mine, number, plans, wide, scene.frame) == name)
    return share_by(NAME, "routes recognised", [np.array(one) for one in right])


def _widened(squares: Mapping[Square, set[int]]) -> dict[Square, set[int]]:
    """Which vehicles were within BLUR squares of each."""
    found: dict[Square, set[int]] = defaultdict(set)
    for square, vehicles in squares.items():
        for near in _around(square):
            found[near] |= vehicles
    return found


def _around(square: Square) -> list[Square]:
    spread = range(-BLUR, BLUR + 1)
    return [(square[0] + a, square[1] + b) for a in spread for b in spread]


def _likeliest(
    told: Told, number: int, plans: Plans, wide: Mapping[str, Mapping[Square, set[int]]], frame: Frame
) -> str | None:
    """The route of which most is near the reports, and which is near most of them (the product of both), by the plans
    that vehicles other than this one give."""
    reports = set(_squares(told.points, frame))
    near = {square for report in reports for square in _around(report)}
    nobody: set[int] = set()
    best, name = -1.0, None
    for route, squares in plans.items():
        way = {square for square, vehicles in squares.items() if vehicles != {number}}
        if way:
            on = sum(bool(wide[route].get(report, nobody) - {number}) for report in reports)
            score = on / len(reports) * len(way & near) / len(way)
            if score > best:
                best, name = score, route
    return name


def _squares(degrees: Floats, frame: Frame) -> list[Square]:
    return [(north, east) for north, east in np.floor(frame.metres(degrees) / SQUARE_M).astype(int).tolist()]
