"""The consent of tests/firmware/nodefiles.py's node, as the controller has it on record."""

from __future__ import annotations

import nodefiles  # type: ignore[import-not-found]

from host_tools.registry import ConsentRecord
from plumveil import terms


def consent_record() -> ConsentRecord:
    serial, tier, starts_s, expires_s, secret, policy, delegation = nodefiles.consent()
    parts = nodefiles.grant_map()
    return ConsentRecord(
        serial=serial,
        tier=tier,
        starts_s=starts_s,
        expires_s=expires_s,
        purpose=parts[terms.G_PURPOSE],
        secret=secret.hex(),
        notice=parts[terms.G_NOTICE],
        who=parts[terms.G_WHO],
        issued_s=parts[terms.G_ISSUED_S],
        policy=policy,
        delegation=delegation,
    )
