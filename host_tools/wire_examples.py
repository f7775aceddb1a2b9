"""The examples of docs/wire-format.md: messages of every stream, made by the reference encoder from fixed keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import cbor2

from host_tools import reference_encoder, terms_examples
from host_tools.terms_examples import (
    CONSENT_SECRET,
    CONSENT_SERIAL,
    EPOCH,
    POLICY_VERSION,
    START_S,
    STEP,
    TENANT,
)
from plumveil import terms, wire

K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
BOOT_SALT = bytes(range(200, 216))
RECEIPT_SALT = bytes(range(216, 232))
SPLIT_POLICY_VERSION = POLICY_VERSION + 1  # splits dates off, as that of no other example does
HEALTH = {wire.F_UPTIME: 12, wire.F_RSSI: -6, wire.F_QUEUE: 3}  # before the mask
DROPS = {wire.R_NO_CONSENT: 72, wire.R_SENSOR_FAULT: 1}  # likewise, without zeros
TEMPERATURES: list[int | None] = [48, 48, 49, 51, None, 50, 49]
HUMIDITIES: list[int | None] = [90] * 7
LIMITS = {row[0]: (row[4], row[5]) for row in wire.FIELDS}


@dataclass(frozen=True)
class Example:
    """One message: what it is called, its stream, plaintext map, plaintext and message bytes."""

    name: str
    stream: int
    body: dict[int, Any]
    plaintext: bytes
    message: bytes


def sender(stream: int) -> reference_encoder.Sender:
    """The examples' node."""
    return reference_encoder.Sender(K_ID, K_CHAIN, TENANT, stream, EPOCH, BOOT_SALT, CONSENT_SECRET)


def bodies() -> list[tuple[str, int, dict[int, Any]]]:
    """[(name, stream, plaintext map without padding)]."""
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
    consent = {wire.K_TIME: START_S, wire.K_EVENT: wire.E_CONSENT, wire.K_ARGUMENT: 3, wire.K_CONSENT: reference}
    masked = sender(wire.EVENTS).receipt(terms_examples.GRANTED, RECEIPT_SALT)
    receipt = {wire.K_TIME: START_S, wire.K_EVENT: wire.E_RECEIPT, wire.K_ARGUMENT: terms.LOG_GRANTED}
    names = [sender(stream).kid for stream in range(wire.DATES)]
    dates = {wire.K_TIME: START_S - STEP * wire.STEP_S, wire.K_NAMES: names}
    return [
        ("readings", wire.READINGS, readings),
        ("location", wire.LOCATION, location),
        ("device", wire.DEVICE, device),
        ("receipt", wire.EVENTS, {**receipt, wire.K_RECEIPT: masked}),
        ("consent", wire.EVENTS, consent),
        ("events", wire.EVENTS, events),
        ("dates", wire.DATES, dates),
    ]


def examples() -> list[Example]:
    """One message of each stream, and of events three; their counters are as many."""
    out = []
    counters = Counter[int]()
    for name, stream, body in bodies():
        plain = reference_encoder.plaintext(body)
        version = SPLIT_POLICY_VERSION if stream == wire.DATES else POLICY_VERSION
        out.append(Example(name, stream, body, plain, sender(stream).seal(STEP, version, counters[stream], plain)))
        counters[stream] += 1
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
