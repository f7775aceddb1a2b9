"""Judges what a node said of itself: MicroPython, firmware against this checkout, disk, clock, keys, ways in.

Pure judgement over a NodeState; talks to nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from host_tools import image
from host_tools.configure.rules import NODE_FILES
from host_tools.doctor.findings import Finding, State
from host_tools.doctor.probe import NOT_TESTED, NodeState
from plumveil import wire

MICROPYTHON = "1.28.0"  # what the firmware is tested on; every board file says the same
ROOM_MIN_BYTES = 64 * 1024  # beside a new version: the queue, and LittleFS's own needs
CLOCK_OFF_MAX_S = 120
CLOCK_UNSET_BEFORE_S = 1735689600  # 2025-01-01: no node left the factory before
CLOCK_JUMP_S = wire.EPOCH_S
FLASH = "run `plumveil flash`"
WEBREPL_CONFIG = NODE_FILES[0]
TITLES = {"clock": "clock ticks"}
# (test, what it said; "" for anything) -> state, what it means, what to do
FAILED = {
    ("known answers", ""): (
        State.BAD,
        "its cryptography goes wrong: the node does not seal and does not start",
        FLASH,
    ),
    ("keys", NOT_TESTED): (
        State.WARN,
        "the node cannot seal, so it does not start",
        "run `plumveil flash --node NODE.toml`",
    ),
    ("keys", ""): (State.BAD, "the node cannot seal, so it does not start", "run `plumveil keys rekey`"),
    ("configuration", NOT_TESTED): (State.WARN, "the node does not start", "run `plumveil configure NODE.toml`"),
    ("configuration", ""): (
        State.BAD,
        "it is not authentic, older than one that ran, or damaged: the node does not start",
        "run `plumveil configure NODE.toml`",
    ),
    ("clock", ""): (State.BAD, "nothing happens when it is due", "the board is damaged: replace it"),
    ("sensors", ""): (
        State.BAD,
        "the node does not start",
        "give node.toml the right board and sensors, and configure",
    ),
}
SENSOR = (
    State.BAD,
    "its readings are missing",
    "check its wiring against `plumveil boards NAME`; without it, leave it out of node.toml's sensors",
)


def judge(node: NodeState, firmware: Mapping[str, bytes], now_s: int) -> list[Finding]:
    """All findings about a node. firmware: this checkout's, compiled; now_s: this machine's clock, Unix s."""
    return [
        micropython(node),
        version(node, firmware),
        *trial(node),
        disk(node, firmware),
        clock(node, now_s),
        *key_area(node),
        *tests(node),
        *ways_in(node, firmware),
    ]


def micropython(node: NodeState) -> Finding:
    """The release the node runs."""
    if node.release == MICROPYTHON:
        return _ok("MicroPython", node.release)
    means = f"Plumveil was tested with {MICROPYTHON}"
    advice = f"write {MICROPYTHON} to the board: `plumveil flash --firmware FILE`"
    return _finding("MicroPython", State.WARN, node.release, means, advice)


def version(node: NodeState, firmware: Mapping[str, bytes]) -> Finding:
    """The firmware in force, file by file against this checkout's."""
    if not node.slot and node.area is not None:
        means = "which version it is cannot be told: it is frozen into MicroPython, or lies in /lib"
        return _finding("firmware", State.WARN, "in no slot", means, FLASH)
    if not node.slot:
        return _finding("firmware", State.BAD, "none in force", "the board has no Plumveil to run", FLASH)
    folder = f"{wire.FOLDER_SLOT}{node.slot}/"
    wanted, there = (
        {path: digest for path, digest in digests.items() if path.startswith(folder)}
        for digests in (_digests(firmware, node.slot), node.hashes)
    )
    missing = sorted(wanted.keys() - there.keys())
    other = sorted(path for path in wanted.keys() & there.keys() if wanted[path] != there[path])
    extra = sorted(there.keys() - wanted.keys())
    if not (missing or other or extra):
        return _ok("firmware", f"{len(wanted)} files in slot {node.slot}, all as in this checkout")
    counts = [
        f"{len(paths)} {what}"
        for paths, what in ((other, "differ"), (missing, "missing"), (extra, "not ours"))
        if paths
    ]
    found = f"slot {node.slot}: {', '.join(counts)}, such as {(other + missing + extra)[0]}"
    if missing:
        return _finding("firmware", State.BAD, found, "the node may not start", FLASH)
    return _finding(
        "firmware", State.WARN, found, "it runs another version than this checkout, or a changed one", FLASH
    )


def trial(node: NodeState) -> list[Finding]:
    """A new version that has not proved itself yet."""
    if not node.trial:
        return []
    found = f"slot {node.trial[:1]}, {node.trial[1:] or 'no'} starts left"
    means = "a new version is on trial; after its last start without one good step the one before it comes back"
    return [_finding("trial", State.WARN, found, means, "let the node run, or flash it again")]


def disk(node: NodeState, firmware: Mapping[str, bytes]) -> Finding:
    """Room for a new version beside the one in force, and for what waits to be sent."""
    needed = sum(map(len, firmware.values())) + ROOM_MIN_BYTES
    found = f"{node.free_bytes // 1024} KiB of {node.size_bytes // 1024} KiB free"
    if node.free_bytes >= needed:
        return _ok("disk", found)
    means = "a new version does not fit beside the old one, and readings are dropped and counted"
    return _finding(
        "disk", State.BAD, found, means, "let the node reach its broker, and remove files that are not its own"
    )


def clock(node: NodeState, now_s: int) -> Finding:
    """The node's clock against this machine's."""
    if node.unix_s < CLOCK_UNSET_BEFORE_S:
        means = "nothing is dated before the node has asked for the time; readings wait until then"
        return _finding("clock", State.WARN, "not set", means, "it is set at the first connection: let the node run")
    ahead_s = node.unix_s - now_s
    if abs(ahead_s) <= CLOCK_OFF_MAX_S:
        return _ok("clock", "within two minutes of this machine's")
    found = f"{abs(ahead_s)} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if ahead_s > CLOCK_JUMP_S:
        means = "a node whose clock runs a day ahead burns its epochs' keys and cannot go back"
        return _finding(
            "clock", State.BAD, found, means, "check this machine's clock, then let the node reach a time server"
        )
    return _finding(
        "clock", State.WARN, found, "readings are dated wrong by as much", "let the node reach a time server"
    )


def key_area(node: NodeState) -> list[Finding]:
    """Whether keys lie where they can be erased."""
    if node.area is None:
        return []  # without firmware there is no telling, and that is said already
    blocks, raw = node.area
    if raw:
        return [_ok("key partition", f"{blocks} blocks")]
    means = "spent keys stay on the disk until it needs their place: the past is not sealed"
    advice = "write MicroPython anew with `plumveil flash --firmware FILE`, which makes the partition"
    return [_finding("key partition", State.WARN, "none: keys lie in files", means, advice)]


def tests(node: NodeState) -> list[Finding]:
    """Known answers, keys, configuration, clock and sensors, as the node itself tried them."""
    return [_tested(test, told) for test, told in sorted(node.tests.items())]


def _tested(test: str, told: str) -> Finding:
    if not told:
        return _ok(TITLES.get(test, test), "passed")
    state, means, advice = FAILED.get((test, told), FAILED.get((test, ""), SENSOR))
    return _finding(TITLES.get(test, test), state, "none" if told == NOT_TESTED else told, means, advice)


def ways_in(node: NodeState, firmware: Mapping[str, bytes]) -> list[Finding]:
    """What gives a prompt: over the network, and at the port."""
    found = []
    if WEBREPL_CONFIG in node.hashes:
        means = "a password stands between the network and everything on the node"
        found.append(
            _finding("WebREPL", State.BAD, "set up", means, "run `mpremote rm :webrepl_cfg.py`, then flash the node")
        )
    else:
        found.append(_ok("WebREPL", "off"))
    ours = _digests(firmware, node.slot or wire.SLOTS[0])
    changed = [path for path in NODE_FILES[1:] if node.hashes.get(path) != ours.get(path)]
    if changed and node.slot:
        means = "what they do at a start is not known: they may open a way in"
        found.append(_finding("start files", State.WARN, f"not ours: {' '.join(changed)}", means, FLASH))
    means = "whoever has the port has a prompt on the node, with its keys in reach; stock MicroPython cannot close it"
    advice = "keep the case shut; retire a node that is lost (`plumveil keys retire`)"
    found.append(_finding("serial prompt", State.WARN, "open", means, advice))
    return found


def _digests(firmware: Mapping[str, bytes], slot: str) -> dict[str, str]:
    files = image.node_files(firmware, slot)
    del files[wire.FILE_SLOT]
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


def _ok(check: str, found: str) -> Finding:
    return Finding("node", check, State.OK, found)


def _finding(check: str, state: State, found: str, means: str, advice: str) -> Finding:
    return Finding("node", check, state, found, means, advice)
