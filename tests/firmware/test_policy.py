# The policy as it comes from the configuration, and its hours.
import unittest

import nodefiles

from plumveil import wire
from plumveil.errors import ConfigError
from plumveil.policy import Policy

FRIDAY = nodefiles.EPOCH0_DAY + 2  # 2026-05-29
WEEKDAYS = 0b0011111
ZONE = [3, 15000, 1200]
# Each of them one step out of its bounds, or of another type.
BAD = {
    "P_WIDENED": (None, -1, 2, True, "1"),
    "P_RETENTION": (None, {}, [1] * 4, [1] * 6, [1, 1, 0, 1, 1], [401, 1, 1, 1, 1], [1, 1, True, 1, 1]),
    "P_SCHEDULE": (
        0,
        [],
        [0, 1, 0],
        [0, 1, 0, 60, 0],
        [841, 1, 0, 60],
        [-841, 1, 0, 60],
        [0, 0, 0, 60],
        [0, 128, 0, 60],
        [0, -1, 0, 60],
        [0, 1, 1440, 60],
        [0, 1, -1, 60],
        [0, 1, 60, 1441],
        [0, 1, 60, 0],
        [0, 1, 60, 60],
        [0, True, 0, 60],
    ),
    "P_ALARM_ONLY": (None, 0, 1, []),
    "P_SCATTER_M": (None, True, -1, wire.SCATTER_MAX_M + 1, "500"),
    "P_SCATTER_DAY": (None, True, -1, wire.SCATTER_DAY_MAX + 1, []),
    "P_SPLIT_DATES": (None, 0, 1, []),
    "P_HEALTH_MASK": (None, 0, 1),
    "P_LIMITS": (1, [], [20, 80], [80, 20, 30], [20, 20, 30], [20, 80, 0], [-551, 80, 30], [20, 1251, 30]),
    "P_ZONES": (
        None,
        {},
        [ZONE] * (wire.ZONES_MAX + 1),
        [[0, 0, 0]],
        [[5, 0, 0]],
        [[3, 15000]],
        [[3, 15000, 10000000]],
        [[3, -1, 0]],
        [[3, True, 0]],
        ["3/15000/1200"],
    ),
}


def policy(**changed):
    parts = nodefiles.policy_map()
    for name in changed:
        parts[getattr(wire, name)] = changed[name]
    return Policy(parts)


def moment(day, hour, minute=0):
    return day * 86400 + hour * 3600 + minute * 60


class Parts(unittest.TestCase):
    def test_what_is_absent_narrows_nothing(self):
        plain = policy()
        self.assertEqual((plain.zones, plain.alarm_only, plain.split_dates, plain.widened), ([], False, False, 1))
        self.assertEqual((plain.scatter_m, plain.scatter_day), (0, 0))
        self.assertEqual(plain.retention, [90, 7, 30, 400, 400])

    def test_what_is_there_is_taken_up(self):
        narrow = policy(P_ZONES=[ZONE] * 16, P_ALARM_ONLY=True, P_SPLIT_DATES=True, P_VERSION=9, P_WIDENED=9)
        self.assertEqual((narrow.zones[0], len(narrow.zones)), (tuple(ZONE), 16))
        self.assertEqual((narrow.alarm_only, narrow.split_dates, narrow.widened), (True, True, 9))

    def test_out_of_bounds_is_refused(self):
        for name in BAD:
            for value in BAD[name]:
                try:
                    policy(**{name: value})
                except ConfigError:
                    continue
                raise AssertionError((name, value))

    def test_unknown_parts_are_refused(self):
        for key in (0, 19, -1, "1"):
            parts = nodefiles.policy_map()
            parts[key] = 1
            with self.assertRaises(ConfigError):
                Policy(parts)


class Hours(unittest.TestCase):
    def open(self, hours, *moments):
        return [policy(P_SCHEDULE=hours).open_at(t_s) for t_s in moments]

    def test_without_hours_always(self):
        self.assertIs(policy().open_at(moment(FRIDAY, 3)), True)

    def test_from_the_minute_it_begins_to_the_minute_it_ends(self):
        moments = [moment(FRIDAY, 8) - 1, moment(FRIDAY, 8), moment(FRIDAY, 18) - 1, moment(FRIDAY, 18)]
        self.assertEqual(self.open([0, WEEKDAYS, 480, 1080], *moments), [False, True, True, False])

    def test_on_its_weekdays(self):
        noons = [moment(FRIDAY - 4 + n, 12) for n in range(8)]
        self.assertEqual(self.open([0, WEEKDAYS, 480, 1080], *noons), [True] * 5 + [False] * 2 + [True])
        for bit in range(7):
            there = self.open([0, 1 << bit, 480, 1080], *noons[:7])
            self.assertEqual(there, [n == bit for n in range(7)])

    def test_by_the_clock_of_their_place(self):
        # 08:00 in India is 02:30 UTC, in Newfoundland 11:30.
        india = [moment(FRIDAY, hour, 30) - before for hour in (2, 12) for before in (1, 0)]
        self.assertEqual(self.open([330, WEEKDAYS, 480, 1080], *india), [False, True, True, False])
        west = [moment(FRIDAY, hour, 30) - before for hour in (11, 21) for before in (1, 0)]
        self.assertEqual(self.open([-210, WEEKDAYS, 480, 1080], *west), [False, True, True, False])
        # Friday 22:00 UTC is Saturday morning on Line Islands.
        self.assertEqual(self.open([840, WEEKDAYS, 0, 1440], moment(FRIDAY, 22), moment(FRIDAY, 9)), [False, True])

    def test_past_midnight_they_are_the_day_before(self):
        # Friday nights only.
        moments = [moment(FRIDAY, 22) - 1, moment(FRIDAY, 22), moment(FRIDAY + 1, 6) - 1, moment(FRIDAY + 1, 6)]
        self.assertEqual(self.open([0, 1 << 4, 1320, 360], *moments), [False, True, True, False])
        others = [moment(FRIDAY, 2), moment(FRIDAY + 1, 23)]
        self.assertEqual(self.open([0, 1 << 4, 1320, 360], *others), [False, False])
        # Sunday's go on into Monday.
        self.assertEqual(self.open([0, 1 << 6, 1320, 360], moment(FRIDAY + 3, 3)), [True])

    def test_a_whole_day(self):
        day = [moment(FRIDAY, 0), moment(FRIDAY, 24) - 1, moment(FRIDAY, 24)]
        self.assertEqual(self.open([0, 1 << 4, 0, 1440], *day), [True, True, False])


if __name__ == "__main__":
    unittest.main()
