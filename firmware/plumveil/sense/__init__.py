# Drivers. Each hands out raw values {field id of wire.FIELDS: int}, or raises SensorFault naming sensor and fault.
# Integers only. Must never wait without a bound, nor put a reading, serial or ROM code into an error.

from plumveil.errors import SensorFault

# errno as the ESP32 port's buses raise them; its numbers, which are not every host's.
_FAULTS = {19: ": absent", 110: ": timeout"}


def retried(sensor, measure):
    # measure(), and once more when the bus or a checksum failed: a single disturbed transfer costs no reading.
    fault = SensorFault(sensor)
    for _ in range(2):
        try:
            return measure()
        except OSError as e:
            fault = SensorFault(sensor + _FAULTS.get(e.args[0] if e.args else 0, ": bus"))
        except SensorFault as e:
            fault = e
    raise fault
