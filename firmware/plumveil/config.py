# The node's configuration, as the host wrote it. Anything but a whole, authentic file of known parts is a
# ConfigError; nothing is guessed, and no value stands in a message.

from plumveil import cbor, wire
from plumveil.crypto import equal, hmac_sha256
from plumveil.errors import ConfigError, Malformed
from plumveil.policy import Policy, bounded


def _text(value, what, longest=64):
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ConfigError(what)
    return value


def _body(data, k_config):
    # The map in the file [body bstr, HMAC-SHA256(k_config, body)].
    if data is None:
        raise ConfigError("config missing")
    try:
        parts = cbor.loads(data)
        if not isinstance(parts, list) or len(parts) != 2:
            raise ConfigError("config corrupt")
        body, mac = parts
        if not isinstance(body, bytes) or not isinstance(mac, bytes):
            raise ConfigError("config corrupt")
        if not equal(hmac_sha256(k_config, body), mac):
            raise ConfigError("config not authentic")
        parts = cbor.loads(body)
    except Malformed:
        raise ConfigError("config corrupt")
    if not isinstance(parts, dict):
        raise ConfigError("config corrupt")
    for key in parts:
        if key not in _PARTS:
            raise ConfigError("config: unknown part")
    return parts


class Config:
    # data: the configuration file's bytes, or None; k_config: its authentication key.
    def __init__(self, data, k_config):
        parts = _body(data, k_config)
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
