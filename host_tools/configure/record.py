"""What the keystore knows of nodes' configurations: which node is on the line, the highest version, the policies.

A changed policy is the controller's to make: a technician's keystore is told so here, before anything is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from host_tools.accesslog import AccessLog
from host_tools.configure.compiling import Compiled
from host_tools.configure.inforce import Content
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import PlumveilError
from host_tools.keys import enrol, roles, when
from host_tools.keys.entries import ACTIVE, Ahead, Entry
from host_tools.keys.faults import BeyondRole
from host_tools.keys.keystore import Keystore
from host_tools.keys.meta import CONTROLLER, TECHNICIAN
from host_tools.policy.reach import wider
from host_tools.registry import Policy

CONFIGURE = "configure"  # of accesslog_format.ACTIONS


def find(store: Keystore, node: NodeToml, unique_id: bytes) -> Entry:
    """The node that a node.toml is for, which has to be the one on the line.

    PlumveilError when it is another, none of the keystore's, retired, of another tenant or another kind of board;
    BeyondRole.
    """
    store.require("configure a node", CONTROLLER, TECHNICIAN)
    roles.require_lasting(store, "configure a node")
    if node.service.tenant != store.tenant:
        raise PlumveilError(
            f"{node.path}: service.tenant: {node.service.tenant!r} is not {store.tenant!r}, whose keystore this is"
        )
    mark = enrol.board_hash(store, unique_id)
    on_line = store.find_board(mark)
    name = node.node.name
    entry = on_line if name is None else store.get(name)
    if entry is None:
        raise PlumveilError(
            f"the board on the line is no node that {store.path} knows by its board: enrol it (`plumveil keys"
            f" enrol`), or say which it is with node.name in {node.path}"
        )
    if entry.board_hash not in (None, mark) or (on_line is not None and on_line.number != entry.number):
        raise PlumveilError(f"the board on the line is not {entry.name!r}: plug that one in, or correct node.name")
    if entry.state != ACTIVE or entry.k_config is None:
        raise PlumveilError(f"{entry.name!r} is retired, and stays so")
    if entry.board != node.node.board:
        raise PlumveilError(
            f"{node.path}: node.board: {entry.name!r} is enrolled on {entry.board}, not on {node.node.board}"
        )
    return entry


def next_version(entry: Entry, on_node: int) -> int:
    """Above what the node has and what it was ever given from here. on_node: highest version on it, 0 without."""
    return max(entry.config_version, on_node) + 1


def with_policy(
    store: Keystore, entry: Entry, compiled: Compiled, there: Sequence[Content] = (), now_s: int | None = None
) -> Entry:
    """The entry as it is once the policy of `compiled` is the node's. there: what the node has, in force and loaded
    ahead; now_s: Unix s, None: the present.

    BeyondRole when that changes the policy and the keystore is a technician's; PlumveilError when the node had
    another policy of the same version.
    """
    policy = compiled.policy
    if store.role != CONTROLLER:
        # Nothing in force, and nothing ever was: the policy came with the enrolment.
        fresh = not there and entry.config_version == 0
        if not fresh and (not there or any(_beyond(one, compiled) for one in there)):
            known = "changes" if there else "may change"
            raise BeyondRole(
                f"this {known} the node's policy, which is its controller's to do: use the controller's keystore,"
                " or the profile the node has"
            )
        return entry
    same_version = [one for one in entry.policies if one.version == policy.version]
    if same_version and policy not in same_version:
        raise PlumveilError(
            f"policy version {policy.version} of {entry.name!r} is on record with other content, and what was sent"
            " under it is judged by that: give the changed profile a higher version, or set policy.version"
        )
    policies = entry.policies if same_version else (*entry.policies, policy)
    if compiled.from_s is None:
        return dataclasses.replace(entry, policies=policies, policy_map=compiled.policy_map, policy_ahead=None)
    in_force = entry.policy_at(when.now_s() if now_s is None else now_s)
    ahead = Ahead(compiled.from_s, compiled.policy_map)
    return dataclasses.replace(entry, policies=policies, policy_map=in_force, policy_ahead=ahead)


def _beyond(content: Content, compiled: Compiled) -> bool:
    """Whether it lets out other things than what a node has; to narrow that is a technician's to do as well."""
    return content.policy != compiled.policy or bool(wider(content.reach, compiled.reach))


def remember(store: Keystore, entry: Entry, version: int, policy: Policy) -> None:
    """Logs and saves that the node gets a configuration of that version, before it does: what is on the node is never
    newer than what is known here. The keystore has to be open for writing."""
    detail = f"configuration version {version} policy version {policy.version}"
    AccessLog.beside(store).append(CONFIGURE, [entry.name], 1, detail)
    store.put(dataclasses.replace(entry, config_version=max(entry.config_version, version)))
    store.save()
