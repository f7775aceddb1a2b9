# The key area: one slot in force, everything else blank; enrolment and its end.
import unittest

import nodefiles
import scratch
import world
from esp32 import Partition

from plumveil import flash, service, vault, wire
from plumveil.errors import ConfigError
from plumveil.keystate import KeyState, generation_of


def blank(image):
    return image == b"\xff" * len(image)


class Areas(unittest.TestCase):
    # Each test for both kinds of area: (its maker, whether it is raw flash).
    def areas(self):
        nodefiles.new_flash()
        folder = scratch.folder() + "/k"
        yield lambda: vault.open_area(Partition, None), True
        yield lambda: vault.open_area(None, folder), False

    def test_each_board_gets_the_best_it_has(self):
        for area, raw in self.areas():
            self.assertEqual(area().raw, raw)
        world.reset({"partitions": {}}, {})
        self.assertFalse(vault.open_area(Partition, scratch.folder() + "/k").raw)

    def test_a_commit_replaces_and_erases(self):
        for area, _ in self.areas():
            safe = vault.Vault(area())
            safe.enrol(b"\x01one")
            for n in range(9):
                safe.commit(b"\x01body %d" % n)
                self.assertEqual(vault.Vault(area()).load(lambda body: 1), b"\x01body %d" % n)
                blanks = sum([area().blank(block) for block in range(area().blocks)])
                self.assertEqual(blanks, area().blocks - 1)

    def test_a_block_that_cannot_be_written_is_passed_over(self):
        for make, _ in self.areas():
            area = make()
            if area.blocks < 3:
                continue
            safe = vault.Vault(area)
            safe.enrol(b"\x01one")
            write = area.write

            def bad(block, data, write=write):
                if block == 1:
                    raise OSError(5)
                write(block, data)

            area.write = bad
            for n in range(8):
                safe.commit(b"\x01body %d" % n)
                self.assertEqual(vault.Vault(make()).load(lambda body: 1), b"\x01body %d" % n)

    def test_the_newest_of_two_counts_and_the_other_goes(self):
        for area, _ in self.areas():
            vault.Vault(area()).wipe()
            area().write(0, vault._slot(b"\x05new"))
            area().write(1, vault._slot(b"\x04old"))
            self.assertEqual(vault.Vault(area()).load(lambda body: body[0]), b"\x05new")
            self.assertTrue(area().blank(1))

    def test_none_and_damaged_are_two_things(self):
        for area, _ in self.areas():
            safe = vault.Vault(area())
            self.assertEqual(safe.wipe(), area().blocks)
            self.assertEqual(self.says(safe), "no keys")
            slot = bytearray(vault._slot(b"\x01body"))
            slot[5] ^= 1
            area().write(0, bytes(slot))
            self.assertEqual(self.says(safe), "keys damaged")
            self.assertFalse(area().blank(0))

    def says(self, safe):
        try:
            safe.load(lambda body: body[0])
        except ConfigError as e:
            return str(e)

    def test_every_flipped_bit_and_every_cut_of_a_slot_is_none(self):
        slot = vault._slot(bytes(range(40)))
        self.assertEqual(vault.slot_body(slot + b"\xff" * 100), bytes(range(40)))
        for cut in range(len(slot)):
            self.assertIs(vault.slot_body(slot[:cut]), None)
            self.assertIs(vault.slot_body(slot[:cut] + b"\xff" * (len(slot) - cut + 9)), None)
        for bit in range(len(slot) * 8):
            flipped = bytearray(slot)
            flipped[bit // 8] ^= 1 << bit % 8
            self.assertIs(vault.slot_body(bytes(flipped)), None)


class Enrolment(scratch.Scratch):
    PATHS = (
        "FILE_CONFIG",
        "FILE_CELL",
        "FILE_SELF_TEST",
        "FILE_OFF",
        "FILE_ENTRY",
        "FILE_LOG",
        "FILE_NEXT",
        "FOLDER_QUEUE",
    )

    def setUp(self):
        scratch.Scratch.setUp(self)
        self.flash = nodefiles.new_flash()

    def test_keys_are_not_overwritten_unless_that_is_meant(self):
        with self.assertRaises(ConfigError):
            service.enrol(nodefiles.slot_bytes())
        parts = nodefiles.slot_map()
        parts[wire.S_TENANT] = "other"
        service.enrol(nodefiles.slot_bytes(parts), replace=True)
        state = KeyState(service.open_vault().load(generation_of))
        self.assertEqual((state.tenant, state.generation), ("other", 1))

    def test_a_blank_and_a_damaged_area_take_a_first_slot(self):
        for image in (b"\xff" * self.flash.size, bytes(self.flash.size)):
            self.flash.put_back(image)
            service.enrol(nodefiles.slot_bytes())
            self.assertEqual(nodefiles.key_chain().tenant, "acme")

    def test_what_is_no_slot_is_refused_and_nothing_is_erased(self):
        before = self.flash.image()
        broken = nodefiles.slot_map()
        del broken[wire.S_POOL]
        for slot in (b"", nodefiles.slot_bytes()[:-1], nodefiles.slot_bytes(broken)):
            with self.assertRaises(ConfigError):
                service.enrol(slot, replace=True)
        self.assertEqual(self.flash.image(), before)

    def test_retiring_leaves_nothing(self):
        flash.make_folder(wire.FOLDER_QUEUE + "/r")
        files = (wire.FOLDER_QUEUE + "/r/00000001", wire.FILE_CONFIG, wire.FILE_CELL, wire.FILE_CELL + ".new")
        files += (wire.FILE_OFF, wire.FILE_ENTRY, wire.FILE_LOG, wire.FILE_LOG + ".old")
        for path in files:
            with open(path, "wb") as f:
                f.write(b"kept")
        self.assertEqual(service.retire(), 4)
        self.assertTrue(blank(self.flash.image()))
        for path in files:
            self.assertIs(flash.load(path), None)
        with self.assertRaises(ConfigError):
            nodefiles.key_chain()

    def test_a_bad_block_keeps_no_other_from_being_retired(self):
        secrets = nodefiles.slot_map()[wire.S_STREAMS] + [nodefiles.K_ID, nodefiles.K_CONFIG]
        for fault in ("fail", "idle"):
            for nth in range(3):
                self.flash.put_back(b"\xff" * self.flash.size)
                for block in (0, 2):
                    self.flash.program(block * 4096, nodefiles.slot_bytes())
                self.flash.order(nth, fault)
                # The block that could not be erased is zeros.
                self.assertEqual(service.retire(), 4 if nth == 2 else 3)
                self.assertFalse(any([secret in self.flash.image() for secret in secrets]))
                self.flash.power_on()


if __name__ == "__main__":
    unittest.main()
