# The LIS3DH model: registers, auto-increment, FIFO, data format and the latched interrupt, by the datasheet.
import unittest

import machine
import world

ADDRESS = 0x18


class Model(unittest.TestCase):
    def setUp(self):
        self.here = world.reset({"sensors": ["lis3dh"], "gravity_mg": [0, -500, 1000], "shocks": [[5, 8000]]}, {})
        self.bus = machine.I2C(0)

    def put(self, register, *values):
        self.bus.writeto_mem(ADDRESS, register | 0x80, bytes(values))

    def get(self, register, n=1):
        data = self.bus.readfrom_mem(ADDRESS, register | 0x80, n)
        return data if n > 1 else data[0]

    def axes(self, data):
        values = [data[i] | data[i + 1] << 8 for i in (0, 2, 4)]
        return [value - 65536 if value & 0x8000 else value for value in values]

    def test_reset_values(self):
        self.assertEqual((self.get(0x0F), self.get(0x20), self.get(0x2F)), (0x33, 0x07, 0x20))

    def test_increment_only_when_asked(self):
        self.put(0x20, 0x57)
        self.assertEqual(self.bus.readfrom_mem(ADDRESS, 0x0F, 3), b"\x33\x33\x33")
        self.assertEqual(self.get(0x1F, 2), b"\x00\x57")

    def test_left_justified_by_mode(self):
        for ctrl1, ctrl4, bits, scale in (
            (0x57, 0x30, 10, 48),
            (0x57, 0x38, 12, 12),
            (0x5F, 0x30, 8, 192),
            (0x57, 0x00, 10, 4),
            (0x57, 0x08, 12, 1),
            (0x57, 0x10, 10, 8),
            (0x57, 0x28, 12, 4),
        ):
            self.put(0x23, ctrl4)
            self.put(0x20, ctrl1)
            self.here.advance(100)
            for value, mg in zip(self.axes(self.get(0x28, 6)), (0, -500, 1000)):
                self.assertEqual(value & (1 << 16 - bits) - 1, 0)
                self.assertTrue(abs((value >> 16 - bits) * scale - mg) <= scale + 6)

    def test_disabled_axes_are_zero(self):
        self.put(0x20, 0x54)
        self.here.advance(100)
        x, y, z = self.axes(self.get(0x28, 6))
        self.assertEqual((x, y), (0, 0))
        self.assertTrue(z > 0)

    def test_fifo_levels(self):
        self.put(0x24, 0x40)
        self.put(0x20, 0x57)
        self.put(0x2E, 0x80)
        for ms, source in ((0, 0x20), (10, 0x81), (10, 0x82), (290, 0x9F), (10, 0xDF), (500, 0xDF)):
            self.here.advance(ms)
            # The watermark is 0 here: reached by the first sample.
            self.assertEqual(self.get(0x2F), source)
        self.get(0x28, 6)
        self.assertEqual(self.get(0x2F), 0x9F)
        # One burst empties it, over the end of the output registers.
        self.get(0x28, 31 * 6)
        self.assertEqual(self.get(0x2F), 0x20)

    def test_bypass_empties(self):
        self.put(0x24, 0x40)
        self.put(0x20, 0x57)
        self.put(0x2E, 0x80)
        self.here.advance(200)
        self.put(0x2E, 0x00)
        self.put(0x2E, 0x80)
        self.assertEqual(self.get(0x2F), 0x20)

    def test_latch_rises_with_the_shock_and_clears_by_reading(self):
        pin = machine.Pin(33)
        self.put(0x20, 0x57, 0x01, 0x40, 0xB0, 0x48)
        self.put(0x32, 20)
        self.put(0x30, 0x2A)
        self.here.advance(5000)
        self.assertEqual((pin.value(), self.get(0x31)), (0, 0))
        self.here.advance(60)
        self.assertEqual(pin.value(), 1)
        self.here.advance(5000)
        self.assertEqual((pin.value(), self.get(0x31), pin.value(), self.get(0x31)), (1, 0x42, 0, 0))

    def test_without_high_pass_gravity_counts(self):
        self.put(0x20, 0x57, 0x00, 0x40, 0xB0, 0x48)
        self.put(0x32, 4)
        self.put(0x30, 0x2A)
        self.here.advance(20)
        self.assertEqual(self.get(0x31), 0x60)

    def test_edge_comes_at_the_sample(self):
        seen = []
        pin = machine.Pin(33)
        pin.irq(lambda p: seen.append((p is pin, self.here.elapsed_ms)), machine.Pin.IRQ_RISING)
        self.put(0x20, 0x57, 0x01, 0x40, 0xB0, 0x48)
        self.put(0x32, 20)
        self.put(0x30, 0x2A)
        self.here.advance(3600000)
        # 3720 mg of 8000 are passed 9.2 ms into the pulse.
        self.assertEqual(seen, [(True, 5010)])
        self.assertEqual(self.here.elapsed_ms, 3600000)
        pin.irq(None)

    def test_what_is_not_modelled_is_refused(self):
        for register, value in ((0x21, 0x08), (0x22, 0x10), (0x24, 0x04), (0x25, 0x02), (0x2E, 0xC0), (0x30, 0x95)):
            with self.assertRaises(ValueError):
                self.put(register, value)

    def test_powered_down_gives_nothing(self):
        self.put(0x24, 0x40)
        self.put(0x2E, 0x80)
        self.here.advance(1000)
        self.assertEqual(self.get(0x2F), 0x20)


if __name__ == "__main__":
    unittest.main()
