"""The project's own files, and small questions about a parsed Python source. Reads text, imports nothing of it."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
PACKAGE = FIRMWARE / "plumveil"
NOT_OURS = {"build", "__pycache__", "node_modules"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the checkout that is ours: no build output, no hidden folder but .ci."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(".egg-info") and (not name.startswith(".") or name == ".ci")
        ]
        found += [Path(folder) / name for name in files if not name.endswith(".pyc")]
    return tuple(sorted(found))


def python_files(*folders: Path) -> list[Path]:
    """Our .py files below the folders, or all of them."""
    below = folders or (ROOT,)
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in below)
    ]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=shown(path))


def module_name(path: Path, root: Path = FIRMWARE) -> str:
    """firmware/plumveil/sense/nmea.py -> plumveil.sense.nmea; a package's __init__.py has the package's name."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def imported_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of every import; `from a import b` gives a.b, relative ones begin with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def run_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that is evaluated when the module is imported: all but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            waiting += [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
            waiting += getattr(node, "decorator_list", [])
        else:
            waiting += ast.iter_child_nodes(node)
