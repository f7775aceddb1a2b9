"""Writes core.json: cells, columns, keys, pseudonyms and whole messages as the host's implementation makes them.

Every interpreter's firmware must give the same (tests/firmware/test_vectors.py); tests/host/test_core_vectors.py
fails when the file is not what this makes. Run: python -m tests.vectors.make_core
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from host_tools import cells, derive, reference_encoder
from plumveil import wire

PATH = Path(__file__).with_name("core.json")
K_ID = bytes(range(32))
K_CHAIN = bytes(range(32, 64))
TENANT = "acme"
RECEIPT_BYTES = 45
SALT = bytes(range(200, 216))
BOOT_SECRET = bytes(range(200, 232))
CONSENT_SECRET = bytes(range(100, 132))
CONSENT_SERIAL = 7
EPOCH0_DAY = 20600
START_S = (EPOCH0_DAY + 2) * wire.EPOCH_S + 12 * 3600
EDGES_E6 = (0, 1, -1, 999999, 1000000, 45000000, 60000000, 89999999, 90000000, -90000000, -89000000, 49026566)


def locate(lat_e6: int, lon_e6: int, tier: int) -> list[int]:
    """The cell of a position: the inverse of cells.box, found from the published numbering."""
    row = min((lat_e6 + cells.HALF_LAT_E6) // cells.lat_step_e6(tier), cells.rows(tier) - 1)
    x = (lon_e6 + cells.TURN_E6 // 2) % cells.TURN_E6
    return [tier, row, x * cells.columns(tier, row) // cells.TURN_E6]


def cell_cases(rng: random.Random) -> list[list[int]]:
    """[[lat_e6, lon_e6, tier, row, column]]."""
    places = [(lat, lon) for lat in EDGES_E6 for lon in (-180000000, -1, 0, 12065272, 179999999, 180000000)]
    places += [(rng.randint(-90000000, 90000000), rng.randint(-180000000, 180000000)) for _ in range(200)]
    return [[lat, lon, *locate(lat, lon, tier)] for lat, lon in places for tier in range(1, len(wire.TIERS))]


def column_cases(rng: random.Random) -> list[dict[str, Any]]:
    """[{"columns": [[values, low, high]], "hex"}]: constant, noisy, jumping and holed columns."""
    limits = {row[0]: (row[4], row[5]) for row in wire.FIELDS}
    makers = (
        lambda low, high: [rng.randint(low, high)] * 60,
        lambda low, high: [min(high, max(low, 40 + round(rng.gauss(0, 2)))) for _ in range(60)],
        lambda low, high: [rng.randint(low, high) for _ in range(rng.randint(1, 60))],
        lambda low, high: [None if rng.random() < 0.2 else rng.randint(0, 30) for _ in range(60)],
        lambda low, high: [low, high] * 5 + [high] * 50,
        lambda low, high: [rng.randint(low, high)],
        lambda low, high: [None, None, high],
    )
    cases = []
    fields = (wire.F_TEMPERATURE, wire.F_HUMIDITY, wire.F_BATTERY)
    for make in makers:
        batch = [(make(*limits[field]), *limits[field]) for field in fields]
        cases.append({"columns": batch, "hex": reference_encoder.columns(batch).hex()})
    return cases


def key_cases() -> list[dict[str, Any]]:
    """Names, consent, masks of START_S and seal material by epoch, stream and step; a location stream's
    material as it is before a consent's key joins."""
    cases = []
    for epoch, stream, step in ((0, 0, 0), (0, 3, 23), (1, 1, 5), (30, 2, 12)):
        id_secret, chain_secret = derive.Chain(K_ID).at(epoch), derive.Chain(K_CHAIN).at(epoch)
        secret = derive.stream_secret(chain_secret, stream)
        for _ in range(step):
            secret = derive.next_step(secret)
        key, common_iv = derive.seal_material(secret, SALT)
        cases.append(
            {
                "epoch": epoch,
                "stream": stream,
                "step": step,
                "pseudonym": derive.pseudonym(id_secret, TENANT, stream).hex(),
                "session": derive.session_id(id_secret, TENANT),
                "host": derive.host_name(id_secret, TENANT),
                "consent_key": derive.consent_key(CONSENT_SECRET, epoch).hex(),
                "consent_reference": derive.consent_reference(id_secret, TENANT, CONSENT_SERIAL).hex(),
                "health_mask": sorted(derive.health_mask(id_secret, TENANT, START_S).items()),
                "drops_mask": derive.drops_mask(id_secret, TENANT, START_S),
                "receipt_mask": derive.receipt_mask(id_secret, TENANT, SALT, RECEIPT_BYTES).hex(),
                "key": key.hex(),
                "common_iv": common_iv.hex(),
            }
        )
    return cases


def message_cases() -> dict[str, list[str]]:
    """The messages of one fixed day, by stream; tests/firmware/test_vectors.py feeds the same day to the pipeline."""

    def sender(stream: int) -> reference_encoder.Sender:
        salt = derive.hkdf(BOOT_SECRET, derive.label(wire.L_SALT, 2, stream), length_bytes=wire.BOOT_SALT_BYTES)
        return reference_encoder.Sender(K_ID, K_CHAIN, TENANT, stream, 2, salt, CONSENT_SECRET)

    def sealed(stream: int, step: int, counter: int, body: dict[int, Any]) -> str:
        return sender(stream).seal(step, 1, counter, reference_encoder.plaintext(body)).hex()

    temperature = [48 + n % 7 for n in range(60)]
    humidity = [90 + n % 2 for n in range(60)]
    spec = {row[0]: (row[4], row[5]) for row in wire.FIELDS}
    batch = {
        wire.K_TIME: START_S,
        wire.K_INTERVAL: 300,
        wire.K_COUNT: 60,
        wire.K_FIELDS: [wire.F_TEMPERATURE, wire.F_HUMIDITY],
        wire.K_COLUMNS: reference_encoder.columns(
            [(temperature, *spec[wire.F_TEMPERATURE]), (humidity, *spec[wire.F_HUMIDITY])]
        ),
    }
    reference = sender(wire.LOCATION).consent_reference(CONSENT_SERIAL)
    consent = {wire.K_TIME: START_S, wire.K_EVENT: wire.E_CONSENT, wire.K_ARGUMENT: 3, wire.K_CONSENT: reference}
    alarm = {wire.K_TIME: START_S + 18000, wire.K_EVENT: wire.E_TEMPERATURE_HIGH, wire.K_ARGUMENT: 81}
    cell = {wire.K_TIME: START_S, wire.K_CELL: locate(49026566, 12065272, 3), wire.K_CONSENT: reference}
    own = sender(wire.DEVICE)
    health = {
        wire.K_TIME: START_S + 60,
        wire.K_HEALTH: own.masked(START_S + 60, {wire.F_UPTIME: 2}),
        wire.K_DROPS: own.masked_drops(START_S + 60, {}),
    }
    return {
        "readings": [sealed(wire.READINGS, 16, 0, batch)],
        "location": [sealed(wire.LOCATION, 12, 0, cell)],
        "device": [sealed(wire.DEVICE, 12, 0, health)],
        "events": [sealed(wire.EVENTS, 12, 0, consent), sealed(wire.EVENTS, 17, 1, alarm)],
        "dates": [],
    }


def make() -> str:
    """The file's text."""
    rng = random.Random(20260527)
    parts = {"cells": cell_cases(rng), "columns": column_cases(rng), "keys": key_cases(), "messages": message_cases()}
    return json.dumps(parts, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PATH.write_text(make(), encoding="utf-8")
