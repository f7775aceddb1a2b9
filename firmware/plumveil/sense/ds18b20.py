# Maxim DS18B20, a temperature probe alone on its one-wire bus (DS18B20 datasheet 19-7487 rev 6). Addresses it without
# its ROM code, so that the serial number in it is never read. Must never hand out the power-on value.

from plumveil import wire
from plumveil.errors import SensorFault
from plumveil.fixed import div_round
from plumveil.sense import retried

_SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCHPAD = 0xBE
_CONVERT_MS = 750  # table 2, at 12 bits
_POWER_ON = 0x0550  # 85 degC: no conversion was made since power came


class Ds18b20:
    # onewire: onewire.OneWire; sleep_ms: function.
    def __init__(self, onewire, sleep_ms):
        self._bus = onewire
        self._sleep_ms = sleep_ms
        self._scratchpad = bytearray(9)

    def read(self):
        # -> {F_PROBE_TEMPERATURE: mdegC}; 0.75 s, 1.5 s after a fault. SensorFault. A true 85.0 degC is refused too.
        return retried("ds18b20", self._measure)

    def _measure(self):
        self._address()
        self._bus.writebyte(_CONVERT)
        self._sleep_ms(_CONVERT_MS)
        # A probe with its own supply answers 0 until it is done; read too early, the scratchpad holds the last value.
        if not self._bus.readbit():
            raise SensorFault("ds18b20: timeout")
        self._address()
        self._bus.writebyte(_READ_SCRATCHPAD)
        pad = self._scratchpad
        self._bus.readinto(pad)
        # A bus held low reads as zeros, whose CRC is right; figure 10: the other bits of byte 4 are fixed.
        if self._bus.crc8(pad) or pad[4] & 0x9F != 0x1F:
            raise SensorFault("ds18b20: crc")
        raw = pad[1] << 8 | pad[0]
        if raw == _POWER_ON:
            raise SensorFault("ds18b20: power-on value")
        if raw & 0x8000:
            raw -= 0x10000
        # Table 2: below 12 bits the lowest bits are undefined.
        undefined = 3 - (pad[4] >> 5)
        return {wire.F_PROBE_TEMPERATURE: div_round((raw >> undefined << undefined) * 125, 2)}

    def _address(self):
        if not self._bus.reset():
            raise SensorFault("ds18b20: absent")
        self._bus.writebyte(_SKIP_ROM)
