"""A consent as a record with a receipt, fields named as in ISO/IEC TS 27560:2023.

The names are those of its consent record (header, processing, PII, parties, events) and of its receipt's metadata.
What Plumveil does not know stands in `not_recorded` and is never made up: who keeps the records adds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from host_tools.auditing.history import NOT_RECEIPTED, REVOKED, Granted
from host_tools.keys.when import moment_text
from host_tools.receipts import words
from host_tools.receipts.entries import WITHDRAWN_BY
from host_tools.registry import ConsentRecord
from plumveil import terms, wire

SCHEMA = "ISO/IEC TS 27560:2023, plumveil 1"
NOT_RECORDED = ("language", "privacy_rights", "party_address", "party_contact")
_SERVICE = ("jurisdiction", "storage_locations", "geographic_restrictions")
WITHDRAWAL = (
    "at the node: `plumveil gps off`, or the board's button for 5 s; by the controller: `plumveil consent revoke`"
)
COLLECTION = "by the node's position receiver, reduced to a cell on the node before it is stored or sent"


@dataclass(frozen=True)
class Service:
    """What a node.toml says of where data may go: see host_tools.configure.regions."""

    jurisdiction: str
    endpoint_region: str
    safeguard: str | None


@dataclass(frozen=True)
class Context:
    """What a record says besides its consent: whose the node is, its name, what is known of its service, to whom keys
    of positions were given (as the access log has it), the present in Unix s, and {policy version: days that a
    position waits on the node} as far as that is on record."""

    tenant: str
    node: str
    service: Service | None
    recipients: Sequence[str]
    now_s: int
    retention_days: Mapping[int, int]


def record(context: Context, consent: ConsentRecord | None, granted: Granted | None) -> dict[str, Any]:
    """The record of one consent: of the keystore, of a receipt, mostly of both."""
    known = _of_receipt(granted) if granted is not None else _of_keystore(consent)
    header = {
        "schema_version": SCHEMA,
        "record_id": f"{context.tenant}/{context.node}/{known['serial']}",
        "pii_principal_id": f"persons whose whereabouts follow from those of {context.node}",
    }
    missing = [*NOT_RECORDED, *(() if context.service else _SERVICE)]
    if known["policy"] not in context.retention_days:
        missing.append("retention_period")
    return {
        **header,
        "consent_receipt": None if granted is None else _receipt(granted),
        "pii_processing": {**_processing(context, known), **_places(context.service)},
        "party_identification": _parties(context, known),
        "consent_events": _events(context, known, consent, granted),
        "event_state": _state(context, consent, granted),
        "serial": known["serial"],
        "not_recorded": missing,
    }


def _of_keystore(consent: ConsentRecord | None) -> dict[str, Any]:
    if consent is None:
        raise ValueError("a record of nothing")
    return {
        "serial": consent.serial,
        "tier": consent.tier,
        "starts_s": consent.starts_s,
        "expires_s": consent.expires_s,
        "purpose": consent.purpose,
        "notice": consent.notice,
        "who": consent.who,
        "issued_s": consent.issued_s,
        "policy": consent.policy,
        "person": consent.person,
        "delegation": consent.delegation,
    }


def _of_receipt(granted: Granted) -> dict[str, Any]:
    grant = granted.receipt.details
    caveats = grant.get(terms.G_DELEGATION)
    return {
        "serial": grant[terms.G_SERIAL],
        "tier": grant[terms.G_TIER],
        "starts_s": grant[terms.G_STARTS_S],
        "expires_s": grant[terms.G_EXPIRES_S],
        "purpose": grant[terms.G_PURPOSE],
        "notice": grant[terms.G_NOTICE],
        "who": grant[terms.G_WHO],
        "issued_s": grant[terms.G_ISSUED_S],
        "policy": grant[terms.G_POLICY],
        "person": caveats[terms.D_PERSON] if caveats else None,
        "delegation": caveats[terms.D_ID] if caveats else 0,
    }


def _receipt(granted: Granted) -> dict[str, Any]:
    """Receipt metadata: the entry of the node's log, which the entry after it names by this id."""
    return {
        "schema_version": SCHEMA,
        "receipt_id": granted.receipt.hash.hex(),
        "number": granted.receipt.number,
        "event_time": words.when(granted.receipt.t_s),
    }


def _processing(context: Context, known: dict[str, Any]) -> dict[str, Any]:
    tier, nominal_m = wire.TIERS[known["tier"]]
    return {
        "privacy_notice": known["notice"],
        "purposes": [{"purpose": known["purpose"], "lawful_basis": "consent"}],
        "pii_information": [{"pii_type": "location", "tier": tier, "nominal_m": nominal_m}],
        "pii_controllers": [context.tenant],
        "collection_method": COLLECTION,
        "processing_method": "sealed on the node under a key that ends with the consent",
        "retention_period": _retention(context.retention_days.get(known["policy"])),
        "policy_version": known["policy"],
        "recipient_third_parties": list(context.recipients),
        "withdrawal_method": WITHDRAWAL,
    }


def _retention(days: int | None) -> str | None:
    return None if days is None else f"{days} days on the node; what recipients keep is theirs to record"


def _places(service: Service | None) -> dict[str, Any]:
    if service is None:
        return {"jurisdiction": None, "storage_locations": None, "geographic_restrictions": None}
    return {
        "jurisdiction": service.jurisdiction,
        "storage_locations": [service.endpoint_region],
        "geographic_restrictions": service.safeguard,
    }


def _parties(context: Context, known: dict[str, Any]) -> list[dict[str, Any]]:
    parties = [
        {"party_id": "controller", "party_name": context.tenant, "party_role": "PII controller"},
        {"party_id": "giver", "party_name": known["who"], "party_role": "who gave the consent"},
    ]
    if known["person"] is not None:
        role = f"who recorded it, under delegation {known['delegation']}"
        parts = {"party_id": "delegate", "party_name": known["person"], "party_role": role}
        parties.append(parts)
    return parties


def _events(
    context: Context, known: dict[str, Any], consent: ConsentRecord | None, granted: Granted | None
) -> list[dict[str, Any]]:
    validity = f"{moment_text(known['starts_s'])}/{moment_text(known['expires_s'])}"

    def event(at: str | None, state: str, entity: str) -> dict[str, Any]:
        return {
            "event_time": at,
            "event_type": "explicit",
            "event_state": state,
            "entity_id": entity,
            "validity_duration": validity,
        }

    events = [event(moment_text(known["issued_s"]), "given", "giver")]
    if granted is not None:
        events.append(event(words.when(granted.receipt.t_s), "in force", "node"))
    if consent is not None and consent.revoked_s is not None:
        events.append(event(moment_text(consent.revoked_s), REVOKED, "controller"))
    if granted is not None and granted.end is not None:
        end = granted.end
        by = WITHDRAWN_BY[end.details[1]] if end.kind == terms.LOG_WITHDRAWN else "node"
        events.append(event(words.when(end.t_s), granted.state(context.now_s), by))
    return events


def _state(context: Context, consent: ConsentRecord | None, granted: Granted | None) -> str:
    if granted is not None:
        return granted.state(context.now_s)
    return REVOKED if consent is not None and consent.revoked_s is not None else NOT_RECEIPTED
