"""`plumveil privacy attack` as a user types it: options, exit codes, reports without a place in them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.privacy.attack import command, generator, report, study, thresholds
from host_tools.privacy.attack.figures import Figure, count, share
from host_tools.privacy.attack.study import Progress, Row, Settings, Study
from host_tools.privacy.attack.traces import Scene
from tests.host.command_line import run

FIGURES: tuple[Figure, ...] = (
    count("averaging", "values told", [1.0, 1.0]),
    share("home", "within 100 m", 3, 80),
    Figure("utility", "error", 390.0, 380.0, 400.0, 50, "m"),
)
Calls = list[tuple[list[Scene], list[str], list[str], Settings]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What runs are asked for; seed 9 gives a node that tells a parked place twice."""
    found: Calls = []

    def ran(scenes: list[Scene], tiers: list[str], modes: list[str], settings: Settings, progress: Progress) -> Study:
        found.append((scenes, list(tiers), list(modes), settings))
        progress("area", 0.5)
        figures = FIGURES if settings.seed != 9 else (count("averaging", "values told", [1.0, 2.0]), *FIGURES[1:])
        return Study(
            settings, (("invented", 3),), (Row("area (cells)", "cells.area", figures), Row("raw", "", figures))
        )

    monkeypatch.setattr(study, "run", ran)
    bounds = {"cells.area": {"averaging.values told": {"max": 1.0}}}
    monkeypatch.setattr(thresholds, "load", lambda: bounds)
    return found


def test_a_run_that_holds_its_thresholds(asked: Calls, tmp_path: Path) -> None:
    ended = run("privacy", "attack", "--quick", "--out", tmp_path / "new")
    assert (ended.code, ended.err) == (0, "")
    assert "thresholds held" in ended.out
    assert "4% 1-10" in ended.out
    (scenes, tiers, modes, settings) = asked[0]
    assert [len(scene.traces) for scene in scenes] == [command.QUICK_FLEET]
    assert tiers == ["region", "district", "area", "street"]
    assert modes == ["cells", "scatter"]
    assert settings == study.QUICK
    told = json.loads((tmp_path / "new" / report.JSON).read_text("utf-8"))
    assert told["held"] is True
    assert told["mechanisms"][0]["figures"][1] == {
        "key": "home.within 100 m", "unit": "share", "n": 80, "value": 0.0375, "low": 0.0128, "high": 0.1045,
    }  # fmt: skip


def test_the_page_stands_alone_and_shows_an_invented_day(asked: Calls, tmp_path: Path) -> None:
    run("privacy", "attack", "--quick", "--out", tmp_path)
    page = (tmp_path / report.HTML).read_text("utf-8")
    assert page.count("<svg") == 4
    assert "area (cells)" in page
    assert not any(word in page for word in ("<script", "<link", "src=", 'href="http'))
    # Neither the places that were attacked nor those of the invented day are written out.
    home = generator.FRAME.degrees(generator.FRAME.metres(generator.fleet(1, 2, 1).traces[0].due(300).degrees))[0]
    assert not any(f"{part:.4f}" in page for part in home)


def test_a_threshold_missed_ends_with_1(asked: Calls, tmp_path: Path) -> None:
    ended = run("privacy", "attack", "--quick", "--seed", "9", "--out", tmp_path)
    assert ended.code == 1
    assert "missed: cells.area: averaging.values told is 2" in ended.out
    assert "Thresholds missed" in (tmp_path / report.HTML).read_text("utf-8")


def test_options_arrive(asked: Calls, tmp_path: Path) -> None:
    run(
        "privacy", "attack", "--tier", "area", "--tier", "street", "--mode", "cells", "--no-peers", "--seed", "4",
        "--out", tmp_path,
    )  # fmt: skip
    assert asked[0][1:] == (["area", "street"], ["cells"], replace(Settings(), seed=4, peers=False))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--traces", "/proc/none"], "cannot read /proc/none"),
        (["--tier", "house"], "--tier"),
        (["--mode", "none"], "--mode"),
        (["--seed", "-1"], "--seed"),
        (["--out", "/proc/nowhere"], "cannot write to /proc/nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_runs(asked: Calls, arguments: list[str], told: str) -> None:
    ended = run("privacy", "attack", *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert asked == []
