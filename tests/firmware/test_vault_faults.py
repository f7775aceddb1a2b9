# The key area under faults at every one of its operations: a commit, a load with leftovers, an enrolment over other
# keys, a wipe; in a partition and in files. Afterwards there is the old slot or the new one, whole, and of what a
# commit that came back replaced there is no trace. What it means for keys is test_key_faults.py's matter.
import os
import unittest

import nodefiles
import scratch
from esp32 import Partition
from models.nor_flash import PowerCut

from plumveil import vault
from plumveil.errors import ConfigError, SealRefused

PARTS = (None, 0, 1, 4, 128, 256)  # 256ths of an operation still done; a slot here is 4 of its block's


def body(generation):
    # 41 bytes that share none with another generation's.
    return bytes([generation]) + bytes([(generation * 41 + i * 89) & 0xFF for i in range(40)])


def generation_of(found):
    if found != body(found[0]):
        raise ConfigError("not a body of these tests")
    return found[0]


class Files(vault.FileArea):
    # Files whose filesystem tears what it was at, as the worst of them do. faults: of NorFlash, by operation.
    def __init__(self, folder, faults):
        super().__init__(folder)
        self._faults = faults

    def _done(self, whole, half):
        fault, part = self._faults.pop(0) if self._faults else (None, 256)
        if part is not None:
            whole() if part == 256 else half(part)
        if fault == "cut":
            # Nothing answers any more.
            self._faults[:] = [("cut", None)] * 99
            raise PowerCut
        if fault == "fail":
            raise OSError(5)

    def write(self, block, data):
        def half(part):
            super(Files, self).write(block, data[: len(data) * part // 256])

        self._done(lambda: super(Files, self).write(block, data), half)

    def erase(self, block):
        # A file is there or it is not.
        self._done(lambda: super(Files, self).erase(block), lambda part: None)


class Cases:
    # For both kinds of area: open() gives a boot's Vault, order() a fault, calm() ends them, image() is all bytes.
    def start(self, generation=1):
        self.calm()
        safe = self.open()
        safe.enrol(body(generation))
        return safe

    def load(self):
        return self.open().load(generation_of)

    def gone(self, generation):
        # No eight bytes of a body are left.
        image, wanted = self.image(), body(generation)[1:]
        return not any([wanted[i : i + 8] in image for i in range(0, len(wanted) - 7, 4)])

    def alone(self, generation):
        area = self.open()._area
        used = [block for block in range(area.blocks) if not area.blank(block)]
        self.assertEqual(len(used), 1)
        self.assertEqual(vault.slot_body(area.read(used[0], 512)), body(generation))

    def at_each(self, prepare, work, fault, parts=PARTS):
        # work(prepare()) with the fault at its nth operation, for every n -> [(what it gave or raised), ...]; yields
        # after each, with the flash well again.
        for part in parts:
            nth = 0
            while True:
                thing = prepare()
                done = self.operations()
                self.order(nth, fault, part)
                try:
                    outcome = work(thing)
                except (PowerCut, SealRefused, ConfigError, OSError) as e:
                    outcome = e
                reached = self.operations() > done + nth
                self.calm()
                if not reached:
                    self.assertTrue(nth >= 2, "no operations to speak of")
                    break
                yield nth, outcome
                nth += 1

    def committed(self, fault, parts=PARTS):
        # -> how many commits with a fault in them came back all the same
        through = 0
        for _, outcome in self.at_each(self.start, lambda safe: safe.commit(body(2)), fault, parts):
            if outcome is None:
                # It says so: then it is so, and nothing else is there.
                through += 1
                self.alone(2)
                self.assertTrue(self.gone(1))
            else:
                self.assertTrue(isinstance(outcome, PowerCut if fault == "cut" else SealRefused), outcome)
            found = self.load()[0]
            self.assertTrue(found == 2 or (outcome is not None and found == 1))
            # A boot with a flash that is well leaves that one alone, and the next commit takes its place.
            self.alone(found)
            self.assertTrue(self.gone(3 - found))
            safe = self.open()
            safe.load(generation_of)
            safe.commit(body(3))
            self.alone(3)
            self.assertTrue(self.gone(1) and self.gone(2))
        return through

    def test_a_commit_that_power_cuts(self):
        self.assertEqual(self.committed("cut"), 0)

    def test_a_flash_that_fails_for_good_refuses_and_keeps_what_there_was(self):
        for fault in ("fail", "idle"):
            safe = self.start()
            self.order(0, fault, None, 40)
            for generation in (2, 3):
                with self.assertRaises(SealRefused):
                    safe.commit(body(generation))
            self.calm()
            self.assertEqual(self.load(), body(1))

    def test_a_commit_again_without_a_boot(self):
        def work(safe):
            try:
                safe.commit(body(2))
            except SealRefused:
                self.calm()
                safe.commit(body(3))
                return 3
            return 2

        for fault in ("fail", "idle"):
            for _, generation in self.at_each(self.start, work, fault):
                self.alone(generation)
                self.assertTrue(self.gone(1) and self.gone(5 - generation))

    def test_leftovers_and_a_power_cut_in_the_load_that_erases_them(self):
        def prepare():
            safe = self.start()
            self.order(1, "cut", None)
            with self.assertRaises(PowerCut):
                safe.commit(body(2))
            self.calm()
            self.assertFalse(self.gone(1) or self.gone(2))
            return self.open()

        # One erasure is all a load does, so that the second operation is never reached.
        for fault in ("cut", "fail", "idle"):
            for part in PARTS:
                safe = prepare()
                self.order(0, fault, part)
                try:
                    self.assertEqual(safe.load(generation_of), body(2))
                except PowerCut:
                    self.assertEqual(fault, "cut")
                if fault != "cut":
                    # What it could not erase, the next commit erases before anything is sealed.
                    self.calm()
                    safe.commit(body(3))
                    self.alone(3)
                    self.assertTrue(self.gone(1) and self.gone(2))
                self.calm()
                self.assertEqual(self.load()[0], 2 if fault == "cut" else 3)
                self.assertTrue(self.gone(1))

    def test_an_enrolment_over_other_keys_that_power_cuts(self):
        old = {"there": 0, "gone": 0}
        for _, outcome in self.at_each(lambda: self.start(9), lambda safe: safe.enrol(body(1)), "cut"):
            self.assertTrue(isinstance(outcome, PowerCut))
            try:
                found = self.load()[0]
                self.assertTrue(found in (1, 9))
                old["there"] += found == 9
                old["gone"] += found == 1
            except ConfigError:
                old["gone"] += 1
            # Asked again, it gets there, whatever the older keys' generation was.
            self.open().enrol(body(1))
            self.alone(1)
            self.assertTrue(self.gone(9))
        self.assertTrue(old["gone"] > 0)

    def test_a_wipe_that_power_cuts_and_one_that_does_not_take(self):
        for fault in ("cut", "idle"):
            for _, outcome in self.at_each(self.start, lambda safe: safe.wipe(), fault):
                blocks = self.open()._area.blocks
                if fault == "idle":
                    # The count is of what reads back blank, not of what was asked for.
                    area = self.open()._area
                    self.assertEqual(outcome, sum([area.blank(block) for block in range(blocks)]))
                    self.assertTrue(outcome == blocks or outcome == blocks - 1)
                self.assertEqual(self.open().wipe(), blocks)
                self.assertTrue(self.gone(1))

    def test_damaged_slots_stay_as_they_are(self):
        safe = self.start()
        area = safe._area
        slot = bytearray(area.read(safe._block, 512))
        slot[9] ^= 1
        area.erase(safe._block)
        area.write(safe._block, bytes(slot[:60]))
        before = self.image()
        for _ in range(3):
            with self.assertRaises(ConfigError):
                self.load()
        self.assertEqual(self.image(), before)


class InPartition(Cases, unittest.TestCase):
    def setUp(self):
        self.flash = nodefiles.new_flash()
        self.operations = lambda: self.flash.operations
        self.order = self.flash.order
        self.calm = self.flash.power_on
        self.image = self.flash.image

    def open(self):
        return vault.Vault(vault.open_area(Partition, None))

    def test_a_bad_block_is_passed_over(self):
        # There are two more blocks: what failed once does not keep the node from sealing.
        self.assertTrue(self.committed("fail") >= 2 * len(PARTS))

    def test_what_does_not_take_is_written_elsewhere_or_refused(self):
        # A slot that does not take goes into the next block; a spent one that stays stops the commit.
        self.assertTrue(self.committed("idle") >= len(PARTS))


class InFiles(Cases, unittest.TestCase):
    def setUp(self):
        self.folder = scratch.folder() + "/k"
        self.faults = []
        self.counted = 0

    def open(self):
        area = Files(self.folder, self.faults)
        done = area._done

        def counting(*arguments):
            self.counted += 1
            done(*arguments)

        area._done = counting
        return vault.Vault(area)

    def operations(self):
        return self.counted

    def order(self, nth, fault, part, times=1):
        self.faults[:] = [(None, 256)] * nth + [(fault, part)] * times

    def test_the_only_other_file_fails(self):
        self.assertEqual(self.committed("fail"), 0)

    def calm(self):
        self.faults[:] = []

    def image(self):
        data = b""
        for name in sorted(os.listdir(self.folder)):
            with open(self.folder + "/" + name, "rb") as file:
                data += file.read() + b"\n"
        return data


if __name__ == "__main__":
    unittest.main()
