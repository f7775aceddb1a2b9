"""Lets one planned node live: the compiled firmware in a VM per boot, its flash carried from one to the next, a real
broker on the other side; and keeps what an observer gets to see.

Must never show an observer more than what passes the wire, nor change a byte of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from host_tools.boards import Board
from host_tools.errors import PlumveilError
from host_tools.privacy.fleet import BROWN_OUT, Boot, NodePlan
from host_tools.privacy.tap import Session, session
from host_tools.provision import Network, Provisioned
from host_tools.vm import Vm
from plumveil import wire

SSID = "depot"
KEYS_FILE = f"/flash/{wire.KEYS_PARTITION}"
CARRIED = ("/pv", "/flash")  # folders that outlive a boot
BOOT_TIMEOUT_S = 600.0
YEAR_2000_MS = 946_684_800_000

# Below the firmware: says when bytes pass and names are announced, and gives the clock this node's errors.
_WATCH = """
import json, _vm, machine, network, ntptime, socket, time, world
world.load("/world")
_said_hour = -1
def _say(kind, text=""):
    _vm.progress("%%s %%d %%s" %% (kind, world.current.elapsed_ms, text))
def _watch(owner, name, kind, text):
    whole = getattr(owner, name)
    def call(*args, **named):
        _say(kind, text())
        return whole(*args, **named)
    setattr(owner, name, call)
def _true_ms():
    elapsed_ms = world.current.elapsed_ms
    return %(start_ms)d + elapsed_ms + elapsed_ms * %(drift_ppb)d // 1000000000
_watch(socket.socket, "connect", "open", str)
_watch(socket.socket, "send", "send", str)
_watch(network._Station, "connect", "join", network.hostname)
_ask = ntptime.time
def _ntp():
    _ask()
    _say("ntp")
    return (_true_ms() + %(ntp_error_ms)d) // 1000 - time.EPOCH_2000_S
ntptime.time = _ntp
if %(clock_ms)d:
    time.set_unix_ms(%(clock_ms)d)
_ballast = bytearray(%(ballast_bytes)d)
"""
_TURN = """
_faults = []
_grant = %(grant)r
_step = app.step
def _noted():
    try:
        return _step()
    except Exception as e:
        _faults.append(type(e).__name__)
        raise
app.step = _noted
def _reset():
    raise RuntimeError("the node gave up and reset itself")
def _turn():
    global _grant, _said_hour
    # The VM collects garbage and the host hears of it between calls only; a few turns at a time are faster.
    for _ in range(8):
        if _grant and app.clock.trusted():
            app.desk.apply(_grant)
            _grant = None
        loop.turn(app, _reset)
    if world.current.elapsed_ms // 3600000 != _said_hour:
        _said_hour = world.current.elapsed_ms // 3600000
        _say("hour")
    return True
"""
_HOLD_MAIN = "from plumveil import loop; loop.run = lambda app, reset: loop.forget()"
_LEFT = """
print()
print(json.dumps([_faults, world.current.rtc_memory.hex(), time.time_ns() // 1000000 - _true_ms(), not _grant]))
"""

Progress = Callable[[], None]  # an hour of a node has passed; may raise to stop the run


@dataclass(frozen=True)
class Enrolled:
    """A node's files, and the grant that it is given once it knows the time."""

    files: Provisioned
    grant: bytes = field(repr=False)


@dataclass(frozen=True)
class Trace:
    """What the outside saw of one node: its sessions, the host names it announced and the time servers' askings, with
    true Unix milliseconds."""

    plan: NodePlan
    sessions: tuple[Session, ...]
    host_names: tuple[tuple[int, str], ...]
    asked_time_ms: tuple[int, ...]


@dataclass(frozen=True)
class _Mark:
    """Something the stand-ins said: what, when (ms after the boot), and how many pieces had passed sockets before."""

    kind: str
    elapsed_ms: int
    text: str
    passed: int


@dataclass
class _Carried:
    """What one boot leaves to the next: files, the grant that was not given yet, RTC memory (hex), clock's error in
    ms."""

    files: dict[str, bytes]
    grant: bytes | None
    rtc_memory: str = ""
    clock_error_ms: int = 0


def live(plan: NodePlan, board: Board, node: Enrolled, network: Network, seed: int, progress: Progress) -> Trace:
    """Runs a node from its first boot to its end. Errors: PlumveilError when the firmware stops or a step fails."""
    files = {KEYS_FILE: node.files.slot_bytes, wire.FILE_CONFIG: node.files.config_bytes}
    carried = _Carried(files, node.grant)
    sessions: list[Session] = []
    host_names: list[tuple[int, str]] = []
    asked_time_ms: list[int] = []
    for number, boot in enumerate(plan.boots):
        seen = _boot(plan, boot, board, network, f"{seed}/{plan.name}/{number}", carried, progress)
        sessions += seen.sessions
        host_names += seen.host_names
        asked_time_ms += seen.asked_time_ms
    return Trace(plan, tuple(sessions), tuple(host_names), tuple(asked_time_ms))


def _boot(
    plan: NodePlan, boot: Boot, board: Board, network: Network, seed: str, carried: _Carried, progress: Progress
) -> Trace:
    marks: list[_Mark] = []

    def said(text: str) -> None:
        kind, elapsed_ms, rest = text.split(" ", 2)
        marks.append(_Mark(kind, int(elapsed_ms), rest, len(vm.traffic)))
        if kind == "hour":
            progress()

    allow = [(network.host, network.port)]
    with Vm(heap_kib=plan.heap_kib, allow=allow, on_progress=said, seed=seed) as vm:
        for path, data in (carried.files | _world(plan, boot, board, carried)).items():
            vm.put(path, data)
        powered_on = boot.cause == BROWN_OUT
        numbers = {
            "start_ms": boot.start_ms,
            "drift_ppb": plan.drift_ppb,
            "ntp_error_ms": boot.ntp_error_ms,
            "clock_ms": 0 if powered_on else boot.start_ms + carried.clock_error_ms,
            "ballast_bytes": plan.ballast_bytes,
        }
        turn = _TURN % {"grant": carried.grant}
        for code in (_WATCH % numbers, _source(vm, "boot.py"), _HOLD_MAIN, _source(vm, "main.py"), turn):
            _run(vm, plan.name, code)
        ended = vm.loop("_turn", timeout_s=BOOT_TIMEOUT_S)
        # The world's end, where the power goes, is the only way out.
        if not ended.exited:
            raise PlumveilError(_failure(plan.name, ended.error))
        told = json.loads(_run(vm, plan.name, _LEFT).strip().splitlines()[-1])
        faults, carried.rtc_memory, error_ms, granted = told
        carried.grant = None if granted else carried.grant
        carried.clock_error_ms = error_ms + YEAR_2000_MS
        carried.files = {path: data for folder in CARRIED for path, data in vm.tree(folder).items()}
        if faults:
            raise PlumveilError(
                f"{plan.name}: {len(faults)} steps of its schedule failed, the first with {faults[0]}"
            )
        return _seen(plan, boot, marks, [piece.data if piece.direction == "out" else b"" for piece in vm.traffic])


def _world(plan: NodePlan, boot: Boot, board: Board, carried: _Carried) -> dict[str, bytes]:
    start_s = boot.start_ms // 1000
    nmea = plan.around.nmea.window(start_s, boot.end_s) if plan.around.nmea else None
    files = replace(plan.around, start_s=start_s, end_s=boot.end_s, nmea=nmea).files(board)
    spec = json.loads(files["world.json"]) | {
        "end_unix_s": boot.end_s,
        "reset_cause": boot.cause,
        "rtc_memory": "" if boot.cause == BROWN_OUT else carried.rtc_memory,
        "network": {
            "ssid": SSID,
            "rssi_dbm": boot.rssi_dbm,
            "outages": [
                [max(0, from_s - start_s), to_s - start_s] for from_s, to_s in plan.outages if to_s > start_s
            ],
        },
    }
    files["world.json"] = json.dumps(spec).encode()
    return {f"/world/{name}": data for name, data in files.items()}


def _seen(plan: NodePlan, boot: Boot, marks: list[_Mark], pieces: list[bytes]) -> Trace:
    def true_ms(elapsed_ms: int) -> int:
        return boot.start_ms + elapsed_ms + elapsed_ms * plan.drift_ppb // 10**9

    connections: list[list[tuple[int, bytes]]] = []
    ends = [mark.passed for mark in marks[1:]] + [len(pieces)]
    for mark, end in zip(marks, ends, strict=True):
        if mark.kind == "open":
            connections.append([])
        elif mark.kind == "send":
            connections[-1] += [(true_ms(mark.elapsed_ms), piece) for piece in pieces[mark.passed : end] if piece]
    found = (session(connection) for connection in connections)
    return Trace(
        plan,
        tuple(one for one in found if one is not None),
        tuple((true_ms(mark.elapsed_ms), mark.text) for mark in marks if mark.kind == "join"),
        tuple(true_ms(mark.elapsed_ms) for mark in marks if mark.kind == "ntp"),
    )


def _source(vm: Vm, name: str) -> str:
    data = vm.get(f"/lib/{name}")
    if data is None:
        raise PlumveilError(f"the firmware has no {name}")
    return data.decode()


def _run(vm: Vm, name: str, code: str) -> str:
    result = vm.run(code)
    if not result.ok:
        raise PlumveilError(_failure(name, result.error))
    return result.output


def _failure(name: str, traceback: str) -> str:
    last = (traceback.strip().splitlines() or ["without a word"])[-1]
    return f"{name}: the firmware stopped: {last}"
