"""Plumveil's own files on a node: which differ, the new version put beside the one in force, and the switch.

The switch is one small file that takes the place of another; until then nothing that the node boots is touched but
boot.py and main.py, which are the same for all versions and are replaced whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from host_tools.errors import PlumveilError
from host_tools.firmware_source import KEPT_AS_SOURCE
from host_tools.flashing.node import Node, State
from host_tools.flashing.show import Percent
from plumveil import wire

Kind = TypeVar("Kind")
BLOCK_BYTES = 4096  # of the disk
ROOM_BYTES = 32 * 1024  # of the disk, beside the new version: LittleFS's own blocks and the queue


@dataclass(frozen=True)
class Look:
    """What a node has, against what it is to have. target: the slot that is or shall be in force; is_new: it has to
    be filled; on_trial: it is there, whole, and not confirmed yet; differing: root files to be replaced."""

    target: str
    is_new: bool
    on_trial: bool
    differing: tuple[str, ...]
    there: Mapping[str, str] = field(repr=False)


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> SHA-256 in hex."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def look(node: Node, state: State, files: Mapping[str, bytes], roots: Mapping[str, bytes]) -> Look:
    """Compares by SHA-256, which the node works out itself. roots: path -> content of what no slot holds."""
    there = node.hashes([_folder(slot) for slot in wire.SLOTS], list(roots))
    wanted = digests(files)
    differing = tuple(path for path, digest in digests(roots).items() if there.get(path) != digest)
    whole = [slot for slot in wire.SLOTS if _of_slot(there, slot) == _package(wanted)]
    trial = state.trial[:1]
    if trial in whole and state.trial[1:] > "0":
        return Look(trial, False, True, differing, there)
    if state.slot in whole:
        return Look(state.slot, False, False, differing, there)
    target = next(slot for slot in wire.SLOTS if slot != state.slot)
    return Look(target, target not in whole, False, differing, there)


def stage(node: Node, state: State, seen: Look, files: Mapping[str, bytes], percent: Percent) -> int:
    """Fills the target slot -> bytes that went over the line. Errors: PlumveilError, also when the disk has no
    room."""
    package = _package(files)
    wanted, folder = digests(package), _folder(seen.target)
    # Each file takes whole blocks; one that is there already in any form has some.
    needed_bytes = ROOM_BYTES + sum(
        -(-len(data) // BLOCK_BYTES) * BLOCK_BYTES
        for name, data in package.items()
        if f"{folder}/{name}" not in seen.there
    )
    if state.free_bytes < needed_bytes:
        raise PlumveilError(
            f"the disk of the node at {node.link.port} has {state.free_bytes // 1024} KiB free, and"
            f" {needed_bytes // 1024} are needed: remove what is not Plumveil's, or `make erase`"
        )
    # From here on what stands in the slot is no version.
    node.remove(wire.FILE_TRIAL)
    for path in seen.there:
        if path.startswith(folder + "/") and path.removeprefix(folder + "/") not in package:
            node.remove(path)
    missing = [name for name in package if seen.there.get(f"{folder}/{name}") != wanted[name]]
    sources = {digest: path for path, digest in seen.there.items() if not path.startswith(folder + "/")}
    over_line = [name for name in missing if wanted[name] not in sources]
    total_bytes, sent_bytes = sum(len(package[name]) for name in over_line) or 1, 0
    for name in missing:
        if name in over_line:
            node.put(f"{folder}/{name}", package[name])
            sent_bytes += len(package[name])
            percent(sent_bytes * 100 // total_bytes)
        else:
            node.copy(sources[wanted[name]], f"{folder}/{name}")
    return sent_bytes


def verify(node: Node, slot: str, files: Mapping[str, bytes]) -> None:
    """PlumveilError when a slot does not hold these files and no others, by the node's own SHA-256."""
    if _of_slot(node.hashes([_folder(slot)], []), slot) != _package(digests(files)):
        raise PlumveilError(
            f"what the node at {node.link.port} reads back is not what was written: flash it again, and replace the"
            " board if that does not help"
        )


def switch(node: Node, state: State, seen: Look, roots: Mapping[str, bytes]) -> None:
    """Makes the target slot the one that boots next: on trial where there is a version to go back to."""
    for path in seen.differing:
        node.replace(path, roots[path])
    if seen.on_trial:
        return
    if seen.target == state.slot:
        # What is on trial beside it is another version, which nobody wants any more.
        if state.trial:
            node.remove(wire.FILE_TRIAL)
    elif state.slot:
        node.replace(wire.FILE_TRIAL, f"{seen.target}{wire.TRIAL_STARTS}".encode())
    else:
        node.replace(wire.FILE_SLOT, seen.target.encode())


def confirm(node: Node, seen: Look, state: State) -> None:
    """Makes the version on trial the one in force. In this order: a cut between the two leaves it on trial."""
    if state.slot != seen.target:
        node.replace(wire.FILE_SLOT, seen.target.encode())
    node.remove(wire.FILE_TRIAL)


def take_back(node: Node) -> None:
    """Has the version before boot again."""
    node.remove(wire.FILE_TRIAL)


def _folder(slot: str) -> str:
    return wire.FOLDER_SLOT + slot


def _of_slot(there: Mapping[str, str], slot: str) -> dict[str, str]:
    folder = _folder(slot) + "/"
    return {path.removeprefix(folder): digest for path, digest in there.items() if path.startswith(folder)}


def _package(files: Mapping[str, Kind]) -> dict[str, Kind]:
    return {name: content for name, content in files.items() if name not in KEPT_AS_SOURCE}
