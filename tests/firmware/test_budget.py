# How often a position is told: once a slot, and in the second mode so many a day. Over restarts; gone with consent.
import unittest

import nodefiles
import scratch

from plumveil import grid, scatter, wire
from plumveil.held import HeldCell

DAY_S = 86400
MIDNIGHT_S = nodefiles.NOON_S // DAY_S * DAY_S
STEP_E6 = 2000000  # to another place, and in any tier another cell


class Gps:
    # Somewhere else at each search.
    def __init__(self):
        self.searches = 0

    def fix(self):
        self.searches += 1
        return 10000000 + self.searches * STEP_E6 % 60000000, 11575000

    def take_bad(self):
        return 0


class Telling(scratch.Scratch):
    PATHS = ("FILE_CELL",)

    def start(self, **policy):
        grant = nodefiles.consent()
        grant[3] += 9 * DAY_S
        self.pipeline, self.store, self.drops = nodefiles.pipeline(grant, **policy)
        self.gps = Gps()

    def take(self, t_s):
        # Whether a position left.
        before = len(self.store.of(wire.LOCATION))
        self.pipeline.tick(t_s)
        self.pipeline.take_position(t_s, True, self.gps)
        return len(self.store.of(wire.LOCATION)) - before == 1


class OncePerSlot(Telling):
    def test_a_slot_has_one_position_however_many_alarms(self):
        self.start(P_POSITION_S=900)
        t_s = nodefiles.NOON_S
        told = [self.take(t_s + after_s) for after_s in (3, 10, 300, 899, 900, 901, 1799, 1800)]
        self.assertEqual(told, [True, False, False, False, True, False, False, True])
        # The receiver had no power for the others.
        self.assertEqual(self.gps.searches, 3)
        self.assertEqual(self.drops.totals[wire.R_NOT_NOW], 5)

    def test_a_cut_right_after_it_left_tells_none_twice(self):
        self.start(P_POSITION_S=900)
        out = self.pipeline._out

        def cut(coarse, *secret):
            out(coarse, *secret)
            if coarse.stream == wire.LOCATION:
                raise SystemExit

        self.pipeline._out = cut
        before = len(self.store.of(wire.LOCATION))
        for n in range(3):
            try:
                self.pipeline.take_position(nodefiles.NOON_S + n * 200, True, self.gps)
            except SystemExit:
                pass
            self.pipeline._held = HeldCell(wire.FILE_CELL)
        self.assertEqual(len(self.store.of(wire.LOCATION)) - before, 1)

    def test_what_flash_does_not_keep_is_not_told(self):
        from plumveil import flash

        self.start(P_POSITION_S=900)
        self.assertTrue(self.take(nodefiles.NOON_S))
        kept = flash.load(wire.FILE_CELL)
        save = flash.save

        def full(path, data):
            raise OSError(28)

        flash.save = full
        try:
            self.assertFalse(self.take(nodefiles.NOON_S + 900))
        finally:
            flash.save = save
        self.assertEqual(flash.load(wire.FILE_CELL), kept)
        self.assertEqual(self.drops.totals[wire.R_QUEUE_FULL], 1)
        self.assertTrue(self.take(nodefiles.NOON_S + 1000))

    def test_what_did_not_get_through_is_open_still(self):
        self.start(P_POSITION_S=900)
        out = self.pipeline._out
        for before in (0, 900):
            held = HeldCell(wire.FILE_CELL)
            self.pipeline._out = lambda coarse, secret=b"": coarse.stream != wire.LOCATION and out(coarse, secret)
            self.assertFalse(self.take(nodefiles.NOON_S + before))
            for now in (self.pipeline._held, HeldCell(wire.FILE_CELL)):
                self.assertEqual((now.cell, now.slot_s, now.serial), (held.cell, held.slot_s, held.serial))
                self.assertEqual(now.told(nodefiles.NOON_S), held.told(nodefiles.NOON_S))
            self.pipeline._out = out
            self.assertTrue(self.take(nodefiles.NOON_S + before + 300))

    def test_slots_are_the_days(self):
        # 7,000 s do not divide a day: its last slot is short, and the next begins at midnight.
        self.start(P_POSITION_S=7000)
        self.assertTrue(self.take(MIDNIGHT_S + 12 * 7000 + 5))
        self.assertFalse(self.take(MIDNIGHT_S + DAY_S - 1))
        self.assertTrue(self.take(MIDNIGHT_S + DAY_S))

    def test_a_restart_is_no_new_slot(self):
        self.start(P_POSITION_S=900)
        self.assertTrue(self.take(nodefiles.NOON_S + 3))
        self.pipeline._held = HeldCell(wire.FILE_CELL)
        self.assertFalse(self.take(nodefiles.NOON_S + 300))
        self.assertTrue(self.take(nodefiles.NOON_S + 900))

    def test_a_slot_in_which_nothing_left_is_open(self):
        self.start(P_POSITION_S=900)
        self.gps.fix = lambda: None
        self.assertFalse(self.take(nodefiles.NOON_S + 3))
        del self.gps.fix
        self.assertTrue(self.take(nodefiles.NOON_S + 300))

    def test_the_time_told_is_rounded(self):
        self.start()
        minimiser = self.pipeline._minimiser
        from plumveil.trust import Fix

        coarse, _ = minimiser.position(Fix(nodefiles.NOON_S + 299, 1, 1), 3, 7, self.pipeline._held)
        self.assertEqual(coarse.t_s, nodefiles.NOON_S)


class Budget(Telling):
    def start(self, per_day=3, **policy):
        super().start(P_SCATTER_M=500, P_SCATTER_DAY=per_day, **policy)

    def test_so_many_a_day_and_the_rest_is_counted(self):
        self.start()
        t_s = nodefiles.NOON_S
        self.assertEqual([self.take(t_s + n * 300) for n in range(6)], [True] * 3 + [False] * 3)
        self.assertEqual(self.drops.totals[wire.R_BUDGET], 3)
        # The next day has its own.
        t_s = MIDNIGHT_S + DAY_S
        self.assertEqual([self.take(t_s + n * 300) for n in range(5)], [True] * 3 + [False] * 2)

    def test_a_restart_gives_none_back(self):
        self.start()
        told = []
        for n in range(6):
            self.pipeline._held = HeldCell(wire.FILE_CELL)
            told.append(self.take(nodefiles.NOON_S + n * 300))
        self.assertEqual(told, [True] * 3 + [False] * 3)

    def test_what_stays_costs_nothing(self):
        self.start(per_day=2)
        self.gps.fix = lambda: (48137000, 11575000)
        self.assertEqual([self.take(nodefiles.NOON_S + n * 300) for n in range(4)], [True, False, False, False])
        self.assertEqual(self.drops.totals[wire.R_SAME_CELL], 3)
        self.assertFalse(wire.R_BUDGET in self.drops.totals)

    def test_once_it_is_spent_nothing_is_searched(self):
        self.start()
        for n in range(6):
            self.take(nodefiles.NOON_S + n * 300)
        self.assertEqual(self.gps.searches, 3)

    def test_a_clock_that_goes_back_and_forth_makes_no_new_day(self):
        self.start()
        told = []
        for n in range(4):
            for day in (2, 1, 0):
                told.append(self.take(nodefiles.NOON_S + day * DAY_S + n * 300))
                self.pipeline._held = HeldCell(wire.FILE_CELL)
        self.assertEqual(sum(told), 3)
        self.assertTrue(self.take(MIDNIGHT_S + 3 * DAY_S))

    def test_the_count_stays_on_the_node(self):
        self.assertFalse(wire.R_BUDGET in wire.RULES_SENT)
        self.assertFalse(wire.R_NOT_NOW in wire.RULES_SENT)

    def test_without_a_number_nothing_is_told(self):
        super().start(P_SCATTER_M=500)
        self.assertFalse(self.take(nodefiles.NOON_S))

    def test_cells_that_are_not_moved_have_no_budget(self):
        super().start(P_SCATTER_DAY=1)
        self.assertEqual([self.take(nodefiles.NOON_S + n * 300) for n in range(3)], [True] * 3)

    def test_withdrawal_forgets_it(self):
        self.start()
        self.take(nodefiles.NOON_S)
        held = self.pipeline._held
        self.assertEqual((held.told(nodefiles.NOON_S), held.told(nodefiles.NOON_S + DAY_S)), (1, 0))
        held.clear()
        self.assertEqual((held.told(nodefiles.NOON_S), HeldCell(wire.FILE_CELL).slot_s), (0, 0))

    def test_what_leaves_is_the_moved_position(self):
        self.start()
        from plumveil.trust import Fix

        key = self.pipeline._keys.place_key()
        coarse, cell = self.pipeline._minimiser.position(
            Fix(nodefiles.NOON_S, 48137000, 11575000), 4, 7, self.pipeline._held
        )
        there = scatter.moved(48137000, 11575000, 500, key)
        self.assertEqual(cell, grid.locate(there[0], there[1], 4))
        self.assertFalse(cell == grid.locate(48137000, 11575000, 4))
        self.assertEqual(coarse.values[wire.K_CELL], cell)

    def test_a_private_zone_is_where_it_really_is(self):
        here = 48137000, 11575000
        self.start()
        there = scatter.moved(here[0], here[1], 500, self.pipeline._keys.place_key())
        for place, told in ((here, False), (there, True)):
            self.anew()
            self.start(P_ZONES=[list(grid.locate(place[0], place[1], 4))])
            self.gps.fix = lambda: here
            self.assertEqual(self.take(nodefiles.NOON_S), told)
            self.assertEqual(self.drops.totals.get(wire.R_ZONE, 0), 0 if told else 1)

    def test_who_configures_a_node_cannot_undo_it(self):
        # A technician has K_config, and not K_consent.
        self.start()
        state = self.pipeline._keys._state
        before = self.pipeline._keys.place_key()
        state.k_config = bytes(32)
        self.assertEqual(self.pipeline._keys.place_key(), before)
        state.k_consent = bytes(32)
        self.assertFalse(self.pipeline._keys.place_key() == before)


class Kept(Telling):
    def test_what_is_no_whole_record_is_none(self):
        from plumveil import cbor, flash

        day = nodefiles.NOON_S // DAY_S
        good = [7, [3, 15000, 1200], nodefiles.NOON_S, 2, day]
        flash.save(wire.FILE_CELL, cbor.dumps(good))
        self.assertEqual(HeldCell(wire.FILE_CELL).told(nodefiles.NOON_S + 5), 2)
        for bad in (
            good[:3],
            good[:4],
            good + [0],
            good[:4] + ["2"],
            good[:3] + [None, day],
            [True] + good[1:],
            [7, [9, 1, 1]] + good[2:],
            [7, 3] + good[2:],
            7,
        ):
            flash.save(wire.FILE_CELL, cbor.dumps(bad))
            held = HeldCell(wire.FILE_CELL)
            self.assertEqual((held.cell, held.slot_s, held.told(nodefiles.NOON_S)), (None, 0, 0))
            self.assertIs(flash.load(wire.FILE_CELL), None)


if __name__ == "__main__":
    unittest.main()
