"""Named groups of nodes, for consents and delegations that are for several at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError
from host_tools.keys import entries, roles
from host_tools.keys.entries import ACTIVE, Entry
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER

GROUP = "group"  # of accesslog_format.ACTIONS


def put(store: Keystore, group: str, names: Sequence[str]) -> None:
    """Makes a group consist of these nodes and no others, in a keystore open for writing; of none: there is no such
    group any more. PlumveilError when a node is not there, UsageError when a group cannot be called so."""
    store.require("group nodes", CONTROLLER)
    roles.require_lasting(store, "group nodes")
    entries.check_name(group, "group's name")
    numbers = tuple(sorted({store.get(name).number for name in names}))
    kept = {name: own for name, own in store.meta.groups.items() if name != group}
    AccessLog.beside(store).append(GROUP, list(dict.fromkeys(names)), len(numbers), "nodes")
    store.meta = dataclasses.replace(store.meta, groups=kept | ({group: numbers} if numbers else {}))
    store.save()


def members(store: Keystore, group: str) -> list[Entry]:
    """The nodes of a group that are not retired. PlumveilError when there is no such group, or none of it is left."""
    if group not in store.meta.groups:
        raise PlumveilError(f"{store.path} has no group {group!r}; `plumveil keys group list` shows them all")
    found = [entry for entry in map(store.node, store.meta.groups[group]) if entry.state == ACTIVE]
    if not found:
        raise PlumveilError(f"all nodes of group {group!r} are retired")
    return found


def listing(store: Keystore) -> list[tuple[str, list[str]]]:
    """(group, its nodes' names), by name."""
    store.require("list groups", CONTROLLER)
    return [(name, [store.node(number).name for number in own]) for name, own in sorted(store.meta.groups.items())]
