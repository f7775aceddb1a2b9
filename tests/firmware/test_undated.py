# Readings before the time is known: kept in their rhythm, dated to slots of the day, bounded.
import unittest

from plumveil import wire
from plumveil.drops import Drops
from plumveil.undated import KEPT_MAX, Undated

FIELDS = [wire.F_TEMPERATURE, wire.F_HUMIDITY]


class UndatedTest(unittest.TestCase):
    def setUp(self):
        self.drops = Drops()
        self.undated = Undated(FIELDS, 300, self.drops)

    def test_one_an_interval_and_dated_by_the_time_since_boot(self):
        for up_s in (7, 60, 310, 905):
            if self.undated.due(up_s):
                self.undated.add(up_s, {wire.F_TEMPERATURE: up_s, wire.F_BATTERY: 4000})
        dated = self.undated.take(1000, 1800000000)
        # The interval from 600 s on was missed; a field that is not kept is not there.
        self.assertEqual(
            dated,
            [
                (1799999000, {wire.F_TEMPERATURE: 7}),
                (1799999300, {wire.F_TEMPERATURE: 310}),
                (1799999900, {wire.F_TEMPERATURE: 905}),
            ],
        )
        self.assertEqual(self.undated.take(1100, 1800000100), [])

    def test_the_same_interval_is_not_taken_twice_after_dating(self):
        self.undated.add(10, {wire.F_TEMPERATURE: 1})
        self.undated.take(20, 1800000000)
        self.assertFalse(self.undated.due(30))
        self.assertTrue(self.undated.due(300))

    def test_what_the_bound_forces_out_is_the_oldest_and_counted(self):
        for n in range(KEPT_MAX + 3):
            self.undated.add(n * 300, {wire.F_TEMPERATURE: n})
        dated = self.undated.take((KEPT_MAX + 3) * 300, 1800000000)
        self.assertEqual((len(dated), dated[0][1]), (KEPT_MAX, {wire.F_TEMPERATURE: 3}))
        self.assertEqual(self.drops.totals, {wire.R_CLOCK: 3})

    def test_a_long_gap_is_bounded_too(self):
        self.undated.add(0, {wire.F_TEMPERATURE: 1})
        self.undated.add(300 * 100000, {wire.F_TEMPERATURE: 2})
        dated = self.undated.take(300 * 100000, 1800000000)
        self.assertEqual(dated, [(1800000000, {wire.F_TEMPERATURE: 2})])
        self.assertEqual(self.drops.totals, {wire.R_CLOCK: 1})


if __name__ == "__main__":
    unittest.main()
