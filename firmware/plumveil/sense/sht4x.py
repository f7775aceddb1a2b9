# Sensirion SHT4x, temperature and humidity over I2C (SHT4x datasheet). Must never hand out a value whose
# CRC is wrong.

from plumveil import wire
from plumveil.errors import SensorFault
from plumveil.fixed import clamp, div_round
from plumveil.sense import retried

_MEASURE_HIGH = b"\xfd"  # command overview: measure with high precision
_MEASURE_MS = 10  # timings: at most 8.3 ms, and a sleep of n ms may be short of n by almost one


class Sht4x:
    # i2c: machine.I2C; sleep_ms: function; address: 0x44-0x46 by part number.
    def __init__(self, i2c, sleep_ms, address=0x44):
        self._i2c = i2c
        self._sleep_ms = sleep_ms
        self._address = address

    def read(self):
        # -> {F_TEMPERATURE: mdegC, F_HUMIDITY: m%RH}; 10 ms, 20 ms after a fault. SensorFault.
        return retried("sht4x", self._measure)

    def _measure(self):
        self._i2c.writeto(self._address, _MEASURE_HIGH)
        self._sleep_ms(_MEASURE_MS)
        data = self._i2c.readfrom(self._address, 6)
        if _crc8(data, 0) != data[2] or _crc8(data, 3) != data[5]:
            raise SensorFault("sht4x: crc")
        # Conversion of signal output; humidity is cropped as it says, the formula gives values beyond both ends.
        humidity = div_round(125000 * (data[3] << 8 | data[4]), 65535) - 6000
        return {
            wire.F_TEMPERATURE: div_round(175000 * (data[0] << 8 | data[1]), 65535) - 45000,
            wire.F_HUMIDITY: clamp(humidity, 0, 100000),
        }


def _crc8(data, at):
    # Of the word at data[at]: checksum calculation, polynomial 0x31, start 0xFF, not reflected.
    crc = 0xFF
    for i in range(at, at + 2):
        crc ^= data[i]
        for _ in range(8):
            crc = (crc << 1 ^ 0x131) if crc & 0x80 else crc << 1
    return crc
