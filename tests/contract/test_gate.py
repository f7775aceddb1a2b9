"""The gate that turns skips into failures, shown on tests written for it: every way a test can be left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.sources import ROOT

SKIP = {
    "test_inside.py": "import pytest\ndef test_it():\n    pytest.skip('reason one')\n",
    "test_marked.py": "import pytest\n@pytest.mark.skipif(True, reason='reason two')\ndef test_it():\n    pass\n",
    "test_plain.py": """
from unittest import TestCase
class It(TestCase):
    def test_it(self):
        self.skipTest('reason three')
""",
    "test_part.py": """
import pytest
def test_it(subtests):
    with subtests.test('part'):
        pytest.skip('reason four')
""",
}
SKIP_MODULE = {"test_module.py": "import pytest\npytest.importorskip('no_such_module', reason='reason five')\n"}
GOOD = {
    "test_known.py": "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it():\n    assert 0\n",
    "test_good.py": "def test_it():\n    pass\n",
}
ABSENT = {
    "conftest.py": "import tests.requirements_gate as gate\ngate.find_program = lambda name: None\n",
    "test_it.py": "import pytest\n@pytest.mark.needs_mosquitto\ndef test_it():\n    pass\n",
}
TIMEOUT_S = 60


def run(folder: Path, required: str | None) -> tuple[int, str]:
    """Exit code and output of the tests in a folder, with the gate in force and PLUMVEIL_REQUIRE set so."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLUMVEIL_", "PYTEST_"))}
    if required is not None:
        environment["PLUMVEIL_REQUIRE"] = required
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = needs_mosquitto: x\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.requirements_gate",
        "-c",
        str(folder / "pytest.ini"),
        "-qrsfE",
    ]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout


def write(folder: Path, tests: dict[str, str]) -> None:
    for name, text in tests.items():
        (folder / name).write_text(text)


def test_without_it_skips_are_skips(tmp_path: Path) -> None:
    write(tmp_path, SKIP | SKIP_MODULE)
    code, output = run(tmp_path, None)
    assert code == 0
    assert "5 skipped" in output


@pytest.mark.parametrize(("tests", "reasons"), [(SKIP, ("one", "two", "three", "four")), (SKIP_MODULE, ("five",))])
def test_with_it_every_skip_fails(tmp_path: Path, tests: dict[str, str], reasons: tuple[str, ...]) -> None:
    write(tmp_path, tests)
    code, output = run(tmp_path, "all")
    assert code != 0
    assert " skipped" not in output.splitlines()[-1]
    for reason in reasons:
        assert f"(PLUMVEIL_REQUIRE=all): reason {reason}" in output.replace("Skipped: ", "")


def test_with_it_a_run_without_skips_passes(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    code, output = run(tmp_path, "all")
    assert code == 0
    assert "1 passed, 1 xfailed" in output


def test_an_absent_program_is_named(tmp_path: Path) -> None:
    write(tmp_path, ABSENT)
    assert "mosquitto is not installed" in run(tmp_path, None)[1]
    assert run(tmp_path, "all")[0] != 0
