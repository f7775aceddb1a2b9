"""What `plumveil flash`, `erase`, `monitor` and `shell` do: find the port, do it, print. Returns exit codes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from host_tools import boards, ports
from host_tools.boards import Board
from host_tools.configure import compiling, nodetoml
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import UsageError
from host_tools.flashing import engine, esptool, receipt
from host_tools.flashing.provisioning import Wanted
from host_tools.flashing.show import Bars, Lines
from host_tools.flashing.task import Task
from host_tools.keys.commands import Where
from host_tools.ports import Port
from host_tools.transports import Tool

DONE, FAILED = 0, 1


@dataclass(frozen=True)
class Request:
    """What was typed."""

    board: str | None
    port: str | None
    micropython: str | None
    node: Path | None
    tool: Tool
    rekey: bool
    numbered: bool
    receipt: Path | None
    where: Where


def flash(request: Request) -> int:
    """Flashes one board, or with --port all every one."""
    node = None if request.node is None else nodetoml.load(request.node)
    if node is not None:
        # Its faults are told before anything is done.
        compiling.compile_node(node, 1)
    _check_receipt(request)
    found = ports.choose(request.port)
    if request.port == "all":
        from host_tools.flashing import rack

        return rack.flash(request, node, found)
    port = found[0]
    if request.rekey and node is None:
        raise UsageError("--rekey needs to know which node it is: give its node.toml, --node FILE")
    task = Task(
        port=port.device,
        board=_board(request, node, port),
        tool=request.tool,
        micropython=request.micropython,
        wanted=None if node is None else Wanted(node, request.where, request.numbered, request.rekey),
        is_virtual=port.board is not None,
        rekey=request.rekey,
    )
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(Bars()) if sys.stderr.isatty() else Lines()
        made = engine.flash(task, show)
    path = request.receipt or receipt.default_path(port.device)
    made.save(path)
    print("\n".join(made.lines()))
    print(f"receipt        {path}")
    return DONE


def _check_receipt(request: Request) -> None:
    """UsageError when there is no place for the receipt: it would be lost once all is done."""
    path = request.receipt
    if path is None:
        return
    folder = path if request.port == "all" else path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the receipt {path}: {error.strerror}") from None
    if request.port != "all" and path.is_dir():
        raise UsageError(f"cannot write the receipt {path}: it is a folder")


def _board(request: Request, node: NodeToml | None, port: Port) -> Board | None:
    named = None if node is None else node.node.board
    if request.board is not None and named not in (None, request.board):
        raise UsageError(f"--board {request.board}, but {request.node} is for {named}: leave one out")
    name = request.board or named or port.board
    return None if name is None else boards.load(name)


def erase(port: str | None, *, yes: bool) -> int:
    """Erases a board's whole flash, after a question."""
    device = ports.one(port).device
    if not yes:
        print(
            f'This erases all of the board at {device}, keys too; what it sealed opens as before. Type "erase": ',
            end="",
            file=sys.stderr,
            flush=True,
        )
        if sys.stdin.readline().strip() != "erase":
            print("plumveil: that was not it; nothing was erased", file=sys.stderr)
            return FAILED
    with Console(stderr=True).status("erasing"):
        esptool.erase(device)
    print(f"{device}: erased. `make flash FIRMWARE=...` brings it back.")
    return DONE


def shell(port: str | None) -> int:
    """mpremote's prompt on a node, which stops it; it starts again when the prompt is left."""
    if not sys.stdin.isatty():
        raise UsageError("a prompt needs a terminal to type at; for a program there is `mpremote exec`")
    device = ports.one(port).device
    mpremote = [sys.executable, "-m", "mpremote", "connect", device]
    code = subprocess.call([*mpremote, "repl"])
    # Whoever stopped the node starts it.
    subprocess.run([*mpremote, "reset"], capture_output=True, timeout=30, check=False)
    return DONE if code == 0 else FAILED
