"""The examples of docs/wire-format.md: one message a stream, made by the reference encoder from fixed keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from host_tools import reference_encoder
from plumveil import wire

K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
TENANT = "acme"
EPOCH0_DAY = 20600
EPOCH = 2
STEP = 12
POLICY_VERSION = 1
BOOT_SALT = bytes(range(200, 216))
CONSENT_SECRET = bytes(range(64, 96))
CONSENT_SERIAL = 7
START_S = (EPOCH0_DAY + EPOCH) * wire.EPOCH_S + STEP * wire.STEP_S
HEALTH = {wire.F_UPTIME: 12, wire.F_RSSI: -6, wire.F_QUEUE: 3}  # before the mask
DROPS = {wire.R_NO_CONSENT: 72, wire.R_SENSOR_FAULT: 1}  # likewise, without zeros
TEMPERATURES: list[int | None] = [48, 48, 49, 51, None, 50, 49]
HUMIDITIES: list[int | None] = [90] * 7
LIMITS = {row[0]: (row[4], row[5]) for row in wire.FIELDS}


@dataclass(frozen=True)
class Example:
    """One message: its stream, plaintext map, plaintext and message bytes."""

    stream: int
    body: dict[int, Any]
    plaintext: bytes
    message: bytes


def sender(stream: int) -> reference_encoder.Sender:
    """The examples' node."""
    return reference_encoder.Sender(K_ID, K_CHAIN, TENANT, stream, EPOCH, BOOT_SALT, CONSENT_SECRET)


def bodies() -> list[tuple[int, dict[int, Any]]]:
    """[(stream, plaintext map without padding)]."""
    batch = [(TEMPERATURES, *LIMITS[wire.F_TEMPERATURE]), (HUMIDITIES, *LIMITS[wire.F_HUMIDITY])]
    readings = {
        wire.K_TIME: START_S,
        wire.K_INTERVAL: 300,
        wire.K_COUNT: len(TEMPERATURES),
        wire.K_FIELDS: [wire.F_TEMPERATURE, wire.F_HUMIDITY],
        wire.K_COLUMNS: reference_encoder.columns(batch),
    }
    reference = sender(wire.LOCATION).consent_reference(CONSENT_SERIAL)
    location = {wire.K_TIME: START_S, wire.K_CELL: [3, 15372, 13974], wire.K_CONSENT: reference}
    own = sender(wire.DEVICE)
    health, drops = own.masked(START_S, HEALTH), own.masked_drops(START_S, DROPS)
    device = {wire.K_TIME: START_S, wire.K_HEALTH: health, wire.K_DROPS: drops}
    events = {wire.K_TIME: START_S + 60, wire.K_EVENT: wire.E_TEMPERATURE_HIGH, wire.K_ARGUMENT: 83}
    return [(wire.READINGS, readings), (wire.LOCATION, location), (wire.DEVICE, device), (wire.EVENTS, events)]


def examples() -> list[Example]:
    """One message of each stream."""
    out = []
    for stream, body in bodies():
        plain = reference_encoder.plaintext(body)
        out.append(Example(stream, body, plain, sender(stream).seal(STEP, POLICY_VERSION, 0, plain)))
    return out


def column_walk() -> list[tuple[str, str, str]]:
    """The readings example's columns taken apart: [(field, bits, what they say)]."""
    rows = []
    for field, name, values in (
        (wire.F_TEMPERATURE, "temperature", TEMPERATURES),
        (wire.F_HUMIDITY, "humidity", HUMIDITIES),
    ):
        for bits, meaning in reference_encoder.column_parts(values, *LIMITS[field]):
            rows.append((name, bits, meaning))
    return rows


def protected(example: Example) -> bytes:
    """The encoded protected header of an example."""
    header: bytes = cbor2.loads(example.message).value[0]
    return header
