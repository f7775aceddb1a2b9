"""Which policy a node may be given next, and which consents suffice for it.

A consent was given to what a policy let out then. One that lets out more, in any respect, has a higher version, and
no consent given under a lower one suffices (P_WIDENED): the node itself refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import cbor2

from host_tools.configure import compiling, record
from host_tools.configure.compiling import Compiled
from host_tools.configure.inforce import Content
from host_tools.configure.nodetoml import NodeToml
from host_tools.errors import PlumveilError
from host_tools.keys.entries import Entry
from host_tools.keys.keystore import Keystore
from host_tools.policy.reach import Reach, wider
from plumveil import wire


class Settled(NamedTuple):
    """A configuration for one node. entry: the keystore's, once it has it; note: what to say of its consents."""

    compiled: Compiled
    entry: Entry
    note: str | None


def settle(
    store: Keystore,
    entry: Entry,
    node: NodeToml,
    version: int,
    there: Sequence[Content] = (),
    *,
    node_files: Mapping[str, bytes] | None = None,
    ahead: bool = False,
    now: datetime | None = None,
) -> Settled:
    """The configuration of a node.toml for a node of the keystore. there: what it has, in force and loaded ahead.

    Raises NodeTomlFaults as compiling.compile_node does; BeyondRole and PlumveilError when the policy is not this
    keystore's to give, or its version does not say that it is another.
    """
    draft = compiling.compile_node(node, version, node_files=node_files, ahead=ahead, now=now)
    now_s = None if now is None else int(now.timestamp())
    changed = record.with_policy(store, entry, draft, there, now_s)
    known = [content.reach for content in there]
    ahead_map = b"" if entry.policy_ahead is None else entry.policy_ahead.policy_map
    known += [Reach.of(cbor2.loads(one)) for one in (entry.policy_map, ahead_map) if one]
    own = draft.policy
    others = [one.version for one in entry.policies if one != own.model_copy(update={"version": one.version})]
    widened, note = _widened(entry.name, node, known, draft.reach, others)
    if widened == draft.reach.widened:
        return Settled(draft, changed, note)
    compiled = compiling.compile_node(node, version, widened, node_files=node_files, ahead=ahead, now=now)
    return Settled(compiled, record.with_policy(store, entry, compiled, there, now_s), note)


def _widened(
    name: str, node: NodeToml, known: Sequence[Reach], new: Reach, others: Sequence[int]
) -> tuple[int, str | None]:
    """(P_WIDENED, what it means). others: versions on record that have other content. PlumveilError when the version
    is lower than one known, or no higher though it lets out more."""
    if not known:
        return new.version, None
    highest = max(reach.version for reach in known)
    if new.version < highest:
        raise PlumveilError(
            f"{node.path}: policy.version: {name!r} had version {highest} of its policy, and they only rise: set it"
            f" {_next(highest, known, new, others)}"
        )
    widened, note = max(reach.widened for reach in known), None
    for reach in known:
        more = wider(reach, new)
        if not more:
            continue
        if widened <= reach.version:
            widened = _raised(node, new, reach, str(more[0]))
        note = f"a consent given before does not suffice from then on, and location is off: {more[0]}"
    return widened, note


def _next(highest: int, known: Sequence[Reach], new: Reach, others: Sequence[int]) -> str:
    """Which version would do: the highest itself means one content, and may let out no more than it did."""
    least = replace(new, version=highest)
    if highest in others or any(reach.version == highest and wider(reach, least) for reach in known):
        return f"higher than {highest}"
    return f"to {highest}, or more"


def _raised(node: NodeToml, new: Reach, old: Reach, more: str) -> int:
    """The new policy's version, under which no consent to the old one can have been given."""
    if new.version > old.version:
        return new.version
    raise PlumveilError(
        f"{node.path}: policy.version: this lets out more ({more}) than version {old.version}, under which consents"
        f" may have been given: set it to {min(old.version + 1, wire.POLICY_VERSION_MAX)} or more"
    )
