# Battery: divider arithmetic by hand, and the driver on the stand-in ADC.
import unittest

import machine
import world
from sensing import fault_of

from plumveil import wire
from plumveil.sense.battery import Battery


class Adc:
    # Gives these values (uV, or an exception to raise), the last one for ever.
    def __init__(self, *values):
        self.values = list(values)
        self.reads = 0

    def read_uv(self):
        self.reads += 1
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, Exception):
            raise value
        return value


def start(battery_mv=3900, **spec):
    spec["sensors"] = ["battery"]
    spec["battery"] = battery_mv
    here = world.reset(spec, {})
    adc = machine.ADC(machine.Pin(35), atten=machine.ADC.ATTN_11DB)
    return here, Battery(adc, *spec.get("battery_divider", (2, 1)))


class ByHand(unittest.TestCase):
    def test_mean_of_eight(self):
        adc = Adc(2000000, 2000000, 2000000, 2000000, 2001000, 2001000, 2001000, 2001000)
        self.assertEqual(Battery(adc, 2, 1).read(), {wire.F_BATTERY: 4001})
        self.assertEqual(adc.reads, 8)

    def test_divider(self):
        for numerator, denominator, mv in ((1, 1, 1500), (2, 1, 3000), (147, 47, 4691), (1, 2, 750)):
            self.assertEqual(Battery(Adc(1500000), numerator, denominator).read(), {wire.F_BATTERY: mv})

    def test_faults(self):
        self.assertEqual(fault_of(Battery(Adc(OSError(110)), 2, 1)), "battery: timeout")
        self.assertEqual(fault_of(Battery(Adc(0), 2, 1)), "battery: absent")

    def test_a_failed_read_is_not_averaged(self):
        adc = Adc(2000000, 2000000, OSError(110), 1900000)
        self.assertEqual(Battery(adc, 2, 1).read(), {wire.F_BATTERY: 3800})
        self.assertEqual(adc.reads, 3 + 8)


class OnTheStandIn(unittest.TestCase):
    def test_reads_what_is_there(self):
        for mv in (3000, 3300, 4200):
            _here, sensor = start(mv)
            values = set(sensor.read()[wire.F_BATTERY] for _ in range(30))
            self.assertTrue(all(abs(value - mv) <= 10 for value in values))
            self.assertTrue(len(values) > 1)
        _here, sensor = start(12600, battery_divider=(147, 27))
        self.assertTrue(abs(sensor.read()[wire.F_BATTERY] - 12600) <= 30)

    def test_range_ends_with_the_attenuation(self):
        start(9000)
        for attenuation, highest_uv in ((0, 950000), (1, 1250000), (2, 1750000), (3, 2450000)):
            adc = machine.ADC(machine.Pin(35))
            adc.atten(attenuation)
            self.assertEqual(adc.read_uv(), highest_uv)

    def test_faults(self):
        for kind in ("absent", "timeout"):
            here, sensor = start(faults=[{"sensor": "battery", "kind": kind, "from_s": 5, "to_s": 10}])
            sensor.read()
            here.advance(5000)
            self.assertEqual(fault_of(sensor), "battery: " + kind)
            here.advance(5000)
            sensor.read()

    def test_another_pin_is_open(self):
        start()
        self.assertEqual(machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB).read_uv(), 0)


if __name__ == "__main__":
    unittest.main()
