# Consent is off unless whole, current and within the policy.
import unittest

import nodefiles

from plumveil import wire
from plumveil.consent import Consent
from plumveil.policy import Policy

NOW_S = nodefiles.NOON_S


def tier(parts, now_s=NOW_S, trusted=True, ceiling=3):
    policy = nodefiles.policy_map()
    policy[wire.P_LOCATION_CEILING] = ceiling
    return Consent(parts, Policy(policy)).tier(now_s, trusted)


class ConsentTest(unittest.TestCase):
    def test_a_whole_current_consent_is_in_force(self):
        self.assertEqual(tier(nodefiles.consent_map()), 3)
        self.assertEqual(tier(nodefiles.consent_map(1)), 1)

    def test_off_by_default_and_outside_its_time(self):
        self.assertEqual(tier(None), wire.TIER_OFF)
        starts_s, expires_s = NOW_S - 86400, NOW_S + 86400
        self.assertEqual(tier(nodefiles.consent_map(), starts_s - 1), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent_map(), starts_s), 3)
        self.assertEqual(tier(nodefiles.consent_map(), expires_s - 1), 3)
        self.assertEqual(tier(nodefiles.consent_map(), expires_s), wire.TIER_OFF)

    def test_off_without_a_trusted_clock(self):
        self.assertEqual(tier(nodefiles.consent_map(), trusted=False), wire.TIER_OFF)

    def test_finer_than_the_ceiling_is_off_not_cut_down(self):
        self.assertEqual(tier(nodefiles.consent_map(4)), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent_map(3), ceiling=2), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent_map(1), ceiling=0), wire.TIER_OFF)

    def test_every_part_missing_or_of_a_wrong_kind_is_off(self):
        wrong = (None, True, -1, 0, "3", b"3", [], {}, 1 << 40, "")
        for key in nodefiles.consent_map():
            parts = nodefiles.consent_map()
            del parts[key]
            self.assertEqual(tier(parts), wire.TIER_OFF)
            for value in wrong:
                if key == wire.G_PURPOSE and value == "3":
                    continue
                parts[key] = value
                self.assertEqual(tier(parts), wire.TIER_OFF)
        parts = nodefiles.consent_map()
        parts[99] = 1
        self.assertEqual(tier(parts), wire.TIER_OFF)
        for parts in wrong:
            self.assertEqual(tier(parts), wire.TIER_OFF)


if __name__ == "__main__":
    unittest.main()
