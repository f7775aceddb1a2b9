"""Rules every source file keeps: sizes, an opening line, the firmware's ban on floats and asserts, words that must
not stand anywhere. Each rule is also shown to find what it forbids.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.contract.sources import PACKAGE, ROOT, project_files, python_files, shown

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
CODE_SUFFIXES = {".py", ".mjs", ".js"}
TEXT_SUFFIXES = CODE_SUFFIXES | {".md", ".toml", ".txt", ".json", ".j2", ".yaml", ".yml", ".ini", ".cddl", ".csv", ""}

# MicroPython on the board has none of these.
ABSENT_MODULES = {
    "typing",
    "dataclasses",
    "enum",
    "abc",
    "hmac",
    "pathlib",
    "contextlib",
    "logging",
    "decimal",
    "fractions",
}
BANNED_IN_FIRMWARE = {"float", "print", "input", "eval", "exec", "__import__", "globals"}
# What names the hardware: read by the host at enrolment, never by the node (P1, P6).
HARDWARE_NAMES = {"unique_id", "mac", "bssid"}

# Put together here, so that this file does not find itself.
_WORDS = {
    "a promise nobody can keep": rf"(?i:(?<!allow[-_])(?<!\w)a{'nonym'}(?:ous|i[sz]|ity)(?!AuthPlugin)\w*)",
    "the same in other words": rf"(?i:\bde-?{'identif'}\w*)",
    "an unfinished mark": rf"\b(?:TO{'DO'}|FIX{'ME'}|XX{'X'}|HA{'CK'}|Not{'Implemented'}Error)\b",
    "a place left to be filled": r"@@[A-Z]+@" + "@",
    "a test that cannot fail": rf"\bassert {'True'}\b",
    "a path of one machine": r"(?:^|[^\w./-])/(?:ro" + r"ot|ho" + r"me|wo" + r"rk|fa" + r"rm|Us" + r"ers)/\w",
    "a package registry": r"(?:registry\.np" + r"mjs|pypi\.or" + r"g|pythonho" + r"sted)",
}
FORBIDDEN_WORDS = {why: re.compile(pattern, re.MULTILINE) for why, pattern in _WORDS.items()}

CODE = [path for path in project_files() if path.suffix in CODE_SUFFIXES]
TEXT = [path for path in project_files() if path.suffix in TEXT_SUFFIXES]
FIRMWARE_CODE = python_files(PACKAGE)


def size_faults(text: str) -> list[str]:
    lines = text.count("\n")
    return [f"{lines} lines"] if lines > FILE_LINES_MAX else []


def function_faults(tree: ast.AST) -> list[str]:
    return [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]


def opening_faults(text: str) -> list[str]:
    """A module says at its top what it does: a comment or a docstring."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#!")]
    opens = not lines or lines[0].startswith(("#", '"""', "//", "/*"))
    return [] if opens else ["opens without a word on what it does"]


def firmware_faults(tree: ast.AST) -> list[str]:
    """Single floats are off by 128 s on a Unix time: none. Asserts vanish, prints leak, absent modules fail."""
    faults = []
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            faults.append(f"{line}: float")
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            faults.append(f"{line}: true division")
        elif isinstance(node, ast.Assert):
            faults.append(f"{line}: assert")
        elif isinstance(node, ast.Attribute) and node.attr in HARDWARE_NAMES:
            faults.append(f"{line}: {node.attr}")
        elif isinstance(node, ast.Constant) and node.value in HARDWARE_NAMES:
            faults.append(f"{line}: {node.value}")
        elif isinstance(node, ast.Name) and node.id in BANNED_IN_FIRMWARE:
            faults.append(f"{line}: {node.id}")
        elif isinstance(node, ast.Import):
            faults += [f"{line}: {alias.name}" for alias in node.names if alias.name in ABSENT_MODULES | {"math"}]
        elif isinstance(node, ast.ImportFrom) and node.module in ABSENT_MODULES | {"math"}:
            faults.append(f"{line}: {node.module}")
    return faults


def message_faults(tree: ast.AST) -> list[str]:
    """An exception's text is fixed words and perhaps a name: formatting is how a reading gets into a message."""
    faults = []
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Raise)):
        for part in ast.walk(node):
            formats = isinstance(part, ast.JoinedStr) or (
                isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod)
            )
            formats = formats or (isinstance(part, ast.Attribute) and part.attr in ("format", "hex"))
            formats = formats or (isinstance(part, ast.Name) and part.id in ("str", "repr", "hexlify"))
            if formats:
                faults.append(f"{node.lineno}: formatted message")
    return faults


def word_faults(text: str) -> list[str]:
    return [
        f"{text.count(chr(10), 0, hit.start()) + 1}: {hit.group().strip()} ({why})"
        for why, pattern in FORBIDDEN_WORDS.items()
        for hit in pattern.finditer(text)
    ]


def found(paths: Iterable[Path], rule: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """{file: faults} of the files a rule finds fault with."""
    faults = {shown(path): rule(path.read_text(encoding="utf-8", errors="replace")) for path in paths}
    return {name: those for name, those in faults.items() if those}


def parsed(rule: Callable[[ast.AST], list[str]]) -> Callable[[str], list[str]]:
    return lambda text: rule(ast.parse(text))


def test_files_are_short() -> None:
    assert found(CODE, size_faults) == {}


def test_functions_are_short() -> None:
    assert found(python_files(), parsed(function_faults)) == {}


def test_modules_open_with_what_they_do() -> None:
    assert found(CODE, opening_faults) == {}


def test_firmware_has_no_floats_asserts_or_prints() -> None:
    assert found(FIRMWARE_CODE, parsed(firmware_faults)) == {}


def test_firmware_messages_carry_no_value() -> None:
    assert found(FIRMWARE_CODE, parsed(message_faults)) == {}


def test_words_that_must_not_stand_anywhere() -> None:
    assert found(TEXT, word_faults) == {}


def test_the_rules_look_at_something() -> None:
    assert len(FIRMWARE_CODE) > 20
    assert {ROOT / "README.md", ROOT / ".ci" / "run", ROOT / "Makefile"} <= set(TEXT)


BROKEN = (
    (size_faults, "x\n" * 301, "301 lines"),
    (opening_faults, "import os\n", "opens without a word on what it does"),
    (parsed(function_faults), "def f():\n" + "    x()\n" * 40, "f has 41 lines"),
    (parsed(firmware_faults), "x = 0.5", "1: float"),
    (parsed(firmware_faults), "x /= 2", "1: true division"),
    (parsed(firmware_faults), "assert x", "1: assert"),
    (parsed(firmware_faults), "machine.unique_id()", "1: unique_id"),
    (parsed(firmware_faults), "wlan.config('mac')", "1: mac"),
    (parsed(firmware_faults), "print(x)", "1: print"),
    (parsed(firmware_faults), "from typing import Any", "1: typing"),
    (parsed(firmware_faults), "import math", "1: math"),
    (parsed(message_faults), "raise Malformed(f'{lat}')", "1: formatted message"),
    (parsed(message_faults), "raise Malformed('%d' % lat)", "1: formatted message"),
    (word_faults, "fine\nthese data are a" + "nonymous", "2: a" + "nonymous (a promise nobody can keep)"),
    (word_faults, "now De" + "-identified", "1: De" + "-identified (the same in other words)"),
    (word_faults, "# TO" + "DO later", "1: TO" + "DO (an unfinished mark)"),
    (word_faults, "see /ro" + "ot/x", "1: /ro" + "ot/x (a path of one machine)"),
)


@pytest.mark.parametrize(("rule", "source", "fault"), BROKEN)
def test_each_rule_finds_what_it_forbids(rule: Callable[[str], list[str]], source: str, fault: str) -> None:
    assert rule(source) == [fault]
