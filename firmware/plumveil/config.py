# The node's configuration, as the host wrote it. Anything but a whole, authentic file of known parts is a
# ConfigError; nothing is guessed, and no value stands in a message.

from plumveil import cbor, wire
from plumveil.crypto import equal, hmac_sha256
from plumveil.errors import ConfigError, Malformed
from plumveil.policy import Policy, bounded


def _text(value, longest=64):
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ConfigError("config")
    return value


def _body(data, k_config):
    # The map in the file [body bstr, HMAC-SHA256(k_config, body)].
    if data is None:
        raise ConfigError("config missing")
    try:
        parts = cbor.loads(data)
        if not isinstance(parts, list) or len(parts) != 2:
            raise Malformed
        body, mac = parts
        if not isinstance(body, bytes) or not isinstance(mac, bytes):
            raise Malformed
        if not equal(hmac_sha256(k_config, body), mac):
            raise ConfigError("config not authentic")
        parts = cbor.loads(body)
        if not isinstance(parts, dict):
            raise Malformed
    except Malformed:
        raise ConfigError("config corrupt")
    for key in parts:
        bounded(key, wire.C_VERSION, wire.C_ROUTE_UNTIL_S, "config")
    return parts


class Config:
    # data: the configuration file's bytes, or None; k_config: its authentication key; floor: the lowest version that
    # is believed.
    def __init__(self, data, k_config, floor=0):
        parts = _body(data, k_config)
        self.version = bounded(parts.get(wire.C_VERSION), 1, 0x3FFFFFFF, "config")
        if self.version < floor:
            raise ConfigError("config rolled back")
        if not isinstance(parts.get(wire.C_POLICY), dict):
            raise ConfigError("config")
        self.policy = Policy(parts[wire.C_POLICY])
        self.broker = _broker(parts.get(wire.C_BROKER))
        self.wifi = _wifi(parts.get(wire.C_WIFI))
        self.board = _board(parts.get(wire.C_BOARD))
        self.sensors = _sensors(parts.get(wire.C_SENSORS))
        # Unix s: when it may come into force, and when the safeguard of the transfer ends; 0 where there is none.
        self.from_s = bounded(parts.get(wire.C_FROM_S, 0), 0, wire.UNIX_MAX_S, "config")
        self.route_until_s = bounded(parts.get(wire.C_ROUTE_UNTIL_S, 0), 0, wire.UNIX_MAX_S, "config")
        self.power = bounded(parts.get(wire.C_POWER), wire.POWER_MAINS, wire.POWER_BATTERY, "config")


def _broker(broker):
    if not isinstance(broker, list) or len(broker) != 3:
        raise ConfigError("config")
    _text(broker[0], 253)
    bounded(broker[1], 1, 65535, "config")
    if broker[2] is not None and not isinstance(broker[2], bytes):
        raise ConfigError("config")
    return broker


def _wifi(wifi):
    if not isinstance(wifi, list) or len(wifi) != 2:
        raise ConfigError("config")
    _text(wifi[0], 32)
    _text(wifi[1])
    return wifi


def _board(board):
    if not isinstance(board, dict):
        raise ConfigError("config")
    for name in board:
        _text(name)
        bounded(board[name], 0, 1000000, "config")
    return board


def _sensors(sensors):
    if not isinstance(sensors, list):
        raise ConfigError("config")
    for name in sensors:
        _text(name)
    return sensors
