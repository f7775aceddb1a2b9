"""Fields and steps in words and units, for whoever reads a policy."""

from __future__ import annotations

from host_tools.limits import FIELDS
from host_tools.senml import number
from plumveil import wire

# What is taken: the sensor's word before anything is rounded, and in what unit (raw of wire.FIELDS).
TAKEN = {
    "temperature": "the SHT4x's temperature in 1/1000 degC",
    "humidity": "the SHT4x's relative humidity in 1/1000 %RH",
    "shock_peak": "the accelerometer's highest peak since the last reading, in 1/1000 g",
    "battery": "the supply's voltage in mV",
    "probe_temperature": "the DS18B20 probe's temperature in 1/1000 degC",
    "uptime": "seconds since the node's start, or since midnight UTC if that was later",
    "heap_free": "free memory in bytes",
    "rssi": "how strong the node hears its access point, in dBm",
    "queue": "messages that wait to be delivered",
    "reset_cause": "why the board last started, a number",
    "sensor_faults": "reads of sensors that failed since the last report",
    "self_test": "which self-tests failed at an earlier start",
}
_UNITS = {"Cel": "degC", "%RH": "%RH", "m/s2": "m/s2", "V": "V", "s": "s", "B": "bytes", "dBm": "dBm", "count": ""}


def amount(field: int, value: int) -> str:
    """A value in wire units with its unit; of an acceleration in g, as people say it."""
    if field == wire.F_SHOCK_PEAK:
        return f"{value / 10:g} g"
    exact = number(field, value)
    return f"{exact:g} {_UNITS[FIELDS[field].senml_unit]}".rstrip()


def step_text(field: int, step: int) -> str:
    """A step in the field's unit."""
    return amount(field, step)


def duration(seconds: int) -> str:
    """Seconds as the largest unit that takes them whole."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
