"""From a node.toml to the node on the line: what would change, what the keystore is to know, and then the writing.

The keystore knows of a configuration before the node has it, and the node keeps the old one until it has run with the
new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cbor2

from host_tools.configure import compiling, inforce, onnode, record, settling
from host_tools.configure.compiling import Compiled
from host_tools.configure.inforce import Content
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import PlumveilError
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.node_link import NodeLink
from plumveil import wire


@dataclass(frozen=True)
class Plan:
    """What is to be done to a node. entry: as it will be; differences: see inforce, of what is in force and what is
    to be; needless: it has this already, or waits for it; notes: what else to say."""

    entry: Entry
    compiled: Compiled
    differences: list[str]
    needless: bool
    notes: list[str]
    file: bytes = field(repr=False)


def plan(store: Keystore, node: NodeToml, link: NodeLink) -> Plan:
    """Looks at the node and at the keystore, changes neither.

    Raises PlumveilError when a rule is broken, the node is not the one meant, or the keystore's role may not do it.
    """
    entry = record.find(store, node, link.unique_id())
    k_config = key_of(entry)
    state = onnode.state(link, k_config)
    version = record.next_version(entry, state.highest)
    compiled, changed, note = settling.settle(
        store, entry, node, version, state.there, node_files=state.others, ahead=True
    )
    if compiled.from_s is not None and state.content is None:
        raise PlumveilError(
            f"{node.path}: policy.effective: lies ahead, and the node has no configuration in force: give it the"
            " present one first"
        )
    new = inforce.content_of(cbor2.loads(compiled.map_bytes))
    differences = inforce.differences(state.content, new)
    notes = ["the node's configuration was damaged, or not authentic"] if state.damaged else []
    notes += [] if note is None else [note]
    return Plan(
        changed,
        compiled,
        differences,
        _needless(state, new, differences),
        notes + _given_up(state),
        compiling.seal(compiled, k_config),
    )


def _needless(state: onnode.State, new: Content, differences: list[str]) -> bool:
    """Whether the node has it, in force or loaded ahead, and nothing else that will come into force."""
    if new.from_s is None:
        return not differences and state.ahead is None
    ahead = state.ahead
    return ahead is not None and ahead.from_s == new.from_s and not inforce.differences(ahead, new)


def _given_up(state: onnode.State) -> list[str]:
    """What is said of a configuration loaded ahead whose place another takes."""
    if state.ahead is None:
        return []
    return [f"configuration {state.ahead.version}, loaded ahead, is given up for this one"]


def write(store: Keystore, link: NodeLink, planned: Plan) -> None:
    """Has the keystore remember it, then puts it onto the node: to be tried once the line is closed, or at its time.

    PlumveilError when the node does not have a file for a time to come as it was sent.
    """
    compiled = planned.compiled
    record.remember(store, planned.entry, compiled.version, compiled.policy)
    if compiled.from_s is None:
        onnode.put(link, planned.file)
        return
    onnode.put(link, planned.file, wire.FILE_NEXT)
    if onnode.read_file(link, wire.FILE_NEXT) != planned.file:
        raise PlumveilError("the node did not keep the configuration that is loaded ahead: is its flash full?")


def confirm(port: str, planned: Plan, timeout_s: float = onnode.TAKEN_TIMEOUT_S) -> None:
    """Waits until the node has run with it. PlumveilError when it does not, or goes on with the old one."""
    version = planned.compiled.version
    if onnode.wait_until_taken(port, version, timeout_s):
        return
    # It may have spoken before anybody listened.
    with NodeLink(port) as link:
        if onnode.taken(link, key_of(planned.entry), version):
            return
    raise PlumveilError(
        f"the node has not run with configuration {version} after {timeout_s:g} s: it keeps the old one until it has;"
        " see what it says with `plumveil monitor`, and look again with `plumveil configure --dry-run --diff`"
    )


def key_of(entry: Entry) -> bytes:
    """What authenticates a node's configuration. PlumveilError when the keystore has none."""
    if entry.k_config is None:
        raise PlumveilError(f"{entry.name!r} has no key for its configuration here")
    return entry.k_config
