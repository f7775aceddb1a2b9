"""A node's log for tests, entry by entry, and the messages that bring it: receipts, statements, positions.

Made with the reference encoder, for the node of tests.host.messages or one of other keys.
"""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2

from host_tools import reference_encoder as encoder
from host_tools.registry import ConsentRecord, Node
from plumveil import terms, wire
from tests.host import messages
from tests.host.messages import NODE, SALT, SERIAL, START_S, STEP

UNSEEN = NODE.consents[0].model_copy(update={"receipted": False})
WITHOUT_RECEIPT = NODE.model_copy(update={"consents": (UNSEEN,)})
HOUR_S = START_S  # a receipt's time, rounded down
GRANTED_S = START_S + 120
CAVEATS: list[Any] = [5, "R. Keller", "depot 4", 3, START_S - 86400, START_S + 864000, "delivery", "2026-05", 1]


def grant(consent: ConsentRecord = UNSEEN, **delegated: Any) -> dict[int, Any]:
    """What an entry says of a grant; delegated: caveats, reason, sealed of a delegate's."""
    parts = {
        terms.G_SERIAL: consent.serial,
        terms.G_TIER: consent.tier,
        terms.G_STARTS_S: consent.starts_s,
        terms.G_EXPIRES_S: consent.expires_s,
        terms.G_PURPOSE: consent.purpose,
        terms.G_NOTICE: consent.notice,
        terms.G_WHO: consent.who,
        terms.G_ISSUED_S: consent.issued_s,
        terms.G_POLICY: consent.policy,
    }
    if delegated:
        parts |= {
            terms.G_DELEGATION: delegated.get("caveats", CAVEATS),
            terms.G_REASON: delegated.get("reason", "tour planning"),
            terms.G_SEALED: delegated.get("sealed", bytes(80)),
        }
    return parts


class Log:
    """A node's log as it grows."""

    def __init__(self, *entries: bytes) -> None:
        self.entries = list(entries)

    def add(self, kind: int, details: Any, t_s: int | None = GRANTED_S) -> bytes:
        """The next entry."""
        before = hashlib.sha256(self.entries[-1]).digest() if self.entries else bytes(32)
        self.entries.append(encoder.log_entry(len(self.entries) + 1, before, kind, t_s, details))
        return self.entries[-1]


def told() -> Log:
    """A log of six: a policy, a grant, a refusal, a withdrawal, another refusal without a clock, an expired one."""
    log = Log()
    log.add(terms.LOG_POLICY, [1], START_S)
    log.add(terms.LOG_GRANTED, grant(), GRANTED_S)
    log.add(terms.LOG_REFUSED, [terms.N_REPLAYED], START_S + 600)
    log.add(terms.LOG_WITHDRAWN, [SERIAL, terms.BY_BUTTON], START_S + 1800)
    log.add(terms.LOG_REFUSED, [terms.N_CLOCK], None)
    log.add(terms.LOG_EXPIRED, [SERIAL + 1], START_S + 3000)
    return log


def body(entry: bytes, *, node: Node = NODE, epoch: int = messages.EPOCH, **changes: Any) -> dict[int, Any]:
    """A receipt's plaintext map."""
    salt = hashlib.sha256(entry + bytes([epoch])).digest()[: terms.RECEIPT_SALT_BYTES]
    masked = sender(wire.EVENTS, node, epoch).receipt(entry, salt)
    kind = changes.pop("argument", None) or _kind(entry)
    t_s = (messages.EPOCH0_DAY + epoch) * wire.EPOCH_S + STEP * wire.STEP_S
    return messages.changed(
        {wire.K_TIME: t_s, wire.K_EVENT: wire.E_RECEIPT, wire.K_ARGUMENT: kind, wire.K_RECEIPT: masked}, changes
    )


def _kind(entry: bytes) -> int:
    kind: int = cbor2.loads(entry)[2]
    return kind


def sender(stream: int, node: Node = NODE, epoch: int = messages.EPOCH) -> encoder.Sender:
    """The keys of a node."""
    secret = messages.CONSENT_SECRET
    return encoder.Sender(
        bytes.fromhex(node.k_id), bytes.fromhex(node.k_chain), node.tenant, stream, epoch, SALT, secret
    )


def sealed(
    stream: int, plain: dict[int, Any], counter: int = 0, *, node: Node = NODE, epoch: int = messages.EPOCH
) -> bytes:
    """A message of a node."""
    return sender(stream, node, epoch).seal(STEP, 1, counter, encoder.plaintext(plain))


def receipt(entry: bytes, counter: int = 0, *, node: Node = NODE, epoch: int = messages.EPOCH) -> bytes:
    """The message that brings an entry."""
    return sealed(wire.EVENTS, body(entry, node=node, epoch=epoch), counter, node=node, epoch=epoch)


def receipts(log: Log, *, node: Node = NODE) -> list[bytes]:
    """The messages that bring a log, in its order."""
    return [receipt(entry, counter, node=node) for counter, entry in enumerate(log.entries)]


def statement(tier: int = 3, counter: int = 50, serial: int = SERIAL, **changes: Any) -> bytes:
    """The message by which the node states a consent."""
    plain = messages.event(wire.E_CONSENT, tier, consent=messages.reference(serial))
    return sealed(wire.EVENTS, messages.changed(plain, changes), counter)


def position(counter: int = 0, **changes: Any) -> bytes:
    """A position under the consent."""
    return sealed(wire.LOCATION, messages.location(**changes), counter)
