"""Puts what a node's own code needs on CPython's path, so that tests/firmware runs here as plain unittest.

Must never let a stand-in take the place of one of CPython's own modules: what is named like one (time, socket, ssl,
unittest) stands in folders that are not on the path, or behind everything else.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIRST = ("firmware", "host_tools/standins", "tests/firmware")
LAST = ("tests/fakes",)

pytest_plugins = ("tests.requirements_gate",)

sys.path[:0] = [str(ROOT / folder) for folder in FIRST]
sys.path.extend(str(ROOT / folder) for folder in LAST)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """A job in the background of a script has Ctrl-C switched off, and would hand that on to what tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def wire_format() -> Iterator[None]:
    """No test leaves a name of wire changed: what the same process compiles afterwards would have it."""
    from plumveil import wire

    before = dict(vars(wire))
    yield
    left = {name for name, value in vars(wire).items() if before.get(name) is not value}
    vars(wire).update(before)
    assert not left
