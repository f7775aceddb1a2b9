"""P6: a linker that sees everything but the sensors' values names no more than twice as many nodes as chance, out of
200 over 5 epochs; and it is not blind: without the health mask it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.privacy import figures, report, study
from tests.host.command_line import run

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.vm]


def test_pseudonyms_do_not_link() -> None:
    done = study.run(study.Settings(nodes=200, epochs=5, seed=1, health_mask=True), lambda *_: None)
    assert done.faults() == []
    found = figures.score(done.best.queries)
    assert found.queries >= 1950
    assert found.factor <= figures.BAR
    assert done.counts["observations"] >= 990
    assert min(done.counts[f"messages of {name}"] for name in ("readings", "location", "device", "events")) > 100
    assert min(done.counts[name] for name in ("boots after the first", "access point outages", "sensor faults")) > 100


def test_without_the_mask_nodes_are_found(tmp_path: Path) -> None:
    ended = run("privacy", "link", "--nodes", "20", "--epochs", "3", "--no-health-mask", "--out", tmp_path)
    assert ended.code == 1
    assert "P6 not shown: linked at" in ended.out
    document = json.loads((tmp_path / report.REPORT).read_text())
    assert document["health_mask"] is False
    assert max(linker["low"] for linker in document["linkers"]) > figures.BAR
