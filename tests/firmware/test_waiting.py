# What waits: how long a message is kept for, and that nothing is sent once there is no way.
import os
import unittest

import nodefiles
import scratch
from schedule import START_S, node, run

from plumveil import wire
from plumveil.drops import Drops
from plumveil.store import Store
from plumveil.trust import Sealed

NOW_S = nodefiles.NOON_S
MIDNIGHT_S = (nodefiles.EPOCH0_DAY + 3) * 86400


class Expiry(unittest.TestCase):
    def setUp(self):
        self.folder = scratch.folder()
        self.drops = Drops()

    def store(self):
        return Store(self.folder, self.drops)

    def test_what_waited_too_long_goes_by_stream_and_is_counted(self):
        store = self.store()
        for epoch in range(10):
            for stream in range(len(wire.STREAMS)):
                for _ in range(3):
                    store.put(Sealed(stream, epoch, b"pseudony", b"sessions", bytes(600)))
        store.expire(9, [9, 4, 1, 8, 400])
        left = [0] * len(wire.STREAMS)
        oldest = [None] * len(wire.STREAMS)
        head = store.peek()
        while head is not None:
            left[head.stream] += 1
            if oldest[head.stream] is None:
                oldest[head.stream] = head.epoch
            store.ack(head)
            head = store.peek()
        self.assertEqual(oldest, [0, 5, 8, 1, 0])
        self.assertEqual(left, [30, 15, 6, 27, 30])
        self.assertEqual(self.drops.totals, {wire.R_EXPIRED: 15 + 24 + 3})
        self.assertEqual(store.count(), 0)

    def test_what_expired_is_gone_from_the_flash(self):
        store = self.store()
        for _ in range(20):
            store.put(Sealed(wire.LOCATION, 3, b"pseudony", b"sessions", bytes(600)))
        store.expire(11, [7] * 5)
        self.assertEqual((store.count(), os.listdir(self.folder + "/l")), (0, []))
        self.assertEqual(self.store().peek(), None)
        store.expire(11, [7] * 5)
        self.assertEqual(self.drops.totals, {wire.R_EXPIRED: 20})

    def test_it_is_seen_to_once_an_epoch_and_at_a_start(self):
        pipeline, store, _ = nodefiles.pipeline()
        for n in range(30):
            pipeline.tick(NOW_S + n * 3600)
        self.assertEqual(store.expired, [2, 3])

    def test_a_filesystem_that_does_not_answer_is_asked_again(self):
        pipeline, store, _ = nodefiles.pipeline()
        expire, store.expire = store.expire, None
        with self.assertRaises(TypeError):
            pipeline.tick(MIDNIGHT_S)
        store.expire = expire
        pipeline.tick(MIDNIGHT_S + 3600)
        self.assertEqual(store.expired, [2, 3])


class Route(unittest.TestCase):
    def routes(self, pipeline):
        return [call[1:] for call in pipeline.calls if call[0] == "no route"]

    def test_once_the_safeguard_has_ended_nothing_is_sent_and_each_day_says_so(self):
        app, time, pipeline, uplink, _ = node(START_S)
        app.route_until_s = START_S + 4 * 3600
        run(app, time, 4 * 3600)
        sent = len(uplink.tried)
        self.assertTrue(sent >= 6)
        pipeline.alarms = 1
        run(app, time, 300)
        pipeline.alarms = 0
        steps = run(app, time, 3 * 86400)
        app.stop()
        self.assertEqual(len(uplink.tried), sent)
        self.assertEqual([days for _, days in self.routes(pipeline)], [1, 1, 2, 3])
        # No busier than ever, and readings go on.
        self.assertTrue(steps < 3 * 24 * 100)
        self.assertEqual(len([call for call in pipeline.calls if call[0] == "take"]), 12 * 76 + 1)

    def test_its_time_is_no_earlier_than_that_of_an_alarm_before_it(self):
        for sample_s in (300, 10, 3600):
            app, time, pipeline, _, _ = node(START_S + 2 * 3600 - 7)
            app.policy.sample_s = sample_s
            app.route_until_s = START_S
            pipeline.alarms = 1
            run(app, time, 1)
            t_s = self.routes(pipeline)[0][0]
            last = [call[1] for call in pipeline.calls if call[0] == "take"][-1]
            self.assertTrue(last <= t_s <= START_S + 2 * 3600)

    def test_without_an_end_there_is_none(self):
        app, time, pipeline, uplink, _ = node(START_S)
        run(app, time, 6 * 3600)
        self.assertEqual(self.routes(pipeline), [])
        self.assertTrue(len(uplink.tried) >= 10)


if __name__ == "__main__":
    unittest.main()
