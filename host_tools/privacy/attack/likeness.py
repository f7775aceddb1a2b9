"""How alike the days of vehicles are, for whoever wants to know which of today is which of yesterday: by where they
go, and by where one ends and the next begins. Larger is more alike.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import match
from host_tools.privacy.attack.told import Told
from host_tools.privacy.attack.traces import Floats, Frame, Ints
from plumveil import wire

SCALES_M = (300.0, 1000.0, 4000.0)
QUARTER_S = 21_600
SPEED_M_S, SLACK_M = 8.0, 1000.0
NEAR_M = 200.0  # nearer than this makes no difference
SLOT_S, AHEAD_MAX_S = 300, 1800  # the shortest step; how far ahead a way is drawn on
AHEAD_PART = 0.5  # of it: ways turn

Pairs = list[tuple[Told, Told]]


def profile(pairs: Pairs, frame: Frame) -> Floats:
    """(n, n, 4): squares of each of SCALES_M by a quarter of the day in common, rare ones counting more, each row
    standardised; and their mean, each column so."""
    scales = [_squares_alike(pairs, frame, scale_m) for scale_m in SCALES_M]
    columns = match.standard(np.mean(scales, axis=0).T).T
    return np.stack([*(match.standard(one) for one in scales), columns], axis=-1)


def continuity(pairs: Pairs, frame: Frame, midnight_s: int) -> Floats:
    """(n, n, 7): how little the way from every last place to every first one asks for, of way and of speed; the same
    against the others of its row and column; and so from where the last way led to, and back from where the next one
    came from."""
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    last, first = _places(before, -1, frame), _places(after, 0, frame)
    before_s = midnight_s - np.array([one.times_s[-1] for one in before])
    after_s = np.array([one.times_s[0] for one in after]) - midnight_s
    passed_s = (before_s[:, None] + after_s[None]).astype(float)
    ahead_s = np.minimum(passed_s, AHEAD_MAX_S)[..., None] * AHEAD_PART
    onward = last[:, None] + ahead_s * _speeds(before, (-2, -1), frame)[:, None]
    backward = first[None] - ahead_s * _speeds(after, (0, 1), frame)[None]
    apart = _apart(last[:, None], first[None])
    near, slow = -np.log(apart + NEAR_M), -np.log(apart / np.maximum(passed_s, SLOT_S) + NEAR_M / SLOT_S)
    return np.stack(
        (
            -apart / (SLACK_M + SPEED_M_S * passed_s),
            near,
            slow,
            match.standard(slow),
            match.standard(near.T).T,
            -np.log(_apart(onward, first[None]) + NEAR_M),
            -np.log(_apart(backward, last[:, None]) + NEAR_M),
        ),
        axis=-1,
    )


def _places(days: list[Told], at: int, frame: Frame) -> Floats:
    return frame.metres(np.array([one.points[at] for one in days]))


def _speeds(days: list[Told], at: tuple[int, int], frame: Frame) -> Floats:
    """(n, 2) m/s from one report of a day to the next; nothing where there is but one."""
    found = np.zeros((len(days), 2))
    for row, one in enumerate(days):
        if len(one) > 1:
            (here, there), times_s = frame.metres(one.points[list(at)]), one.times_s[list(at)]
            found[row] = (there - here) / max(float(times_s[1] - times_s[0]), SLOT_S)
    return found


def _apart(one: Floats, other: Floats) -> Floats:
    metres: Floats = np.hypot(*np.moveaxis(one - other, -1, 0))
    return metres


def _squares_alike(pairs: Pairs, frame: Frame, scale_m: float) -> Floats:
    """(n, n): cosine between days."""
    days = [_squares(one, frame, scale_m) for one in (*(a for a, _ in pairs), *(b for _, b in pairs))]
    places = {square: at for at, square in enumerate(sorted(set().union(*days)))}
    table = np.zeros((len(days), len(places)))
    for row, day in enumerate(days):
        for square, count in day.items():
            table[row, places[square]] = np.log1p(count)
    table *= np.log(len(days) / (table > 0).sum(axis=0))
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    alike: Floats = table[: len(pairs)] @ table[len(pairs) :].T
    return alike


def _squares(told: Told, frame: Frame, scale_m: float) -> dict[tuple[int, int, int], int]:
    squares = np.floor(frame.metres(told.points) / scale_m).astype(int)
    quarter: Ints = told.times_s % wire.EPOCH_S // QUARTER_S
    found: dict[tuple[int, int, int], int] = {}
    for (north, east), hour in zip(squares.tolist(), quarter.tolist(), strict=True):
        # With and without the hour.
        for key in ((north, east, hour), (north, east, -1)):
            found[key] = found.get(key, 0) + 1
    return found
