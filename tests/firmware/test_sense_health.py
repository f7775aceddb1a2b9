# The node's own state under a clock in the test's hands.
import gc
import unittest

import scratch

from plumveil import wire
from plumveil.sense import health
from plumveil.sense.health import Health

DAY_S = 86400
NOON_S = 1772452800  # 2026-03-02T12:00:00Z


class Clock:
    def __init__(self, now_s):
        self.s = now_s
        self.up = 0

    def now_s(self):
        return self.s

    def up_s(self):
        return self.up

    def run(self, s):
        self.s += s
        self.up += s


class Memory:
    # In place of gc where the interpreter has no mem_free.
    def __init__(self, free_bytes):
        self.free_bytes = free_bytes
        self.collected = 0

    def collect(self):
        self.collected += 1

    def mem_free(self):
        return self.free_bytes


def made(clock, rssi_dbm=lambda: None, reset_cause=1, self_test="/nowhere"):
    return Health(clock, rssi_dbm, reset_cause, self_test)


class HealthTest(unittest.TestCase):
    def tearDown(self):
        health.gc = gc

    def uptime_s(self, node):
        return node.read(0, 0)[wire.F_UPTIME]

    def test_uptime_counts_from_boot(self):
        clock = Clock(NOON_S)
        node = made(clock)
        self.assertEqual(self.uptime_s(node), 0)
        clock.run(3600)
        self.assertEqual(self.uptime_s(node), 3600)
        clock.run(1800)
        self.assertEqual(self.uptime_s(node), 5400)

    def test_uptime_restarts_with_the_epoch(self):
        clock = Clock(NOON_S)
        node = made(clock)
        for _ in range(11):
            clock.run(3600)
        self.assertEqual(self.uptime_s(node), 11 * 3600)
        clock.run(3600)
        self.assertEqual(self.uptime_s(node), 0)
        clock.run(7)
        self.assertEqual(self.uptime_s(node), 7)

    def test_uptime_of_weeks_says_no_more_than_the_time_of_day(self):
        # Beyond the wrap of the ticks too: two nodes of different age cannot be told apart.
        clock = Clock(NOON_S)
        node = made(clock)
        for _day in range(40):
            clock.run(DAY_S)
            self.assertEqual(self.uptime_s(node), DAY_S // 2)

    def test_uptime_does_not_jump_when_the_clock_is_set(self):
        clock = Clock(NOON_S - 1000000)
        node = made(clock)
        clock.run(60)
        clock.s = NOON_S
        self.assertEqual(self.uptime_s(node), 60)

    def test_rssi_only_where_there_is_one(self):
        self.assertEqual(made(Clock(NOON_S), lambda: -61).read(0, 0)[wire.F_RSSI], -61)
        self.assertFalse(wire.F_RSSI in made(Clock(NOON_S)).read(0, 0))

    def test_reset_cause(self):
        self.assertEqual(made(Clock(NOON_S), reset_cause=4).read(0, 0)[wire.F_RESET_CAUSE], 4)

    def test_heap(self):
        health.gc = Memory(123456)
        self.assertEqual(made(Clock(NOON_S)).read(0, 0)[wire.F_HEAP_FREE], 123456)
        self.assertEqual(health.gc.collected, 1)
        # More than the field holds is reported as its highest, not refused.
        health.gc = Memory(8 << 20)
        top = made(Clock(NOON_S)).read(0, 0)[wire.F_HEAP_FREE]
        step, highest = next((field[3], field[5]) for field in wire.FIELDS if field[0] == wire.F_HEAP_FREE)
        self.assertEqual(top, step * highest)

    def test_heap_of_this_interpreter(self):
        values = made(Clock(NOON_S)).read(0, 0)
        self.assertEqual(wire.F_HEAP_FREE in values, hasattr(gc, "mem_free"))

    def test_no_other_fields(self):
        health.gc = Memory(1)
        fields = sorted(made(Clock(NOON_S), lambda: -61).read(0, 0))
        self.assertEqual(fields, [row[0] for row in wire.FIELDS if row[2] == wire.DEVICE])

    def test_counts_stop_at_the_highest_of_their_field(self):
        values = made(Clock(NOON_S)).read(2, 3)
        self.assertEqual((values[wire.F_QUEUE], values[wire.F_SENSOR_FAULTS]), (2, 3))
        values = made(Clock(NOON_S)).read(100000, 100000)
        self.assertEqual((values[wire.F_QUEUE], values[wire.F_SENSOR_FAULTS]), (4095, 255))

    def test_a_self_test_that_failed_at_an_earlier_boot_is_told_once(self):
        path = scratch.folder() + "/selftest.bin"
        with open(path, "wb") as f:
            f.write(b"\x05")
        node = made(Clock(NOON_S), self_test=path)
        self.assertEqual(node.read(0, 0)[wire.F_SELF_TEST], 5)
        # Until it got through.
        self.assertEqual(node.read(0, 0)[wire.F_SELF_TEST], 5)
        node.reported()
        self.assertEqual(node.read(0, 0)[wire.F_SELF_TEST], 0)


if __name__ == "__main__":
    unittest.main()
