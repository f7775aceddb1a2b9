# Battery voltage behind a resistor divider, by the chip's calibrated ADC. Must never average over a failed read.

from plumveil import wire
from plumveil.errors import SensorFault
from plumveil.fixed import div_round
from plumveil.sense import retried

_READS = 8  # the ESP32's ADC scatters by several mV


class Battery:
    # adc: machine.ADC; battery voltage = ADC voltage * numerator / denominator.
    def __init__(self, adc, numerator, denominator):
        self._adc = adc
        self._numerator = numerator
        self._denominator = denominator

    def read(self):
        # -> {F_BATTERY: mV}, the mean of 8 reads. SensorFault.
        return retried("battery", self._measure)

    def _measure(self):
        sum_uv = 0
        for _ in range(_READS):
            sum_uv += self._adc.read_uv()
        if not sum_uv:
            # Only an open divider gives exactly nothing.
            raise SensorFault("battery: absent")
        return {wire.F_BATTERY: div_round(sum_uv * self._numerator, self._denominator * _READS * 1000)}
