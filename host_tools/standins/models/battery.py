# A battery behind a resistor divider on an ADC pin of the ESP32: whole millivolts after calibration, range by
# attenuation.

# The port's ADC documentation: attenuation -> highest voltage that can be
# measured.
HIGHEST_MV = (950, 1250, 1750, 2450)
NOISE_MV = 5


class Battery:
    def __init__(self, world):
        self._world = world
        self._voltage = world.quantity("battery", 3900)
        self._noise = world.noise(4)
        self._numerator, self._denominator = world.spec.get("battery_divider", (2, 1))

    def read_uv(self, attenuation):
        """Returns the calibrated voltage at the pin in uV. OSError(110) as ADC2 raises it while the radio has it."""
        fault = self._world.fault("battery")
        if fault == "timeout":
            raise OSError(110)
        if fault == "absent":
            return 0
        battery_mv = self._voltage.at(self._world.elapsed_ms // 1000)
        pin_mv = battery_mv * self._denominator // self._numerator + self._noise.next(NOISE_MV)
        return min(max(pin_mv, 0), HIGHEST_MV[attenuation]) * 1000
