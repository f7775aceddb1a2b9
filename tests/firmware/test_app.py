# The schedule under a clock in the test's hands.
import unittest

from schedule import START_S, Search, node, run

from plumveil import loop, wire


def broken_off(*_):
    raise KeyboardInterrupt


class Schedule(unittest.TestCase):
    def test_samples_at_whole_slots_once_each(self):
        app, time, pipeline, _, _ = node(START_S + 17)
        run(app, time, 3600)
        taken = [call[1] for call in pipeline.calls if call[0] == "take"]
        self.assertEqual(taken, [START_S + 300 * n for n in range(13)])
        self.assertEqual(pipeline.ticks[-1], START_S + 3600)
        self.assertEqual(pipeline.ticks, sorted(pipeline.ticks))

    def test_sleeps_between_and_never_over_a_due_time(self):
        app, time, _, _, _ = node(START_S + 17)
        self.assertTrue(run(app, time, 3600) < 100)
        for _ in range(50):
            wait_ms = app.step()
            self.assertTrue(0 <= wait_ms <= 60000)
            time.ms += max(1, wait_ms)

    def test_a_faulty_sensor_is_counted_and_the_others_read(self):
        app, _, pipeline, _, drops = node(sensors=(None, {wire.F_BATTERY: 4000}))
        app.step()
        self.assertEqual(pipeline.calls[0], ("take", START_S, {wire.F_BATTERY: 4000}))
        self.assertEqual(drops.totals, {wire.R_SENSOR_FAULT: 1})
        self.assertEqual(pipeline.calls[1][2], {wire.F_UPTIME: 1, wire.F_QUEUE: 2, wire.F_SENSOR_FAULTS: 1})

    def test_a_turn_for_today_and_one_for_the_rest_in_every_hour(self):
        app, time, _, uplink, _ = node(START_S + 17)
        run(app, time, 5 * 3600)
        for what in ("today", "others"):
            hours = [(t_s - START_S) // 3600 for t_s in uplink.moments(what)]
            self.assertEqual(hours, [1, 2, 3, 4])
        self.assertEqual(uplink.moments("all"), [])

    def test_an_alarm_sends_everything_at_once(self):
        app, time, pipeline, uplink, _ = node(START_S + 17)
        run(app, time, 600)
        pipeline.alarms = 1
        run(app, time, 300)
        self.assertEqual([t_s - START_S for t_s in uplink.moments("all")], [900])

    def test_a_position_is_taken_by_the_time_it_is_after_a_long_upload(self):
        app, _, pipeline, uplink, _ = node(START_S + 17)
        pipeline.alarms = 1
        uplink.takes_ms = 240000
        app.step()
        self.assertEqual([call[1] - START_S for call in pipeline.calls if call[0] == "position"], [17 + 240])
        # And consent is asked again once the search is over.
        self.assertEqual(pipeline.tier_now, app.desk.tier)

    def test_when_a_turn_comes_follows_nothing_but_chance(self):
        drawn = iter(range(1, 100000))
        app, time, pipeline, uplink, _ = node(START_S + 17, random=lambda n: bytes([next(drawn) * 37 % 256, 7])[:n])
        for _ in range(48):
            run(app, time, 3600)
            pipeline.calls, pipeline.ticks = [], []
        for what in ("today", "others"):
            within = [(t_s - START_S) % 3600 for t_s in uplink.moments(what)]
            self.assertTrue(len(within) > 40)
            self.assertTrue(min(within) < 600 and max(within) > 3000 and len(set(within)) > 30)
            hours = [(t_s - START_S) // 3600 for t_s in uplink.moments(what)]
            self.assertEqual(len(set(hours)), len(hours))

    def test_a_failed_upload_backs_off_and_comes_back(self):
        app, time, _, uplink, _ = node(START_S + 17)
        uplink.down = True
        run(app, time, 3600 * 5)
        tried = uplink.moments("today")
        waits_s = [tried[n + 1] - tried[n] for n in range(len(tried) - 1)]
        self.assertTrue(waits_s[0] <= 60)
        self.assertTrue(waits_s[-1] > 1800)
        self.assertEqual(waits_s, sorted(waits_s))
        # What other days left is not tried again before its turn.
        self.assertEqual([(t_s - START_S) // 3600 for t_s in uplink.moments("others")], [1, 2, 3, 4])
        uplink.down = False
        run(app, time, 3600 * 2)
        tried = len(uplink.moments("today"))
        run(app, time, 3600 * 3)
        self.assertEqual(len(uplink.moments("today")), tried + 3)

    def test_a_clock_set_back_repeats_no_slot(self):
        app, time, pipeline, _, _ = node()
        run(app, time, 1500)
        time.ms -= 900000
        run(app, time, 1500)
        taken = [call[1] for call in pipeline.calls if call[0] == "take"]
        self.assertEqual(taken, sorted(set(taken)))

    def test_slots_start_anew_at_midnight(self):
        app, time, pipeline, _, _ = node(START_S)
        app.policy.sample_s = 3500
        run(app, time, 15 * 3600)
        taken = [call[1] - START_S for call in pipeline.calls if call[0] == "take"]
        self.assertTrue(12 * 3600 in taken)
        self.assertEqual(len([t for t in taken if t < 12 * 3600]), 13)

    def test_how_long_a_search_takes_shows_nowhere(self):
        calls = []
        for search_ms in (1000, 55000, 149000):
            app, time, pipeline, _, drops = node(START_S + 17)
            pipeline.search = Search(time, search_ms).run
            run(app, time, 7 * 3600)
            calls.append(pipeline.calls)
            self.assertEqual(drops.totals, {})
        self.assertEqual(calls[0], calls[1])
        self.assertEqual(calls[0], calls[2])

    def test_slots_that_passed_unread_are_counted(self):
        app, time, _, _, drops = node()
        app.step()
        time.ms += 1500000
        app.step()
        self.assertEqual(drops.totals, {wire.R_MISSED: 4})

    def test_a_position_broken_off_is_taken_when_the_node_goes_on(self):
        app, time, pipeline, _, _ = node(START_S + 17)
        pipeline.search = broken_off
        with self.assertRaises(KeyboardInterrupt):
            app.step()
        del pipeline.search
        time.ms += 3000
        app.step()
        self.assertEqual([call for call in pipeline.calls if call[0] == "position"][1:], [("position", START_S + 20)])
        # The sample of this slot was taken before.
        self.assertEqual(len([call for call in pipeline.calls if call[0] == "take"]), 1)

    def test_an_upload_broken_off_is_tried_again_soon(self):
        app, time, pipeline, uplink, _ = node(START_S + 17)
        run(app, time, 600)
        pipeline.alarms = 1
        deliver = uplink.deliver
        uplink.deliver = broken_off
        with self.assertRaises(KeyboardInterrupt):
            run(app, time, 300)
        uplink.deliver = deliver
        pipeline.alarms = 0
        before = len(uplink.tried)
        run(app, time, 30)
        self.assertEqual(len(uplink.tried), before + 1)

    def test_a_step_that_fails_costs_that_step_and_a_board_that_only_fails_starts_anew(self):
        app = node()[0]
        app.step = lambda: 1 // 0
        resets = []
        for _ in range(loop.FAILED_STEPS_MAX):
            self.assertEqual(resets, [])
            loop.turn(app, lambda: resets.append("reset"))
        self.assertEqual(resets, ["reset"])
        del app.step
        loop.turn(app, self.fail)
        self.assertEqual((app.failed_steps, app.failed_in_a_row), (loop.FAILED_STEPS_MAX, 0))

    def test_stop_closes_and_delivers(self):
        app, _, pipeline, uplink, _ = node()
        app.stop()
        self.assertEqual((pipeline.calls, len(uplink.tried)), ([("close",)], 1))


if __name__ == "__main__":
    unittest.main()
