"""Grants: made for a node, written to files, read again. A grant holds its consent's secret: files of it are their
owner's alone, and none is shown.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2

from host_tools import derive, strict_cbor
from host_tools.consent import mac0
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import files
from host_tools.registry import ConsentRecord, Node
from plumveil import terms, wire

FILE_MAX_BYTES = 64 * 1024 * 1024
WHAT = "grant"
SUFFIX = ".grant"  # of a file that holds one node's
_ALWAYS = (
    terms.G_SERIAL,
    terms.G_TIER,
    terms.G_STARTS_S,
    terms.G_EXPIRES_S,
    terms.G_PURPOSE,
    terms.G_SECRET,
    terms.G_NODE,
    terms.G_TENANT,
    terms.G_NOTICE,
    terms.G_WHO,
    terms.G_ISSUED_S,
    terms.G_POLICY,
)


@dataclass(frozen=True)
class Terms:
    """What is consented to: finest tier (index into wire.TIERS), why, which version of the notice was given, by whom,
    and Unix s from and until."""

    tier: int
    purpose: str
    notice: str
    who: str
    starts_s: int
    expires_s: int


@dataclass(frozen=True)
class Issued:
    """A grant for one node, and the controller's record of it."""

    data: bytes = field(repr=False)
    record: ConsentRecord


@dataclass(frozen=True)
class Granted:
    """A grant, and its node's record with the consent in it."""

    data: bytes = field(repr=False)
    node: Node


def serial_at(now_s: int, above: int) -> int:
    """The serial of what is decided at `now_s`; `above`: newest one used before."""
    return max(now_s - wire.UNIX_MIN_S, above + 1)


def issue(node: Node, given: Terms, issued_s: int, serial: int, policy: int) -> Issued:
    """A grant of the controller's, its secret drawn here. policy: version of the node's policy it is given under.

    Raises UsageError when its texts take more bytes than a grant has, ValueError when a part is out of bounds.
    """
    secret = secrets.token_bytes(wire.KEY_BYTES)
    k_consent = bytes.fromhex(node.k_consent)
    record = ConsentRecord(
        serial=serial,
        tier=given.tier,
        starts_s=given.starts_s,
        expires_s=given.expires_s,
        purpose=given.purpose,
        secret=secret.hex(),
        notice=given.notice,
        who=given.who,
        issued_s=issued_s,
        policy=policy,
    )
    parts = parts_of(given, derive.grant_node(k_consent, node.tenant), node.tenant, secret, issued_s, serial, policy)
    return Issued(seal(derive.grant_key(k_consent), parts), record)


def given_to(node: Node, given: Terms, now_s: int) -> Granted:
    """A grant for a node that is in no keystore, under the newest of its policies."""
    serial = serial_at(now_s, max((one.serial for one in node.consents), default=0))
    issued = issue(node, given, now_s, serial, max(policy.version for policy in node.policies))
    return Granted(issued.data, node.model_copy(update={"consents": (*node.consents, issued.record)}))


def parts_of(
    given: Terms, node: bytes, tenant: str, secret: bytes, issued_s: int, serial: int, policy: int
) -> dict[int, Any]:
    """The map of G_* that every grant has. node: see derive.grant_node."""
    return {
        terms.G_SERIAL: serial,
        terms.G_TIER: given.tier,
        terms.G_STARTS_S: given.starts_s,
        terms.G_EXPIRES_S: given.expires_s,
        terms.G_PURPOSE: given.purpose,
        terms.G_SECRET: secret,
        terms.G_NODE: node,
        terms.G_TENANT: tenant,
        terms.G_NOTICE: given.notice,
        terms.G_WHO: given.who,
        terms.G_ISSUED_S: issued_s,
        terms.G_POLICY: policy,
    }


def seal(key: bytes, parts: dict[int, Any]) -> bytes:
    """The grant of these parts. UsageError when it is longer than a node takes."""
    data = mac0.seal(key, cbor2.dumps(parts, canonical=True))
    if len(data) > terms.GRANT_MAX_BYTES:
        raise UsageError(
            f"the consent's texts are too long: the grant takes {len(data)} bytes, and a node takes"
            f" {terms.GRANT_MAX_BYTES}; use fewer or plainer letters"
        )
    return data


def unproven(data: bytes) -> dict[int, Any]:
    """The parts of a grant whose tag is not looked at. PlumveilError when it is none."""
    try:
        parts = cbor2.loads(mac0.unproven(data))
    except (mac0.NoMac0, cbor2.CBORError, ValueError):
        raise PlumveilError("that is no grant, or it was cut") from None
    if not isinstance(parts, dict) or not all(key in parts for key in _ALWAYS):
        raise PlumveilError("that is no grant: parts are missing")
    if type(parts[terms.G_SERIAL]) is not int or type(parts[terms.G_NODE]) is not bytes:
        raise PlumveilError("that is no grant: a part is of another kind")
    return parts


def split(data: bytes) -> list[bytes]:
    """The grants of a file's content: a CBOR sequence (RFC 8742). PlumveilError when it holds anything else."""
    found, at = [], 0
    try:
        while at < len(data):
            end = strict_cbor.skip(data, at)
            unproven(data[at:end])
            found.append(data[at:end])
            at = end
    except strict_cbor.NotWellFormed:
        raise PlumveilError("the file of grants is cut, or none") from None
    if not found:
        raise PlumveilError("there is no grant in that file")
    return found


def load(path: Path) -> list[bytes]:
    """The grants of a file; what is not longer than one, and none, is handed out as it is. PlumveilError when it is
    none; UsageError when it cannot be read, or others may."""
    with files.open_private(path, "file of grants") as file:
        data = file.read(FILE_MAX_BYTES + 1)
    if len(data) > FILE_MAX_BYTES:
        raise PlumveilError(f"{path} is longer than any file of grants")
    try:
        return split(data)
    except PlumveilError as error:
        if 0 < len(data) <= terms.GRANT_MAX_BYTES:
            # One that was cut on its way, as it came: to the node it is a security event.
            return [data]
        raise PlumveilError(f"{path}: {error}: have the controller send it again") from None


def of_node(found: Iterable[bytes], node: bytes) -> bytes | None:
    """The newest of these grants that is for the node of this name, see derive.grant_node; None when none is."""
    own = [data for data in found if _node(data) == node]
    return max(own, key=lambda data: int(unproven(data)[terms.G_SERIAL]), default=None)


def _node(data: bytes) -> bytes | None:
    try:
        return bytes(unproven(data)[terms.G_NODE])
    except PlumveilError:
        return None
