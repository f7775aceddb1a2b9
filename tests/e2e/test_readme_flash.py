"""The README's log of `make flash` against a run of it: a blank virtual board becomes a node, and the node runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host_tools.virtual_board.running import running_board
from tests.contract.sources import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.vm]

LOG = re.compile(r"<!-- log: make flash -->\n```text\n(.*?)```", re.DOTALL)
PASSPHRASE = "a passphrase for this test"


def told(text: str) -> list[str]:
    """The log without what differs from run to run: digests, names, sizes, paths."""
    text = re.sub(r"\b[0-9a-f]{16}\b", "<hex>", text)
    text = re.sub(r"\b\d+\.\d KiB", "<size>", text)
    text = re.sub(r"\b\d+ files", "<n> files", text)
    text = re.sub(r"(?m)^(receipt +).*$", r"\1<path>", text)
    return [line.rstrip() for line in text.splitlines()]


def plumveil(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "host_tools.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_log_in_the_readme_is_what_make_flash_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMVEIL_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PLUMVEIL_WIFI_KEY", "a key of this test")
    monkeypatch.setenv("PLUMVEIL_KEYSTORE", str(tmp_path / "acme.keystore"))
    plumveil(tmp_path, "keys", "init", "--tenant", "acme")
    with running_board(tmp_path / "board", blank=True) as board:
        done = subprocess.run(
            ["make", "flash", f"PORT={board.port}", "NODE=docs/node.virtual.toml"],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        found = LOG.search((ROOT / "README.md").read_text(encoding="utf-8"))
        assert found is not None
        assert told(done.stdout) == told(found[1])
        until_s = time.monotonic() + 60
        while b"configuration 1 in force" not in board.log.read_bytes():
            assert time.monotonic() < until_s, board.log.read_text(encoding="utf-8", errors="replace")
            time.sleep(0.2)
    assert "first-node" in plumveil(tmp_path, "keys", "list")
