"""Scatter at work: how often the cell told is another than the one a node is in, and what the moves give away of
nodes that stop at the same places.

A place has the same answer of a node as long as it has its keys, and of another node another: whoever sees two nodes
at one stop can tell them apart by it, in every epoch. Must never be run on places of anybody.
"""

from __future__ import annotations

import numpy as np

from host_tools.privacy.attack import averaging, generator, match
from host_tools.privacy.attack.figures import Figure, share
from host_tools.privacy.attack.told import Mechanism
from host_tools.privacy.attack.traces import M_PER_DEGREE, Due, Floats, Frame, Ints

MOVED, SHARED = "moved", "shared places"
STOPS = 3
DAYS = 3
AWAY_M = 300_000.0  # where nodes go between stops, so that each stop is told anew
STAY_S = 1800


def attack(mechanism: Mechanism, nodes: int, every_s: int, seed: int) -> list[Figure]:
    """Of places its noise's scale (half of spread_m) within an edge of the cell they lie in, the share told as
    another cell; then nodes named again the next day by what is told of one, two, three stops that all of them
    make."""
    rng = np.random.default_rng(seed)
    return [_moved(mechanism, nodes, every_s, rng), *_shared(mechanism, nodes, every_s, rng)]


def _moved(mechanism: Mechanism, nodes: int, every_s: int, rng: np.random.Generator) -> Figure:
    moved = asked = 0
    near_e6 = max(round(mechanism.spread_m / 2 / M_PER_DEGREE * 1e6), averaging.NEAR_E6)
    for place in generator.places(rng, nodes):
        own = mechanism.cell(*place)
        if own is not None:
            place = averaging.at_edge(own, place, 1, near_e6, rng)
            told = mechanism.tell(generator.parked(np.zeros((1, 2)), place, every_s), rng)
            north, east = told.points[0].tolist()
            moved += not (own[0] <= north <= own[2] and own[1] <= east <= own[3])
            asked += 1
    return share(MOVED, "told as another cell", moved, asked)


def _shared(mechanism: Mechanism, nodes: int, every_s: int, rng: np.random.Generator) -> list[Figure]:
    """Every node makes the same stops on each day, and is far away before each."""
    stops = [np.array(place) / 1e6 for place in generator.places(rng, STOPS)]
    answers = np.array([_answers(mechanism, stops, every_s, rng) for _ in range(nodes)])
    figures = []
    for count in range(1, STOPS + 1):
        tally = match.Tally(nodes)
        for day in range(DAYS - 1):
            before, after = answers[:, day, :count], answers[:, day + 1, :count]
            tally.add(list(range(nodes)), match.assigned(_alike(before, after), seed=day))
        figures.append(tally.figures(SHARED, f"{count} named", f"{count}, times chance")[1])
    return figures


def _alike(before: Ints, after: Ints) -> Floats:
    """(n, n): at how many stops the same was told, the more the fewer were told so."""
    scores = np.zeros((len(before), len(before)))
    for stop in range(before.shape[1]):
        same = before[:, None, stop] == after[None, :, stop]
        scores += same / np.maximum(same.sum(axis=0), 1)
    return scores


def _answers(mechanism: Mechanism, stops: list[Floats], every_s: int, rng: np.random.Generator) -> Ints:
    """(DAYS, stops): the value told at each stop of a node."""
    times_s, places, seen = [], [], []
    for day in range(DAYS):
        for number, stop in enumerate(stops):
            frame = Frame(*stop.tolist())
            away = frame.degrees(np.array([[AWAY_M, 0.0]]))[0]
            begin_s = generator.START_S + day * 86_400 + 2 * number * STAY_S
            for start_s, place in ((begin_s, away), (begin_s + STAY_S, stop)):
                moments = start_s + every_s * np.arange(1, STAY_S // every_s)
                near = frame.metres(place[None]) + generator.noise(rng, len(moments), rng.uniform(5, 15))
                times_s.append(moments)
                places.append(frame.degrees(near))
            seen.append(begin_s + 2 * STAY_S - every_s)
    slots_s, e6 = np.concatenate(times_s), np.round(np.concatenate(places) * 1e6).astype(np.int64)
    told = mechanism.tell(Due(slots_s, slots_s, e6[:, 0], e6[:, 1]), rng)
    found: Ints = told.values[told.at(np.array(seen))].reshape(DAYS, len(stops))
    return found
