# What a policy narrows further: positions within hours, at an alarm, and not from its zones.
import unittest

import nodefiles
import scratch
from schedule import START_S, node, run

from plumveil import grid, wire

NOW_S = nodefiles.NOON_S
HERE = (49026566, 12065272)
# Noon is within the first of them, and outside the second.
OPEN, SHUT = [0, 127, 660, 780], [0, 127, 780, 660]


class Gps:
    # A receiver that counts how often it has power.
    def __init__(self, *positions):
        self.positions = list(positions)
        self.asked = 0

    def fix(self):
        self.asked += 1
        return self.positions.pop(0)

    def take_bad(self):
        return 0


class Positions(scratch.Scratch):
    def test_within_hours_and_not_outside(self):
        for hours, asked in ((OPEN, 1), (SHUT, 0)):
            pipeline, store, drops = nodefiles.pipeline(nodefiles.consent(), P_SCHEDULE=hours)
            gps = Gps(HERE)
            pipeline.take_position(NOW_S, True, gps)
            self.assertEqual((gps.asked, len(store.of(wire.LOCATION))), (asked, asked))
            self.assertEqual(drops.totals, {} if asked else {wire.R_NOT_NOW: 1})

    def test_outside_hours_the_cell_stays_held_and_consent_is_told(self):
        pipeline, store, _ = nodefiles.pipeline(nodefiles.consent(), P_SCHEDULE=[0, 127, 0, 725])
        gps = Gps(HERE, HERE)
        pipeline.take_position(NOW_S, True, gps)
        pipeline.take_position(NOW_S + 300, True, gps)
        self.assertEqual(pipeline._held.cell, grid.locate(*HERE, 3))
        self.assertEqual((gps.asked, len(store.of(wire.EVENTS))), (1, 1))

    def test_no_consent_is_counted_as_that(self):
        pipeline, _, drops = nodefiles.pipeline(P_SCHEDULE=SHUT, P_ALARM_ONLY=True)
        pipeline.take_position(NOW_S, True, Gps())
        self.assertEqual(drops.totals, {wire.R_NO_CONSENT: 1})

    def test_only_at_an_alarm_and_as_long_as_it_lasts(self):
        pipeline, _, drops = nodefiles.pipeline(nodefiles.consent(), P_ALARM_ONLY=True)
        gps = Gps(*[None] * 9)
        asked = []
        # 5 degrees, 9: an alarm, 7.8: not back by the margin, 5.
        for n, t in enumerate((5000, 9000, 7800, 5000)):
            pipeline.take(NOW_S + n * 300, {wire.F_TEMPERATURE: t})
            pipeline.take_position(NOW_S + n * 300, True, gps)
            asked.append(gps.asked)
        self.assertEqual(asked, [0, 1, 2, 2])
        self.assertEqual(drops.totals[wire.R_NOT_NOW], 2)

    def test_a_shock_is_one_until_the_next_sample(self):
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent(), P_ALARM_ONLY=True)
        gps = Gps(*[None] * 9)
        asked = []
        for n, peak in enumerate((100, 5000, 100)):
            pipeline.take(NOW_S + n * 300, {wire.F_SHOCK_PEAK: peak})
            for later in (0, 100):
                pipeline.take_position(NOW_S + n * 300 + later, True, gps)
            asked.append(gps.asked)
        self.assertEqual(asked, [0, 2, 2])

    def test_without_limits_there_is_no_alarm(self):
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent(), P_ALARM_ONLY=True, P_LIMITS=None)
        gps = Gps()
        pipeline.take(NOW_S, {wire.F_TEMPERATURE: 99000, wire.F_SHOCK_PEAK: 15000})
        pipeline.take_position(NOW_S, True, gps)
        self.assertEqual(gps.asked, 0)

    def test_an_alarm_opens_no_hours(self):
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent(), P_ALARM_ONLY=True, P_SCHEDULE=SHUT)
        gps = Gps()
        pipeline.take(NOW_S, {wire.F_TEMPERATURE: 9000})
        pipeline.take_position(NOW_S, True, gps)
        self.assertEqual(gps.asked, 0)

    def test_nothing_from_a_zone_whatever_its_tier_and_the_cell_stays_held(self):
        for tier in (1, 2, 3, 4):
            self.anew()
            zone = list(grid.locate(*HERE, tier))
            pipeline, store, drops = nodefiles.pipeline(nodefiles.consent(), P_ZONES=[[3, 1, 1], zone])
            far = (-33000000, 151000000)
            gps = Gps(far, HERE, HERE, far)
            for n in range(4):
                pipeline.take_position(NOW_S + n * 300, True, gps)
            self.assertEqual(len(store.of(wire.LOCATION)), 1)
            self.assertEqual(pipeline._held.cell, grid.locate(*far, 3))
            self.assertEqual(drops.totals, {wire.R_ZONE: 2, wire.R_SAME_CELL: 1})
            self.assertEqual(sum(drops.report()), 0)

    def test_a_zone_has_the_margin_of_its_cell(self):
        # 100 m at area tier, 0.0009 degrees: a receiver's noise leads a node that stands in it out of no zone.
        zone = grid.locate(*HERE, 3)
        north = grid.row_edges_e6(3, zone[1])[1]
        for beyond, told in ((0, 0), (890, 0), (920, 1)):
            self.anew()
            pipeline, store, _ = nodefiles.pipeline(nodefiles.consent(), P_ZONES=[list(zone)])
            pipeline.take_position(NOW_S, True, Gps((north + beyond, HERE[1])))
            self.assertEqual(len(store.of(wire.LOCATION)), told)

    def test_a_cell_held_from_before_the_zone_is_not_reported_again(self):
        tier, row, column = grid.locate(*HERE, 3)
        pipeline, store, drops = nodefiles.pipeline(nodefiles.consent(), P_ZONES=[[tier, row, column]])
        # Beyond its northern edge by less than the margin, and under another consent.
        beyond = grid.row_edges_e6(3, row)[1] + 100
        pipeline._held.hold((tier, row, column), 5, 0)
        pipeline.take_position(NOW_S, True, Gps((beyond, HERE[1])))
        self.assertEqual((store.of(wire.LOCATION), drops.totals), ([], {wire.R_ZONE: 1}))
        self.assertEqual(pipeline._held.cell, (tier, row, column))


class AtAnAlarm(unittest.TestCase):
    def test_a_position_is_taken_at_once_behind_the_alarms_upload(self):
        for only in (True, False):
            app, time, pipeline, uplink, _ = node(START_S + 17)
            app.policy.alarm_only = only
            app.policy.position_s = 3600
            run(app, time, 600)
            pipeline.calls = []
            pipeline.alarms = 1
            run(app, time, 300)
            pipeline.alarms = 0
            run(app, time, 300)
            positions = [call[1] for call in pipeline.calls if call[0] == "position"]
            self.assertEqual(len(positions), 1 if only else 0)
            if only:
                self.assertTrue(positions[0] >= uplink.moments("all")[0] - 1)


if __name__ == "__main__":
    unittest.main()
