"""Writes a run's folder: messages, key file, summary and report. A later run into the same folder replaces what an
earlier one made, by its own list, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from host_tools import registry
from host_tools.errors import PlumveilError, UsageError
from host_tools.simulate.report import render
from host_tools.simulate.results import Outcome
from host_tools.simulate.runner import NodeRun
from host_tools.simulate.summary import registry_of

MADE = ".made-by-simulate.json"
MESSAGES, KEYS, REPORT, SUMMARY = "messages", "keys.json", "report.html", "summary.json"


def check(out: Path) -> None:
    """Sees to it, before anything runs, that the results can be written and overwrite nothing of the user's.

    Errors: UsageError.
    """
    try:
        there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write to {out}: {there} is no folder that can be written to")
        made = set(_made(out))
        present = [name for name in (KEYS, REPORT, SUMMARY) if (out / name).exists()]
        if (out / MESSAGES).is_dir():
            present += sorted(f"{MESSAGES}/{path.name}" for path in (out / MESSAGES).iterdir())
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error
    foreign = [name for name in present if name not in made]
    if foreign:
        raise UsageError(f"{out} holds {foreign[0]}, which is not from an earlier simulation; choose another --out")


def write(out: Path, runs: Sequence[NodeRun], outcome: Outcome) -> None:
    """Writes everything, in place of what an earlier run made. Errors: PlumveilError when it cannot be written; then
    nothing of this run is left."""
    files: dict[str, bytes] = {}
    for run in runs:
        for number, message in enumerate(run.messages, 1):
            files[f"{MESSAGES}/{run.spec.name}-{number:05d}.cbor"] = message.payload
    files[REPORT] = render(outcome).encode()
    files[SUMMARY] = (json.dumps(outcome.summary(), indent=2, ensure_ascii=False) + "\n").encode()
    try:
        (out / MESSAGES).mkdir(parents=True, exist_ok=True)
        earlier = set(_made(out))
        # The list comes first and names old and new: the next run then knows all that a cut one left.
        _replace(out / MADE, json.dumps(sorted({*files, KEYS, MADE} | earlier)).encode())
        for name in earlier - {MADE}:
            (out / name).unlink(missing_ok=True)
        registry.save(registry_of(runs), out / KEYS)
        for name, data in files.items():
            _replace(out / name, data)
        _replace(out / MADE, json.dumps([*files, KEYS, MADE]).encode())
    except (OSError, UsageError) as error:
        for name in (*files, KEYS, MADE):
            with contextlib.suppress(OSError):
                (out / name).unlink()
        why = error.strerror if isinstance(error, OSError) else error
        raise PlumveilError(f"cannot write to {out}: {why}") from error


def _made(out: Path) -> list[str]:
    """Names of what an earlier run made, below `out` only."""
    try:
        names = json.loads((out / MADE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []
    if not isinstance(names, list):
        return []
    allowed = {KEYS, REPORT, SUMMARY, MADE}
    return [
        name
        for name in names
        if name in allowed
        or (isinstance(name, str) and Path(name).parent == Path(MESSAGES) and name.endswith(".cbor"))
    ]


def _replace(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
