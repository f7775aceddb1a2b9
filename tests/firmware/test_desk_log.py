# What time and flash do to consent and its log: ends on record, entries that wait, disks that are full or damaged.
import unittest

import scratch
from desks import NOW_S, Files

from plumveil import cbor, flash, terms, wire


class Time(Files):
    def test_what_ends_by_itself_is_on_record_and_gone_with_its_secret(self):
        node = self.node
        node.grant()
        node.queue()
        node.desk.tick(NOW_S + 86399)
        self.assertEqual(node.desk.tier(), 3)
        node.now_s = NOW_S + 86400
        node.desk.tick(node.now_s)
        self.off()
        # What was taken while it was in force is still the customer's to have.
        self.assertEqual(node.store.count(), 3)
        self.assertEqual(
            [entry[0] for entry in node.entries()], [terms.LOG_GRANTED, terms.LOG_POLICY, terms.LOG_EXPIRED]
        )

    def test_a_policy_that_was_widened(self):
        node = self.node
        node.grant()
        node.desk.tick(NOW_S)
        node.policy.update({wire.P_VERSION: 2, wire.P_WIDENED: 2})
        node.boot()
        self.assertEqual(node.desk.tier(), wire.TIER_OFF)
        node.desk.tick(NOW_S)
        self.off()
        told = node.entries()[2:]
        self.assertEqual([entry[0] for entry in told], [terms.LOG_INSUFFICIENT, terms.LOG_POLICY])
        self.assertEqual((told[0][2][1], told[1][2]), (2, [2]))
        # Made narrow again it stays gone.
        node.policy.update({wire.P_VERSION: 3, wire.P_WIDENED: 1})
        node.boot()
        self.off()

    def test_receipts_wait_for_their_turn_over_boots(self):
        node = self.node
        node.line.takes = False
        node.grant()
        node.desk.withdraw(terms.BY_TOOL)
        node.desk.tick(NOW_S)
        node.boot()
        node.desk.tick(NOW_S)
        self.assertEqual(node.entries(), [])
        node.line.takes = True
        node.desk.tick(NOW_S)
        self.assertEqual([entry[0] for entry in node.entries()], [1, 2, 6])
        node.boot()
        node.desk.tick(NOW_S)
        self.assertEqual(len(node.entries()), 3)

    def test_without_a_clock_off_is_off_and_dated_by_nobody(self):
        node = self.node
        node.grant()
        node.now_s = None
        node.desk.withdraw(terms.BY_BUTTON)
        node.desk.tick(NOW_S)
        self.assertIs(node.entries()[1][1], None)

    def test_of_entries_that_wait_only_those_are_believed_that_the_next_one_names(self):
        node = self.node
        node.grant()
        node.desk.withdraw(terms.BY_TOOL)
        whole = cbor.loads(flash.load(wire.FILE_ENTRY))
        for damaged in ([b"\x05", whole[1]], [b"", whole[1]], [7, whole[1]], [whole[0][:-1], whole[1]]):
            flash.save(wire.FILE_ENTRY, cbor.dumps(damaged))
            node.boot()
            self.assertEqual(node.desk._kept, [whole[1]])
        for damaged in ({}, {1: 2}, 7, "text", b"bytes", [[]], None):
            flash.save(wire.FILE_ENTRY, cbor.dumps(damaged))
            node.boot()
            self.assertEqual(node.desk._kept, [])
            node.desk.tick(NOW_S)

    def test_a_disk_that_is_full_hinders_nothing(self):
        node = self.node
        wire.FILE_ENTRY = wire.FILE_LOG = scratch.folder() + "/no/such/folder"
        node.grant()
        node.desk.withdraw(terms.BY_TOOL)
        self.off()
        node.desk.tick(NOW_S)
        self.assertEqual(len(node.entries()), 3)

    def test_entries_that_flash_gives_back_damaged_are_no_entries(self):
        node = self.node
        node.line.takes = False
        node.grant()
        good = flash.load(wire.FILE_ENTRY)
        for data in (
            b"",
            b"\xff",
            b"\x81\x05",
            b"\x81\x41\x00",
            good[:-1],
            cbor.dumps([cbor.dumps([1, 2])]),
            b"\x80",
        ):
            flash.save(wire.FILE_ENTRY, data)
            node.boot()
            self.assertEqual(node.desk._kept, [])
        flash.save(wire.FILE_ENTRY, good)
        node.boot()
        self.assertEqual(len(node.desk._kept), 1)

    def test_the_log_is_bounded(self):
        node = self.node
        for n in range(300):
            node.desk.void(n + 1)
            if n % 5 == 4:
                node.desk.tick(NOW_S)
        whole = flash.load(wire.FILE_LOG)
        self.assertTrue(len(whole) <= wire.LOG_MAX_BYTES)
        self.assertTrue(len(flash.load(wire.FILE_LOG + ".old")) <= wire.LOG_MAX_BYTES)
        self.assertEqual(len(node.entries()), 301)


if __name__ == "__main__":
    unittest.main()
