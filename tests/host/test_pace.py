"""The bars on time: they grow with what the machine takes for something else, and with nothing else."""

from __future__ import annotations

import time

import pytest

from tests.host import pace


@pytest.mark.parametrize(("start_s", "holds"), [(0.0, False), (pace.START_S, False), (pace.START_S * 5, True)])
def test_a_bar_grows_with_a_start(monkeypatch: pytest.MonkeyPatch, start_s: float, holds: bool) -> None:
    monkeypatch.setattr(pace, "start", lambda: time.sleep(start_s))
    monkeypatch.setattr(pace, "STARTS", 1)
    with pace.Pace() as one:
        time.sleep(0.3)
    assert one.under(0.1) is holds
    assert one.under(60)


def test_a_bar_that_holds_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "start", lambda: pytest.fail("started"))
    with pace.Pace() as one:
        pass
    assert one.under(60)


def test_the_fastest_of_a_few_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "start", lambda: None)
    naps_s = [0.3, 0.0]
    assert pace.quick(lambda: time.sleep(naps_s.pop(0)), 0.2)
    naps_s = [0.3] * pace.TRIES
    assert not pace.quick(lambda: time.sleep(naps_s.pop(0)), 0.2)
    assert naps_s == []
