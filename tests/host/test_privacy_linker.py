"""The linkers: chance where nothing stays with a node, a find where something does, whatever it is."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from host_tools.privacy import figures, linker
from host_tools.privacy.observe import Observation, planted
from host_tools.privacy.pairs import Pairs
from plumveil import wire
from tests.host.fleets import Change, fleet, moved, with_entries

NODES, DAYS = 20, 3
FAST = ("logistic", "nearest")


def factor(seen: list[Observation], only: tuple[str, ...] = FAST) -> float:
    linked, _ = linker.link(seen, 1, only)
    return max(figures.score(one.queries).factor for one in linked)


def same_bits(one: Observation, rng: np.random.Generator) -> Observation:
    """A host name that stays in its first four bytes."""
    return replace(one, host_names=(rng.bytes(4).hex() + one.host_names[0][8:],))


def same_salt_end(one: Observation, rng: np.random.Generator) -> Observation:
    tail = rng.bytes(6)

    def salted(salt: bytes) -> bytes:
        return salt[:-6] + tail

    messages = tuple(
        replace(message, envelope=message.envelope._replace(boot_salt=salted(message.envelope.boot_salt)))
        for message in one.messages
    )
    return replace(one, messages=messages)


def same_elsewhere(one: Observation, rng: np.random.Generator) -> Observation:
    """What one day is the host name's head, the next day stands in a consent's reference."""
    mark = rng.bytes(5)
    if one.day % 2:
        return replace(one, host_names=(mark.hex() + "00",))
    return with_entries(one, wire.LOCATION, K_CONSENT=mark + bytes(3))


def same_moment(one: Observation, rng: np.random.Generator) -> Observation:
    return moved(one, int(rng.integers(0, 1000)))


def same_counts(one: Observation, rng: np.random.Generator) -> Observation:
    """A health value and a count that follow the node, a little uncertain each day."""
    values = {row[0]: 1 for row in wire.FIELDS if row[2] == wire.DEVICE}
    values[wire.F_HEAP_FREE] = int(rng.integers(0, 400))
    drops = [0] * len(wire.RULES_SENT)
    drops[0] = int(rng.integers(0, 1000))
    return with_entries(one, wire.DEVICE, K_HEALTH=values, K_DROPS=drops)


def counter_runs_on(one: Observation, rng: np.random.Generator) -> Observation:
    start = int(rng.integers(0, 5000)) + 4 * (one.day % 10)
    messages = []
    for message in one.messages:
        counter = message.envelope.partial_iv + (start if message.stream == wire.READINGS else 0)
        messages.append(replace(message, envelope=message.envelope._replace(partial_iv=counter)))
    return replace(one, messages=tuple(messages))


def test_nothing_stays_nothing_is_found() -> None:
    linked, _ = linker.link(fleet(40, 3), 1)
    assert [one.name for one in linked] == ["trees", "logistic", "nearest"]
    for one in linked:
        found = figures.score(one.queries)
        assert found.queries == 40 * 3
        assert found.low < 1.2
        assert found.factor < 3
        assert 0.4 < one.auc < 0.6


@pytest.mark.parametrize(
    "change",
    [same_bits, same_salt_end, same_moment, same_counts, counter_runs_on],
    ids=lambda change: change.__name__,
)
def test_what_stays_is_found(change: Change) -> None:
    assert factor(fleet(NODES, DAYS, change=change)) > 0.5 * NODES


def test_bytes_that_return_under_another_name_are_found() -> None:
    linked, _ = linker.link(fleet(NODES, 4, change=same_elsewhere), 1, ("logistic",))
    assert figures.score(linked[0].queries).share > 0.6


def test_a_planted_constant_is_found_by_name() -> None:
    linked, features = linker.link(planted(fleet(NODES, DAYS)), 1, ("logistic",))
    assert figures.score(linked[0].queries).share > 0.95
    assert features[0].feature == "client id"
    assert features[0].alone > 0.99
    assert features[0].lost > 0.01


def test_sessions_that_meet_are_found() -> None:
    """The last session of a day and the first of the next, a moment apart."""
    nodes = fleet(NODES, 2)
    met = []
    for one in nodes:
        first = one.sessions[0]
        midnight_ms = (one.day + (one.day % 2 == 0)) * wire.EPOCH_S * 1000
        at_ms = midnight_ms + 7000 * one.node + (20 if one.day % 2 else 0)
        rest = replace(first, time_ms=at_ms)
        met.append(
            replace(one, sessions=(*one.sessions[1:], rest) if one.day % 2 == 0 else (rest, *one.sessions[1:]))
        )
    trees, features = linker.link(met, 1, ("trees",))
    assert figures.score(trees[0].queries).share > 0.8
    assert "sessions" in [told.feature for told in features[:3]]


def test_two_kinds_of_nodes_are_twice_chance() -> None:
    """What a feature with two values is worth: the bar is one bit."""

    def kind(one: Observation, _: np.random.Generator) -> Observation:
        return with_entries(one, wire.READINGS, K_COUNT=8 + one.node % 2)

    found = factor(fleet(40, 4, change=kind), ("nearest",))
    assert 1.3 < found < 3.0


def test_same_seed_same_answer() -> None:
    seen = fleet(NODES, 2)
    assert linker.link(seen, 5, ("logistic",)) == linker.link(seen, 5, ("logistic",))


def test_the_quick_auc_is_the_library_s() -> None:
    rng = np.random.default_rng(0)
    column, right = rng.integers(0, 5, 200).astype(np.float32), rng.random(200) < 0.3
    assert linker._auc_of(column, right) == pytest.approx(roc_auc_score(right, column))


def test_whose_an_observation_is_stays_out_of_the_rows() -> None:
    seen = fleet(10, 2)
    other = [dataclasses.replace(one, node=99 - one.node) for one in seen]
    rows = np.arange(0, 20, 2), np.arange(1, 20, 2)
    np.testing.assert_array_equal(Pairs(seen).rows(*rows), Pairs(other).rows(*rows))


def test_a_node_that_is_silent_in_an_epoch_is_not_asked_about() -> None:
    seen = [one for one in fleet(NODES, DAYS) if (one.node, one.day % 10) != (0, 1)]
    linked, _ = linker.link(seen, 1, ("nearest",))
    queries = linked[0].queries
    assert len(queries) == NODES * 3 - 2
    assert {query.candidates for query in queries} == {NODES, NODES - 1}


def test_columns_and_names_agree() -> None:
    seen = fleet(6, 2)
    pairs = Pairs(seen)
    rows = pairs.rows(np.array([0, 2]), np.array([1, 3]))
    assert rows.shape == (2, len(pairs.names))
    assert len(set(pairs.names)) == len(pairs.names)
    assert pairs.constant > 20
    assert all(name.endswith("(rank)") for name in pairs.names[pairs.rank_columns])
