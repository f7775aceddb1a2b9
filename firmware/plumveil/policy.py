# What may be taken, how precisely, how often: the node's compiled policy. Refuses what it does not know.

from plumveil import wire
from plumveil.errors import ConfigError


def bounded(value, low, high, what):
    # value if it is an int (no bool) in low..high, else ConfigError naming `what`.
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(what)
    return value


def field_row(field):
    for row in wire.FIELDS:
        if row[0] == field:
            return row
    return None


class Policy:
    # parts: map of wire.P_* (see there). ConfigError names the first part that is missing or out of bounds.
    def __init__(self, parts):
        for key in parts:
            if key not in _PARTS:
                raise ConfigError("policy: unknown part")
        self.version = bounded(parts.get(wire.P_VERSION), 0, wire.POLICY_VERSION_MAX, "policy version")
        self.fields = _fields(parts.get(wire.P_FIELDS))
        self.location_ceiling = bounded(
            parts.get(wire.P_LOCATION_CEILING), 0, len(wire.TIERS) - 1, "location ceiling"
        )
        self.sample_s = bounded(parts.get(wire.P_SAMPLE_S), 10, wire.INTERVAL_MAX_S, "sample interval")
        self.position_s = bounded(parts.get(wire.P_POSITION_S), wire.POSITION_TIME_S, 86400, "position interval")
        self.device_s = bounded(parts.get(wire.P_DEVICE_S), 600, 86400, "device interval")
        self.upload_s = bounded(parts.get(wire.P_UPLOAD_S), 60, 86400, "upload interval")
        self.batch_max = bounded(parts.get(wire.P_BATCH_MAX), 1, wire.BATCH_MAX, "batch size")
        self.mask_health = parts.get(wire.P_HEALTH_MASK)
        if not isinstance(self.mask_health, bool):
            raise ConfigError("health mask")
        self.limits = _limits(parts.get(wire.P_LIMITS))


_PARTS = (
    wire.P_VERSION,
    wire.P_FIELDS,
    wire.P_LOCATION_CEILING,
    wire.P_SAMPLE_S,
    wire.P_POSITION_S,
    wire.P_DEVICE_S,
    wire.P_UPLOAD_S,
    wire.P_BATCH_MAX,
    wire.P_HEALTH_MASK,
    wire.P_LIMITS,
)


def _fields(fields):
    if not isinstance(fields, dict) or not fields:
        raise ConfigError("policy fields")
    for field in fields:
        row = field_row(field)
        if row is None:
            raise ConfigError("policy: unknown field")
        bounded(fields[field], 1, row[5] - row[4], "policy step")
    return fields


def _limits(limits):
    if limits is None:
        return None
    if not isinstance(limits, list) or len(limits) != 3:
        raise ConfigError("policy limits")
    for limit in limits:
        bounded(limit, -550, 1250, "policy limit")
    if limits[0] >= limits[1] or limits[2] < 1:
        raise ConfigError("policy limits")
    return limits
