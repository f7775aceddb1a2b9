# Names of a day, and what keeps one day's records from telling of another's.
import unittest

import nodefiles

from plumveil import wire
from plumveil.errors import Rejected
from plumveil.pseudonym import Pseudonyms
from plumveil.trust import Coarse

NOW_S = nodefiles.NOON_S
DAY_S = 86400


class Names(unittest.TestCase):
    def setUp(self):
        nodefiles.new_flash()
        self.chain = nodefiles.key_chain()
        self.chain.advance(NOW_S)
        self.names = Pseudonyms(self.chain, True)

    def all_names(self):
        names = [self.names.stream(stream) for stream in range(5)]
        return names + [self.names.session(), self.names.host_name()]

    def test_every_name_is_another_every_day(self):
        seen = []
        for day in range(5):
            self.chain.advance(NOW_S + day * DAY_S)
            self.assertEqual(self.all_names(), self.all_names())
            seen += self.all_names()
        self.assertEqual(len(set(seen)), 35)

    def test_a_host_name_is_one_that_dhcp_takes(self):
        name = self.names.host_name()
        self.assertEqual(len(name), 12)
        self.assertTrue(all([letter in "0123456789abcdef" for letter in name]))

    def test_a_record_is_of_the_epoch_in_force_or_none(self):
        record = self.names.record(Coarse(wire.READINGS, NOW_S, {1: 2}))
        self.assertEqual((record.epoch, record.values), (2, {1: 2}))
        for t_s in (NOW_S - DAY_S, NOW_S + DAY_S):
            with self.assertRaises(Rejected):
                self.names.record(Coarse(wire.READINGS, t_s, {1: 2}))

    def test_a_consent_is_referred_to_by_another_name_every_day(self):
        seen = []
        for day in range(3):
            self.chain.advance(NOW_S + day * DAY_S)
            for serial in (7, 8):
                coarse = Coarse(wire.LOCATION, NOW_S + day * DAY_S, {wire.K_CELL: (1, 2, 3), wire.K_CONSENT: serial})
                seen.append(self.names.record(coarse).values[wire.K_CONSENT])
                self.assertEqual(coarse.values[wire.K_CONSENT], serial)
        self.assertEqual(len(set(seen)), 6)
        self.assertEqual(set(map(len, seen)), {wire.CONSENT_REF_BYTES})


class Mask(unittest.TestCase):
    def report(self, values, t_s=NOW_S, mask=True, drops=(0,) * 9):
        nodefiles.new_flash()
        chain = nodefiles.key_chain()
        chain.advance(t_s)
        coarse = Coarse(wire.DEVICE, t_s, {wire.K_HEALTH: values, wire.K_DROPS: drops})
        sent = Pseudonyms(chain, mask).record(coarse).values
        self.drops = sent[wire.K_DROPS]
        return sent[wire.K_HEALTH]

    def test_a_steady_value_takes_all_values_and_comes_back(self):
        limits = {row[0]: (row[4], row[5]) for row in wire.FIELDS}
        low, high = limits[wire.F_RSSI]
        seen = {}
        for n in range(400):
            sent = self.report({wire.F_RSSI: -6}, NOW_S + n * 3600)[wire.F_RSSI]
            self.assertTrue(low <= sent <= high)
            seen[sent] = seen.get(sent, 0) + 1
        # 13 values, some 30 times each.
        self.assertEqual(len(seen), 13)
        self.assertTrue(max(seen.values()) < 65)

    def test_the_shift_is_the_reports_and_each_fields_own(self):
        one = self.report({wire.F_UPTIME: 3, wire.F_HEAP_FREE: 3, wire.F_QUEUE: 3})
        two = self.report({wire.F_UPTIME: 4, wire.F_HEAP_FREE: 3, wire.F_QUEUE: 5})
        self.assertEqual((two[wire.F_UPTIME] - one[wire.F_UPTIME]) % 25, 1)
        self.assertEqual(two[wire.F_HEAP_FREE], one[wire.F_HEAP_FREE])
        self.assertEqual((two[wire.F_QUEUE] - one[wire.F_QUEUE]) % 4096, 2)
        self.assertEqual(self.report({wire.F_QUEUE: 3}), {wire.F_QUEUE: one[wire.F_QUEUE]})

    def test_a_policy_without_it_sends_what_was_measured(self):
        self.assertEqual(self.report({wire.F_UPTIME: 3}, mask=False), {wire.F_UPTIME: 3})
        self.assertEqual(self.drops, (0,) * 9)

    def test_counts_are_shifted_each_by_its_own(self):
        self.report({}, drops=(0,) * 9)
        zeros = self.drops
        self.report({}, drops=(1, 65535, 0, 0, 0, 0, 0, 0, 7))
        shifts = [(b - a) % 65536 for a, b in zip(zeros, self.drops)]
        self.assertEqual(shifts, [1, 65535, 0, 0, 0, 0, 0, 0, 7])
        self.assertEqual(len(set(zeros)), 9)
        self.assertTrue(0 <= min(zeros) and max(zeros) <= 65535)


if __name__ == "__main__":
    unittest.main()
