"""Nodes that start without the time: what they read is kept, dated when the time comes, and valid; without it nothing
is sealed."""

from __future__ import annotations

import pytest

from host_tools.content import Batch
from host_tools.keyring import KeyRing
from host_tools.registry import Registry
from host_tools.validate import Validator
from tests.e2e.days import START_S, TIER, day, live  # noqa: F401

pytestmark = [pytest.mark.vm, pytest.mark.e2e]
HOURS = 6
SAMPLE_S = 300


def without_network(from_s: int, to_s: int):
    return day(None, HOURS, network={"outages": [[from_s, to_s]]})


def reading_times(lived) -> list[int]:
    validator = Validator(KeyRing(Registry(nodes=(lived.run.record,)), START_S + HOURS * 3600))
    times: list[int] = []
    for message in lived.run.messages:
        verdict = validator.check(message.payload)
        assert verdict.valid, verdict.findings
        if isinstance(verdict.content, Batch):
            batch = verdict.content
            times += [batch.start_s + n * batch.interval_s for n in range(batch.readings)]
    return sorted(times)


def test_readings_of_a_dead_clock_are_dated_when_the_time_comes(live) -> None:  # noqa: F811
    lived = live(without_network(0, 4 * 3600), TIER["off"])
    # The node's own seconds start a little after the world's, so that its first slot may be the one before.
    times = reading_times(lived)
    assert len(times) == len(set(times))
    assert {START_S + n * SAMPLE_S for n in range(1, HOURS * 12 - 1)} <= set(times)
    assert lived.run.dropped.get("clock", 0) <= 1
    assert lived.run.dropped.get("missed", 0) <= 1


def test_without_the_time_nothing_is_sealed_or_sent(live) -> None:  # noqa: F811
    lived = live(without_network(0, (HOURS + 1) * 3600), TIER["off"])
    assert lived.run.messages == ()
    assert lived.sent == []
    # The only things written are the node's folders: no slot, no queue.
    assert [data for _, data in lived.flash if data] == []
    assert lived.run.undelivered == 0
