# A configuration loaded ahead: in force from its time, by the trial that any new one has.
import os
import unittest

import nodefiles
import scratch
from schedule import START_S, node

from plumveil import flash, keystate, loop, trial, wire

DUE_S = START_S + 7200


def file(version, from_s=None, k_config=nodefiles.K_CONFIG):
    parts = nodefiles.config_map()
    parts[wire.C_VERSION] = version
    if from_s is not None:
        parts[wire.C_FROM_S] = from_s
    body = nodefiles.cbor.dumps(parts)
    return nodefiles.cbor.dumps([body, nodefiles.hmac_sha256(k_config, body)])


class Ahead(scratch.Scratch):
    PATHS = ("FILE_CONFIG", "FILE_NEXT", "FILE_SLOT", "FILE_TRIAL")

    def setUp(self):
        scratch.Scratch.setUp(self)
        self.kept_new, loop._NEW_CONFIG = loop._NEW_CONFIG, wire.FILE_CONFIG + ".3"
        self.state = keystate.KeyState(nodefiles.cbor.dumps(nodefiles.slot_map()))
        self.resets = 0
        flash.save(wire.FILE_CONFIG, file(4))

    def tearDown(self):
        scratch.Scratch.tearDown(self)
        loop._NEW_CONFIG = self.kept_new

    def reset(self):
        self.resets += 1

    def boot(self, start_s=START_S, clock_set=True):
        # -> (version that runs, the app as the builder leaves it, its clock)
        config, path = trial.configuration(self.state)
        app, time, _, _, _ = node(start_s, clock_set=clock_set)
        app.trial = trial.Trial(self.state, config, path, lambda line: None)
        app.next_s = trial.ahead(self.state, config)
        return config.version, app, time

    def turn(self, app):
        loop.turn(app, self.reset)

    def names(self):
        return sorted(os.listdir(self.folder))

    def test_it_waits_for_its_time_over_starts_and_is_tried_then(self):
        flash.save(wire.FILE_NEXT, file(5, DUE_S))
        for _ in range(3):
            version, app, time = self.boot()
            self.assertEqual((version, app.next_s), (4, DUE_S))
            self.turn(app)
        while self.resets == 0:
            self.turn(app)
        self.assertTrue(DUE_S * 1000 <= time.ms + 946684800000 < (DUE_S + 61) * 1000)
        self.assertEqual(self.names(), ["file_config", "file_config.3"])
        version, app, _ = self.boot(DUE_S)
        self.assertEqual((version, app.next_s), (5, 0))
        self.turn(app)
        self.assertEqual((self.names(), self.boot()[0], self.resets), (["file_config"], 5, 1))

    def test_one_that_does_not_run_gives_way_to_the_one_before(self):
        flash.save(wire.FILE_NEXT, file(5, START_S))
        _, app, _ = self.boot()
        self.turn(app)
        self.turn(app)
        ran = [self.boot()[0] for _ in range(wire.CONFIG_STARTS + 1)]
        self.assertEqual((ran, self.names()), ([5] * wire.CONFIG_STARTS + [4], ["file_config"]))

    def test_without_a_trusted_clock_it_waits(self):
        flash.save(wire.FILE_NEXT, file(5, DUE_S))
        _, app, _ = self.boot(DUE_S + 86400, clock_set=False)
        for _ in range(50):
            self.turn(app)
        self.assertEqual((self.resets, self.names()), (0, ["file_config", "file_next"]))
        app.clock.set_by_source()
        # The step that ends the trial of this start, and then it is due.
        self.turn(app)
        self.turn(app)
        self.assertEqual(self.resets, 1)

    def test_it_waits_for_the_end_of_a_trial(self):
        flash.save(wire.FILE_CONFIG + ".3", file(5))
        flash.save(wire.FILE_NEXT, file(6, START_S))
        version, app, _ = self.boot()
        self.assertEqual((version, app.next_s), (5, START_S))
        good, app.step = app.step, None
        self.turn(app)
        self.assertEqual(self.names(), ["file_config", "file_config.2", "file_next"])
        app.step = good
        self.turn(app)
        self.turn(app)
        self.assertEqual(self.names(), ["file_config", "file_config.3"])
        self.assertEqual(self.boot()[0], 6)

    def test_without_a_time_it_is_due_at_once(self):
        flash.save(wire.FILE_NEXT, file(5))
        _, app, _ = self.boot()
        self.turn(app)
        self.turn(app)
        self.assertEqual(self.resets, 1)

    def test_what_can_never_be_believed_goes(self):
        for bad in (
            b"",
            b"\x00",
            file(5, DUE_S)[:-1],
            file(5, DUE_S, bytes(32)),
            file(4, DUE_S),
            file(5, wire.UNIX_MAX_S + 1),
            file(5, -1),
        ):
            flash.save(wire.FILE_NEXT, bad)
            _, app, _ = self.boot()
            self.turn(app)
            self.assertEqual((app.next_s, self.names(), self.resets), (0, ["file_config"], 0))

    def test_a_newer_one_put_in_force_ends_it(self):
        flash.save(wire.FILE_NEXT, file(5, DUE_S))
        flash.save(wire.FILE_CONFIG + ".3", file(6))
        version, app, _ = self.boot()
        self.assertEqual((version, app.next_s, self.names()), (6, 0, ["file_config", "file_config.2"]))


if __name__ == "__main__":
    unittest.main()
