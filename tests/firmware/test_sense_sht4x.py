# SHT4x: the driver against the register-level model, and against bytes worked out by hand from the datasheet.
import unittest

import machine
import world
from sensing import fault_of

from plumveil import wire
from plumveil.sense.sht4x import Sht4x


def start(**spec):
    spec["sensors"] = ["sht4x"]
    here = world.reset(spec, {})
    return here, Sht4x(machine.I2C(0), here.advance)


def fault(kind, from_s=0, to_s=1000):
    return [{"sensor": "sht4x", "kind": kind, "from_s": from_s, "to_s": to_s}]


class Bus:
    # Gives the same answers over and over; counts what was asked.
    def __init__(self, *answers):
        self.answers = answers
        self.writes = []
        self.slept_ms = 0

    def writeto(self, address, data):
        self.writes.append((address, bytes(data)))

    def readfrom(self, address, n):
        answer = self.answers[(len(self.writes) - 1) % len(self.answers)]
        if isinstance(answer, Exception):
            raise answer
        return answer[:n]

    def sleep_ms(self, n):
        self.slept_ms += n

    def sensor(self):
        return Sht4x(self, self.sleep_ms, 0x45)


# The words 0x6666 and 0xBEEF with their CRCs; the second is the datasheet's example (0x92).
GOOD = b"\x66\x66\x93\xbe\xef\x92"


class ByHand(unittest.TestCase):
    def test_command_wait_and_formula(self):
        bus = Bus(GOOD)
        # 175 * 26214/65535 - 45 = 25.0; 125 * 48879/65535 - 6 = 87.2308...
        self.assertEqual(bus.sensor().read(), {wire.F_TEMPERATURE: 25000, wire.F_HUMIDITY: 87231})
        self.assertEqual(bus.writes, [(0x45, b"\xfd")])
        # 8.3 ms at most, and a sleep of n ms may be n-1 ms and a little.
        self.assertTrue(bus.slept_ms >= 10)

    def test_ends_of_the_range(self):
        self.assertEqual(
            Bus(b"\x00\x00\x81\x00\x00\x81").sensor().read(), {wire.F_TEMPERATURE: -45000, wire.F_HUMIDITY: 0}
        )
        self.assertEqual(
            Bus(b"\xff\xff\xac\xff\xff\xac").sensor().read(), {wire.F_TEMPERATURE: 130000, wire.F_HUMIDITY: 100000}
        )

    def test_every_flipped_bit_is_refused(self):
        for bit in range(48):
            data = bytearray(GOOD)
            data[bit >> 3] ^= 1 << (bit & 7)
            bus = Bus(bytes(data))
            self.assertEqual(fault_of(bus.sensor()), "sht4x: crc")
            self.assertEqual(len(bus.writes), 2)

    def test_one_disturbance_is_retried_two_are_not(self):
        good = {wire.F_TEMPERATURE: 25000, wire.F_HUMIDITY: 87231}
        for first in (b"\x66\x66\x92\xbe\xef\x92", OSError(19), OSError(110), OSError(5), OSError()):
            bus = Bus(first, GOOD)
            self.assertEqual(bus.sensor().read(), good)
            bus = Bus(first, first, GOOD)
            self.assertTrue(fault_of(bus.sensor()) is not None)
            self.assertEqual(len(bus.writes), 2)

    def test_bus_errors_have_names(self):
        self.assertEqual(fault_of(Bus(OSError(19)).sensor()), "sht4x: absent")
        self.assertEqual(fault_of(Bus(OSError(110)).sensor()), "sht4x: timeout")
        self.assertEqual(fault_of(Bus(OSError(5)).sensor()), "sht4x: bus")
        self.assertEqual(fault_of(Bus(OSError()).sensor()), "sht4x: bus")


class OnTheModel(unittest.TestCase):
    def test_reads_what_is_there(self):
        for t_milli, rh_milli in ((4300, 45000), (-38000, 2000), (-1, 99000), (0, 50000), (88888, 10000)):
            _here, sensor = start(temperature=t_milli, humidity=rh_milli, noise_seed=3)
            for _ in range(20):
                values = sensor.read()
                self.assertEqual(sorted(values), [wire.F_TEMPERATURE, wire.F_HUMIDITY])
                self.assertTrue(abs(values[wire.F_TEMPERATURE] - t_milli) <= 22)
                self.assertTrue(abs(values[wire.F_HUMIDITY] - rh_milli) <= 81)

    def test_noise_is_there_and_repeats(self):
        runs = []
        for seed in (5, 5, 6):
            _here, sensor = start(noise_seed=seed)
            runs.append([sensor.read()[wire.F_TEMPERATURE] for _ in range(12)])
        self.assertEqual(runs[0], runs[1])
        self.assertFalse(runs[0] == runs[2])
        self.assertTrue(len(set(runs[0])) > 4)
        # The same numbers on every interpreter.
        self.assertEqual(runs[0][:4], [21000, 20992, 20995, 21000])

    def test_faults(self):
        for kind in ("crc", "absent", "timeout"):
            here, sensor = start(faults=fault(kind, 10, 20))
            sensor.read()
            here.advance(10000)
            self.assertEqual(fault_of(sensor), "sht4x: " + kind)
            here.advance(10000)
            sensor.read()

    def test_not_fitted(self):
        here = world.reset({"sensors": []}, {})
        self.assertEqual(fault_of(Sht4x(machine.I2C(0), here.advance)), "sht4x: absent")
        self.assertTrue(here.elapsed_ms <= 20)

    def test_other_address(self):
        here, sensor = start(sht4x_address=0x45)
        self.assertEqual(fault_of(sensor), "sht4x: absent")
        Sht4x(machine.I2C(0), here.advance, 0x45).read()


class Model(unittest.TestCase):
    def test_busy_until_measured(self):
        here, _ = start()
        bus = machine.I2C(0)
        bus.writeto(0x44, b"\xfd")
        here.advance(8)
        with self.assertRaises(OSError):
            bus.readfrom(0x44, 6)
        with self.assertRaises(OSError):
            bus.writeto(0x44, b"\xfd")
        here.advance(1)
        self.assertEqual(len(bus.readfrom(0x44, 6)), 6)
        # An answer is given once.
        with self.assertRaises(OSError):
            bus.readfrom(0x44, 6)

    def test_serial_number(self):
        start(sht4x_serial=0xBEEFBEEF)
        bus = machine.I2C(0)
        bus.writeto(0x44, b"\x89")
        self.assertEqual(bus.readfrom(0x44, 6), b"\xbe\xef\x92\xbe\xef\x92")

    def test_unknown_command(self):
        start()
        with self.assertRaises(OSError):
            machine.I2C(0).writeto(0x44, b"\x12")

    def test_driver_that_does_not_wait_gets_nothing(self):
        start()
        self.assertEqual(fault_of(Sht4x(machine.I2C(0), lambda n: None)), "sht4x: absent")


if __name__ == "__main__":
    unittest.main()
