# The stand-in flash below the key slots: NOR as it behaves, faults as ordered. The tests of power cuts are worth what
# this is worth; the board around it is test_board_standin.py's.
import unittest

import scratch
from models.nor_flash import BLOCK_BYTES, FAULTS, NorFlash, PowerCut

BLANK = b"\xff" * BLOCK_BYTES


def ones(data):
    return sum([bin(b).count("1") for b in data])


def flashes(blocks):
    # One in memory, one in a file.
    return NorFlash(blocks), NorFlash(blocks, scratch.folder() + "/deeper/flash")


class Nor(unittest.TestCase):
    def test_blank_at_first(self):
        for flash in flashes(3):
            self.assertEqual(flash.size, 3 * BLOCK_BYTES)
            self.assertEqual(flash.image(), BLANK * 3)
            self.assertEqual(flash.read(2 * BLOCK_BYTES - 1, 2), b"\xff\xff")

    def test_programming_clears_bits_only(self):
        for flash in flashes(2):
            flash.program(5000, b"\xf0\x0f\xff")
            flash.program(5001, b"\x3c\x00")
            self.assertEqual(flash.read(4999, 5), b"\xff\xf0\x0c\x00\xff")
            self.assertEqual(flash.image().count(b"\xff"), 2 * BLOCK_BYTES - 3)
            self.assertEqual(flash.operations, 2)

    def test_erasing_sets_one_block(self):
        for flash in flashes(3):
            flash.program(0, bytes(3 * BLOCK_BYTES))
            flash.erase(1)
            self.assertEqual(flash.image(), bytes(BLOCK_BYTES) + BLANK + bytes(BLOCK_BYTES))

    def test_across_blocks_and_unaligned(self):
        data = bytes([i * 7 & 0xFF for i in range(300)])
        for flash in flashes(2):
            flash.program(BLOCK_BYTES - 101, data)
            self.assertEqual(flash.read(BLOCK_BYTES - 101, 300), data)

    def test_put_back(self):
        for flash in flashes(2):
            flash.program(10, b"first")
            image = flash.image()
            flash.erase(0)
            flash.program(10, b"second")
            flash.put_back(image)
            self.assertEqual(flash.image(), image)
            with self.assertRaises(ValueError):
                flash.put_back(image[1:])

    def test_a_file_outlives_the_object(self):
        path = scratch.folder() + "/flash"
        NorFlash(2, path).program(4, b"\x12\x34")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"\xff\xff\xff\xff\x12\x34")
        self.assertEqual(NorFlash(2, path).read(3, 4), b"\xff\x12\x34\xff")


class Ordered(unittest.TestCase):
    def cut(self, flash, work, *arguments):
        with self.assertRaises(PowerCut):
            work(*arguments)
        # Nothing answers now, whatever the node tries on its way down.
        for late in (lambda: flash.read(0, 1), lambda: flash.erase(0), lambda: flash.program(0, b"\x00")):
            with self.assertRaises(PowerCut):
                late()
        flash.power_on()

    def test_a_cut_is_no_ordinary_exception(self):
        self.assertFalse(issubclass(PowerCut, Exception))

    def test_counted_from_now(self):
        flash = NorFlash(2)
        flash.erase(0)
        flash.order(2, "cut")
        flash.program(0, b"\x01")
        flash.erase(1)
        self.cut(flash, flash.program, 1, b"\x02")
        self.assertEqual(flash.read(0, 2), b"\x01\xff")
        flash.program(1, b"\x02")

    def test_clean_cut_of_an_erasure(self):
        flash = NorFlash(1)
        flash.program(0, bytes(BLOCK_BYTES))
        flash.order(0, "cut")
        self.cut(flash, flash.erase, 0)
        self.assertEqual(flash.image(), bytes(BLOCK_BYTES))

    def test_torn_programming(self):
        data = bytes(512)
        for part in (0, 1, 100, 128, 255):
            flash = NorFlash(1)
            flash.order(0, "cut", part)
            self.cut(flash, flash.program, 7, data)
            done = 512 * part // 256
            half = flash.read(7 + done, 16)
            self.assertEqual(flash.read(7, done), bytes(done))
            self.assertTrue(part == 255 or 0 < ones(half) < 128, part)
            self.assertEqual(flash.read(7 + done + 16, 1000), b"\xff" * 1000)
            self.assertEqual(flash.read(0, 7), b"\xff" * 7)

    def test_torn_programming_sets_no_bit(self):
        flash = NorFlash(1)
        flash.program(0, b"\x0f" * 64)
        flash.order(0, "cut", 128)
        self.cut(flash, flash.program, 0, b"\x3c" * 64)
        image = flash.read(0, 64)
        self.assertEqual(image[:32], b"\x0c" * 32)
        self.assertEqual([b & 0xFC for b in image[32:48]], [0x0C] * 16)
        self.assertEqual(image[48:], b"\x0f" * 16)

    def test_torn_erasure(self):
        for part in (0, 16, 200):
            flash = NorFlash(2)
            flash.program(0, b"\x55" * 2 * BLOCK_BYTES)
            flash.order(0, "cut", part)
            self.cut(flash, flash.erase, 0)
            done = BLOCK_BYTES * part // 256
            image = flash.image()
            self.assertEqual(image[:done], b"\xff" * done)
            rest = image[done:BLOCK_BYTES]
            self.assertEqual(set([b & 0x55 for b in rest]), {0x55})
            self.assertTrue(4 * len(rest) < ones(rest) < 8 * len(rest), part)
            self.assertEqual(image[BLOCK_BYTES:], b"\x55" * BLOCK_BYTES)

    def test_failures(self):
        flash = NorFlash(1)
        flash.order(0, "fail", None, 2)
        for work in (lambda: flash.program(0, b"\x00"), lambda: flash.erase(0)):
            with self.assertRaises(OSError) as raised:
                work()
            self.assertEqual(raised.exception.args, (-0x6001, "ESP_ERR_FLASH_OP_FAIL"))
        self.assertEqual(flash.image(), BLANK)
        flash.program(0, b"\x00")
        self.assertEqual(flash.read(0, 2), b"\x00\xff")

    def test_a_failure_in_the_middle(self):
        flash = NorFlash(1)
        flash.order(0, "fail", 128)
        with self.assertRaises(OSError):
            flash.program(0, bytes(100))
        self.assertEqual(flash.read(0, 50), bytes(50))
        self.assertEqual(flash.read(66, 34), b"\xff" * 34)

    def test_what_does_not_take_says_nothing(self):
        flash = NorFlash(1)
        flash.program(0, bytes(BLOCK_BYTES))
        flash.order(0, "idle")
        flash.order(1, "idle", 128)
        flash.erase(0)
        self.assertEqual(flash.image(), bytes(BLOCK_BYTES))
        flash.erase(0)
        self.assertEqual(flash.image()[:2048], b"\xff" * 2048)
        self.assertTrue(0 < ones(flash.image()[2048:]) < 8 * 2048)

    def test_power_on_forgets_orders(self):
        flash = NorFlash(1)
        flash.order(0, "fail")
        flash.power_on()
        flash.erase(0)

    def test_unknown_fault(self):
        with self.assertRaises(ValueError):
            NorFlash(1).order(0, "rust")
        self.assertEqual(FAULTS, ("cut", "fail", "idle"))


if __name__ == "__main__":
    unittest.main()
