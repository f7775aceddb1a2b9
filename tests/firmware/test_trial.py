# What comes new has a few starts to prove itself, and what was before it stays until then.
import os
import sys
import unittest

import nodefiles
import scratch
from models.nor_flash import NorFlash
from schedule import START_S, node

from plumveil import flash, keystate, loop, trial, wire
from plumveil.errors import ConfigError


def version(n):
    parts = nodefiles.config_map()
    parts[wire.C_VERSION] = n
    return nodefiles.config_bytes(parts)


def names(folder):
    return sorted(os.listdir(folder))


class Files(scratch.Scratch):
    PATHS = ("FILE_CONFIG", "FILE_SLOT", "FILE_TRIAL")

    def setUp(self):
        scratch.Scratch.setUp(self)
        self.said = []
        self.config = wire.FILE_CONFIG
        parts = nodefiles.slot_map()
        self.state = keystate.KeyState(nodefiles.cbor.dumps(parts))

    def boot(self):
        # -> (version that runs, whether it is on trial), and the trial that a good step would end.
        config, path = trial.configuration(self.state)
        return config.version, path is not None, trial.Trial(self.state, config, path, self.said.append)


class Configuration(Files):
    def test_the_one_in_force_runs(self):
        flash.save(self.config, version(1))
        self.assertEqual(self.boot()[:2], (1, False))

    def test_a_new_one_stays_after_one_good_step(self):
        flash.save(self.config, version(1))
        flash.save(self.config + ".3", version(2))
        n, on_trial, started = self.boot()
        self.assertEqual((n, on_trial), (2, True))
        started.passed()
        self.assertEqual(names(self.folder), ["file_config"])
        self.assertEqual(self.boot()[:2], (2, False))
        self.assertEqual((self.state.config, self.said), (2, ["plumveil: configuration 2 in force"]))

    def test_without_a_good_step_the_old_one_comes_back(self):
        flash.save(self.config, version(1))
        flash.save(self.config + ".3", version(2))
        ran = [self.boot()[0] for _ in range(wire.CONFIG_STARTS + 2)]
        self.assertEqual(ran, [2] * wire.CONFIG_STARTS + [1, 1])
        self.assertEqual(names(self.folder), ["file_config"])

    def test_a_newer_one_takes_the_place_of_one_on_trial(self):
        flash.save(self.config, version(1))
        flash.save(self.config + ".3", version(2))
        self.boot()
        flash.save(self.config + ".3", version(3))
        n, _, started = self.boot()
        self.assertEqual((n, names(self.folder)), (3, ["file_config", "file_config.2"]))
        started.passed()
        self.assertEqual((self.boot()[0], names(self.folder)), (3, ["file_config"]))

    def test_one_that_is_no_good_is_put_away(self):
        other = nodefiles.cbor.dumps([nodefiles.cbor.dumps({}), bytes(32)])
        for bad in (b"", version(2)[:-1], version(1), other):
            flash.save(self.config, version(1))
            flash.save(self.config + ".3", bad)
            self.assertEqual(self.boot()[:2], (1, False))
            self.assertEqual(names(self.folder), ["file_config"])

    def test_the_version_only_rises(self):
        flash.save(self.config, version(5))
        self.boot()[2].passed()
        for old in (1, 4):
            flash.save(self.config, version(old))
            with self.assertRaises(ConfigError):
                self.boot()
            flash.save(self.config + ".3", version(old))
            with self.assertRaises(ConfigError):
                self.boot()
        flash.save(self.config, version(5))
        self.assertEqual(self.boot()[0], 5)

    def test_a_new_one_mends_what_is_missing_or_damaged(self):
        for damaged in (None, b"\x00"):
            flash.erase(self.config)
            if damaged:
                flash.save(self.config, damaged)
            flash.save(self.config + ".3", version(7))
            n, _, started = self.boot()
            self.assertEqual(n, 7)
            started.passed()
            self.assertEqual(self.boot()[:2], (7, False))
            self.state.config = 0

    def test_the_version_that_ran_stands_in_the_next_key_slot(self):
        nor = nodefiles.new_flash()
        self.assertTrue(isinstance(nor, NorFlash))
        vault = nodefiles.Vault(nodefiles.RawArea(nodefiles.Partition(wire.KEYS_PARTITION)))
        state = keystate.KeyState(vault.load(keystate.generation_of))
        config = nodefiles.Config(version(9), nodefiles.K_CONFIG)
        trial.Trial(state, config, None, self.said.append).passed()
        vault.commit(state.body())
        again = keystate.KeyState(vault.load(keystate.generation_of))
        self.assertEqual(again.config, 9)


class Firmware(Files):
    def passed_by(self, running, on_trial):
        # -> (letter in force, trial) after a good step of a version that boot.py has chosen.
        flash.save(wire.FILE_SLOT, b"a")
        flash.save(wire.FILE_TRIAL, on_trial)
        flash.save(self.config, version(1))
        sys.path.insert(0, wire.FOLDER_SLOT + running)
        try:
            self.boot()[2].passed()
        finally:
            sys.path.pop(0)
        return flash.load(wire.FILE_SLOT), flash.load(wire.FILE_TRIAL)

    def test_a_good_step_makes_the_version_on_trial_the_one_in_force(self):
        for left in (b"2", b"1", b"0"):
            self.assertEqual(self.passed_by("b", b"b" + left), (b"b", None))

    def test_a_good_step_of_the_version_before_makes_none_of_one_that_could_not_start(self):
        self.assertEqual(self.passed_by("a", b"b0"), (b"a", None))

    def test_without_a_trial_nothing_changes(self):
        flash.save(wire.FILE_SLOT, b"a")
        trial.confirm()
        self.assertEqual((flash.load(wire.FILE_SLOT), names(self.folder)), (b"a", ["file_slot"]))


class Passed:
    def __init__(self):
        self.n = 0

    def passed(self):
        self.n += 1


class Loop(unittest.TestCase):
    def test_the_first_good_step_ends_the_trial_and_a_failed_one_does_not(self):
        app, _, _, _, _ = node(START_S)
        good = app.step
        app.step = None
        app.trial = on_trial = Passed()
        loop.turn(app, self.fail)
        self.assertEqual((on_trial.n, app.failed_steps), (0, 1))
        app.step = good
        for _ in range(3):
            loop.turn(app, self.fail)
        self.assertEqual(on_trial.n, 1)

    def test_a_new_configuration_restarts_the_node_with_nothing_left_open(self):
        app, _, pipeline, _, _ = node(START_S)
        resets = []
        kept = loop._NEW_CONFIG
        loop._NEW_CONFIG = scratch.folder() + "/new"
        try:
            loop.turn(app, resets.append)
            self.assertEqual(resets, [])
            flash.save(loop._NEW_CONFIG, b"x")
            loop.turn(app, lambda: resets.append(list(pipeline.calls)))
            self.assertEqual(resets[0][-1], ("close",))
        finally:
            loop._NEW_CONFIG = kept


if __name__ == "__main__":
    unittest.main()
