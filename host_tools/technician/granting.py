"""The grant that is put in force: from a file, or made here for the node on the line under a delegation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host_tools.consent import delegating, grants
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys.commands import Where, opened
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.technician.node import LiveNode
from plumveil import wire

Choose = Callable[[LiveNode], bytes]


@dataclass(frozen=True)
class Asked:
    """How location is to be switched on: with a grant from a file, or one made here. until_s: Unix s, None: as long
    as the delegation allows."""

    grant: Path | None
    tier: str | None
    reason: str | None
    until_s: int | None
    where: Where


def choice(asked: Asked) -> Choose:
    """What gives the node on the line its grant; all that a person is asked for is asked here, before there is one.

    Errors: UsageError, and as of the keystore and the file of grants; what it returns raises PlumveilError too.
    """
    if (asked.grant is None) == (asked.tier is None):
        raise UsageError("give --grant FILE, or --tier and --reason to make a grant under your delegation")
    return _made(asked) if asked.grant is None else _from_file(asked.grant)


def _from_file(path: Path) -> Choose:
    """The grant in a file, or in the files of a folder, that is for the node. A single one, also one that was cut, is
    the node's to judge and to count."""
    found = _in_folder(path) if path.is_dir() else grants.load(path)

    def choose(node: LiveNode) -> bytes:
        if len(found) == 1:
            return found[0]
        own = grants.of_node(found, node.name())
        if own is None:
            raise PlumveilError(f"none of the {len(found)} grants in {path} is for this node: ask for one")
        return own

    return choose


def _in_folder(folder: Path) -> list[bytes]:
    paths = sorted(folder.glob("*" + grants.SUFFIX))
    if not paths:
        raise UsageError(
            f"there is no file *{grants.SUFFIX} in {folder}: name the file that the controller handed over"
        )
    return [grant for path in paths for grant in grants.load(path)]


def _made(asked: Asked) -> Choose:
    names = [name for name, _ in wire.TIERS]
    if asked.reason is None:
        raise UsageError("--tier needs --reason: it stands in the grant")
    delegating.check_text(asked.reason, "--reason")
    tier, reason = names.index(str(asked.tier)), asked.reason
    store = opened(asked.where)

    def choose(node: LiveNode) -> bytes:
        newest = node.status().serial
        return delegating.delegated(store, _entry(store, node.name()), newest, tier, reason, asked.until_s)

    return choose


def _entry(store: Keystore, name: bytes) -> Entry:
    """The node that grants call so, by the delegations that are held for it."""
    for entry in store.nodes():
        if any(one.node == name for one in entry.delegations):
            return entry
    raise PlumveilError(f"{store.path} holds no delegation for this node: ask the controller for one, or for a grant")
