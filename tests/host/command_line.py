"""Runs the command line for tests: inside this process, or as a process of its own where that is what matters."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from host_tools import cli, registry
from plumveil import wire
from tests.host import messages
from tests.host.messages import sealed

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.fromtimestamp(messages.NOW_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
SOUND = [sealed(stream) for stream in messages.STREAMS]
# An authentic message with a value off its limits.
OFF_LIMITS = sealed(wire.DEVICE, messages.device(health={wire.F_UPTIME: 25}), counter=9)
COMMANDS = ("decode", "validate")
PROGRAM = (sys.executable, "-m", "host_tools.cli")


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def surroundings(**more: str) -> dict[str, str]:
    """The environment, without a key file of the machine's own."""
    own = {key: value for key, value in os.environ.items() if key != registry.KEYS_VARIABLE}
    return own | {"PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}", "COLUMNS": "100", **more}


def run_process(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Ended:
    """Runs the command line in a process of its own; whatever happens, a traceback is never the answer."""
    command = [*PROGRAM, *map(str, arguments)]
    own = surroundings(**environment)
    done = subprocess.run(command, input=stdin, capture_output=True, env=own, timeout=180, check=False)
    out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    assert "Traceback" not in out + err
    return Ended(done.returncode, out, err)


def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> Ended:
    """Runs the command line's entry point here; anything but an exit is a traceback to the user and fails a test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv = ["plumveil", *map(str, arguments)]
    with (
        mock.patch.dict(os.environ, surroundings(**environment), clear=True),
        mock.patch.multiple(sys, argv=argv, stdin=io.TextIOWrapper(io.BytesIO(stdin)), stdout=out, stderr=err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]
    assert isinstance(code, int)
    return Ended(code, *texts)


def as_json(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, dict[str, Any]]:
    """(exit code, the JSON document) of a command that has nothing to complain of but messages."""
    ended = run(*arguments, "--json", "--now", NOW, stdin=stdin)
    assert ended.err == ""
    document: dict[str, Any] = json.loads(ended.out)
    return ended.code, document


def put(folder: Path, **files: bytes) -> Path:
    """Writes NAME.cbor files; returns the folder."""
    for name, data in files.items():
        (folder / f"{name}.cbor").write_bytes(data)
    return folder


def home_in(folder: Path) -> Path:
    """A folder for messages, the key file in the folder above."""
    registry.save(messages.REGISTRY, folder / registry.KEY_FILE)
    home = folder / "messages"
    home.mkdir()
    return home
