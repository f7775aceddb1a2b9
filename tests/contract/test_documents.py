"""Documents say what is: targets and commands exist, links lead somewhere, help texts are the program's own words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.contract.sources import ROOT, project_files, shown

README = ROOT / "README.md"
MAKEFILE = ROOT / "Makefile"
DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]
HELP_COLUMNS = "100"
TIMEOUT_S = 60

TARGET = re.compile(r"^([a-z][a-z-]*):.*?(?:## (.+))?$", re.MULTILINE)
MAKE_CALL = re.compile(r"(?:^|`|`\.ci/run`: )make((?: [A-Z]+=\S+)*)((?: [a-z][a-z-]+)*)", re.MULTILINE)
PLUMVEIL_CALL = re.compile(r"(?:^|`)(?:\.venv/bin/)?plumveil ([a-z][a-z-]*)", re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
HELP_BLOCK = re.compile(r"<!-- help: plumveil ?(?P<command>[a-z ]*?) ?-->\n```text\n(?P<text>.*?)```", re.DOTALL)
CODE_PATH = re.compile(r"`((?:\.ci|boards|docs|firmware|host_tools|benchmarks|requirements|tests)/[\w./-]*)`")


def targets() -> dict[str, str]:
    """{public target: its one line}."""
    return {name: line or "" for name, line in TARGET.findall(MAKEFILE.read_text(encoding="utf-8"))}


@cache
def help_text(command: str) -> str:
    """What `plumveil <command> --help` prints on a terminal of HELP_COLUMNS without colours."""
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'plumveil'; from host_tools.cli import main; main()"]
    plain = {"COLUMNS": HELP_COLUMNS, "TERMINAL_WIDTH": HELP_COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [*program, *command.split(), "--help"],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return tidy(done.stdout)


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def help_faults(text: str) -> list[str]:
    """Commands whose help block in a document is not what the program prints."""
    return [
        f"plumveil {block['command']} --help"
        for block in HELP_BLOCK.finditer(text)
        if tidy(block["text"]) != help_text(block["command"])
    ]


def call_faults(text: str) -> list[str]:
    """Make targets and plumveil commands that a document names and that do not exist."""
    named = [name for match in MAKE_CALL.finditer(text) for name in match[2].split()]
    faults = [f"make {name}" for name in named if name not in targets()]
    listed = help_text("")
    return faults + [
        f"plumveil {name}" for name in PLUMVEIL_CALL.findall(text) if not re.search(rf"\b{name}\b", listed)
    ]


def link_faults(path: Path, text: str) -> list[str]:
    """Links and source paths that lead nowhere."""
    links = [(path.parent / link, link) for link in LINK.findall(text)]
    paths = [(ROOT / name, name) for name in CODE_PATH.findall(text)]
    return [name for target, name in links + paths if not target.exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_what_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert call_faults(text) == []
    assert link_faults(path, text) == []
    assert help_faults(text) == []


def test_the_readme_shows_the_help() -> None:
    assert HELP_BLOCK.search(README.read_text(encoding="utf-8"))


def test_the_readme_explains_every_exit_code() -> None:
    explained = re.findall(r"^\| (\d+) \| \w", README.read_text(encoding="utf-8"), re.MULTILINE)
    for command in ("validate", "simulate"):
        assert re.findall(r"(\d+)\s+\w", help_text(command).partition("Exit codes:")[2]) == explained


def test_make_help_lists_every_public_target() -> None:
    make = shutil.which("make")
    assert make is not None
    listed = {}
    for command in ([make], [make, "help"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        listed = dict(line.strip().removeprefix("make ").split(maxsplit=1) for line in done.stdout.splitlines())
        assert listed == targets()
    assert all(listed.values())
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(listed)


def test_each_rule_finds_what_it_forbids() -> None:
    assert call_faults("run `make nonsense` and `plumveil nonsense`") == ["make nonsense", "plumveil nonsense"]
    assert call_faults("`make PYTHON=python3.12 setup`, `make test`, we make everything") == []
    assert link_faults(README, "[x](docs/none.md), `tests/none.py`, [y](https://example.org)") == [
        "docs/none.md",
        "tests/none.py",
    ]
    assert help_faults("<!-- help: plumveil -->\n```text\nother words\n```") == ["plumveil  --help"]
