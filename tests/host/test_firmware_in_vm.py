"""Runs every tests/firmware/test_*.py in the MicroPython VM, over the firmware as mpy-cross compiled it.

A unittest test that the VM did not run fails here, as does a file without any.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import pytest

from host_tools import firmware_source
from host_tools.firmware_build import compile_source
from host_tools.firmware_source import FIRMWARE, beside, path_of, short_names
from host_tools.vm import Vm

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE_TESTS = ROOT / "tests" / "firmware"
SHARED = ROOT.parent / "shared" / "data"
TIMEOUT_S = 300.0

# One test per call of turn(): between the calls the VM collects its garbage.
DRIVER = """
import sys
sys.path += ["/tests/fakes", "/tests/firmware"]
import io, json, unittest
import %s as module

waiting = unittest.tests_of(module)[::-1]

def turn():
    if not waiting:
        return False
    case, method = waiting.pop()
    outcome, why = unittest.run_test(module, case, method)
    if outcome == "failed":
        text = io.StringIO()
        sys.print_exception(why, text)
        why = text.getvalue()
    print("\\n@" + json.dumps([case + "." + method, outcome, why]))
    return True
"""


def expected(path: Path) -> set[str]:
    """Names of a file's tests, read from its text."""
    cases = [node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef)]
    return {
        f"{case.name}.{method.name}"
        for case in cases
        for method in case.body
        if isinstance(method, ast.FunctionDef) and method.name.startswith("test")
    }


def put_tests(vm: Vm) -> None:
    for folder in ("tests/fakes", "tests/vectors"):
        for path in sorted((ROOT / folder).glob("*.*")):
            vm.put(f"/{folder}/{path.name}", path.read_bytes())
    for path in sorted(FIRMWARE_TESTS.glob("*.py")):
        vm.put(f"/tests/firmware/{path.name}", in_short_names(path))
    # The tests name its integers, which the firmware has in it as numbers.
    for name in map(path_of, firmware_source.SHARED):
        vm.put(f"/lib/{name.removesuffix('.py')}.mpy", compile_source((FIRMWARE / name).read_bytes(), name))


@cache
def in_short_names(path: Path) -> bytes:
    """A test as it can run over the compiled firmware."""
    return beside(path.read_text(encoding="utf-8")).encode()


def put_shared(vm: Vm) -> None:
    """The recorded data, where the checkout stands beside them."""
    for path in sorted(SHARED.rglob("*")):
        if path.is_file():
            vm.put(f"/shared/data/{path.relative_to(SHARED).as_posix()}", path.read_bytes())


def run_file(path: Path) -> dict[str, tuple[str, str]]:
    """Runs one file's tests in a VM of its own -> test name: (outcome, why)."""
    with Vm(timeout_s=TIMEOUT_S) as vm:
        put_tests(vm)
        if "shared(" in path.read_text(encoding="utf-8"):
            put_shared(vm)
        loaded = vm.run(DRIVER % path.stem)
        assert loaded.ok, loaded.error
        done = vm.loop("turn")
        assert done.ok, done.output + done.error
    lines = [line[1:] for line in done.output.splitlines() if line.startswith("@")]
    spelt_out = short_names().spelt_out
    return {spelt_out(name): (outcome, spelt_out(why or "")) for name, outcome, why in map(json.loads, lines)}


@pytest.mark.vm
@pytest.mark.parametrize("path", sorted(FIRMWARE_TESTS.glob("test_*.py")), ids=lambda path: path.stem)
def test_firmware_file(path: Path, subtests: pytest.Subtests) -> None:
    results = run_file(path)
    assert set(results) == expected(path)
    assert results
    for name, (outcome, why) in sorted(results.items()):
        with subtests.test(name):
            if outcome == "skipped":
                pytest.skip(why)
            assert outcome == "passed", why
