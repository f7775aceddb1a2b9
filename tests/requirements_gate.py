"""Which programs a test needs on the machine, and what a run must not leave out.

A test marked `needs_<program>` is skipped where the program is absent. With PLUMVEIL_REQUIRE=all, as in CI, every
skip, whatever its reason, is a failure: a green run then has run everything.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator

import pytest

PROGRAMS = {"needs_mosquitto": "mosquitto", "needs_postgres": "postgres"}
DAEMON_FOLDERS = ("/usr/sbin", "/usr/local/sbin")


def find_program(name: str) -> str | None:
    """Path of a program on PATH or where distributions keep daemons; None when absent."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *DAEMON_FOLDERS]))


def nothing_may_be_skipped() -> bool:
    return os.environ.get("PLUMVEIL_REQUIRE") == "all"


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, program in PROGRAMS.items():
        if item.get_closest_marker(marker) and find_program(program) is None:
            pytest.skip(f"{program} is not installed")


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and nothing_may_be_skipped():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in this run (PLUMVEIL_REQUIRE=all): {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report
