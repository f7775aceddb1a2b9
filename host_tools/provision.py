"""Makes a node's first key slot and its configuration, and the registry's record of it.

The secrets are drawn here, independently of each other and of anything the board says of itself; they must never be
printed, logged or derived from a MAC. The formats stand at the end of ``plumveil.wire``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import cbor2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host_tools import derive
from host_tools.boards import Board
from host_tools.errors import UsageError
from host_tools.registry import ConsentRecord, Node, Policy
from plumveil import wire

PROFILES_DIR = Path(__file__).resolve().parent / "profiles"
FIELD_IDS = {row[1]: row[0] for row in wire.FIELDS}
TIER_NAMES = tuple(name for name, _ in wire.TIERS)
# What a slot's numbers may take more than in the first: generation, epoch, step, four counters, epochs ahead.
_SLOT_GROWTH_BYTES = 4 + 2 + 1 + 4 * 4 + 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """Alarm limits in wire units: 0.1 degC, 0.1 degC, 0.1 g."""

    temperature_low: Annotated[int, Field(ge=-550, le=1250)]
    temperature_high: Annotated[int, Field(ge=-550, le=1250)]
    shock: Annotated[int, Field(ge=1, le=160)]


class Profile(_Strict):
    """A policy as data; see ``host_tools/profiles/general.toml``. Intervals in seconds, steps in wire units."""

    name: str
    version: Annotated[int, Field(ge=1, le=wire.POLICY_VERSION_MAX)]
    location_ceiling: str
    sample_s: Annotated[int, Field(ge=10, le=wire.INTERVAL_MAX_S)]
    position_s: Annotated[int, Field(ge=wire.POSITION_TIME_S, le=86400)]
    device_s: Annotated[int, Field(ge=600, le=86400)]
    upload_s: Annotated[int, Field(ge=60, le=86400)]
    batch_max: Annotated[int, Field(ge=1, le=wire.BATCH_MAX)]
    health_mask: bool
    fields: dict[str, Annotated[int, Field(ge=1)]]
    limits: Limits | None = None

    @property
    def ceiling(self) -> int:
        """The location ceiling as an index into ``wire.TIERS``."""
        return tier_index(self.location_ceiling)

    def steps(self) -> dict[int, int]:
        """Field id -> step in wire units."""
        return {FIELD_IDS[name]: step for name, step in sorted(self.fields.items(), key=lambda kv: FIELD_IDS[kv[0]])}


@dataclass(frozen=True)
class Consent:
    """The customer's leave to report positions: tier index, times in Unix seconds, why; and its secret, drawn for it,
    without which no position taken under it can be read."""

    serial: int
    tier: int
    starts_s: int
    expires_s: int
    purpose: str
    secret: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(wire.KEY_BYTES))


@dataclass(frozen=True)
class Network:
    """Where the node reports: broker host and port, its CA in DER (None: plain TCP, loopback only), access point."""

    host: str
    port: int
    ca_der: bytes | None
    wifi_ssid: str
    wifi_key: str = field(repr=False)


@dataclass(frozen=True)
class Provisioned:
    """The node's first key slot, its configuration file and the registry's record: keys in each, so there is no
    readable ``repr``."""

    slot_bytes: bytes
    config_bytes: bytes
    record: Node

    def __repr__(self) -> str:
        return "Provisioned(...)"


def tier_index(name: str) -> int:
    """Index into ``wire.TIERS`` of a tier's name; UsageError names those there are."""
    if name not in TIER_NAMES:
        raise UsageError(f"unknown tier {name!r}: use one of {', '.join(TIER_NAMES)}")
    return TIER_NAMES.index(name)


def profile_names() -> list[str]:
    """Names of the profiles there are."""
    return sorted(path.stem for path in PROFILES_DIR.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Reads ``profiles/<name>.toml``; UsageError when there is none or it is out of bounds."""
    if name not in profile_names():
        raise UsageError(f"unknown profile {name!r}: use one of {', '.join(profile_names())}")
    try:
        profile = Profile.model_validate(tomllib.loads((PROFILES_DIR / f"{name}.toml").read_text("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"profile {name}: {error}") from error
    unknown = sorted(set(profile.fields) - set(FIELD_IDS))
    if unknown:
        raise UsageError(f"profile {name}: unknown field {unknown[0]!r}")
    return profile


def provision(
    name: str,
    tenant: str,
    board: Board,
    profile: Profile,
    network: Network,
    epoch0_day: int,
    consent: Consent | None = None,
) -> Provisioned:
    """Draws a node's secrets and makes its key slot and configuration.

    ``epoch0_day`` is the Unix day of its first pseudonym epoch. UsageError when the consent is finer than the profile
    allows.
    """
    if consent is not None and not 1 <= consent.tier <= profile.ceiling:
        raise UsageError(
            f"consent to {TIER_NAMES[consent.tier]!r} is outside profile {profile.name!r}, "
            f"which allows no finer than {profile.location_ceiling!r}"
        )
    k_id, k_chain, k_config = (secrets.token_bytes(wire.KEY_BYTES) for _ in range(3))
    config = _encode(config_map(board, profile, network, consent))
    record = Node(
        name=name,
        tenant=tenant,
        epoch0_day=epoch0_day,
        k_id=k_id.hex(),
        k_chain=k_chain.hex(),
        k_config=k_config.hex(),
        policies=(policy_record(profile),),
        consents=(_consent_record(consent),) if consent else (),
    )
    return Provisioned(
        slot_bytes=first_slot(record),
        config_bytes=_encode([config, hmac.digest(k_config, config, "sha256")]),
        record=record,
    )


def first_slot(node: Node) -> bytes:
    """The key slot a node begins with, of its first epoch: for ``plumveil.service.enrol``.

    Holds C[1] and what hangs on it, not K_chain. Its pool is drawn anew with each call. UsageError when the tenant's
    name is too long for a slot.
    """
    k_id, k_chain = bytes.fromhex(node.k_id), bytes.fromhex(node.k_chain)
    streams = range(len(wire.STREAMS))
    body = _encode(
        {
            wire.S_GENERATION: 1,
            wire.S_TENANT: node.tenant,
            wire.S_EPOCH0_DAY: node.epoch0_day,
            wire.S_K_CONFIG: bytes.fromhex(node.k_config),
            wire.S_EPOCH: 0,
            wire.S_STEP: 0,
            wire.S_CHAIN: derive.next_secret(k_chain),
            wire.S_NAMES: k_id,
            wire.S_STREAMS: [derive.stream_secret(k_chain, stream) for stream in streams],
            wire.S_COUNTERS: [0 for _ in streams],
            wire.S_AHEAD: 0,
            wire.S_POOL: secrets.token_bytes(wire.KEY_BYTES),
        }
    )
    checked = _encode([body, hashlib.sha256(body).digest()[: wire.CHECK_BYTES]])
    slot = struct.pack(">H", len(checked)) + checked
    # Later slots are longer: generation, epoch and counters grow.
    if len(slot) > wire.SLOT_MAX_BYTES - _SLOT_GROWTH_BYTES:
        raise UsageError("the tenant's name is too long for a node's key slot: use fewer or plainer letters")
    return slot


def config_map(board: Board, profile: Profile, network: Network, consent: Consent | None) -> dict[int, Any]:
    """The configuration's plain map, keys ``wire.C_*``."""
    policy: dict[int, Any] = {
        wire.P_VERSION: profile.version,
        wire.P_FIELDS: profile.steps(),
        wire.P_LOCATION_CEILING: profile.ceiling,
        wire.P_SAMPLE_S: profile.sample_s,
        wire.P_POSITION_S: profile.position_s,
        wire.P_DEVICE_S: profile.device_s,
        wire.P_UPLOAD_S: profile.upload_s,
        wire.P_BATCH_MAX: profile.batch_max,
        wire.P_HEALTH_MASK: profile.health_mask,
    }
    if profile.limits:
        limits = profile.limits
        policy[wire.P_LIMITS] = [limits.temperature_low, limits.temperature_high, limits.shock]
    config: dict[int, Any] = {
        wire.C_VERSION: 1,
        wire.C_POLICY: policy,
        wire.C_BROKER: [network.host, network.port, network.ca_der],
        wire.C_WIFI: [network.wifi_ssid, network.wifi_key],
        wire.C_BOARD: board_numbers(board),
        wire.C_SENSORS: list(board.sensors),
    }
    if consent:
        config[wire.C_CONSENT] = {
            wire.G_SERIAL: consent.serial,
            wire.G_TIER: consent.tier,
            wire.G_STARTS_S: consent.starts_s,
            wire.G_EXPIRES_S: consent.expires_s,
            wire.G_PURPOSE: consent.purpose,
            wire.G_SECRET: consent.secret,
        }
    return config


def board_numbers(board: Board) -> dict[str, int]:
    """The board's GPIO numbers and constants as the node's configuration names them."""
    return {
        **board.pins.used(),
        "i2c_frequency_hz": board.i2c.frequency_hz,
        "sht4x_address": board.i2c.sht4x_address,
        "lis3dh_address": board.i2c.lis3dh_address,
        "gps_uart": board.gps.uart,
        "gps_baud": board.gps.baud,
        "battery_numerator": board.battery.numerator,
        "battery_denominator": board.battery.denominator,
    }


def _encode(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def policy_record(profile: Profile) -> Policy:
    """The profile as the registry keeps it."""
    return Policy(
        version=profile.version,
        fields=profile.steps(),
        location_ceiling=profile.ceiling,
        health_mask=profile.health_mask,
    )


def _consent_record(consent: Consent) -> ConsentRecord:
    return ConsentRecord(
        serial=consent.serial,
        tier=consent.tier,
        starts_s=consent.starts_s,
        expires_s=consent.expires_s,
        purpose=consent.purpose,
        secret=consent.secret.hex(),
    )
