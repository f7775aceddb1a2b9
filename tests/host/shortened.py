"""Short names in tests: the firmware's modules, and the short names of a few lines."""

from __future__ import annotations

import ast

from host_tools.firmware_source import FIRMWARE, SHARED, path_of
from host_tools.short_names import ShortNames

MODULES = {
    path.relative_to(FIRMWARE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((FIRMWARE / "plumveil").rglob("*.py"))
    if path.relative_to(FIRMWARE).as_posix() not in map(path_of, SHARED)
}


def names_of(*sources: str, others: tuple[str, ...] = (), by_name: tuple[str, ...] = ()) -> ShortNames:
    return ShortNames.of(map(ast.parse, sources), others, by_name)
