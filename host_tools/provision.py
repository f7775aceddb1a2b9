"""Makes a node's first key slot and its configuration, and the registry's record of it.

The secrets are drawn here, independently of each other and of anything the board says of itself; they must never be
printed, logged or derived from a MAC. The formats stand at the end of ``plumveil.wire``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import asdict, dataclass, field
from typing import Any

import cbor2

from host_tools import derive
from host_tools.boards import Board
from host_tools.errors import UsageError
from host_tools.policy.compiling import policy_map, policy_record
from host_tools.policy.profile import Profile
from host_tools.registry import Node
from plumveil import terms, wire

# What a grant in force takes in a slot: [serial, tier, start s, end s, secret, policy version, delegation].
_GRANT_BYTES = 1 + 5 + 1 + 5 + 5 + (2 + wire.KEY_BYTES) + 3 + 5
# What a slot may take more than the first: generation, epoch, step, a counter a stream, epochs ahead, configuration
# version, serial, grant, voids, entries of the log, policy version.
_SLOT_GROWTH_BYTES = (4 + 2 + 1 + 4 * len(wire.STREAMS) + 2 + 4) + (
    4 + _GRANT_BYTES - 1 + 5 * terms.VOIDS_MAX + 4 + 2
)


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


def provision(
    name: str, tenant: str, board: Board, profile: Profile, network: Network, epoch0_day: int
) -> Provisioned:
    """Draws a node's secrets and makes its key slot and configuration.

    ``epoch0_day`` is the Unix day of its first pseudonym epoch.
    """
    k_id, k_chain, k_config, k_consent = (secrets.token_bytes(wire.KEY_BYTES) for _ in range(4))
    config = _encode(config_map(board, profile, network))
    record = Node(
        name=name,
        tenant=tenant,
        epoch0_day=epoch0_day,
        k_id=k_id.hex(),
        k_chain=k_chain.hex(),
        k_config=k_config.hex(),
        k_consent=k_consent.hex(),
        policies=(policy_record(profile),),
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
            wire.S_CONFIG: 0,
            wire.S_K_CONSENT: bytes.fromhex(node.k_consent),
            wire.S_SERIAL: 0,
            wire.S_GRANT: None,
            wire.S_VOIDS: [],
            wire.S_LOG_COUNT: 0,
            wire.S_LOG_HASH: bytes(wire.KEY_BYTES),
            wire.S_POLICY: 0,
        }
    )
    checked = _encode([body, hashlib.sha256(body).digest()[: wire.CHECK_BYTES]])
    slot = struct.pack(">H", len(checked)) + checked
    # Later slots are longer: numbers grow, and a grant comes in.
    if len(slot) > wire.SLOT_MAX_BYTES - _SLOT_GROWTH_BYTES:
        raise UsageError("the tenant's name is too long for a node's key slot: use fewer or plainer letters")
    return slot


def is_slot(data: bytes) -> bool:
    """Whether a whole key slot stands at the beginning; what is in it is not looked at."""
    size = int.from_bytes(data[:2], "big")
    if not 0 < size <= len(data) - 2:
        return False
    try:
        body, check = cbor2.loads(data[2 : 2 + size])
        return bool(hashlib.sha256(body).digest()[: wire.CHECK_BYTES] == check)
    except (cbor2.CBORError, ValueError, TypeError):
        return False


def config_map(board: Board, profile: Profile, network: Network, widened: int | None = None) -> dict[int, Any]:
    """The configuration's plain map, keys ``wire.C_*``.

    widened: version of the policy that last let out more than the one before it, by default the profile's own.
    """
    return {
        wire.C_VERSION: 1,
        wire.C_POLICY: policy_map(profile, widened),
        wire.C_BROKER: [network.host, network.port, network.ca_der],
        wire.C_WIFI: [network.wifi_ssid, network.wifi_key],
        wire.C_BOARD: board_numbers(board),
        wire.C_SENSORS: list(board.sensors),
        wire.C_POWER: wire.POWER_MAINS,
    }


def board_numbers(board: Board) -> dict[str, int]:
    """The board's GPIO numbers and constants as the node's configuration names them; axp_*: the rail of its power
    chip that feeds the receiver, in place of a pin."""
    rail = board.power_switch()
    axp = {} if rail is None else {f"axp_{name}": number for name, number in asdict(rail).items()}
    return {
        **board.pins.used(),
        "i2c_frequency_hz": board.i2c.frequency_hz,
        "sht4x_address": board.i2c.sht4x_address,
        "lis3dh_address": board.i2c.lis3dh_address,
        "gps_uart": board.gps.uart,
        "gps_baud": board.gps.baud,
        "gps_ublox": int(board.gps.receiver == "ublox"),
        "gps_backup": int(board.gps.backup),
        "battery_numerator": board.battery.numerator,
        "battery_denominator": board.battery.denominator,
        "led_low": int(board.led.low),
        **axp,
    }


def board_file(board: Board) -> bytes:
    """The node's copy of its board's numbers, ``wire.FILE_BOARD``: no secret, and not authenticated."""
    return _encode(board_numbers(board))


def _encode(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)
