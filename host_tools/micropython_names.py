"""Writes micropython_names.txt, names that none of ours may be taken for: `python -m host_tools.micropython_names`.

They are those of the board's type stubs in build/stubs (`make setup`). The list is kept, so that firmware compiles
to the same bytes where there are no stubs. Must never leave out a name that the firmware could meet.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from host_tools.short_names import MICROPYTHON
from host_tools.source_edits import identifiers

STUBS = Path(__file__).resolve().parents[1] / "build" / "stubs"
LINE = 118


def names(stubs: Path = STUBS) -> set[str]:
    """The names in a folder of stubs. Left out: private ones; errors, since ours keep their names anyway."""
    found: set[str] = set()
    for path in stubs.rglob("*.pyi"):
        found |= identifiers(ast.parse(path.read_text(encoding="utf-8")))
    return {name for name in found if name.isidentifier() and not name.startswith("_") and not name.endswith("Error")}


def text(found: set[str]) -> str:
    """The list as it is kept."""
    return textwrap.fill(" ".join(sorted(found)), LINE, break_long_words=False, break_on_hyphens=False) + "\n"


if __name__ == "__main__":
    MICROPYTHON.write_text(text(names()), encoding="ascii")
