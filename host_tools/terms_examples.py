"""The examples of docs/wire-format.md for grants, delegations, commands and the node's log, from fixed keys."""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2

from host_tools import derive, reference_encoder
from plumveil import terms, wire

TENANT = "acme"
K_CONSENT = bytes(range(96, 128))
CONSENT_SECRET = bytes(range(64, 96))
EPOCH0_DAY = 20600
EPOCH = 2
STEP = 12
START_S = (EPOCH0_DAY + EPOCH) * wire.EPOCH_S + STEP * wire.STEP_S
POLICY_VERSION = 1
ISSUED_S = START_S - 300
CONSENT_SERIAL = ISSUED_S - wire.UNIX_MIN_S
DELEGATION: list[int | str] = [
    1,
    "R. Keller",
    "depot 4",
    3,
    START_S - 86400,
    START_S + 864000,
    "delivery",
    "2026-05",
    POLICY_VERSION,
]
SEALED = bytes(range(1, 81))  # of the length that HPKE gives; sealed by nobody
COMMAND_IV = bytes(range(232, 245))
PAYLOAD: dict[int, Any] = {
    terms.G_SERIAL: CONSENT_SERIAL,
    terms.G_TIER: 3,
    terms.G_STARTS_S: START_S - 300,
    terms.G_EXPIRES_S: START_S + 86400,
    terms.G_PURPOSE: "delivery",
    terms.G_SECRET: CONSENT_SECRET,
    terms.G_NODE: derive.grant_node(K_CONSENT, TENANT),
    terms.G_TENANT: TENANT,
    terms.G_NOTICE: "2026-05",
    terms.G_WHO: "A. Huber",
    terms.G_ISSUED_S: ISSUED_S,
    terms.G_POLICY: POLICY_VERSION,
}
DELEGATED: dict[int, Any] = {
    **PAYLOAD,
    terms.G_DELEGATION: DELEGATION,
    terms.G_REASON: "tour planning",
    terms.G_SEALED: SEALED,
}
_NOT_LOGGED = (terms.G_SECRET, terms.G_NODE, terms.G_TENANT)


def logged(payload: dict[int, Any]) -> dict[int, Any]:
    """What of a grant's payload stands in the node's log."""
    return {key: value for key, value in payload.items() if key not in _NOT_LOGGED}


GRANTED = reference_encoder.log_entry(1, bytes(32), terms.LOG_GRANTED, START_S - 240, logged(PAYLOAD))
WITHDRAWN = reference_encoder.log_entry(
    2,
    hashlib.sha256(GRANTED).digest(),
    terms.LOG_WITHDRAWN,
    START_S + 600,
    [CONSENT_SERIAL, terms.BY_BUTTON],
)


def examples() -> list[tuple[str, bytes]]:
    """[(name, bytes)], in the document's order."""
    revoke = derive.command_key(K_CONSENT, EPOCH)
    return [
        ("grant", reference_encoder.mac0(derive.grant_key(K_CONSENT), PAYLOAD)),
        ("delegated grant", reference_encoder.mac0(derive.grant_key(K_CONSENT, DELEGATION), DELEGATED)),
        (
            "command",
            reference_encoder.command(revoke, TENANT, COMMAND_IV, terms.DOWN_REVOKE, CONSENT_SERIAL),
        ),
        ("entry granted", GRANTED),
        ("entry withdrawn", WITHDRAWN),
    ]


def payload(grant: bytes) -> bytes:
    """The encoded payload of a grant."""
    encoded: bytes = cbor2.loads(grant).value[2]
    return encoded
