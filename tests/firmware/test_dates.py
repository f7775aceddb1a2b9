# Dates split off: every stream tells the time of day alone, and one of its own says which day it was.
import unittest

import nodefiles
import scratch

from plumveil import wire

NOW_S = nodefiles.NOON_S
MIDNIGHT_S = (nodefiles.EPOCH0_DAY + 3) * 86400


class Gps:
    def fix(self):
        return 49026566, 12065272

    def take_bad(self):
        return 0


def opened(pipeline):
    # What is sealed from now on, as (stream, epoch, plaintext map).
    bodies = []
    seal = pipeline._packer._seal

    def seen(stream, epoch, body, consent_secret=b""):
        bodies.append((stream, epoch, body))
        return seal(stream, epoch, body, consent_secret)

    pipeline._packer._seal = seen
    return bodies


class Dates(scratch.Scratch):
    def busy(self, **policy):
        # Half an hour of everything there is -> bodies.
        self.anew()
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent(), **policy)
        bodies = opened(pipeline)
        pipeline.take(NOW_S, {wire.F_TEMPERATURE: 9000})
        pipeline.take(NOW_S + 300, {wire.F_TEMPERATURE: 9000})
        pipeline.take_health(NOW_S + 600, {wire.F_UPTIME: 3600})
        pipeline.take_position(NOW_S + 900, True, Gps())
        pipeline.close()
        return bodies

    def test_every_other_stream_tells_the_time_of_day(self):
        split, whole = self.busy(P_SPLIT_DATES=True), self.busy()
        self.assertEqual(len(split), 5)
        for (stream, epoch, one), (_, _, other) in zip(split, whole):
            self.assertEqual((stream, one.pop(wire.K_TIME)), (stream, other.pop(wire.K_TIME) % 86400))
            # The masks over health are those of the whole time.
            self.assertEqual((epoch, one), (2, other))
        self.assertEqual(set(stream for stream, _, _ in split), {0, 1, 2, 3})

    def test_the_day_is_told_once_an_epoch_in_a_stream_of_its_own(self):
        pipeline, store, _ = nodefiles.pipeline(P_SPLIT_DATES=True)
        self.assertEqual([one.stream for one in store.sealed], [wire.DATES])
        bodies = opened(pipeline)
        for n in range(1, 49):
            pipeline.tick(NOW_S + n * 3600)
            if n == 12:
                names = [pipeline._pseudonyms.stream(stream) for stream in range(4)]
        told = [body for stream, _, body in bodies if stream == wire.DATES]
        self.assertEqual([body[wire.K_TIME] for body in told], [MIDNIGHT_S, MIDNIGHT_S + 86400])
        self.assertEqual(sorted(told[0]), [wire.K_TIME, wire.K_NAMES])
        self.assertEqual(told[0][wire.K_NAMES], names)

    def test_without_the_split_there_is_none(self):
        pipeline, store, _ = nodefiles.pipeline()
        for n in range(30):
            pipeline.tick(NOW_S + n * 3600)
        self.assertEqual(store.sealed, [])

    def test_what_did_not_get_through_is_told_an_hour_later(self):
        pipeline, store, _ = nodefiles.pipeline(P_SPLIT_DATES=True)
        out, pipeline._out = pipeline._out, lambda coarse, secret=b"": False
        pipeline.tick(MIDNIGHT_S)
        pipeline._out = out
        pipeline.tick(MIDNIGHT_S + 60)
        self.assertEqual(len(store.sealed), 1)
        pipeline.tick(MIDNIGHT_S + 3600)
        self.assertEqual([one.epoch for one in store.sealed], [2, 3])

    def test_a_clock_set_back_gives_each_epoch_one_day(self):
        pipeline, _, _ = nodefiles.pipeline(P_SPLIT_DATES=True)
        bodies = opened(pipeline)
        for t_s in (NOW_S + 30 * 86400, NOW_S, NOW_S + 86400, NOW_S - 86400):
            pipeline.tick(t_s)
            pipeline.take(t_s, {wire.F_TEMPERATURE: 4800})
        pipeline.close()
        told = [(epoch, body[wire.K_TIME] // 86400) for stream, epoch, body in bodies if stream == wire.DATES]
        days = [NOW_S // 86400 + n for n in (30, 0, 1, -1)]
        self.assertEqual(told, list(zip((32, 33, 34, 35), days)))
        readings = [epoch for stream, epoch, _ in bodies if stream == wire.READINGS]
        self.assertEqual(readings, [32, 33, 34, 35])

    def test_that_there_was_no_way_to_send_dates_nothing(self):
        for split, said in ((True, 0), (False, 17)):
            pipeline, _, _ = nodefiles.pipeline(P_SPLIT_DATES=split)
            bodies = opened(pipeline)
            pipeline.no_route(NOW_S, 17)
            self.assertEqual(bodies[0][2][wire.K_ARGUMENT], said)
            self.assertEqual(bodies[0][2][wire.K_EVENT], wire.E_NO_ROUTE)


if __name__ == "__main__":
    unittest.main()
