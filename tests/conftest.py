"""Puts what a node's own code needs on CPython's path, so that tests/firmware runs here as plain unittest.

Must never let a stand-in take the place of one of CPython's own modules: what is named like one (time, socket, ssl,
unittest) stands in folders that are not on the path, or behind everything else.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST = ("firmware", "host_tools/standins", "tests/firmware")
LAST = ("tests/fakes",)

pytest_plugins = ("tests.requirements_gate",)

sys.path[:0] = [str(ROOT / folder) for folder in FIRST]
sys.path.extend(str(ROOT / folder) for folder in LAST)
