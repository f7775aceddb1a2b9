# The key area under faults at every one of its operations: a commit, a load with leftovers, an enrolment over other
# keys, a wipe; in a partition and in files. Afterwards there is the old slot or the new one, whole, and of what a
# commit that came back replaced there is no trace. What it means for keys is test_key_faults.py's matter.
import os
import unittest

import scratch
import world
from esp32 import Partition
from models.nor_flash import NorFlash, PowerCut

from plumveil import vault, wire
from plumveil.errors import ConfigError, SealRefused

PARTS = (None, 0, 4, 128, 225, 250, 256)  # 256ths of an operation still done; a slot here is 4 of its block's


def body(generation):
    # 41 bytes that share none with another generation's.
    return bytes([generation]) + bytes([(generation * 41 + i * 89) & 0xFF for i in range(40)])


def generation_of(found):
    if found != body(found[0]):
        raise ConfigError("not a body of these tests")
    return found[0]


class Files(vault.FileArea):
    # Files whose filesystem tears what it was at, as the worst of them do. faults: of NorFlash, by operation.
    def __init__(self, folder, faults, done):
        super().__init__(folder)
        self._faults = faults
        self._done = done  # [operations so far]

    def _do(self, whole, half):
        self._done[0] += 1
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

        self._do(lambda: super(Files, self).write(block, data), half)

    def erase(self, block):
        # A file is there or it is not.
        self._do(lambda: super(Files, self).erase(block), lambda part: None)


class Blocks:
    # A partition of that many blocks, on a board of its own.
    def __init__(self, blocks):
        world.reset({}, {})
        flash = world.current.flash[wire.KEYS_PARTITION] = NorFlash(blocks)
        self.spare = blocks - 2  # blocks beside those of the slot in force and the next
        self.operations = lambda: flash.operations
        self.order = flash.order
        self.calm = flash.power_on
        self.image = flash.image

    def open(self):
        return vault.Vault(vault.open_area(Partition, None))


class Folder:
    # The two files of a board without a partition.
    spare = 0

    def __init__(self):
        self._folder = scratch.folder() + "/k"
        self._faults = []
        self._done = [0]

    def open(self):
        return vault.Vault(Files(self._folder, self._faults, self._done))

    def operations(self):
        return self._done[0]

    def order(self, nth, fault, part, times=1):
        self._faults[:] = [(None, 256)] * nth + [(fault, part)] * times

    def calm(self):
        self._faults[:] = []

    def image(self):
        data = b""
        for name in sorted(os.listdir(self._folder)):
            with open(self._folder + "/" + name, "rb") as file:
                data += file.read() + b"\n"
        return data


def places():
    # open() gives a boot's Vault, order() a fault, calm() ends them, image() is every byte.
    yield Blocks(4)
    yield Blocks(2)
    yield Folder()


def gone(place, generation):
    # No eight bytes of a body are left.
    image, wanted = place.image(), body(generation)[1:]
    return not any([wanted[i : i + 8] in image for i in range(0, len(wanted) - 7, 4)])


def start(place, generation=1):
    place.calm()
    safe = place.open()
    safe.enrol(body(generation))
    return safe


def load(place):
    return place.open().load(generation_of)


def at_each(place, prepare, work, fault):
    # work(prepare(place)) with the fault at its nth operation, for every n -> what it gave or raised; the flash is
    # well again by then.
    for part in PARTS:
        nth = 0
        while True:
            thing = prepare(place)
            done = place.operations()
            place.order(nth, fault, part)
            try:
                outcome = work(thing)
            except (PowerCut, SealRefused, ConfigError, OSError) as e:
                outcome = e
            reached = place.operations() > done + nth
            place.calm()
            if not reached:
                break
            yield outcome
            nth += 1


class Faults(unittest.TestCase):
    def alone(self, place, generation):
        area = place.open().area
        used = [block for block in range(area.blocks) if not area.blank(block)]
        self.assertEqual(len(used), 1)
        self.assertEqual(vault.slot_body(area.read(used[0], 512)), body(generation))

    def committed(self, place, fault):
        # -> how many commits with a fault in them came back all the same
        through = tried = 0
        for outcome in at_each(place, start, lambda safe: safe.commit(body(2)), fault):
            tried += 1
            if outcome is None:
                # It says so: then it is so, and nothing else is there.
                through += 1
                self.alone(place, 2)
                self.assertTrue(gone(place, 1))
            else:
                self.assertTrue(isinstance(outcome, PowerCut if fault == "cut" else SealRefused), outcome)
            found = load(place)[0]
            self.assertTrue(found == 2 or (outcome is not None and found == 1))
            # A boot with a flash that is well leaves that one alone, and the next commit takes its place.
            self.alone(place, found)
            self.assertTrue(gone(place, 3 - found))
            safe = place.open()
            safe.load(generation_of)
            safe.commit(body(3))
            self.alone(place, 3)
            self.assertTrue(gone(place, 1) and gone(place, 2))
        # Writing the new one and erasing the old one at least.
        self.assertTrue(tried >= 2 * len(PARTS))
        return through

    def test_a_commit_that_power_cuts(self):
        for place in places():
            self.assertEqual(self.committed(place, "cut"), 0)

    def test_a_commit_passes_over_a_bad_block_where_there_is_another(self):
        for place in places():
            through = self.committed(place, "fail")
            self.assertTrue(through >= 2 * len(PARTS) if place.spare else through == 0)

    def test_a_slot_that_does_not_take_goes_elsewhere_or_is_refused(self):
        for place in places():
            through = self.committed(place, "idle")
            self.assertTrue(through >= len(PARTS) if place.spare else through < len(PARTS))

    def test_a_flash_that_fails_for_good_refuses_and_keeps_what_there_was(self):
        for place in places():
            for fault in ("fail", "idle"):
                safe = start(place)
                place.order(0, fault, None, 40)
                for generation in (2, 3):
                    with self.assertRaises(SealRefused):
                        safe.commit(body(generation))
                place.calm()
                self.assertEqual(load(place), body(1))

    def test_a_commit_again_without_a_boot(self):
        for place in places():

            def work(safe, place=place):
                try:
                    safe.commit(body(2))
                except SealRefused:
                    place.calm()
                    safe.commit(body(3))
                    return 3
                return 2

            for fault in ("fail", "idle"):
                for generation in at_each(place, start, work, fault):
                    self.alone(place, generation)
                    self.assertTrue(gone(place, 1) and gone(place, 5 - generation))

    def interrupted(self, place):
        # A place with two whole slots -> a boot's Vault.
        safe = start(place)
        place.order(1, "cut", None)
        with self.assertRaises(PowerCut):
            safe.commit(body(2))
        place.calm()
        self.assertFalse(gone(place, 1) or gone(place, 2))
        return place.open()

    def test_leftovers_and_a_fault_in_the_load_that_erases_them(self):
        for place in places():
            for part in PARTS:
                safe = self.interrupted(place)
                place.order(0, "cut", part)
                with self.assertRaises(PowerCut):
                    safe.load(generation_of)
                place.calm()
                self.assertEqual(load(place), body(2))
                self.assertTrue(gone(place, 1))
                for fault in ("fail", "idle"):
                    safe = self.interrupted(place)
                    place.order(0, fault, part)
                    self.assertEqual(safe.load(generation_of), body(2))
                    place.calm()
                    # What it could not erase, the next commit erases before anything is sealed.
                    safe.commit(body(3))
                    self.alone(place, 3)
                    self.assertTrue(gone(place, 1) and gone(place, 2))

    def test_an_enrolment_over_other_keys_that_power_cuts(self):
        for place in places():
            lost = 0
            for outcome in at_each(place, lambda place: start(place, 9), lambda safe: safe.enrol(body(1)), "cut"):
                self.assertTrue(isinstance(outcome, PowerCut))
                try:
                    found = load(place)
                    self.assertTrue(found in (body(1), body(9)))
                except ConfigError:
                    lost += 1
                # Asked again, it gets there, whatever the older keys' generation was.
                place.open().enrol(body(1))
                self.alone(place, 1)
                self.assertTrue(gone(place, 9))
            self.assertTrue(lost > 0)

    def test_a_wipe_that_power_cuts_and_one_that_does_not_take(self):
        for place in places():
            for fault in ("cut", "idle"):
                for outcome in at_each(place, start, lambda safe: safe.wipe(), fault):
                    area = place.open().area
                    if fault == "idle":
                        # The count is of what reads back blank, not of what was asked for.
                        self.assertEqual(outcome, sum([area.blank(block) for block in range(area.blocks)]))
                        self.assertTrue(outcome >= area.blocks - 1)
                    self.assertEqual(place.open().wipe(), area.blocks)
                    self.assertTrue(gone(place, 1))

    def test_damaged_slots_stay_as_they_are(self):
        for place in places():
            safe = start(place)
            area = safe.area
            slot = bytearray(area.read(safe._block, 512))
            slot[9] ^= 1
            area.erase(safe._block)
            area.write(safe._block, bytes(slot[:60]))
            before = place.image()
            for _ in range(3):
                with self.assertRaises(ConfigError) as raised:
                    load(place)
                self.assertEqual(str(raised.exception), "keys damaged")
            self.assertEqual(place.image(), before)


if __name__ == "__main__":
    unittest.main()
