"""The command line of what writes a document from its source: writes it, or says that it is out of date."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def run(arguments: list[str], module: str, path: Path, text: Callable[[], str], source: str) -> int:
    """Writes text() to path, or with --check compares -> the exit code: 0, 1 out of date, 2 wrong usage.

    module: what was run, as `python -m` has it; source: whose words the document has, for the message.
    """
    if arguments == ["--check"]:
        if path.is_file() and path.read_text("utf-8") == text():
            return 0
        print(f"{path.parent.name}/{path.name} is not what {source}: run `make docs`", file=sys.stderr)
        return 1
    if arguments:
        print(f"usage: python -m {module} [--check]", file=sys.stderr)
        return 2
    path.parent.mkdir(exist_ok=True)
    path.write_text(text(), "utf-8")
    return 0
