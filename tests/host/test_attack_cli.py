"""`plumveil privacy attack` as a user types it: options, exit codes, reports without a place in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import chain, pairwise, product
from pathlib import Path

import numpy as np
import pytest

from host_tools.errors import UsageError
from host_tools.privacy.attack import command, generator, report, study, thresholds
from host_tools.privacy.attack.figures import Figure, share, values
from host_tools.privacy.attack.ours import EVERY_S, Ours
from host_tools.privacy.attack.study import Progress, Row, Settings, Study
from host_tools.privacy.attack.traces import Floats, Scene
from tests.host.command_line import run

FIGURES: tuple[Figure, ...] = (
    values("averaging", "values told", [1.0, 1.0]),
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
        figures = FIGURES if settings.seed != 9 else (values("averaging", "values told", [1.0, 2.0]), *FIGURES[1:])
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


def numbers(text: str) -> list[int]:
    """All numbers of three decimals or more, in thousandths, in their order."""
    return [round(float(found) * 1000) for found in re.findall(r"-?[0-9]+\.[0-9]{3,}", text)]


def told(page: str, points: Floats) -> bool:
    """Whether a text holds one of (n, 2) places in degrees, with three decimals or more: both parts side by side, or
    one of them outside drawings and figures."""
    down, up = np.floor(points * 1000).astype(int), np.ceil(points * 1000).astype(int)
    lats, lons = (np.stack((down[:, axis], up[:, axis]), axis=-1).tolist() for axis in (0, 1))
    pairs = {pair for lat, lon in zip(lats, lons, strict=True) for pair in product(lat, lon)}
    found = numbers(page)
    side_by_side = any((a, b) in pairs or (b, a) in pairs for a, b in pairwise(found))
    alone = numbers(re.sub('<svg.*?</svg>|"(value|low|high)": [^,\n]*', "", page, flags=re.DOTALL))
    return side_by_side or not {*chain(*lats, *lons)}.isdisjoint(alone)


def test_no_place_is_written_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a small run: neither those that were attacked, nor what was told of them, nor the invented day's."""
    few = replace(study.QUICK, places=3, fixes=24, homes=3, days=1, vehicles=4, slots=24)
    monkeypatch.setattr(study, "QUICK", few)
    monkeypatch.setattr(command, "QUICK_FLEET", few.vehicles)
    monkeypatch.setattr(command, "QUICK_DAYS", 1)
    run("privacy", "attack", "--quick", "--tier", "area", "--out", tmp_path)
    page = (tmp_path / report.HTML).read_text("utf-8")
    assert page.count("<svg") == 5
    # The homes are drawn first from their generators, and the invented day's alone from its own.
    rng = np.random.default_rng(few.seed)
    homes = [generator.household(rng, few.days, EVERY_S) for _ in range(few.homes)]
    homes.append(generator.household(np.random.default_rng(report.MAP_SEED), 1, EVERY_S))
    scene = generator.fleet(few.seed, few.vehicles, 1)
    points = [trace.due(1).degrees for trace in scene.traces] + [one.due.degrees for one in homes]
    points += [generator.FRAME.degrees(one.home_m[np.newaxis]) for one in homes]
    points += [said.points for _, said in study.told_of(Ours("area", "cells"), scene, few.seed)]
    for text in (page, (tmp_path / report.JSON).read_text("utf-8")):
        assert len(numbers(text)) > 50
        assert not told(text, np.concatenate(points))
        # The look for them finds one wherever it stood.
        for one in points:
            lat, lon = one[-1]
            assert told(text + f"<p>{lat:.4f}</p>", one)
            assert told(text.replace("</svg>", f'<path d="M{lon} {lat}"/></svg>') + f"{lon:.3f},{lat:.3f}", one)


def test_a_threshold_missed_ends_with_1(asked: Calls, tmp_path: Path) -> None:
    ended = run("privacy", "attack", "--quick", "--seed", "9", "--out", tmp_path)
    assert ended.code == 1
    assert "missed: cells.area: averaging.values told is 1 to 2" in ended.out
    assert "Thresholds missed" in (tmp_path / report.HTML).read_text("utf-8")


def test_what_was_not_measured_is_not_said_to_be_held(
    asked: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "load", lambda: {"cells.area": {"depot.error": {"min": 1.0}}})
    ended = run("privacy", "attack", "--quick", "--out", tmp_path)
    assert ended.code == 0
    assert "not measured: cells.area: depot.error" in ended.out
    assert "thresholds held, but for those not measured" in ended.out
    assert "not measured: cells.area: depot.error" in (tmp_path / report.HTML).read_text("utf-8")


def test_a_run_that_fails_leaves_nothing_behind(
    asked: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / report.JSON).write_text("of last time", "utf-8")

    def failed(*_given: object) -> Study:
        raise UsageError("no")

    monkeypatch.setattr(study, "run", failed)
    assert run("privacy", "attack", "--quick", "--out", tmp_path).code == 2
    assert [(path.name, path.read_text("utf-8")) for path in tmp_path.iterdir()] == [(report.JSON, "of last time")]


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
