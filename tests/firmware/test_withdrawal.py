# Promise P8: the supply goes at every operation on flash that a withdrawal makes, cleanly or in the middle. Whatever
# was begun is finished by the next start: location is off, queued positions are gone, no reading is.
import unittest

import nodefiles
from desks import Files, Node
from models.nor_flash import PowerCut

from plumveil import flash, terms, wire

HELD = (3, 4, 5)
PARTS = (1, 128, 255)  # 256ths of an operation that are done
OPERATIONS = 3  # mark, slot, erasure of the slot before


class Withdrawal(Files):
    def begun(self):
        self.node = node = Node()
        node.grant()
        node.queue()
        node.held.hold(HELD, node.consent.serial, 0)
        self.nor = nodefiles.world.current.flash[wire.KEYS_PARTITION]
        return node

    def cut(self, nth, part):
        # -> the node after the next start; None when there was no nth operation.
        node = self.begun()
        self.nor.order(nth, "cut", part)
        try:
            node.desk.withdraw(terms.BY_BUTTON)
        except PowerCut:
            self.nor.power_on()
            node.boot()
            return node
        return None

    def finished(self, node):
        self.assertEqual(node.desk.tier(), wire.TIER_OFF)
        self.assertIs(node.state.grant, None)
        self.assertIs(flash.load(wire.FILE_CELL), None)
        self.assertEqual([node.store.count(), node.store.peek().stream], [1, wire.READINGS])
        node.chain.commit()
        self.assertFalse(nodefiles.CONSENT_SECRET in self.nor.image())
        node.desk.tick(nodefiles.NOON_S)
        told = [entry for entry in node.entries() if entry[0] == terms.LOG_WITHDRAWN]
        self.assertEqual(len(told), 1)
        self.assertEqual(told[0][2][0], node.state.serial)

    def test_cut_in_the_middle_of_every_operation(self):
        for part in PARTS:
            for nth in range(OPERATIONS):
                self.finished(self.cut(nth, part))
            self.assertIs(self.cut(OPERATIONS, part), None)

    def test_cut_cleanly_before_every_operation_but_the_first(self):
        for nth in range(1, OPERATIONS):
            self.finished(self.cut(nth, None))

    def test_cut_before_a_bit_is_changed_nothing_was_begun(self):
        # And nobody was told that it is off.
        node = self.cut(0, None)
        self.assertEqual((node.desk.tier(), node.store.count(), node.held.cell), (3, 3, HELD))

    def test_cut_again_while_the_start_finishes_it(self):
        for nth in range(OPERATIONS):
            for again in range(OPERATIONS):
                for part in PARTS:
                    node = self.begun()
                    self.nor.order(nth, "cut", 128)
                    with self.assertRaises(PowerCut):
                        node.desk.withdraw(terms.BY_BUTTON)
                    self.nor.power_on()
                    self.nor.order(again, "cut", part)
                    try:
                        node.boot()
                    except PowerCut:
                        self.nor.power_on()
                        node.boot()
                    self.nor.power_on()
                    self.finished(node)

    def test_a_mark_that_cannot_be_set_leaves_the_slot_to_tell(self):
        node = self.begun()
        self.nor.order(0, "fail")
        node.desk.withdraw(terms.BY_BUTTON)
        node.boot()
        self.finished(node)

    def test_a_grant_is_whole_or_none(self):
        # Cut while it is written, location is on under it, or off.
        for part in (None,) + PARTS:
            for nth in range(OPERATIONS - 1):
                self.node = node = Node()
                self.nor = nodefiles.world.current.flash[wire.KEYS_PARTITION]
                self.nor.order(nth, "cut", part)
                with self.assertRaises(PowerCut):
                    node.grant()
                self.nor.power_on()
                node.boot()
                self.assertTrue(node.desk.tier() in (wire.TIER_OFF, 3))
                self.assertEqual(node.desk.tier() == 3, node.state.serial > 0)


class FileMark(Files):
    # A board without a partition for keys marks with a file.
    def test_the_mark_of_a_file_area(self):
        import scratch

        from plumveil.vault import FileArea, Vault

        area = FileArea(scratch.folder())
        vault = Vault(area)
        self.assertFalse(vault.marked())
        vault.mark()
        self.assertTrue(Vault(area).marked())
        vault.unmark()
        self.assertFalse(vault.marked())


if __name__ == "__main__":
    unittest.main()
