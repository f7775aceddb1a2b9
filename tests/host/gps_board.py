"""A node with keys of its own on a virtual board, from its first start on, and what its controller gives it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]

from host_tools import boards, firmware_build, image
from host_tools.firmware_source import beside
from host_tools.flashing import base
from host_tools.live_line import LiveLine
from host_tools.provision import board_numbers
from host_tools.technician.node import LiveNode, Status
from host_tools.transports import Tool
from host_tools.virtual_board.running import RunningBoard, running_board
from plumveil import wire
from tests.host.boardtools import wait_for

START_S = 90.0
GO_ON_S = 0.5
SAMPLE_S = 10
NETWORK = {"ssid": "depot", "key": "correct horse"}
WORLD = {"network": NETWORK, "temperature": 4812, "humidity": 45123, "battery": 3777}
OPEN = "app.pipeline._packer._batch.count"  # readings in the open batch
HEX = "from binascii import hexlify\n"
COUNT_STEPS = """
app.plain_step, app.taken = app.step, 0
def counted(app=app):
    app.taken += 1
    return app.plain_step()
app.step = counted
"""


def policy(**changed: Any) -> dict[int, Any]:
    """The policy's map; changed: by the names of wire.P_*."""
    parts = {**nodefiles.policy_map(), wire.P_SAMPLE_S: SAMPLE_S, wire.P_LIMITS: [-500, 1200, 160]}
    return parts | {getattr(wire, name): value for name, value in changed.items()}


def config(board: str, power: int = wire.POWER_MAINS, **changed: Any) -> dict[int, Any]:
    """A configuration's map for a board, with all its sensors."""
    found = boards.load(board)
    return {
        **nodefiles.config_map(),
        wire.C_POLICY: policy(**changed),
        wire.C_BOARD: board_numbers(found),
        wire.C_SENSORS: list(found.sensors),
        wire.C_POWER: power,
    }


def flash_of(board: str, parts: dict[int, Any], slot: dict[int, Any]) -> bytes:
    """The whole flash of an enrolled node with this configuration; slot: parts of its key slot (wire.S_*)."""
    found = boards.load(board)
    slot = nodefiles.slot_map() | {wire.S_EPOCH0_DAY: int(time.time()) // wire.EPOCH_S} | slot
    disk = image.node_files(firmware_build.compile_firmware())
    disk |= {wire.FILE_CONFIG: nodefiles.config_bytes(parts)}
    built = image.build(found, base.read(base.STANDIN, found), disk, nodefiles.slot_bytes(slot))
    return b"\xff" * built.offset_bytes + built.data


def grant(**changed: Any) -> bytes:
    """A grant of the controller's for the node, from an hour ago for a day; changed: by the names of terms.G_*."""
    now_s = int(time.time())
    times = {"G_STARTS_S": now_s - 3600, "G_EXPIRES_S": now_s + 86400, "G_ISSUED_S": now_s - 60}
    serial = {"G_SERIAL": now_s - 60 - wire.UNIX_MIN_S}
    return bytes(nodefiles.grant_bytes(nodefiles.grant_map(**(times | serial | changed))))


@contextlib.contextmanager
def node(
    folder: Path,
    parts: dict[int, Any] | None = None,
    board: str = "virtual",
    slot: dict[int, Any] | None = None,
    **options: Any,
) -> Iterator[RunningBoard]:
    """The node, once its program runs."""
    state = folder / "board"
    state.mkdir(mode=0o700)
    (state / "flash.bin").write_bytes(flash_of(board, config(board) if parts is None else parts, slot or {}))
    world = {**WORLD, **options.pop("world", {})}
    with running_board(state, board=board, world=world, **options) as one:
        assert wait_for(lambda: b"in force" in one.log.read_bytes(), START_S), one.log.read_bytes()
        yield one


def status(board: RunningBoard, tool: Tool = "mpremote") -> Status:
    """What `plumveil gps status` asks."""
    with LiveLine(board.port, tool) as line:
        return LiveNode(line).status()


def switch_on(board: RunningBoard, **changed: object) -> Status:
    """Puts a grant in force."""
    with LiveLine(board.port) as line:
        return LiveNode(line).apply(grant(**changed))


def within(line: LiveLine, code: str) -> str:
    """What an expression is in the program of the node on an open line; names as they stand in the sources."""
    return line.run(beside(f"{HEX}print('<' + hexlify(str({code}).encode()).decode() + '>')")).decode()


def asked(board: RunningBoard, code: str) -> str:
    """What an expression is in the node's program, which goes on after it."""
    with LiveLine(board.port) as line:
        return within(line, code)


def told(board: RunningBoard, code: str) -> None:
    """Has code run beside the node's program, which goes on after it."""
    with LiveLine(board.port) as line:
        assert line.run(beside(f"{code}\nprint('<01>')")) == b"\x01"


def runs(board: RunningBoard) -> bool:
    """Whether the program takes steps."""
    told(board, COUNT_STEPS)
    time.sleep(GO_ON_S)
    return asked(board, "(app.taken, setattr(app, 'step', app.plain_step))[0]") != "0"


def search_now(board: RunningBoard) -> None:
    """Has the node search for a position, and waits until its receiver has power."""
    assert asked(board, "app._due_s.update(position=0)") == "None"
    assert wait_for(lambda: board.status()["receiver"], 60)
