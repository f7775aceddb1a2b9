# Consent is off unless whole, current and within the policy.
import unittest

import nodefiles

from plumveil import terms, wire
from plumveil.consent import Consent
from plumveil.policy import Policy

NOW_S = nodefiles.NOON_S


class State:
    def __init__(self, grant):
        self.grant = grant


def made(grant, ceiling=3, widened=1):
    policy = nodefiles.policy_map()
    policy[wire.P_LOCATION_CEILING] = ceiling
    policy[wire.P_VERSION] = 5
    policy[wire.P_WIDENED] = widened
    return Consent(State(grant), Policy(policy))


def tier(grant, now_s=NOW_S, trusted=True, **policy):
    return made(grant, **policy).tier(now_s, trusted)


class ConsentTest(unittest.TestCase):
    def test_a_whole_current_consent_is_in_force(self):
        self.assertEqual(tier(nodefiles.consent()), 3)
        self.assertEqual(tier(nodefiles.consent(1)), 1)

    def test_off_by_default_and_outside_its_time(self):
        self.assertEqual(tier(None), wire.TIER_OFF)
        starts_s, expires_s = NOW_S - 86400, NOW_S + 86400
        self.assertEqual(tier(nodefiles.consent(), starts_s - 1), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent(), starts_s), 3)
        self.assertEqual(tier(nodefiles.consent(), expires_s - 1), 3)
        self.assertEqual(tier(nodefiles.consent(), expires_s), wire.TIER_OFF)

    def test_off_without_a_trusted_clock(self):
        self.assertEqual(tier(nodefiles.consent(), trusted=False), wire.TIER_OFF)

    def test_finer_than_the_ceiling_is_off_not_cut_down(self):
        self.assertEqual(tier(nodefiles.consent(4)), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent(3), ceiling=2), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent(1), ceiling=0), wire.TIER_OFF)

    def test_given_before_the_policy_was_widened_it_does_not_suffice(self):
        self.assertEqual(tier(nodefiles.consent(), widened=1), 3)
        self.assertEqual(tier(nodefiles.consent(), widened=2), wire.TIER_OFF)

    def test_every_part_missing_or_of_a_wrong_kind_is_off(self):
        wrong = (None, True, -1, "3", b"3", [], {}, 1 << 40, "")
        for place in range(6):
            self.assertEqual(tier(nodefiles.consent()[:place]), wire.TIER_OFF)
            for value in wrong:
                parts = nodefiles.consent()
                parts[place] = value
                self.assertEqual(tier(parts), wire.TIER_OFF)
        self.assertEqual(tier(nodefiles.consent() + [1]), wire.TIER_OFF)
        for parts in wrong:
            self.assertEqual(tier(parts), wire.TIER_OFF)

    def test_it_says_what_ended_for_good(self):
        self.assertEqual(made(None).ended(NOW_S), 0)
        self.assertEqual(made(nodefiles.consent()).ended(NOW_S - 2 * 86400), 0)
        self.assertEqual(made(nodefiles.consent()).ended(NOW_S), 0)
        self.assertEqual(made(nodefiles.consent()).ended(NOW_S + 86400), terms.LOG_EXPIRED)
        self.assertEqual(made(nodefiles.consent(), widened=2).ended(NOW_S), terms.LOG_INSUFFICIENT)
        self.assertEqual(made(nodefiles.consent(4)).ended(NOW_S), terms.LOG_INSUFFICIENT)

    def test_a_consent_taken_back_is_gone_with_its_secret(self):
        consent = made(nodefiles.consent())
        consent._state.grant = None
        consent.look()
        self.assertEqual((consent.tier(NOW_S, True), consent.serial, consent.secret), (wire.TIER_OFF, 0, b""))


if __name__ == "__main__":
    unittest.main()
