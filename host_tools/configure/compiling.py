"""node.toml -> the map a node is configured by -> the file it lies in on the node.

The secure rules are asked first, each time; what breaks one is never compiled. Holds the network's key: no repr shows
it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cbor2

from host_tools import provision, registry
from host_tools.boards import Board
from host_tools.configure import rules
from host_tools.configure.faults import NodeTomlFaults
from host_tools.configure.nodetoml import POWER, NodeToml
from host_tools.configure.parts import gather
from host_tools.configure.policytoml import midnight_s
from host_tools.policy.compiling import policy_record
from host_tools.policy.profile import Profile
from host_tools.policy.reach import Reach
from host_tools.provision import Network
from plumveil import wire

_AHEAD = (
    "policy.effective: lies ahead, and a node needs a configuration that is in force: give it the present one first,"
    " and this one by `plumveil configure`"
)
VERSION_MAX = 0x3FFFFFFF  # plumveil.config: a small int on the node


@dataclass(frozen=True)
class Compiled:
    """A configuration ready to be sealed. map_bytes: the map's CBOR, keys wire.C_*; profile: with what the node has
    of its own; policy, policy_map: what the keystore has to know of it, for judging messages and for the next policy;
    from_s: Unix s from which it is in force, None: at once."""

    map_bytes: bytes = field(repr=False)
    version: int
    board: Board
    profile: Profile
    policy: registry.Policy
    policy_map: bytes
    reach: Reach
    from_s: int | None
    network: Network = field(repr=False)
    node: NodeToml = field(repr=False)


def compile_node(
    node: NodeToml,
    version: int,
    widened: int | None = None,
    *,
    node_files: Mapping[str, bytes] | None = None,
    ahead: bool = False,
    now: datetime | None = None,
) -> Compiled:
    """The configuration of a node.toml as that version. widened: see provision.config_map; node_files: rules.Subject;
    ahead: it may be for a day to come.

    Raises NodeTomlFaults when it breaks a rule or names what is not there.
    """
    if not 1 <= version <= VERSION_MAX:
        raise ValueError("no version of a configuration")
    parts = gather(node)
    rules.check(parts, node_files, now)
    from_s = _from_s(node, now or datetime.now(UTC))
    if from_s is not None and not ahead:
        raise NodeTomlFaults(node.path, [_AHEAD])
    content = provision.config_map(parts.board, parts.profile, parts.network, widened)
    content |= {wire.C_VERSION: version, wire.C_POWER: POWER.index(node.node.power)}
    content |= {} if from_s is None else {wire.C_FROM_S: from_s}
    until = node.service.safeguard_until
    content |= {} if until is None else {wire.C_ROUTE_UNTIL_S: midnight_s(until) + wire.EPOCH_S}
    policy = content[wire.C_POLICY]
    return Compiled(
        cbor2.dumps(content, canonical=True),
        version,
        parts.board,
        parts.profile,
        policy_record(parts.profile),
        cbor2.dumps(policy, canonical=True),
        Reach.of(policy),
        from_s,
        parts.network,
        node,
    )


def _from_s(node: NodeToml, now: datetime) -> int | None:
    """When it comes into force, None when that is past."""
    effective = node.policy.effective
    return None if effective is None or midnight_s(effective) <= now.timestamp() else midnight_s(effective)


def seal(compiled: Compiled, k_config: bytes) -> bytes:
    """The file as it lies on the node: the map and its HMAC-SHA256 under the node's configuration key."""
    mac = hmac.digest(k_config, compiled.map_bytes, "sha256")
    return cbor2.dumps([compiled.map_bytes, mac], canonical=True)


def unseal(data: bytes, k_config: bytes | None) -> dict[int, Any] | None:
    """The map of a configuration file; None when it is none, or `k_config` does not authenticate it.

    k_config None: taken as it is, unproven, as for whoever has the node and no keystore.
    """
    try:
        body, mac = cbor2.loads(data)
        if k_config is not None and not hmac.compare_digest(hmac.digest(k_config, body, "sha256"), mac):
            return None
        content = cbor2.loads(body)
    except (cbor2.CBORError, ValueError, TypeError):
        return None
    return content if isinstance(content, dict) else None
