"""Keys and first configuration of the node on the line, from node.toml and the keystore. What is there stays: keys go
only with --rekey, a configuration only by `plumveil configure`.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cbor2

from host_tools.configure import compiling, onnode, record, settling
from host_tools.configure.nodetoml import NodeToml
from host_tools.configure.rules import NODE_FILES
from host_tools.errors import PlumveilError, UsageError
from host_tools.flashing.node import Node, proves
from host_tools.keys import enrol
from host_tools.keys.commands import Where, opened
from host_tools.keys.delivery import OverLine
from host_tools.keys.entries import Entry
from host_tools.keys.faults import Busy
from host_tools.keys.keystore import Keystore
from host_tools.node_link import NodeLink, NodeRefused
from plumveil import wire

BUSY_TIMEOUT_S = 120.0  # others flash with the same keystore at the same time
BUSY_PAUSE_S = 0.2
NUMBERS_MAX = 100_000
NOTE = "; node.toml says other things than the configuration, and `plumveil configure` brings them there"


@dataclass(frozen=True)
class Wanted:
    """What the node is to be. numbered: its name gets the first number that is free; rekey: other keys, if it has
    some."""

    node: NodeToml
    where: Where
    numbered: bool
    rekey: bool


@dataclass(frozen=True)
class Came:
    """What came of it, in words. did: empty when nothing had to be done; note: what is to be known then."""

    did: str
    note: str = ""


def provision(node: Node, wanted: Wanted) -> Came:
    """Gives the node what it lacks; it has to be the node that node.toml is for.

    Errors: PlumveilError; of a node that says nothing the keys are kept.
    """
    link, names = node.link, node.names()
    others = {path: file for path in NODE_FILES if (file := onnode.read_file(link, path)) is not None}
    # Before anything is given to a node that breaks a rule.
    compiling.compile_node(wanted.node, 1, node_files=others)
    done = []
    with _store(wanted) as store:
        unique_id = link.unique_id()
        if wanted.rekey or not names["pseudonyms"]:
            entry = _keys(store, link, wanted, unique_id, names)
            done.append("keys")
        else:
            entry = record.find(store, _anyone(wanted), unique_id)
        challenge = secrets.token_bytes(wire.KEY_BYTES)
        names = node.names(challenge)
        _check_key(names, challenge, entry)
        entry = _bound(store, entry, unique_id)
        # A rekey brings the configuration there is under the new key, if it can.
        if not names["configuration"]:
            _configure(store, link, wanted.node, entry, others)
            done.append("configuration")
        differs = not done and _differs(link, wanted.node, entry)
        name = entry.name
    return Came(f"{' and '.join(done)} of {name}" if done else "", NOTE if differs else "")


def _bound(store: Keystore, entry: Entry, unique_id: bytes) -> Entry:
    """The entry with its board: of a node made as an image that is known once it is on a line, and no other board may
    then be that node."""
    if entry.board_hash is not None:
        return entry
    bound = dataclasses.replace(entry, board_hash=enrol.board_hash(store, unique_id))
    store.put(bound)
    store.save()
    return bound


def _differs(link: NodeLink, node: NodeToml, entry: Entry) -> bool:
    """Whether node.toml says other things than the node's configuration, its version aside."""
    data = onnode.read_file(link, wire.FILE_CONFIG)
    there = None if data is None else compiling.unseal(data, entry.k_config)
    widened = None if there is None else there[wire.C_POLICY].get(wire.P_WIDENED)
    aside = {wire.C_VERSION, wire.C_FROM_S}
    wanted: dict[int, Any] = cbor2.loads(compiling.compile_node(node, 1, widened).map_bytes)
    return there is None or any(there.get(key) != wanted.get(key) for key in {*there, *wanted} - aside)


def check(wanted: Wanted) -> None:
    """Looks at all that `provision` needs of this side: what node.toml says, and that the keystore opens and is its
    tenant's. Errors: PlumveilError, UsageError."""
    compiling.compile_node(wanted.node, 1)
    with _store(wanted):
        pass


def lacking(node: Node, wanted: Wanted) -> bool:
    """Whether `provision` has something to do."""
    try:
        return _lacks(node.names(), wanted)
    except NodeRefused:
        # No Plumveil on it yet.
        return True


def _lacks(names: dict[str, Any], wanted: Wanted) -> bool:
    return wanted.rekey or not names["pseudonyms"] or not names["configuration"]


def _check_key(names: dict[str, Any], challenge: bytes, entry: Entry) -> None:
    """PlumveilError when the node has other keys than the keystore: the configuration would not be believed."""
    if entry.k_config is None or not proves(names, challenge, entry.k_config):
        raise PlumveilError(f"the node's keys are not those that {entry.name!r} has here: --rekey gives it others")


def _keys(store: Keystore, link: NodeLink, wanted: Wanted, unique_id: bytes, names: dict[str, Any]) -> Entry:
    """Draws and delivers keys. Where the node has none, none are overwritten: those of a board that the keystore
    knows were lost on the way, or erased with it, and it gets others under its name."""
    known = store.find_board(enrol.board_hash(store, unique_id))
    # What was cut while it was written has sealed nothing: there never was a configuration to do so by.
    fresh = known is not None and known.config_version == 0
    torn = fresh and onnode.read_file(link, wire.FILE_CONFIG) is None
    if names["damaged"] and not wanted.rekey and not torn:
        raise PlumveilError("the node's keys are damaged, and stay as they are: --rekey gives it others")
    if known is not None:
        # It is who node.toml says.
        named = record.find(store, _anyone(wanted), unique_id)
        return enrol.rekey(store, named.name, unique_id, OverLine(link))
    if names["pseudonyms"]:
        raise PlumveilError(
            f"{store.path} does not know this board, so its keys are somebody else's: `make erase` takes them away"
        )
    node = wanted.node.node
    if node.name is None:
        raise UsageError(f'{wanted.node.path} gives the node no name: write `name = "..."` under [node]')
    name = _numbered(store, node.name) if wanted.numbered else node.name
    return enrol.enrol(store, name, node.board, wanted.node.policy.profile, unique_id, OverLine(link))


def _anyone(wanted: Wanted) -> NodeToml:
    """node.toml; without its name where that is one for many nodes."""
    node = wanted.node
    return node.model_copy(update={"node": node.node.model_copy(update={"name": None})}) if wanted.numbered else node


def _numbered(store: Keystore, name: str) -> str:
    for n in range(1, NUMBERS_MAX):
        if store.find(f"{name}-{n}") is None:
            return f"{name}-{n}"
    raise PlumveilError(f"there are {NUMBERS_MAX} nodes named {name!r} already: use another name")


def _configure(store: Keystore, link: NodeLink, node: NodeToml, entry: Entry, others: dict[str, bytes]) -> None:
    version = record.next_version(entry, 0)
    compiled, entry, _ = settling.settle(store, entry, node, version, node_files=others)
    record.remember(store, entry, version, compiled.policy)
    if entry.k_config is None:
        raise PlumveilError(f"{entry.name!r} has no key for its configuration here")
    link.write_config(compiling.seal(compiled, entry.k_config))


@contextmanager
def _store(wanted: Wanted) -> Iterator[Keystore]:
    ends_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            store = opened(wanted.where, write=True)
            break
        except Busy:
            if time.monotonic() > ends_s:
                raise
            time.sleep(BUSY_PAUSE_S)
    with store:
        if wanted.node.service.tenant != store.tenant:
            raise UsageError(f"node.toml is of another tenant than {store.path}: service.tenant has to be the same")
        yield store
