# What may be taken, when and where, how precisely, how often: the node's compiled policy. Refuses what it does not
# know.

from plumveil import grid, wire
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
    # parts: map of wire.P_* (see there). ConfigError names the first part that is missing or out of bounds by its
    # number.
    def __init__(self, parts):
        for key in parts:
            bounded(key, wire.P_VERSION, wire.P_SCATTER_DAY, "policy")
        self.version = _number(parts, wire.P_VERSION, 0, wire.POLICY_VERSION_MAX)
        self.fields = _fields(parts.get(wire.P_FIELDS))
        self.location_ceiling = _number(parts, wire.P_LOCATION_CEILING, 0, len(wire.TIERS) - 1)
        self.sample_s = _number(parts, wire.P_SAMPLE_S, 10, wire.INTERVAL_MAX_S)
        self.position_s = _number(parts, wire.P_POSITION_S, wire.POSITION_TIME_S, 86400)
        self.device_s = _number(parts, wire.P_DEVICE_S, 600, 86400)
        self.upload_s = _number(parts, wire.P_UPLOAD_S, 60, 86400)
        self.batch_max = _number(parts, wire.P_BATCH_MAX, 1, wire.BATCH_MAX)
        self.widened = _number(parts, wire.P_WIDENED, 0, self.version)
        self.mask_health = _flag(parts.get(wire.P_HEALTH_MASK))
        self.limits = _limits(parts.get(wire.P_LIMITS))
        self._hours = _hours(parts.get(wire.P_SCHEDULE))
        self.alarm_only = _flag(parts.get(wire.P_ALARM_ONLY, False))
        self.zones = _zones(parts.get(wire.P_ZONES, []))
        self.retention = _numbers(parts.get(wire.P_RETENTION), wire.STREAM_COUNT, 1, wire.RETENTION_MAX_DAYS)
        self.split_dates = _flag(parts.get(wire.P_SPLIT_DATES, False))
        self.scatter_m = bounded(parts.get(wire.P_SCATTER_M, 0), 0, wire.SCATTER_MAX_M, "policy")
        self.scatter_day = bounded(parts.get(wire.P_SCATTER_DAY, 0), 0, wire.SCATTER_DAY_MAX, "policy")

    def open_at(self, t_s):
        # Whether positions may be taken at t_s (Unix s), as far as the hours go.
        if self._hours is None:
            return True
        offset, weekdays, begins, ends = self._hours
        day, minute = divmod(t_s // 60 + offset, 1440)
        if minute < begins:
            # What goes on past midnight belongs to the day it began on.
            day -= 1
            minute += 1440
        # 1970-01-01 was a Thursday.
        return minute < ends + 1440 * (ends < begins) and weekdays >> (day + 3) % 7 & 1 == 1


def _number(parts, key, low, high):
    return bounded(parts.get(key), low, high, "policy %d" % key)


def _refuse(wrong):
    if wrong:
        raise ConfigError("policy")


def _flag(value):
    _refuse(not isinstance(value, bool))
    return value


def _numbers(values, n, low, high):
    _refuse(not isinstance(values, list) or len(values) != n)
    for value in values:
        bounded(value, low, high, "policy")
    return values


def _fields(fields):
    _refuse(not isinstance(fields, dict) or not fields)
    for field in fields:
        row = field_row(field)
        _refuse(row is None)
        bounded(fields[field], 1, row[5] - row[4], "policy")
    return fields


def _limits(limits):
    if limits is not None:
        _numbers(limits, 3, -550, 1250)
        _refuse(limits[0] >= limits[1] or limits[2] < 1)
    return limits


def _hours(hours):
    if hours is not None:
        offset, weekdays, begins, ends = _numbers(hours, 4, -840, 1440)
        _refuse(offset > 840 or not 0 < weekdays < 128 or not 0 <= begins < 1440 or ends < 1 or begins == ends)
    return hours


def _zones(zones):
    _refuse(not isinstance(zones, list) or len(zones) > wire.ZONES_MAX)
    for zone in zones:
        _refuse(not grid.valid(zone))
    return [tuple(zone) for zone in zones]
