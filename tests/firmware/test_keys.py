# The key chain, what it keeps on flash and what it gives out; faults are tests/firmware/test_key_faults.py's matter.
import unittest

import nodefiles
import world

from plumveil import cbor, keys, wire
from plumveil.errors import ConfigError, SealRefused
from plumveil.keystate import KeyState

NOW_S = nodefiles.NOON_S
DAY_S = 86400


def pair(chain, stream=0, consent_secret=b""):
    seal, partial_iv = chain.seal(stream, consent_secret)
    return seal.common_iv, partial_iv


class Chain(unittest.TestCase):
    def setUp(self):
        nodefiles.new_flash()
        self.chain = nodefiles.key_chain()
        self.chain.advance(NOW_S)

    def test_the_hierarchy(self):
        secret = keys.next_secret(keys.next_secret(nodefiles.K_CHAIN))
        step = keys.stream_secret(secret, wire.DEVICE)
        for _ in range(12):
            step = keys.step_secret(step)
        seal, _ = self.chain.seal(wire.DEVICE)
        self.assertEqual((seal.step, seal.common_iv), (12, keys.seal_material(step, seal.salt)[1]))

    def test_no_pair_twice_over_streams_steps_epochs_and_boots(self):
        seen = set()
        n = 0
        for boot in range(3):
            chain = nodefiles.key_chain()
            for hour in range(30):
                chain.advance(NOW_S + (boot * 30 + hour) * 3600)
                for stream in (0, 2, 3):
                    seen.add(pair(chain, stream))
                    n += 1
        self.assertEqual(len(seen), n)

    def test_each_hour_or_at_once_gives_the_same_keys(self):
        for hour in range(30):
            self.chain.advance(NOW_S + hour * 3600)
        hourly = self.chain._state
        nodefiles.new_flash()
        lazy = nodefiles.key_chain()
        lazy.advance(NOW_S + 29 * 3600)
        for name in ("epoch", "step", "chain", "names", "streams"):
            self.assertEqual(getattr(hourly, name), getattr(lazy._state, name))

    def test_no_two_streams_epochs_or_boots_share_a_salt(self):
        salts = []
        for boot in range(2):
            chain = nodefiles.key_chain()
            for day in range(3):
                chain.advance(NOW_S + (boot * 3 + day) * DAY_S)
                salts += [chain.seal(stream)[0].salt for stream in (0, 2, 3)]
        self.assertEqual(len(set(salts)), 18)

    def test_a_boot_goes_on_from_the_ceiling_and_an_epoch_from_zero(self):
        self.assertEqual([pair(self.chain)[1] for _ in range(3)], [0, 1, 2])
        again = nodefiles.key_chain()
        again.advance(NOW_S + 1)
        self.assertEqual(pair(again)[1], keys.CEILING)
        again.advance(NOW_S + DAY_S)
        self.assertEqual(pair(again)[1], 0)

    def test_a_boot_without_the_time_stays_in_the_epoch_it_left(self):
        # Not in one that all nodes with dead clocks would share.
        again = nodefiles.key_chain()
        self.assertEqual((again.epoch, again._state.step), (2, 12))
        self.assertEqual(again.names_secret, self.chain.names_secret)

    def test_counters_run_on_over_hours(self):
        pair(self.chain)
        self.chain.advance(NOW_S + 3600)
        self.assertEqual(pair(self.chain)[1], 1)

    def test_a_ceiling_is_on_flash_before_it_is_used(self):
        flash = world.current.flash[wire.KEYS_PARTITION]
        for n in range(3 * keys.CEILING):
            pair(self.chain)
            state = KeyState(self.chain._vault.load(lambda body: KeyState(body).generation))
            self.assertTrue(n < state.counters[0] <= n + keys.CEILING)
        self.assertTrue(flash.operations < 20)

    def test_a_used_up_counter_refuses(self):
        self.chain._next[0] = wire.PARTIAL_IV_MAX
        self.assertEqual(pair(self.chain)[1], wire.PARTIAL_IV_MAX)
        with self.assertRaises(SealRefused):
            pair(self.chain)
        again = nodefiles.key_chain()
        with self.assertRaises(SealRefused):
            pair(again)

    def test_a_position_needs_its_consents_secret_and_nothing_else_takes_one(self):
        with self.assertRaises(SealRefused):
            self.chain.seal(wire.LOCATION)
        with self.assertRaises(SealRefused):
            self.chain.seal(wire.READINGS, nodefiles.CONSENT_SECRET)
        one = pair(self.chain, wire.LOCATION, nodefiles.CONSENT_SECRET)
        other = pair(self.chain, wire.LOCATION, bytes(32))
        self.assertFalse(one[0] == other[0])
        self.assertEqual((one[1], other[1]), (0, 1))

    def test_a_clock_that_runs_far_ahead_is_not_followed(self):
        far_s = NOW_S + (wire.EPOCH_JUMP_MAX + 1) * DAY_S
        self.assertFalse(self.chain.reaches(far_s))
        with self.assertRaises(SealRefused):
            self.chain.advance(far_s)
        self.assertEqual(self.chain.epoch, 2)
        self.assertTrue(self.chain.reaches(far_s - DAY_S))
        self.chain.advance(far_s - DAY_S)
        self.assertEqual(self.chain.epoch, 2 + wire.EPOCH_JUMP_MAX)

    def test_epochs_never_run_back_and_those_burned_are_counted(self):
        self.chain.advance(NOW_S + 50 * DAY_S)
        self.chain.advance(NOW_S)
        # Epoch 52 was the day it was by the clock that was wrong, and of no other.
        self.assertEqual((self.chain.epoch, self.chain.ahead), (53, 51))
        again = nodefiles.key_chain()
        again.advance(NOW_S + DAY_S)
        self.assertEqual((again.epoch, again.ahead), (54, 51))

    def test_what_leaves_the_epoch_in_force(self):
        midnight_s = (nodefiles.EPOCH0_DAY + 2) * DAY_S
        there = [self.chain.leaves(t_s) for t_s in (midnight_s - 1, midnight_s - 3600, midnight_s - 3601)]
        self.assertEqual(there, [False, False, True])
        there = [self.chain.leaves(midnight_s + days * DAY_S) for days in (0, 1, wire.EPOCH_JUMP_MAX + 1)]
        self.assertEqual(there, [False, True, False])

    def test_epochs_are_burned_up_to_the_last_one_there_may_be(self):
        self.chain.advance(NOW_S + (wire.EPOCHS_AHEAD_MAX - 1) * DAY_S)
        self.chain.advance(NOW_S)
        self.assertEqual(self.chain.ahead, wire.EPOCHS_AHEAD_MAX)
        nodefiles.new_flash()
        one_more = nodefiles.key_chain()
        one_more.advance(NOW_S)
        one_more.advance(NOW_S + wire.EPOCHS_AHEAD_MAX * DAY_S)
        with self.assertRaises(SealRefused):
            one_more.advance(NOW_S)

    def test_too_many_burned_epochs_refuse(self):
        self.chain.advance(NOW_S + 390 * DAY_S)
        self.chain.advance(NOW_S)
        self.chain.advance(NOW_S + 20 * DAY_S)
        with self.assertRaises(SealRefused):
            self.chain.advance(NOW_S)

    def test_a_random_generator_that_stands_still_makes_no_boot_twice(self):
        salts = []
        for _ in range(3):
            chain = nodefiles.key_chain(bytes(32))
            chain.advance(NOW_S)
            salts.append(chain.seal(0)[0].salt)
        self.assertEqual(len(set(salts)), 3)

    def test_spent_secrets_are_gone_from_flash(self):
        flash = world.current.flash[wire.KEYS_PARTITION]
        pair(self.chain)
        spent = list(self.chain._state.streams) + [self.chain._state.names]
        kept = flash.image()
        self.assertTrue(all([secret in kept for secret in spent]))
        self.chain.advance(NOW_S + DAY_S)
        kept = flash.image()
        self.assertFalse(any([secret in kept for secret in spent]))
        self.assertFalse(nodefiles.K_CHAIN in kept or nodefiles.K_ID in kept)
        self.assertEqual(len([n for n in range(4) if kept[n * 4096 : n * 4096 + 768] != b"\xff" * 768]), 1)


class State(unittest.TestCase):
    def test_what_is_written_is_read(self):
        nodefiles.new_flash()
        state = nodefiles.key_chain()._state
        body = state.body()
        self.assertEqual(KeyState(body).body(), KeyState(body).body())
        self.assertEqual(KeyState(body).generation, 2)
        self.assertTrue(len(body) < 500)

    def test_anything_else_is_refused(self):
        wrong = (None, True, -1, "", b"", b"short", [], {}, 1 << 40, [b"k" * 32], [0, 0, 0])
        for key in nodefiles.slot_map():
            for value in wrong:
                # A consent in disorder is none, and that there are no voids is as it should be.
                if key == wire.S_GRANT or (key == wire.S_VOIDS and value == []):
                    continue
                parts = nodefiles.slot_map()
                parts[key] = value
                with self.assertRaises(ConfigError):
                    KeyState(cbor.dumps(parts))
            parts = nodefiles.slot_map()
            del parts[key]
            with self.assertRaises(ConfigError):
                KeyState(cbor.dumps(parts))
        for body in (b"", b"\xff", cbor.dumps([1])):
            with self.assertRaises(ConfigError):
                KeyState(body)


if __name__ == "__main__":
    unittest.main()
