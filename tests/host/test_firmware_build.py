"""Compiling the firmware: what a node gets, for which machine, and what a mistake in it looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import firmware_build
from host_tools.errors import PlumveilError
from host_tools.firmware_build import compile_firmware, compile_source
from host_tools.firmware_source import FIRMWARE, ROOT


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
    assert b"\x02x\x00" in compiled
    assert str(tmp_path).encode() not in compiled


def test_a_mistake_names_the_module_and_the_line() -> None:
    with pytest.raises(PlumveilError) as caught:
        compile_source(b"a = 1\ndef f(:\n", "plumveil/x.py")
    assert 'File "plumveil/x.py", line 2' in str(caught.value)
    assert str(ROOT) not in str(caught.value)
