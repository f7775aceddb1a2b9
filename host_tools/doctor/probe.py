"""Asks a node what it is and has: one piece of code over the open line, one answer.

Reads alone, its sensors once too: nothing is written, no key, configuration or reading leaves the node, and its
hardware id is not asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.errors import PlumveilError
from host_tools.node_link import NodeLink
from plumveil import wire

NODE_CODE = Path(__file__).resolve().parents[1] / "node_code"
# tools.py looks at files, self_test.py at keys, configuration, sensors; its test of the disk is left out: it writes.
SHARED = ("tools.py", "self_test.py")
_CODE = """
def examined():
    import time
    found = state({slot!r}, {trial!r})
    disk = os.statvfs("/")
    found["size_bytes"] = disk[0] * disk[2]
    starts = ["/" + name for name in os.listdir("/") if name.endswith(".py")]
    found["hashes"] = hashes([{folder!r} + letter for letter in {letters!r}], starts)
    found["unix_s"] = time.time() + ({epoch_2000_s} if time.gmtime(0)[0] == 2000 else 0)
    found["tests"] = tests = {{"clock": clock(time)}}
    found["area"] = None
    try:
        from plumveil import selftest, service
    except ImportError:
        return found
    tests["known answers"] = "" if selftest.run() == 0 else "cryptography"
    area = service.open_vault().area
    found["area"] = [area.blocks, bool(area.raw)]
    config = configuration(tests)
    if config:
        sensors(config, tests)
    return found
answer(guarded(examined))
"""
EPOCH_2000_S = 946684800
NOT_TESTED = "-"  # in self_test.py's answers


@dataclass(frozen=True)
class NodeState:
    """What a node says of itself.

    slot: letter of the firmware in force, "" without one; trial: letter and starts left of a version on trial, or "";
    hashes: absolute path -> SHA-256 in hex; area: (blocks for keys, whether they are flash itself and no files), None
    without firmware; unix_s: its clock; tests: as node_code/self_test.py tells them, test or sensor -> "" when it
    passed, NOT_TESTED, else what is wrong.
    """

    release: str
    platform: str
    free_bytes: int
    size_bytes: int
    slot: str
    trial: str
    hashes: dict[str, str]
    area: tuple[int, bool] | None
    unix_s: int
    tests: dict[str, str]


def ask(link: NodeLink) -> NodeState:
    """Runs the code on the node. Errors: NodeRefused, NodeLost; PlumveilError for an answer that makes no sense."""
    shared = "".join((NODE_CODE / name).read_text(encoding="utf-8") for name in SHARED)
    code = _CODE.format(
        slot=wire.FILE_SLOT,
        trial=wire.FILE_TRIAL,
        letters=wire.SLOTS,
        folder=wire.FOLDER_SLOT,
        epoch_2000_s=EPOCH_2000_S,
    )
    try:
        return _state(json.loads(link.run(shared + code)))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise PlumveilError(f"the node at {link.port} said of itself what makes no sense") from error


def _state(answer: dict[str, Any]) -> NodeState:
    if "errno" in answer:
        raise PlumveilError(f"the node's disk does not read (error {int(answer['errno'])})")
    area = answer["area"]
    return NodeState(
        release=str(answer["release"]),
        platform=str(answer["platform"]),
        free_bytes=int(answer["free_bytes"]),
        size_bytes=int(answer["size_bytes"]),
        slot=str(answer["slot"]),
        trial=str(answer["trial"]),
        hashes={str(path): str(digest) for path, digest in answer["hashes"].items()},
        area=None if area is None else (int(area[0]), bool(area[1])),
        unix_s=int(answer["unix_s"]),
        tests={str(test): str(told) for test, told in answer["tests"].items()},
    )
