# The node's own state under a clock in the test's hands.
import gc
import unittest

from plumveil import wire
from plumveil.sense import health
from plumveil.sense.health import Health

DAY_S = 86400
NOON_S = 1772452800  # 2026-03-02T12:00:00Z


class Clock:
    def __init__(self, now_s):
        self.s = now_s
        self.ms = 0x3FFFFFFF - 5000  # the ticks wrap soon

    def now_s(self):
        return self.s

    def ticks_ms(self):
        return self.ms & 0x3FFFFFFF

    def elapsed_ms(self, since_ms):
        return ((self.ms - since_ms + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def run(self, s):
        self.s += s
        self.ms += s * 1000


class Memory:
    # In place of gc where the interpreter has no mem_free.
    def __init__(self, free_bytes):
        self.free_bytes = free_bytes
        self.collected = 0

    def collect(self):
        self.collected += 1

    def mem_free(self):
        return self.free_bytes


class HealthTest(unittest.TestCase):
    def tearDown(self):
        health.gc = gc

    def uptime_s(self, node):
        return node.read()[wire.F_UPTIME]

    def test_uptime_counts_from_boot(self):
        clock = Clock(NOON_S)
        node = Health(clock, lambda: None, 1)
        self.assertEqual(self.uptime_s(node), 0)
        clock.run(3600)
        self.assertEqual(self.uptime_s(node), 3600)
        clock.run(1800)
        self.assertEqual(self.uptime_s(node), 5400)

    def test_uptime_restarts_with_the_epoch(self):
        clock = Clock(NOON_S)
        node = Health(clock, lambda: None, 1)
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
        node = Health(clock, lambda: None, 1)
        for _day in range(40):
            clock.run(DAY_S)
            self.assertEqual(self.uptime_s(node), DAY_S // 2)

    def test_uptime_does_not_jump_when_the_clock_is_set(self):
        clock = Clock(NOON_S - 1000000)
        node = Health(clock, lambda: None, 1)
        clock.run(60)
        clock.s = NOON_S
        self.assertEqual(self.uptime_s(node), 60)

    def test_rssi_only_where_there_is_one(self):
        self.assertEqual(Health(Clock(NOON_S), lambda: -61, 1).read()[wire.F_RSSI], -61)
        self.assertFalse(wire.F_RSSI in Health(Clock(NOON_S), lambda: None, 1).read())

    def test_reset_cause(self):
        self.assertEqual(Health(Clock(NOON_S), lambda: None, 4).read()[wire.F_RESET_CAUSE], 4)

    def test_heap(self):
        health.gc = Memory(123456)
        self.assertEqual(Health(Clock(NOON_S), lambda: None, 1).read()[wire.F_HEAP_FREE], 123456)
        self.assertEqual(health.gc.collected, 1)
        # More than the field holds is reported as its highest, not refused.
        health.gc = Memory(8 << 20)
        top = Health(Clock(NOON_S), lambda: None, 1).read()[wire.F_HEAP_FREE]
        step, highest = next((field[3], field[5]) for field in wire.FIELDS if field[0] == wire.F_HEAP_FREE)
        self.assertEqual(top, step * highest)

    def test_heap_of_this_interpreter(self):
        values = Health(Clock(NOON_S), lambda: None, 1).read()
        self.assertEqual(wire.F_HEAP_FREE in values, hasattr(gc, "mem_free"))

    def test_no_other_fields(self):
        health.gc = Memory(1)
        fields = sorted(Health(Clock(NOON_S), lambda: -61, 1).read())
        self.assertEqual(fields, [wire.F_UPTIME, wire.F_HEAP_FREE, wire.F_RSSI, wire.F_RESET_CAUSE])


if __name__ == "__main__":
    unittest.main()
