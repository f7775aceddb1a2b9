"""`plumveil privacy link` as a user types it: help, wrong usage, exit codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.errors import PlumveilError
from host_tools.privacy import report, study
from host_tools.privacy.figures import Study
from host_tools.privacy.study import Progress, Settings
from tests.host.command_line import run
from tests.host.test_privacy_figures import linked
from tests.host.test_privacy_figures import study as made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What runs are asked for; 30 nodes link, other numbers do not."""
    found: list[Settings] = []

    def ran(settings: Settings, progress: Progress) -> Study:
        found.append(settings)
        if settings.nodes == 40:
            raise PlumveilError("node-3: the firmware stopped: OSError: 5")
        progress("live", 1.0)
        progress("link", 0.5)
        return replace(made(), linked=[linked(30)]) if settings.nodes == 30 else made()

    monkeypatch.setattr(study, "run", ran)
    return found


def test_a_run_within_the_bar(asked: list[Settings], tmp_path: Path) -> None:
    ended = run("privacy", "link", "--out", tmp_path / "new")
    assert ended.code == 0
    assert asked == [Settings(nodes=200, epochs=5, seed=1, health_mask=True)]
    assert "P6 kept" in ended.out
    assert (tmp_path / "new" / report.REPORT).is_file()


def test_options_arrive(asked: list[Settings], tmp_path: Path) -> None:
    run("privacy", "link", "--nodes", "25", "--epochs", "3", "--seed", "9", "--no-health-mask", "--out", tmp_path)
    assert asked == [Settings(nodes=25, epochs=3, seed=9, health_mask=False)]


@pytest.mark.usefixtures("asked")
def test_a_run_beyond_the_bar_ends_with_1(tmp_path: Path) -> None:
    ended = run("privacy", "link", "--nodes", "30", "--out", tmp_path)
    assert ended.code == 1
    assert "P6 not shown" in ended.out
    assert (tmp_path / report.REPORT).is_file()


@pytest.mark.usefixtures("asked")
def test_a_run_that_fails_ends_with_1_and_one_line(tmp_path: Path) -> None:
    ended = run("privacy", "link", "--nodes", "40", "--out", tmp_path)
    assert ended.code == 1
    assert ended.err == "plumveil: error: node-3: the firmware stopped: OSError: 5\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nodes", "5"], "20"),
        (["--epochs", "1"], "2"),
        (["--seed", "-1"], "--seed"),
        (["--bogus"], "no such option"),
        (["--out", "/proc/nowhere"], "cannot write to /proc/nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_runs(asked: list[Settings], arguments: list[str], told: str) -> None:
    ended = run("privacy", "link", *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert asked == []


def test_help() -> None:
    assert "link" in run("privacy", "--help").out
    shown = " ".join(run("privacy", "link", "--help").out.split())
    assert "Exit codes: 0 at most twice chance" in shown
    assert all(option in shown for option in ("--nodes", "--epochs", "--seed", "--health-mask", "--out"))
