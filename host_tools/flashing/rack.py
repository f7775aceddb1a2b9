"""Every board attached at once: a process each, going on past failures, and a table at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from host_tools.commands import console_for_output
from host_tools.flashing import receipt
from host_tools.flashing.show import Rack
from host_tools.flashing.task import STEPS
from host_tools.keys import passphrase
from host_tools.keys.commands import locate

if TYPE_CHECKING:
    from host_tools.configure.nodetoml import NodeToml
    from host_tools.flashing.commands import Request
    from host_tools.ports import Port

TIMEOUT_S = 1800
AT_ONCE = 16
SHOWN = ("micropython", "copy", "provision")  # steps whose doing the table tells
DONE, FAILED = 0, 1

Told = Callable[[str], None]  # each line that a board's process prints as it goes


@dataclass(frozen=True)
class Outcome:
    """How one board went. error: empty when it went well."""

    port: str
    seconds: float
    did: str
    pseudonym: str
    error: str


def flash(request: Request, node: NodeToml | None, found: list[Port]) -> int:
    """Flashes all of them -> FAILED if one failed. A passphrase is asked for once. Ctrl-C ends them all."""
    environment = dict(os.environ)
    if node is not None and passphrase.VARIABLE not in environment and request.where.passphrase_file is None:
        name = locate(request.where.keystore).name
        environment[passphrase.VARIABLE] = passphrase.get(None, f"Passphrase of {name}")
    processes: list[subprocess.Popen[str]] = []

    def one(port: Port, told: Told) -> Outcome:
        command = [sys.executable, "-m", "host_tools.cli", "flash", "--port", port.device, *_options(request)]
        command += ["--numbered"] if node is not None and len(found) > 1 else []
        return _one(port, command, _receipt(request, port), environment, processes, told)

    with Rack([port.device for port in found], STEPS) as rack, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            outcomes = list(pool.map(lambda port: one(port, rack.teller(port.device)), found))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.send_signal(signal.SIGINT)
            raise
    _show(outcomes)
    return FAILED if any(one.error for one in outcomes) else DONE


def _receipt(request: Request, port: Port) -> Path:
    path = receipt.default_path(port.device)
    return path if request.receipt is None else request.receipt / path.name


def _one(
    port: Port,
    command: list[str],
    path: Path,
    environment: dict[str, str],
    processes: list[subprocess.Popen[str]],
    told: Told,
) -> Outcome:
    """Flashes one board in a process of its own."""
    started_s = time.monotonic()
    last = "ended without a word"
    with subprocess.Popen(
        [*command, "--receipt", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        # Ctrl-C comes from here, once: a second would meet a board that is just let go.
        start_new_session=True,
    ) as process:
        processes.append(process)
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            for line in process.stderr or ():
                last = line.strip() or last
                told(last)
        finally:
            timer.cancel()
    seconds = time.monotonic() - started_s
    if process.returncode != 0:
        return Outcome(port.device, seconds, "", "", last.removeprefix("plumveil: error: "))
    made = json.loads(path.read_text(encoding="utf-8"))
    did = ", ".join(name for name, what in made["steps"].items() if name in SHOWN and "skipped" not in what)
    return Outcome(port.device, seconds, did or "unchanged", made["pseudonyms"].get("readings", "none"), "")


def _options(request: Request) -> list[str]:
    given = {
        "--board": request.board,
        "--firmware": request.micropython,
        "--node": request.node,
        "--tool": request.tool,
        "--keystore": request.where.keystore,
        "--passphrase-file": request.where.passphrase_file,
    }
    options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
    return [*options, *(["--rekey"] if request.rekey else [])]


def _show(outcomes: list[Outcome]) -> None:
    table = Table("port", "result", "s", "what was done", "pseudonym (readings)")
    for one in outcomes:
        result = Text("failed", style="red") if one.error else Text("ok")
        table.add_row(one.port, result, f"{one.seconds:.1f}", Text(one.error or one.did), one.pseudonym)
    console_for_output().print(table)
