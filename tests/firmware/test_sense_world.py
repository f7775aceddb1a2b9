# The stand-in world and machine: time, recordings, noise, wiring, reset and watchdog.
import unittest
from io import BytesIO

import machine
import world
from models.inputs import Noise, Recording
from sensing import record

START_S = 1772431200


class Time(unittest.TestCase):
    def test_now(self):
        here = world.reset({"start_unix_s": START_S}, {})
        self.assertIs(world.current, here)
        self.assertEqual(here.now_ms, START_S * 1000)
        here.advance(1500)
        here.advance(-5)
        self.assertEqual((here.now_ms, here.elapsed_ms), (START_S * 1000 + 1500, 1500))

    def test_end(self):
        here = world.reset({"start_unix_s": START_S, "end_unix_s": START_S + 10}, {})
        here.advance(10000)
        with self.assertRaises(SystemExit):
            here.advance(1)
        self.assertEqual(here.elapsed_ms, 10000)

    def test_watchdog(self):
        here = world.reset({}, {})
        dog = machine.WDT(timeout=8000)
        for _ in range(5):
            here.advance(7000)
            dog.feed()
        with self.assertRaises(world.Restart):
            here.advance(9000)
        self.assertEqual(here.elapsed_ms, 43000)
        self.assertEqual(machine.reset_cause(), machine.WDT_RESET)

    def test_resets(self):
        here = world.reset({}, {})
        self.assertEqual(machine.reset_cause(), machine.PWRON_RESET)
        with self.assertRaises(world.Restart):
            machine.reset()
        self.assertEqual(machine.reset_cause(), machine.HARD_RESET)
        with self.assertRaises(SystemExit):
            machine.deepsleep(60000)
        self.assertEqual((machine.reset_cause(), here.elapsed_ms), (machine.DEEPSLEEP_RESET, 60000))
        machine.lightsleep(500)
        self.assertEqual(here.elapsed_ms, 60500)

    def test_rtc_sets_the_nodes_clock(self):
        class Clock:
            unix_ms = 0

            def set_unix_ms(self, ms):
                self.unix_ms = ms

            def gmtime(self):
                return (2026, 3, 2, 12, 30, 59, 0, 61)

        world.reset({}, {})
        machine.RTC().memory(b"kept")
        self.assertEqual(machine.RTC().memory(), b"kept")
        real = machine.time
        machine.time = Clock()
        try:
            self.assertEqual(machine.RTC().datetime(), (2026, 3, 2, 0, 12, 30, 59, 0))
            for when, unix_s in (
                ((2000, 1, 1, 5, 0, 0, 0, 0), 946684800),
                ((2026, 3, 2, 0, 12, 30, 59, 0), 1772454659),
                ((2028, 2, 29, 1, 23, 59, 59, 0), 1835481599),
            ):
                machine.RTC().datetime(when)
                self.assertEqual(machine.time.unix_ms, unix_s * 1000)
        finally:
            machine.time = real


class Inputs(unittest.TestCase):
    def test_recording_holds_until_the_next(self):
        recording = Recording(BytesIO(record((5, 100), (10, -200), (10, -300), (70000, 2000000000))))
        for t_s, value in (
            (0, 100),
            (5, 100),
            (9, 100),
            (10, -300),
            (69999, -300),
            (70000, 2000000000),
            (10**9, 2000000000),
        ):
            self.assertEqual(recording.at(t_s), value)

    def test_recording_that_ends_early(self):
        self.assertEqual(Recording(BytesIO(b"")).at(7), 0)
        self.assertEqual(Recording(BytesIO(record((0, 7)) + b"\x00\x00")).at(7), 7)

    def test_recording_is_read_piece_by_piece(self):
        class File:
            def __init__(self, data):
                self.data = BytesIO(data)
                self.asked = []

            def readinto(self, buf):
                self.asked.append(len(buf))
                return self.data.readinto(buf)

        file = File(record(*[(i, i) for i in range(500)]))
        self.assertEqual(Recording(file).at(400), 400)
        self.assertEqual(file.asked, [8] * 402)

    def test_sensors_use_their_recordings(self):
        files = {"t": record((0, 4000), (60, 9000)), "b": record((0, 3700))}
        here = world.reset({"sensors": ["sht4x", "battery"], "temperature": "t", "battery": "b"}, files)
        self.assertEqual(here.quantity("temperature", 0).at(61), 9000)
        self.assertEqual(here.quantity("battery", 0).at(61), 3700)
        self.assertEqual(here.quantity("humidity", 45000).at(61), 45000)

    def test_noise(self):
        noise = Noise(7)
        first = [noise.next(100) for _ in range(8)]
        # The same numbers on every interpreter.
        self.assertEqual(first, [4, -34, -37, -14, -25, 97, 93, 20])
        values = [noise.next(40) for _ in range(4000)]
        self.assertTrue(min(values) >= -40 and max(values) <= 40)
        self.assertTrue(-2 < sum(values) // len(values) < 2)
        self.assertTrue(len(set(values)) > 60)
        self.assertEqual(set(Noise(1).next(0) for _ in range(5)), set((0,)))

    def test_sensors_do_not_share_noise(self):
        here = world.reset({"noise_seed": 3}, {})
        self.assertFalse([here.noise(1).next(99) for _ in range(4)] == [here.noise(2).next(99) for _ in range(4)])

    def test_impossible_worlds(self):
        for spec in (
            {"sensors": ["thermometer"]},
            {"faults": [{"sensor": "battery", "kind": "crc", "from_s": 0, "to_s": 1}]},
            {"faults": [{"sensor": "x", "kind": "absent", "from_s": 0, "to_s": 1}]},
        ):
            with self.assertRaises(ValueError):
                world.reset(spec, {})


class Wiring(unittest.TestCase):
    def test_pins(self):
        here = world.reset({}, {})
        pin = machine.Pin(2, machine.Pin.OUT, value=1)
        self.assertEqual((pin.value(), machine.Pin(2).value()), (1, 1))
        pin.off()
        self.assertEqual(pin(), 0)
        pin(1)
        self.assertEqual(here.levels[2], 1)
        self.assertEqual(machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP).value(), 1)
        self.assertEqual(machine.Pin(26, machine.Pin.IN, machine.Pin.PULL_DOWN).value(), 0)
        here.levels[27] = 0
        button = machine.Pin(27, machine.Pin.IN, machine.Pin.PULL_UP)
        button.value(1)
        self.assertEqual(button.value(), 0)

    def test_who_am_i(self):
        world.reset({"mac": "0102030405fe"}, {})
        self.assertEqual(machine.unique_id(), b"\x01\x02\x03\x04\x05\xfe")
        world.reset({"network": {"mac": "aabbccddeeff"}}, {})
        self.assertEqual(machine.unique_id(), b"\xaa\xbb\xcc\xdd\xee\xff")
        world.reset({}, {})
        self.assertEqual(len(machine.unique_id()), 6)

    def test_bus(self):
        world.reset({"sensors": ["sht4x", "lis3dh"]}, {})
        bus = machine.I2C(0, scl=machine.Pin(22), sda=machine.Pin(21), freq=400000)
        self.assertEqual(bus.scan(), [0x18, 0x44])
        self.assertEqual(bus.writeto(0x18, b"\x0f"), 1)
        self.assertEqual(bus.readfrom(0x18, 1), b"\x33")
        try:
            bus.readfrom_mem(0x50, 0, 1)
            self.fail("nobody is there")
        except OSError as e:
            self.assertEqual(e.args[0], 19)
        world.reset(
            {"sensors": ["sht4x"], "faults": [{"sensor": "sht4x", "kind": "timeout", "from_s": 0, "to_s": 9}]}, {}
        )
        self.assertEqual(bus.scan(), [])
        try:
            bus.writeto(0x44, b"\xfd")
            self.fail("the line is held")
        except OSError as e:
            self.assertEqual(e.args[0], 110)

    def test_other_pins(self):
        here = world.reset({"sensors": ["ds18b20", "gps"], "pins": {"onewire": 13, "gps_power": 14, "gps_rx": 9}}, {})
        machine.Pin(14, machine.Pin.OUT, value=1)
        self.assertTrue(here.gps.powered)
        machine.Pin(25, machine.Pin.OUT, value=0)
        self.assertTrue(here.gps.powered)
        self.assertEqual(here.pins["battery_adc"], 35)


if __name__ == "__main__":
    unittest.main()
