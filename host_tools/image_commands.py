"""What `plumveil image` does: reads what goes into the image, has it built, writes it and says how it is flashed.

Keys are drawn by the keystore's enrolment and stand in it before the file does. The file is its owner's alone. Must
never print a key, nor write over a file that holds one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host_tools import boards, firmware_build, image
from host_tools.boards import Board
from host_tools.configure import compiling, nodetoml, record, settling
from host_tools.configure.compiling import Compiled
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import UsageError
from host_tools.flashing import base
from host_tools.flashing.base import Base
from host_tools.image import Image
from host_tools.keys import enrol, files
from host_tools.keys.commands import Where, opened
from host_tools.keys.enrol import Handover
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import OUTBOX, Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from plumveil import wire

WHAT = "image"
FIRST_VERSION = 1
DONE = 0


@dataclass(frozen=True)
class Task:
    """What was asked for. board: None for the one node.toml names; micropython: as flashing.base.read
    takes it."""

    board: str | None
    node: Path | None
    micropython: str | None
    out: Path
    rekey: bool


def make(task: Task, where: Where) -> int:
    """Writes the image and prints how to flash it. Errors: UsageError, PlumveilError of whatever goes into it."""
    node = None if task.node is None else nodetoml.load(task.node)
    if task.out.exists():
        # It may hold a node's keys, whatever is asked for now.
        raise UsageError(f"{task.out} is there already; name another file")
    board = _board(task, node)
    micropython = _micropython(task.micropython, board)
    disk = image.node_files(firmware_build.compile_firmware())
    if node is None:
        if task.rekey:
            raise UsageError("--rekey is for an image with a node's keys: give --node node.toml too")
        made = image.build(board, micropython, disk, None)
        files.write_private(task.out, made.data, WHAT, fresh=True)
        _tell(board, micropython, task.out, made)
        return DONE
    # Tried without keys first: whatever is wrong with it is said before there is a node with keys.
    image.build(board, micropython, disk, None)
    compiling.compile_node(node, FIRST_VERSION)
    deliver = _IntoImage(task.out, board, micropython, disk)
    with opened(where, write=True) as store:
        _enrol(store, node, deliver, rekey=task.rekey)
    _tell(board, micropython, task.out, deliver.made)
    return DONE


class _IntoImage:
    """Delivers a node's keys: into an image, together with the configuration in `compiled`."""

    def __init__(self, out: Path, board: Board, micropython: Base, disk: dict[str, bytes]) -> None:
        self._out = out
        self._board = board
        self._micropython = micropython
        self._disk = disk
        self.compiled: Compiled
        self.made: Image

    def __call__(self, handover: Handover) -> None:
        """Raises UsageError when the file cannot be written, or is there already."""
        config = compiling.seal(self.compiled, handover.k_config)
        disk = self._disk | {wire.FILE_CONFIG: config}
        self.made = image.build(self._board, self._micropython, disk, handover.slot_bytes)
        files.write_private(self._out, self.made.data, WHAT, fresh=True)


def _enrol(store: Keystore, node: NodeToml, deliver: _IntoImage, *, rekey: bool) -> None:
    name = node.node.name
    if name is None:
        raise UsageError(f'{node.path} gives the node no name: write `name = "..."` under [node]')
    if node.service.tenant != store.tenant:
        raise UsageError(f"{node.path} is of another tenant than {store.path}: service.tenant has to be the same")
    if rekey:
        entry = _rekeyed(store, name, node, deliver)
        print(f"{name} has new keys; what it sealed with the old ones still opens.")
    else:
        deliver.compiled = compiling.compile_node(node, FIRST_VERSION)
        entry = enrol.enrol(store, name, node.node.board, node.policy.profile, None, deliver)
        print(f"{name} is enrolled.")
    entry = record.with_policy(store, entry, deliver.compiled)
    record.remember(store, entry, deliver.compiled.version, deliver.compiled.policy)
    if store.role == TECHNICIAN:
        print(f"Its keys wait in {store.beside(OUTBOX)}: the controller runs `plumveil keys import` on that file.")


def _rekeyed(store: Keystore, name: str, node: NodeToml, deliver: _IntoImage) -> Entry:
    entry = store.get(name)
    if entry.board != node.node.board:
        raise UsageError(f"{name!r} is enrolled on {entry.board}, not on {node.node.board}: give it another name")
    # Asked first: once it has other keys, it is too late to say no.
    deliver.compiled = settling.settle(store, entry, node, record.next_version(entry, 0)).compiled
    # A controller's node is known by no board then, until one is on the line; a technician cannot say so.
    return enrol.rekey(store, name, None, deliver, new_board=store.role == CONTROLLER)


def _board(task: Task, node: NodeToml | None) -> Board:
    named = None if node is None else node.node.board
    if task.board is None and named is None:
        raise UsageError(f"which board? Give --board: {', '.join(boards.names())}")
    if task.board is not None and named not in (None, task.board):
        raise UsageError(f"--board {task.board}, but {task.node} is for {named}: leave one out")
    return boards.load(task.board or named or "")


def _micropython(given: str | None, board: Board) -> Base:
    if given is None and board.chip == "virtual":
        given = base.STANDIN
    if given is None:
        raise UsageError(
            f"give --micropython FILE: the .bin of release {board.micropython.version} from micropython.org/download/"
            f"{board.micropython.board}; or `--micropython {base.STANDIN}` for a virtual board"
        )
    return base.read(given, board)


def _tell(board: Board, micropython: Base, out: Path, made: Image) -> None:
    python = micropython.version
    print(f"{out}: {len(made.data):,} bytes for {board.name}, MicroPython {python}, {made.files} files.")
    if made.has_keys:
        print("It holds the node's keys and its network's password: flash one board with it, then delete it.")
    else:
        print("It holds no keys: it is the same for every board; enrol and configure each one afterwards.")
    if micropython.virtual:
        print("It is for virtual boards alone.")
    elif not python.removeprefix("v").startswith(board.micropython.version):
        print(f"Note: boards/{board.name} is meant for MicroPython {board.micropython.version}.")
    print("Flash it with:")
    print(f"  python -m esptool --chip {board.silicon} --port PORT write-flash 0x{made.offset_bytes:x} {out}")
    size = board.flash.size_bytes // 0x100000
    print(f"It is for a flash of {size} MiB, neither more nor less, and replaces all that is on it, keys too.")
