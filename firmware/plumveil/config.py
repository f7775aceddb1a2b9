# The node's secrets and configuration, as the host wrote them. Anything but a whole, authentic file of known parts is
# a ConfigError; nothing is guessed, and no value stands in a message.

from hashlib import sha256

from plumveil import cbor, wire
from plumveil.crypto import equal, hmac_sha256
from plumveil.errors import ConfigError, Malformed
from plumveil.policy import Policy, bounded


def _two(data, what):
    # The file's [body bstr, check bstr].
    if data is None:
        raise ConfigError(what + " missing")
    try:
        parts = cbor.loads(data)
    except Malformed:
        raise ConfigError(what + " corrupt")
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], bytes):
        raise ConfigError(what + " corrupt")
    if not isinstance(parts[1], bytes):
        raise ConfigError(what + " corrupt")
    return parts


def _map(body, known, what):
    try:
        parts = cbor.loads(body)
    except Malformed:
        raise ConfigError(what + " corrupt")
    if not isinstance(parts, dict):
        raise ConfigError(what + " corrupt")
    for key in parts:
        if key not in known:
            raise ConfigError(what + ": unknown part")
    return parts


def _text(value, what, longest=64):
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ConfigError(what)
    return value


class Secrets:
    # data: the secrets file's bytes, or None.
    def __init__(self, data):
        body, check = _two(data, "secrets")
        if not equal(sha256(body).digest()[: wire.CHECK_BYTES], check):
            raise ConfigError("secrets corrupt")
        known = (wire.S_K_ID, wire.S_K_CHAIN, wire.S_K_CONFIG, wire.S_TENANT, wire.S_EPOCH0_DAY)
        parts = _map(body, known, "secrets")
        for key in known[:3]:
            if not isinstance(parts.get(key), bytes) or len(parts[key]) != wire.KEY_BYTES:
                raise ConfigError("secrets: key")
        self.k_id = parts[wire.S_K_ID]
        self.k_chain = parts[wire.S_K_CHAIN]
        self.k_config = parts[wire.S_K_CONFIG]
        self.tenant = _text(parts.get(wire.S_TENANT), "secrets: tenant")
        last_day = wire.UNIX_MAX_S // wire.EPOCH_S
        self.epoch0_day = bounded(parts.get(wire.S_EPOCH0_DAY), 0, last_day, "secrets: first epoch")


class Config:
    # data: the configuration file's bytes, or None; k_config: its authentication key.
    def __init__(self, data, k_config):
        body, mac = _two(data, "config")
        if not equal(hmac_sha256(k_config, body), mac):
            raise ConfigError("config not authentic")
        parts = _map(body, _PARTS, "config")
        self.version = bounded(parts.get(wire.C_VERSION), 1, 0x3FFFFFFF, "config version")
        if not isinstance(parts.get(wire.C_POLICY), dict):
            raise ConfigError("config policy")
        self.policy = Policy(parts[wire.C_POLICY])
        # Not checked here: a consent in disorder is no consent, never a reason to stop taking temperatures.
        self.consent = parts.get(wire.C_CONSENT)
        self.broker = _broker(parts.get(wire.C_BROKER))
        self.wifi = _wifi(parts.get(wire.C_WIFI))
        self.board = _board(parts.get(wire.C_BOARD))
        self.sensors = _sensors(parts.get(wire.C_SENSORS))


_PARTS = (
    wire.C_VERSION,
    wire.C_POLICY,
    wire.C_CONSENT,
    wire.C_BROKER,
    wire.C_WIFI,
    wire.C_BOARD,
    wire.C_SENSORS,
)


def _broker(broker):
    if not isinstance(broker, list) or len(broker) != 3:
        raise ConfigError("config broker")
    _text(broker[0], "config broker host", 253)
    bounded(broker[1], 1, 65535, "config broker port")
    if broker[2] is not None and not isinstance(broker[2], bytes):
        raise ConfigError("config broker CA")
    return broker


def _wifi(wifi):
    if not isinstance(wifi, list) or len(wifi) != 2:
        raise ConfigError("config wifi")
    _text(wifi[0], "config wifi name", 32)
    _text(wifi[1], "config wifi key")
    return wifi


def _board(board):
    if not isinstance(board, dict):
        raise ConfigError("config board")
    for name in board:
        _text(name, "config board")
        bounded(board[name], 0, 1000000, "config board")
    return board


def _sensors(sensors):
    if not isinstance(sensors, list):
        raise ConfigError("config sensors")
    for name in sensors:
        _text(name, "config sensor")
    return sensors
