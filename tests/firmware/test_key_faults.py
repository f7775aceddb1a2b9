# No (key, nonce) pair twice, whatever happens to flash, clock and random generator; a few hundred lives on every
# interpreter. The million sealings, and what happens without each defence, are tests/host/test_nonce_*.py.
import unittest

import keyscenes
import nodefiles
from keyfaults import FROZEN, Node
from keywitness import Witness

from plumveil import wire
from plumveil.errors import ConfigError

FEW_PARTS = (None, 23, 256)


class Faults(unittest.TestCase):
    def setUp(self):
        self.witness = Witness()

    def at_every_operation(self, fault, parts=FEW_PARTS, times=1, again=None):
        # -> [cuts, refusals]. A witness for each scene: one for all would fill a small heap.
        seen = [0, 0]
        for scene in sorted(keyscenes.SCENES):
            witness = Witness()
            for part in parts:
                n = keyscenes.at_every_operation(witness, scene, fault, part, times, again)
                # Writing the new slot and erasing the old one at least.
                self.assertTrue(n >= 2, (scene, part, n))
            seen[0] += witness.cuts
            seen[1] += witness.refusals
        return seen

    def test_power_cuts(self):
        self.assertTrue(self.at_every_operation("cut")[0] >= 2 * len(FEW_PARTS) * len(keyscenes.SCENES))

    def test_a_power_cut_while_it_recovers_from_one(self):
        one = self.at_every_operation("cut", (None,))
        for again in (0, 1):
            self.assertTrue(self.at_every_operation("cut", (None,), again=again)[0] > one[0])

    def test_writes_and_erasures_that_fail(self):
        # One bad operation is passed over, in another block; several of them are not.
        self.assertEqual(self.at_every_operation("fail", (None, 256)), [0, 0])
        self.assertTrue(self.at_every_operation("fail", (None, 256), 8)[1] >= 2 * len(keyscenes.SCENES))

    def test_what_does_not_take(self):
        self.at_every_operation("idle", (23,))
        self.assertTrue(self.at_every_operation("idle", (None,), 6)[1] >= len(keyscenes.SCENES))

    def test_nothing_is_sealed_while_flash_fails_and_all_goes_on_when_it_is_well(self):
        for fault in ("fail", "idle"):
            node = Node(self.witness, fault)
            keyscenes.live(node)
            sealed = self.witness.sealed
            node.order(((0, fault, None, 1 << 20),))
            node.hear(nodefiles.NOON_S + wire.STEP_S)
            for _ in range(3):
                self.assertFalse(node.advance() or node.seal_each())
            self.assertEqual(self.witness.sealed, sealed)
            node.calm()
            self.assertTrue(node.seal_each())
            self.assertEqual(self.witness.sealed, sealed + 10)

    def test_an_old_secret_that_cannot_be_erased_stops_the_node(self):
        node = Node(self.witness)
        keyscenes.live(node)
        sealed = self.witness.sealed
        node.order(((1, "idle", None, 1 << 20),))
        node.hear(nodefiles.NOON_S + wire.EPOCH_S)
        self.assertFalse(node.advance() or node.seal_each())
        # Nor does a boot help: the new slot counts, and the old one is still there.
        node.boot(FROZEN, keyscenes.POWER_ON, ((0, "idle", None, 1 << 20),))
        node.hear(nodefiles.NOON_S + wire.EPOCH_S)
        self.assertFalse(node.advance() or node.seal_each())
        self.assertEqual(self.witness.sealed, sealed)
        node.calm()
        self.assertTrue(node.advance() and node.seal_each())

    def test_a_generator_that_stands_still(self):
        for hours in (0, 1, 7):
            node = keyscenes.frozen_boots(self.witness, 12, hours, 70)
        self.assertTrue(self.witness.sealed >= 3 * 12 * 78)
        self.assertEqual(node.chain.ahead, 0)

    def test_an_old_image_put_back(self):
        keyscenes.image_put_back(self.witness, 20)
        self.assertEqual((self.witness.put_back, self.witness.messages), (20, 20))

    def test_damaged_slots_are_the_end(self):
        # Both are whole, then neither: and no boot writes anything.
        self.assertEqual(keyscenes.damaged(self.witness), (2, True))
        node = Node(self.witness, "blank")
        node.flash.put_back(b"\xff" * node.flash.size)
        with self.assertRaises(ConfigError):
            node.boot(FROZEN)

    def test_mixes(self):
        for seed in range(4):
            keyscenes.Mix(self.witness, seed).lives(12)
        self.assertTrue(self.witness.lives == 48 and self.witness.faults > 4 and self.witness.sealed > 500)


if __name__ == "__main__":
    unittest.main()
