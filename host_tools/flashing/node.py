"""A node whose program is stopped, as flashing sees it: what is on it, and the few things that may be changed.

Every change goes to a slot that is not in force, or takes the place of a small file at once: wherever the line or the
supply goes, the board boots the old version or the new one.
"""

from __future__ import annotations

import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from host_tools.errors import PlumveilError
from host_tools.firmware_source import inlined
from host_tools.node_link import NodeLink, NodeLost
from plumveil import wire

CODE = Path(__file__).resolve().parents[1] / "node_code"
CHUNK_BYTES = 1536
ENOSPC = 28


@dataclass(frozen=True)
class State:
    """release, machine: MicroPython's words; slot: letter in force or ""; trial: letter and starts left, or ""."""

    release: str
    machine: str
    platform: str
    free_bytes: int
    slot: str
    trial: str


class Node:
    """The calls of host_tools/node_code on an open line. Errors of all: PlumveilError."""

    def __init__(self, link: NodeLink) -> None:
        self.link = link
        self._loaded: set[str] = set()

    def restart(self) -> None:
        """Starts MicroPython anew up to its prompt: boot.py chooses the slot."""
        self._loaded.clear()
        self.link.restart()

    def state(self) -> State:
        """What is on the board."""
        return State(**self._call("state", wire.FILE_SLOT, wire.FILE_TRIAL))

    def hashes(self, folders: list[str], files: list[str]) -> dict[str, str]:
        """Path -> SHA-256 in hex of every file under the folders, and of those named."""
        found = self._call("hashes", folders, files)
        return {str(path): str(digest) for path, digest in found.items()}

    def put(self, path: str, data: bytes) -> None:
        """Writes a file of a slot that is not in force."""
        for at in range(0, max(len(data), 1), CHUNK_BYTES):
            self._call("put", path, _base64(data[at : at + CHUNK_BYTES]), at > 0)

    def copy(self, source: str, path: str) -> None:
        """Writes a file of a slot that is not in force, from one that the node has."""
        self._call("copy", source, path)

    def replace(self, path: str, data: bytes) -> None:
        """Puts a small file in the place of another, at once."""
        self._call("replace", path, _base64(data))

    def remove(self, path: str) -> None:
        """Removes a file, if it is there."""
        self._call("remove", path)

    def names(self, challenge: bytes = b"") -> dict[str, Any]:
        """Pseudonyms by stream (hex), epoch, where keys lie (None: nowhere), whether they are damaged, version of the
        configuration (0: not to be believed), whether a grant is kept, and the proof (hex) `proves` looks at."""
        return dict(self._call("names", challenge, code="names"))

    def base(self, application_bytes: int) -> dict[str, Any]:
        """Where the running application lies, its SHA-256 (hex), and [offset, size] of the key partition or None."""
        return dict(self._call("base", application_bytes, wire.KEYS_PARTITION, code="base"))

    def keeps_keys(self) -> bool:
        """Whether there may be keys on the board, whatever its firmware says of them."""
        return bool(self._call("kept", wire.KEYS_PARTITION, wire.FOLDER_KEYS, code="base"))

    def self_test(self) -> dict[str, str]:
        """Test -> "" when it passed, "-" when there was nothing to test, else what is wrong."""
        return {str(name): str(fault) for name, fault in self._call("report", code="self_test").items()}

    def _call(self, function: str, *arguments: object, code: str = "") -> Any:
        sources = ""
        for name in ("tools", code):
            if name and name not in self._loaded:
                # A node's own wire.py lacks the integers.
                sources += inlined((CODE / f"{name}.py").read_text(encoding="utf-8"))
                self._loaded.add(name)
        told = ", ".join([function, *map(repr, arguments)])
        try:
            found = json.loads(self.link.run(f"{sources}\nanswer(guarded({told}))"))
        except ValueError:
            raise NodeLost(f"the node at {self.link.port} gave no answer that makes sense") from None
        if isinstance(found, Mapping) and "errno" in found:
            raise _disk_fault(self.link.port, found["errno"])
        return found


def proves(names: Mapping[str, Any], challenge: bytes, k_config: bytes) -> bool:
    """Whether the node that gave these names for the challenge has this key of its configurations."""
    proof = hmac.digest(k_config, cbor2.dumps(["flash", challenge]), "sha256").hex()
    return hmac.compare_digest(proof, str(names["proof"]))


def _disk_fault(port: str, errno: object) -> PlumveilError:
    if errno == ENOSPC:
        return PlumveilError(
            f"the disk of the node at {port} is full: remove what is not Plumveil's, then flash again"
        )
    return NodeLost(f"the disk of the node at {port} does not do as told (error {errno}): worn, or damaged")


def _base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
