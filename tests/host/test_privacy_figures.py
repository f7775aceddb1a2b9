"""Figures and verdict: intervals as the literature has them, and no good verdict from a blind linker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from host_tools.errors import UsageError
from host_tools.privacy import figures, report
from host_tools.privacy.figures import Study
from host_tools.privacy.linker import Linked, Query, Told


def linked(
    hits: int, queries: int = 2000, candidates: int = 200, gap_days: int = 1, name: str = "logistic"
) -> Linked:
    asked = [Query(gap_days, candidates, float(n < hits), float(n < 3 * hits)) for n in range(queries)]
    return Linked(name, tuple(asked), 0.5)


def study(**changes: object) -> Study:
    good = Study(
        nodes=200,
        epochs=5,
        seed=1,
        health_mask=True,
        counts=dict.fromkeys(
            (
                "observations",
                "sessions",
                "messages",
                "boots after the first",
                "access point outages",
                "sensor faults",
            ),
            7,
        ),
        linked=[linked(11), linked(9, name="nearest"), linked(10, name="trees")],
        features=[Told("session time", 0.7, 0.0), Told("packet id", 0.52, 0.03), Told("device salts", 0.51, 0.0)],
        unmasked=[linked(80)],
        planted=[linked(1995)],
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def test_a_score() -> None:
    found = figures.score(linked(20).queries)
    assert (found.queries, found.hits, found.share) == (2000, 20, 0.01)
    assert found.by_chance == pytest.approx(10)
    assert found.factor == pytest.approx(2.0)
    assert found.top5 == pytest.approx(0.03)


def test_the_interval_is_wilsons() -> None:
    """Wilson's interval of 10 in 100 is 0.0552 to 0.1744 (Newcombe 1998 method 3)."""
    found = figures.score(linked(10, queries=100, candidates=1).queries)
    assert found.low == pytest.approx(0.0552, abs=1e-4)
    assert found.high == pytest.approx(0.1744, abs=1e-4)
    assert figures.score(linked(0).queries).low == pytest.approx(0)


def test_a_good_run() -> None:
    assert study().faults() == []
    assert study().best.name == "logistic"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"linked": [linked(10), linked(21)]}, "linked at 2.1 times chance"),
        ({"linked": [linked(400, gap_days=2)]}, "linked at 40.0 times chance"),
        ({"planted": [linked(1500)]}, "planted"),
        ({"unmasked": [linked(20)]}, "unmasked health"),
    ],
)
def test_what_spoils_a_run(changes: dict[str, object], told: str) -> None:
    (fault,) = study(**changes).faults()
    assert told in fault


def test_neighbouring_epochs_are_judged_by_themselves() -> None:
    far = linked(0, queries=1600, gap_days=2).queries
    near = linked(15, queries=400).queries
    mixed = Linked("logistic", far + near, 0.5)
    assert figures.score(mixed.queries).factor < figures.BAR
    (fault,) = study(linked=[mixed]).faults()
    assert "follow one another" in fault


def test_without_the_mask_there_is_no_control_of_it() -> None:
    assert study(health_mask=False, unmasked=[]).faults() == []


def test_the_table_and_the_file_say_the_same(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    report.prepare(out)
    bad = study(linked=[linked(30), linked(1, name="trees")])
    document = json.loads(report.write(bad, out).read_text())
    assert document["kept"] is False
    assert document["faults"] == bad.faults()
    assert document["linkers"][0]["factor"] == 3.0
    assert document["linkers"][0]["by_days_between"]["1"]["hits"] == 30
    assert document["controls"]["constant in client id"][0]["share"] == pytest.approx(0.9975)
    console = Console(record=True, width=80, highlight=False)
    report.show(bad, console)
    shown = console.export_text()
    assert "P6 not shown: linked at 3.0 times chance" in shown
    assert "0.700   0.000  session time" in shown
    assert "0.520   0.030  packet id" in shown
    assert "device salts" not in shown
    assert "…" not in shown
    good = Console(record=True, width=80)
    report.show(study(features=[]), good)
    text = good.export_text()
    assert "P6 kept" in text
    assert "nothing beyond noise" in text


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        report.prepare(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot write to"):
        report.write(study(), tmp_path / "absent")
