# The stages together: what comes out for what goes in. Messages are compared as bytes; what is in them is read by the
# host's tests with another implementation.
import unittest

import nodefiles
import scratch

from plumveil import wire
from plumveil.alarm import Alarms
from plumveil.drops import Drops
from plumveil.errors import SealRefused, StoreFull
from plumveil.pack import Batch, Packer, padded
from plumveil.pipeline import Pipeline
from plumveil.policy import Policy
from plumveil.trust import Coarse, Fix, Reading, Record

NOW_S = nodefiles.NOON_S


class Gps:
    # A receiver in a test's hands.
    def __init__(self, positions):
        self.positions = positions
        self.asked = 0

    def fix(self):
        self.asked += 1
        return self.positions[self.asked - 1]

    def take_bad(self):
        return 1


class Path(scratch.Scratch):
    def run_day(self, pipeline, hours=6):
        for n in range(hours * 12):
            pipeline.tick(NOW_S + n * 300)
            pipeline.take(NOW_S + n * 300, {wire.F_TEMPERATURE: 4800 + n * 10, wire.F_HUMIDITY: 45000})
        pipeline.close()

    def test_batches_of_sixty_and_blocks_of_32(self):
        pipeline, store, _ = nodefiles.pipeline()
        self.run_day(pipeline)
        readings = store.of(wire.READINGS)
        self.assertEqual(len(readings), 2)
        for message in readings:
            # Head and protected header differ by the length of a byte string's head alone.
            self.assertTrue(len(message) < 60 * 32 // 10)

    def test_same_input_same_bytes_and_another_boot_none_of_them(self):
        runs = []
        for secret in (nodefiles.BOOT_SECRET, nodefiles.BOOT_SECRET, bytes(32)):
            pipeline, store, _ = nodefiles.pipeline(boot_secret=secret)
            self.run_day(pipeline)
            runs.append(store.of(wire.READINGS))
        self.assertEqual(runs[0], runs[1])
        self.assertFalse(runs[0][0] == runs[2][0])

    def test_a_break_in_the_rhythm_and_midnight_close_a_batch(self):
        pipeline, store, _ = nodefiles.pipeline()
        midnight_s = (nodefiles.EPOCH0_DAY + 3) * 86400
        for t_s in (NOW_S, NOW_S + 300, NOW_S + 900, midnight_s - 300, midnight_s, midnight_s + 300):
            pipeline.tick(t_s)
            pipeline.take(t_s, {wire.F_TEMPERATURE: 4800})
        pipeline.close()
        self.assertEqual([sealed.epoch for sealed in store.sealed], [2, 2, 2, 3])
        self.assertEqual(len(set(sealed.pseudonym for sealed in store.sealed)), 2)
        self.assertEqual(len(set(sealed.session for sealed in store.sealed)), 2)

    def test_time_alone_closes_yesterdays_batch(self):
        pipeline, store, _ = nodefiles.pipeline()
        midnight_s = (nodefiles.EPOCH0_DAY + 3) * 86400
        pipeline.take(midnight_s - 300, {wire.F_TEMPERATURE: 4800})
        pipeline.tick(midnight_s - 1)
        self.assertEqual(store.sealed, [])
        pipeline.tick(midnight_s)
        self.assertEqual([sealed.epoch for sealed in store.sealed], [2])

    def test_alarm_once_and_again_after_a_return(self):
        pipeline, store, _ = nodefiles.pipeline()
        for n, t in enumerate((5000, 8100, 8200, 7900, 8100, 5000, 8100, 1000)):
            pipeline.take(NOW_S + n * 300, {wire.F_TEMPERATURE: t})
        self.assertEqual(len(store.of(wire.EVENTS)), 3)
        for message in store.of(wire.EVENTS):
            self.assertTrue(len(message) <= 128)

    def test_without_consent_the_receiver_is_not_asked(self):
        pipeline, store, drops = nodefiles.pipeline()
        gps = Gps([(1, 2)])
        pipeline.take_position(NOW_S, True, gps)
        self.assertEqual(gps.asked, 0)
        self.assertEqual(store.sealed, [])
        self.assertEqual(drops.totals, {wire.R_NO_CONSENT: 1})

    def test_consent_that_ends_while_a_position_is_searched_for_covers_none(self):
        for tier, located in ((0, 0), (3, 1)):
            self.anew()
            pipeline, store, drops = nodefiles.pipeline(nodefiles.consent())
            pipeline.take_position(NOW_S, True, Gps([(49026566, 12065272)]), lambda tier=tier: tier)
            self.assertEqual(len(store.of(wire.LOCATION)), located)
            self.assertEqual(drops.totals.get(wire.R_NO_CONSENT), None if located else 1)

    def test_with_consent_a_cell_on_change(self):
        pipeline, store, drops = nodefiles.pipeline(nodefiles.consent())
        gps = Gps([(49026566, 12065272), (49026570, 12065280), None, (49126566, 12065272)])
        for n in range(4):
            pipeline.take_position(NOW_S + 300 * n, True, gps)
        self.assertEqual(len(store.of(wire.LOCATION)), 2)
        self.assertEqual(drops.totals, {wire.R_BAD_SENTENCE: 4, wire.R_SAME_CELL: 1, wire.R_NO_FIX: 1})
        for message in store.of(wire.LOCATION):
            self.assertTrue(len(message) <= 128)

    def test_the_held_cell_survives_a_reboot_and_goes_with_consent(self):
        gps = Gps([(49026566, 12065272)] * 3)
        for _ in range(2):
            pipeline, store, _ = nodefiles.pipeline(nodefiles.consent())
            pipeline.take_position(NOW_S, True, gps)
        self.assertEqual(store.of(wire.LOCATION), [])
        pipeline.tick(NOW_S + 2 * 86400)
        pipeline.take_position(NOW_S + 2 * 86400, True, gps)
        pipeline, store, _ = nodefiles.pipeline(nodefiles.consent())
        pipeline.take_position(NOW_S, True, gps)
        self.assertEqual(len(store.of(wire.LOCATION)), 1)

    def test_consent_gone_erases_the_cell_even_without_a_receiver(self):
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent())
        pipeline.take_position(NOW_S, True, Gps([(49026566, 12065272)]))
        with open(wire.FILE_CELL + ".new", "wb") as f:
            f.write(b"left by a power cut")
        pipeline.take_position(NOW_S + 2 * 86400, True, None)
        for path in (wire.FILE_CELL, wire.FILE_CELL + ".new"):
            with self.assertRaises(OSError):
                open(path).close()

    def test_a_position_that_found_no_room_is_reported_later(self):
        pipeline, store, _ = nodefiles.pipeline(nodefiles.consent())
        gps = Gps([(49026566, 12065272)] * 3)
        put, store.put = store.put, self.full
        pipeline.take_position(NOW_S, True, gps)
        store.put = put
        for n in (1, 2):
            pipeline.take_position(NOW_S + n * 300, True, gps)
        self.assertEqual(len(store.of(wire.LOCATION)), 1)

    def full(self, sealed):
        raise StoreFull("location")

    def test_a_clock_set_back_over_midnight_is_waited_for(self):
        pipeline, store, drops = nodefiles.pipeline()
        midnight_s = (nodefiles.EPOCH0_DAY + 3) * 86400
        pipeline.tick(midnight_s)
        pipeline.take(midnight_s, {wire.F_TEMPERATURE: 4800})
        for n in range(3):
            pipeline.tick(midnight_s - 1800 + n * 300)
            pipeline.take(midnight_s - 1800 + n * 300, {wire.F_TEMPERATURE: 4800})
        self.assertEqual(drops.totals, {wire.R_CLOCK: 3})
        pipeline.tick(midnight_s + 300)
        pipeline.take(midnight_s + 300, {wire.F_TEMPERATURE: 4800})
        pipeline.close()
        self.assertEqual([sealed.epoch for sealed in store.sealed], [3])

    def test_a_clock_set_back_by_days_goes_on_under_the_next_epoch_and_says_so(self):
        pipeline, store, drops = nodefiles.pipeline()
        pipeline.tick(NOW_S + 30 * 86400)
        pipeline.take(NOW_S + 30 * 86400, {wire.F_TEMPERATURE: 4800})
        for day in range(2):
            pipeline.tick(NOW_S + day * 86400)
            pipeline.take(NOW_S + day * 86400, {wire.F_TEMPERATURE: 4800})
        pipeline.close()
        self.assertEqual(drops.totals, {})
        # The batch of the false day, the word of it, and each day's batch: the epochs go on, never back.
        told = [(sealed.stream, sealed.epoch) for sealed in store.sealed]
        self.assertEqual(told, [(wire.READINGS, 32), (wire.EVENTS, 33), (wire.READINGS, 33), (wire.READINGS, 34)])
        self.assertEqual(len(set(sealed.pseudonym for sealed in store.sealed)), 4)

    def test_epochs_burned_are_told_even_when_the_first_commit_fails(self):
        pipeline, store, _ = nodefiles.pipeline()
        pipeline.tick(NOW_S + 30 * 86400)
        vault = pipeline._keys._vault
        commit, vault.commit = vault.commit, self.refuse
        pipeline.tick(NOW_S)
        vault.commit = commit
        pipeline.tick(NOW_S + 60)
        pipeline.tick(NOW_S + 3600)
        self.assertEqual(len(store.of(wire.EVENTS)), 1)
        # Said anew after a boot: power may have gone before the first word of it.
        chain = nodefiles.key_chain()
        pipeline._keys, pipeline._pseudonyms._keys, pipeline._packer._keys = chain, chain, chain
        rest = pipeline._pseudonyms, pipeline._packer, store, Drops(), None, pipeline._policy
        again = Pipeline(None, None, None, chain, *rest)
        again.tick(NOW_S + 7200)
        self.assertEqual(len(store.of(wire.EVENTS)), 2)

    def test_what_cannot_be_sealed_waits_and_what_comes_then_is_counted(self):
        pipeline, store, drops = nodefiles.pipeline()
        for n in range(59):
            pipeline.take(NOW_S + n * 300, {wire.F_TEMPERATURE: 4800})
        commit, pipeline._keys._vault.commit = pipeline._keys._vault.commit, self.refuse
        pipeline._keys._durable = False
        for n in range(59, 63):
            pipeline.take(NOW_S + n * 300, {wire.F_TEMPERATURE: 4800})
        self.assertEqual((store.sealed, drops.totals), ([], {wire.R_KEYS: 3}))
        pipeline._keys._vault.commit = commit
        pipeline.take(NOW_S + 63 * 300, {wire.F_TEMPERATURE: 4800})
        self.assertEqual(len(store.sealed), 1)

    def test_a_step_that_did_not_reach_the_flash_is_tried_again(self):
        pipeline, store, drops = nodefiles.pipeline()
        midnight_s = (nodefiles.EPOCH0_DAY + 3) * 86400
        pipeline.take(midnight_s - 300, {wire.F_TEMPERATURE: 4800})
        vault = pipeline._keys._vault
        commit = vault.commit
        kept = []

        def once(body):
            # The ceiling for yesterday's batch, and then no more.
            if kept:
                self.refuse(body)
            kept.append(body)
            commit(body)

        vault.commit = once
        pipeline.tick(midnight_s)
        pipeline.take(midnight_s, {wire.F_TEMPERATURE: 4800})
        self.assertEqual([sealed.epoch for sealed in store.sealed], [2])
        vault.commit = commit
        pipeline.tick(midnight_s + 300)
        pipeline.take(midnight_s + 300, {wire.F_TEMPERATURE: 4800})
        pipeline.close()
        self.assertEqual([sealed.epoch for sealed in store.sealed], [2, 3])
        self.assertEqual(drops.totals, {})

    def refuse(self, *_):
        raise SealRefused("key slot not written")

    def test_limits_close_together_alarm_again(self):
        alarms = Alarms([20, 28, 30])
        raised = [
            len(alarms.check(Coarse(0, n, {wire.F_TEMPERATURE: t}))) for n, t in enumerate((24, 35, 24, 35, 24, 10))
        ]
        self.assertEqual(raised, [0, 1, 0, 1, 0, 1])

    def test_what_was_dropped_goes_with_every_health_report_and_not_the_receivers(self):
        pipeline, store, drops = nodefiles.pipeline(nodefiles.consent())
        seen = []
        add, pipeline._packer.add = pipeline._packer.add, lambda record, secret=b"": seen.append(record) or ()
        pipeline._pseudonyms._mask_health = False
        pipeline.take_position(NOW_S, True, Gps([None]))
        pipeline.take(NOW_S, {77: 1})
        pipeline.take_health(NOW_S, {wire.F_UPTIME: 3600, 78: 1})
        pipeline.take_health(NOW_S + 1, {})
        reports = [record.values for record in seen if record.stream == wire.DEVICE]
        none = [0] * len(wire.RULES_SENT)
        self.assertEqual(reports[0], {wire.K_HEALTH: {wire.F_UPTIME: 1}, wire.K_DROPS: [2] + none[1:]})
        self.assertEqual(reports[1], {wire.K_HEALTH: {}, wire.K_DROPS: none})
        # What a report that did not get through would have told is in the next.
        drops.add(wire.R_MISSED, 5)
        pipeline._packer.add = self.refuse
        self.assertFalse(pipeline.take_health(NOW_S + 2, {}))
        pipeline._packer.add = add
        self.assertTrue(pipeline.take_health(NOW_S + 3, {}))
        self.assertEqual(drops.report(), none)
        self.assertEqual(len(store.of(wire.DEVICE)), 1)

    def test_before_the_first_epoch_nothing_is_sealed(self):
        pipeline, store, drops = nodefiles.pipeline()
        pipeline.take(nodefiles.EPOCH0_DAY * 86400 - 300, {wire.F_TEMPERATURE: 5000})
        self.assertEqual((store.sealed, drops.totals), ([], {wire.R_CLOCK: 1}))


class Packing(unittest.TestCase):
    def test_takes_records_only(self):
        packer = Packer(None, None, Policy(nodefiles.policy_map()))
        for other in (Reading(NOW_S, {}), Fix(NOW_S, 1, 2), Coarse(0, NOW_S, {}), {}):
            with self.assertRaises(TypeError):
                packer.add(other)

    def test_every_length_fills_whole_blocks(self):
        for n in range(200):
            self.assertEqual((len(padded({5: bytes(n)})) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES, 0)

    def test_a_batch_without_a_value_is_nothing(self):
        self.assertIs(Batch(Record(wire.READINGS, 2, NOW_S, {}), Policy(nodefiles.policy_map())).body(), None)


if __name__ == "__main__":
    unittest.main()
