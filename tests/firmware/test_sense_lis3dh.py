# LIS3DH: the driver on the register-level model.
import unittest

import machine
import world
from sensing import fault_of

from plumveil import wire
from plumveil.sense.lis3dh import Lis3dh

ADDRESS = 0x18
LATCHED_MG = 1860  # the default threshold in steps of 186 mg


def start(**spec):
    spec["sensors"] = ["lis3dh"]
    here = world.reset(spec, {})
    return here, Lis3dh(machine.I2C(0), here.advance)


def peak_mg(sensor):
    values = sensor.read()
    if list(values) != [wire.F_SHOCK_PEAK]:
        raise AssertionError("other fields")
    return values[wire.F_SHOCK_PEAK]


def near(value, expected, share=25):
    # Within a digit (48 mg) and what sampling at 100 Hz loses of the pulse's top, 1/share.
    return expected - expected // share - 60 <= value <= expected + 60


class Peaks(unittest.TestCase):
    def test_at_rest_there_is_none_in_any_position(self):
        for gravity in ((0, 0, 1000), (0, 0, -1000), (707, 707, 0), (-577, 577, -577), (24, 25, 999), (1000, 0, 0)):
            here, sensor = start(gravity_mg=gravity)
            for _ in range(5):
                self.assertTrue(peak_mg(sensor) <= 84)
                here.advance(60000)

    def test_first_read_fills_the_fifo(self):
        here, sensor = start()
        sensor.read()
        self.assertTrue(here.elapsed_ms <= 400)
        before_ms = here.elapsed_ms
        sensor.read()
        self.assertEqual(here.elapsed_ms, before_ms)

    def test_shock_in_the_fifo(self):
        for shock in ([10, 3000], [10, 15000], [10, 900], [10, 5000, [600, 0, 800]], [10, 6000, [-577, 577, -577]]):
            here, sensor = start(shocks=[shock])
            sensor.read()
            here.advance(10200 - here.elapsed_ms)
            self.assertTrue(near(peak_mg(sensor), shock[1]))
            # Reported once.
            here.advance(200)
            self.assertTrue(peak_mg(sensor) <= 84)

    def test_latched_shock_that_left_the_fifo(self):
        here, sensor = start(shocks=[[10, 5000], [30, 1500]])
        sensor.read()
        here.advance(20000)
        self.assertEqual(peak_mg(sensor), LATCHED_MG)
        # Below the threshold and out of the FIFO: not seen.
        here.advance(20000)
        self.assertTrue(peak_mg(sensor) <= 84)

    def test_interrupt_takes_the_peak(self):
        here, sensor = start(shocks=[[10, 5000, [0, 600, -800]], [20, 2400], [100, 9000], [130, 3000]])
        machine.Pin(33, machine.Pin.IN).irq(handler=sensor.capture, trigger=machine.Pin.IRQ_RISING)
        sensor.read()
        here.advance(60000)
        self.assertTrue(near(peak_mg(sensor), 5000))
        here.advance(60000)
        self.assertTrue(near(peak_mg(sensor), 9000))
        here.advance(60000)
        self.assertTrue(near(peak_mg(sensor), 3000))
        here.advance(60000)
        self.assertTrue(peak_mg(sensor) <= 84)

    def test_interrupt_before_the_first_read_does_nothing(self):
        here, sensor = start(shocks=[[1, 5000]])
        sensor.capture()
        self.assertEqual(here.elapsed_ms, 0)
        self.assertEqual(machine.I2C(0).readfrom_mem(ADDRESS, 0x20, 1), b"\x07")

    def test_interrupt_during_a_transfer_is_not_lost(self):
        here, sensor = start(shocks=[[10, 5000]])
        sensor.read()
        here.advance(9990 - here.elapsed_ms)
        transfer = sensor._i2c.readfrom_mem_into

        def slow(*arguments):
            # The pulse begins while the FIFO is being read, and its edge finds the driver busy.
            transfer(*arguments)
            if arguments[1] == 0xA8 and not seen:
                seen.append(here.elapsed_ms)
                here.advance(60)
                sensor.capture()

        seen = []
        sensor._i2c.readfrom_mem_into = slow
        self.assertTrue(near(peak_mg(sensor), 5000))

    def test_interrupt_swallows_a_fault_and_read_shows_it(self):
        here, sensor = start(faults=[{"sensor": "lis3dh", "kind": "timeout", "from_s": 5, "to_s": 10}])
        sensor.read()
        here.advance(6000)
        sensor.capture()
        self.assertEqual(fault_of(sensor), "lis3dh: timeout")

    def test_start_is_no_shock(self):
        # A threshold below 1 g, while the high-pass filter has not settled yet.
        here = world.reset({"sensors": ["lis3dh"], "gravity_mg": [0, 0, 1000]}, {})
        sensor = Lis3dh(machine.I2C(0), here.advance, threshold_mg=700)
        for _ in range(3):
            self.assertTrue(peak_mg(sensor) <= 84)
            here.advance(60000)

    def test_read_leaves_nothing_in_the_fifo(self):
        here, sensor = start()
        sensor.read()
        here.advance(60000)
        sensor.read()
        self.assertEqual(machine.I2C(0).readfrom_mem(ADDRESS, 0x2F, 1), b"\x20")

    def test_turned_over_is_no_shock_for_long(self):
        here, sensor = start()
        sensor.read()
        here.lis3dh._gravity = (0, 1000, 0)
        here.advance(60000)
        sensor.read()
        here.advance(60000)
        self.assertTrue(peak_mg(sensor) <= 84)

    def test_node_woken_from_deep_sleep_keeps_the_latch(self):
        here, sensor = start(shocks=[[10, 5000]])
        sensor.read()
        here.advance(30000)
        woken = Lis3dh(machine.I2C(0), here.advance)
        before_ms = here.elapsed_ms
        self.assertEqual(peak_mg(woken), LATCHED_MG)
        self.assertEqual(here.elapsed_ms, before_ms)

    def test_threshold(self):
        for threshold_mg, latched_mg in ((1000, 930), (3000, 2976), (1, 186), (99999, 127 * 186)):
            here = world.reset({"sensors": ["lis3dh"], "shocks": [[10, latched_mg + 300]]}, {})
            sensor = Lis3dh(machine.I2C(0), here.advance, threshold_mg=threshold_mg)
            sensor.read()
            here.advance(20000)
            self.assertEqual(peak_mg(sensor), latched_mg)


class Faults(unittest.TestCase):
    def test_absent_and_timeout(self):
        for kind in ("absent", "timeout"):
            here, sensor = start(faults=[{"sensor": "lis3dh", "kind": kind, "from_s": 5, "to_s": 10}])
            sensor.read()
            here.advance(5000)
            self.assertEqual(fault_of(sensor), "lis3dh: " + kind)
            here.advance(5000)
            sensor.read()

    def test_not_fitted(self):
        here = world.reset({}, {})
        self.assertEqual(fault_of(Lis3dh(machine.I2C(0), here.advance)), "lis3dh: absent")

    def test_another_chip_at_the_address(self):
        here, sensor = start()
        here.lis3dh._registers[0x0F] = 0x32
        self.assertEqual(fault_of(sensor), "lis3dh: wrong device")

    def test_brown_out_is_noticed_and_mended(self):
        here, sensor = start(shocks=[[40, 4000]])
        sensor.read()
        here.lis3dh.__init__(here)
        # What happened meanwhile nobody knows: no reading, but it watches again.
        self.assertEqual(fault_of(sensor), "lis3dh: reset")
        self.assertTrue(peak_mg(sensor) <= 84)
        self.assertEqual(machine.I2C(0).readfrom_mem(ADDRESS, 0xA0, 6), b"\x57\x01\x40\xb0\x48\x00")
        here.advance(60000)
        self.assertEqual(peak_mg(sensor), LATCHED_MG)

    def test_one_disturbance_is_retried(self):
        here, sensor = start(shocks=[[10, 5000]])
        sensor.read()
        here.advance(20000)
        transfer = sensor._i2c.readfrom_mem_into

        def disturbed(*arguments):
            sensor._i2c.readfrom_mem_into = transfer
            raise OSError(110)

        sensor._i2c.readfrom_mem_into = disturbed
        # The latch was read before the transfer failed, and is not forgotten.
        self.assertEqual(peak_mg(sensor), LATCHED_MG)


if __name__ == "__main__":
    unittest.main()
