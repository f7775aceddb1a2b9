"""Makes messages for tests, sound and deliberately broken ones, with the reference encoder; never with the decoder.

One node ("fridge") with fixed keys, a policy of version 1, a wider one of version 2, one of version 3 that masks
health, and a consent for an hour.
"""

from __future__ import annotations

from typing import Any

import cbor2

from host_tools import reference_encoder as encoder
from host_tools.keyring import KeyRing
from host_tools.registry import ConsentRecord, Node, Policy, Registry
from host_tools.rules import Finding
from host_tools.validate import Message, Validator
from plumveil import wire

K_ID = bytes(range(32))
K_CHAIN = bytes(range(64, 96))
K_CONFIG = bytes(range(96, 128))
K_CONSENT = bytes(range(32, 64))
CONSENT_SECRET = bytes(range(128, 160))
SALT = bytes(range(160, 176))
TENANT = "clinic"
EPOCH0_DAY = 20600
EPOCH = 3
DAY_S = (EPOCH0_DAY + EPOCH) * wire.EPOCH_S
STEP = 12
START_S = DAY_S + STEP * wire.STEP_S
NOW_S = DAY_S + 2 * wire.EPOCH_S
SERIAL = 41
CELL = [wire.TIERS.index(("area", 1000)), 15000, 1200]
LIMITS = {row[0]: (row[4], row[5]) for row in wire.FIELDS}
WIDE = {row[0]: 1 for row in wire.FIELDS}
# Humidity in steps of 2 units, shock not at all, positions no finer than the area tier.
NARROW = {field: 2 if field == wire.F_HUMIDITY else 1 for field in WIDE if field != wire.F_SHOCK_PEAK}
MASKED = 3
NODE = Node(
    name="fridge",
    tenant=TENANT,
    epoch0_day=EPOCH0_DAY,
    k_id=K_ID.hex(),
    k_chain=K_CHAIN.hex(),
    k_config=K_CONFIG.hex(),
    k_consent=K_CONSENT.hex(),
    policies=(
        Policy(version=1, fields=NARROW, location_ceiling=3),
        Policy(version=2, fields=WIDE, location_ceiling=4),
        Policy(version=MASKED, fields=WIDE, location_ceiling=0, health_mask=True),
    ),
    consents=(
        ConsentRecord(
            serial=SERIAL,
            tier=3,
            starts_s=START_S + 100,
            expires_s=START_S + 3600,
            purpose="test",
            secret=CONSENT_SECRET.hex(),
            notice="2026-05",
            who="J. Doe",
            issued_s=START_S,
            policy=1,
            receipted=True,
        ),
    ),
)
REGISTRY = Registry(nodes=(NODE,))


def validator(**more: Any) -> Validator:
    """A validator that has seen nothing yet."""
    return validator_of(NODE, **more)


def validator_of(*nodes: Node, **more: Any) -> Validator:
    """The same for other nodes."""
    return Validator(KeyRing(nodes, NOW_S), NOW_S, **more)


def sender(stream: int, epoch: int = EPOCH, salt: bytes = SALT, consent: bytes = CONSENT_SECRET) -> encoder.Sender:
    """The node's keys."""
    return encoder.Sender(K_ID, K_CHAIN, TENANT, stream, epoch, salt, consent)


def reference(serial: int = SERIAL, epoch: int = EPOCH) -> bytes:
    """What stands for a consent's serial in a position."""
    return sender(wire.LOCATION, epoch).consent_reference(serial)


def columns(fields: dict[int, list[int | None]]) -> bytes:
    """{field: values} -> K_COLUMNS."""
    return encoder.columns([(fields[field], *LIMITS[field]) for field in sorted(fields)])


TEMPERATURES: list[int | None] = [40 + n % 5 for n in range(12)]
DROPS = {wire.R_OUT_OF_RANGE: 2, wire.R_SENSOR_FAULT: 1}
HUMIDITIES: list[int | None] = [None if n == 3 else 90 + 2 * (n % 3) for n in range(12)]


def readings(values: dict[int, list[int | None]] | None = None, /, **changes: Any) -> dict[int, Any]:
    """A batch's plaintext map; changes by entry name, e.g. count=61; None takes the entry out."""
    values = values or {wire.F_TEMPERATURE: TEMPERATURES, wire.F_HUMIDITY: HUMIDITIES}
    body = {
        wire.K_TIME: START_S,
        wire.K_INTERVAL: 300,
        wire.K_COUNT: len(next(iter(values.values()))),
        wire.K_FIELDS: sorted(values),
        wire.K_COLUMNS: columns(values),
    }
    return changed(body, changes)


def location(**changes: Any) -> dict[int, Any]:
    """A position's plaintext map."""
    return changed({wire.K_TIME: START_S, wire.K_CELL: CELL, wire.K_CONSENT: reference()}, changes)


def device(**changes: Any) -> dict[int, Any]:
    """A health report's plaintext map."""
    body = {wire.K_TIME: START_S, wire.K_HEALTH: {wire.F_UPTIME: 3, wire.F_RSSI: -6}}
    return changed({**body, wire.K_DROPS: encoder.counts(DROPS)}, changes)


def event(code: int = wire.E_CONSENT, argument: int = 0, /, **changes: Any) -> dict[int, Any]:
    """An event's plaintext map; of a consent in force with its reference."""
    body: dict[int, Any] = {wire.K_TIME: START_S, wire.K_EVENT: code, wire.K_ARGUMENT: argument}
    if code == wire.E_CONSENT and argument:
        body[wire.K_CONSENT] = reference()
    return changed(body, changes)


def changed(body: dict[int, Any], changes: dict[str, Any]) -> dict[int, Any]:
    """`body` with entries set by name, or taken out with None."""
    keys = {"time": wire.K_TIME, "interval": wire.K_INTERVAL, "count": wire.K_COUNT, "fields": wire.K_FIELDS}
    keys |= {"columns": wire.K_COLUMNS, "cell": wire.K_CELL, "consent": wire.K_CONSENT, "health": wire.K_HEALTH}
    keys |= {"event": wire.K_EVENT, "argument": wire.K_ARGUMENT, "drops": wire.K_DROPS}
    keys |= {"receipt": wire.K_RECEIPT, "extra": 99}
    body = {**body, **{keys[name]: value for name, value in changes.items()}}
    return {key: value for key, value in body.items() if value is not None}


BODIES = {wire.READINGS: readings(), wire.LOCATION: location(), wire.DEVICE: device(), wire.EVENTS: event()}
STREAMS = tuple(BODIES)


def sealed(
    stream: int,
    body: dict[int, Any] | bytes | None = None,
    *,
    epoch: int = EPOCH,
    salt: bytes = SALT,
    step: int = STEP,
    policy: int = 1,
    counter: int = 0,
    consent: bytes = CONSENT_SECRET,
) -> bytes:
    """A message; `body` may be the plaintext's bytes, to be sealed as they are."""
    body = BODIES[stream] if body is None else body
    plain = body if isinstance(body, bytes) else encoder.plaintext(body)
    return sender(stream, epoch, salt, consent).seal(step, policy, counter, plain)


def with_header(stream: int, change: dict[int, Any], *, raw: bytes | None = None) -> bytes:
    """A message, truly sealed under a header with entries changed (None: taken out), or under the bytes given."""
    own = sender(stream)
    honest = own.protected(STEP, 1, 0)
    header = {label: value for label, value in {**honest, **change}.items() if value is not None}
    protected = cbor2.dumps(header, canonical=True) if raw is None else raw
    plain = encoder.plaintext(BODIES[stream])
    try:
        ciphertext = own.encrypt(protected, plain)
    except (ValueError, TypeError, KeyError, OverflowError):
        ciphertext = own.encrypt(cbor2.dumps(honest, canonical=True), plain)
    return encoder.envelope(protected, ciphertext)


def verdict(data: bytes) -> Message:
    """The message as a fresh validator sees it."""
    return validator().check(data)


def broken(message: Message) -> list[str]:
    """The names of the rules it breaks."""
    return [finding.rule for finding in message.findings]


def only(message: Message) -> Finding:
    """The one finding; fails when there are more or none."""
    (finding,) = message.findings
    return finding
