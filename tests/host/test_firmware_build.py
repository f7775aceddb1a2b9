"""Compiling the firmware: what a node gets, for which machine, and what a mistake in it looks like."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from host_tools import firmware_build
from host_tools.errors import PlumveilError
from host_tools.firmware_build import FIRMWARE, compile_firmware, compile_source
from host_tools.vm import Vm
from plumveil import wire


def test_a_node_gets_bytecode_for_a_32_bit_board(tmp_path: Path) -> None:
    files = compile_firmware(tmp_path)
    assert {name for name in files if not name.endswith(".mpy")} == {"boot.py", "main.py"}
    assert {name.removesuffix(".mpy").removesuffix(".py") for name in files} == {
        path.relative_to(FIRMWARE).as_posix().removesuffix(".py") for path in FIRMWARE.rglob("*.py")
    }
    for name, content in files.items():
        assert (tmp_path / name).read_bytes() == content
        if name.endswith(".mpy"):
            # "M", version 6, no native code, bits of a small int.
            assert content[:4] == b"M\x06\x00\x1f"


def test_wire_constants_are_written_in_and_nothing_else_changes() -> None:
    source = (
        "from plumveil import wire\nx = {wire.READINGS: wire.EPOCH_S}  # wire.K_*\ny = wire.FIELDS, wire.P_LIMITSX\n"
    )
    assert firmware_build.inlined(source) == (
        "from plumveil import wire\nx = {0: 86400}  # wire.K_*\ny = wire.FIELDS, wire.P_LIMITSX\n"
    )


def test_the_node_has_every_wire_name_its_modules_still_ask_for() -> None:
    files = compile_firmware()
    with Vm(standins=False) as vm:
        for path in sorted((FIRMWARE / "plumveil").rglob("*.py")):
            if path.name != "wire.py":
                for name in re.findall(r"\bwire\.([A-Z0-9_]+)\b(?!\*)", firmware_build.inlined(path.read_text())):
                    result = vm.run(f"from plumveil import wire; print(repr(wire.{name}))")
                    assert ast.literal_eval(result.output) == getattr(wire, name), (path, name)
    whole = compile_source((FIRMWARE / firmware_build.WIRE).read_bytes(), firmware_build.WIRE)
    assert len(files["plumveil/wire.mpy"]) < len(whole)


def test_the_same_source_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_build, "CACHE", tmp_path)
    first = compile_source(b"x = 1\n", "a.py")
    monkeypatch.setattr(firmware_build, "_compile", None)
    assert compile_source(b"x = 1\n", "a.py") == first
    with pytest.raises(TypeError):
        compile_source(b"x = 2\n", "a.py")


def test_the_build_machine_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_build, "CACHE", tmp_path)
    compiled = compile_source(b"def f():\n    raise ValueError\n", "plumveil/x.py")
    assert b"plumveil/x.py" in compiled
    assert str(tmp_path).encode() not in compiled


def test_a_mistake_names_the_module_and_the_line() -> None:
    with pytest.raises(PlumveilError) as caught:
        compile_source(b"a = 1\ndef f(:\n", "plumveil/x.py")
    assert 'File "plumveil/x.py", line 2' in str(caught.value)
    assert str(firmware_build.ROOT) not in str(caught.value)
