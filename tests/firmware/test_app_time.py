# When the schedule believes its clock, and what it does until then.
import unittest

import nodefiles
from schedule import START_S, node, run

from plumveil import wire


class Time(unittest.TestCase):
    def test_without_time_readings_wait_and_are_dated_when_it_comes(self):
        app, time, pipeline, uplink, drops = node(946684800, clock_set=False)
        run(app, time, 1500)
        self.assertEqual((pipeline.calls, drops.totals), ([], {}))
        uplink.sets_clock_to_s = START_S + 1517
        app.step()
        taken = [call[1:] for call in pipeline.calls if call[0] == "take"]
        # Read at boot and every 300 s after; then the reading that is due now, in a slot that none of them took.
        self.assertEqual([t_s for t_s, _ in taken], [START_S + 300 * n for n in range(6)])
        self.assertEqual([values for _, values in taken], [{wire.F_TEMPERATURE: 4800}] * 6)
        self.assertEqual(pipeline.ticks, sorted(pipeline.ticks))
        self.assertEqual(len(pipeline.ticks), 6)

    def test_a_time_that_no_source_gave_is_not_believed(self):
        app, time, pipeline, uplink, _ = node(START_S, clock_set=False)
        run(app, time, 900)
        self.assertEqual(pipeline.calls, [])
        uplink.sets_clock_to_s = START_S + 900
        app.step()
        self.assertTrue(len(pipeline.calls) >= 4)

    def test_a_time_before_the_node_was_enrolled_is_not_believed(self):
        app, time, pipeline, _, _ = node(nodefiles.EPOCH0_DAY * 86400 - 86400)
        run(app, time, 900)
        self.assertEqual(pipeline.calls, [])

    def test_a_time_too_far_ahead_is_asked_for_again(self):
        app, time, pipeline, uplink, _ = node(START_S)
        pipeline.furthest_s = START_S + 86400
        run(app, time, 900)
        before = len(pipeline.calls)
        uplink.sets_clock_to_s = START_S + 500 * 86400
        time.ms += 500 * 86400000
        for _ in range(3):
            app.step()
        self.assertEqual(len(pipeline.calls), before)
        uplink.sets_clock_to_s = START_S + 1800
        app.step()
        self.assertTrue(len(pipeline.calls) > before)


if __name__ == "__main__":
    unittest.main()
