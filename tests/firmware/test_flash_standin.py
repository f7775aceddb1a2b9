# The stand-in flash below the key slots: NOR as it behaves, faults as ordered, esp32.Partition as the port has it;
# and what a boot leaves of the chip's memories. The tests of power cuts are worth what this is worth.
import unittest

import esp32
import machine
import network
import scratch
import world
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


class Partitions(unittest.TestCase):
    def setUp(self):
        self.world = world.reset({}, {})
        # In the VM the file outlives the world.
        self.flash = self.world.flash["pv_keys"]
        self.flash.put_back(BLANK * 4)
        self.keys = esp32.Partition("pv_keys")

    def refused(self, number, work, *arguments):
        with self.assertRaises(OSError) as raised:
            work(*arguments)
        self.assertEqual(raised.exception.args[0], number)

    def test_find(self):
        found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="pv_keys")
        self.assertEqual([part.info()[4] for part in found], ["pv_keys"])
        self.assertEqual(len(esp32.Partition.find(1, 0xFF, "pv_keys", 512)), 1)
        for nothing in ({}, {"label": "pv_keys"}, {"type": 1, "label": "nvs"}, {"type": 1, "subtype": 0x81}):
            self.assertEqual(esp32.Partition.find(**nothing), [])

    def test_none_where_the_world_has_none(self):
        world.reset({"partitions": {}}, {})
        self.assertEqual(esp32.Partition.find(esp32.Partition.TYPE_DATA), [])
        self.refused(2, esp32.Partition, "pv_keys")

    def test_several(self):
        world.reset({"partitions": {"pv_keys": 2, "another": 1}}, {})
        labels = [part.info()[4] for part in esp32.Partition.find(esp32.Partition.TYPE_DATA)]
        self.assertEqual(labels, ["another", "pv_keys"])
        self.assertEqual(esp32.Partition("pv_keys").info(), (1, 6, 0x3FD000, 8192, "pv_keys", False))
        self.assertEqual(esp32.Partition("another").info()[2:4], (0x3FF000, 4096))

    def test_info(self):
        self.assertEqual(self.keys.info(), (1, 6, 0x3FC000, 16384, "pv_keys", False))
        shown = "<Partition type=1, subtype=6, address=4177920, size=16384, label=pv_keys, encrypted=0>"
        self.assertEqual(repr(self.keys), shown)

    def test_ioctl(self):
        self.assertEqual([self.keys.ioctl(cmd, 0) for cmd in range(1, 6)], [0, 0, 0, 4, 4096])
        self.assertEqual(self.keys.ioctl(7, 0), None)
        self.flash.program(0, bytes(4 * BLOCK_BYTES))
        self.assertEqual(self.keys.ioctl(6, 2), 0)
        self.assertEqual(self.flash.image(), bytes(2 * BLOCK_BYTES) + BLANK + bytes(BLOCK_BYTES))
        self.refused(-0x104, self.keys.ioctl, 6, 4)
        self.refused(-0x102, self.keys.ioctl, 6, 5)
        self.refused(-0x102, self.keys.ioctl, 6, -1)

    def test_read(self):
        self.flash.program(4100, b"\x01\x02\x03")
        buf = bytearray(5)
        self.keys.readblocks(1, buf, 3)
        self.assertEqual(buf, b"\xff\x01\x02\x03\xff")
        whole = bytearray(BLOCK_BYTES)
        self.keys.readblocks(1, whole)
        self.assertEqual(bytes(whole[4:7]), b"\x01\x02\x03")
        self.keys.readblocks(0, memoryview(buf)[1:3], 4100)
        self.assertEqual(buf, b"\xff\x01\x02\x03\xff")
        self.refused(-0x104, self.keys.readblocks, 3, bytearray(5), 4092)
        self.refused(-0x102, self.keys.readblocks, 5, bytearray(1))

    def test_write_with_offset_does_not_erase(self):
        self.keys.writeblocks(1, b"\x0f\x0f", 0)
        self.keys.writeblocks(1, b"\x3c", 1)
        self.assertEqual(self.flash.read(4095, 4), b"\xff\x0f\x0c\xff")
        self.assertEqual(self.flash.operations, 2)
        self.refused(-0x104, self.keys.writeblocks, 3, b"ab", 4095)

    def test_write_without_offset_erases(self):
        self.flash.program(0, bytes(4 * BLOCK_BYTES))
        self.keys.writeblocks(1, b"\xa5" * BLOCK_BYTES * 2)
        around = bytes(BLOCK_BYTES)
        self.assertEqual(self.flash.image(), around + b"\xa5" * BLOCK_BYTES * 2 + around)
        # The erasure comes first, so a wrong length is refused before anything is lost.
        self.refused(-0x104, self.keys.writeblocks, 0, b"short")
        self.assertEqual(self.flash.image()[:BLOCK_BYTES], around)

    def test_small_blocks(self):
        small = esp32.Partition("pv_keys", 512)
        self.assertEqual((small.ioctl(4, 0), small.ioctl(5, 0), small.ioctl(6, 0)), (32, 512, -22))
        self.flash.program(0, bytes(2 * BLOCK_BYTES))
        small.writeblocks(7, b"\x11" * 1024)
        expected = bytes(7 * 512) + b"\x11" * 1024 + bytes(7 * 512)
        self.assertEqual(self.flash.image()[: 2 * BLOCK_BYTES], expected)

    def test_faults_of_the_world(self):
        world.reset({"flash_faults": {"pv_keys": [[1, "cut", 128]]}}, {})
        keys = esp32.Partition("pv_keys")
        keys.ioctl(6, 0)
        with self.assertRaises(PowerCut):
            keys.writeblocks(0, b"key", 0)
        world.current.boot(machine.PWRON_RESET)
        keys.ioctl(6, 0)


class Boots(unittest.TestCase):
    def setUp(self):
        self.world = world.reset({}, {})

    def test_rtc_memory(self):
        machine.RTC().memory(b"kept")
        for cause in (machine.DEEPSLEEP_RESET, machine.SOFT_RESET, machine.HARD_RESET, machine.WDT_RESET):
            self.world.boot(cause)
            self.assertEqual((machine.RTC().memory(), machine.reset_cause()), (b"kept", cause))
        self.world.boot(machine.PWRON_RESET)
        self.assertEqual((machine.RTC().memory(), machine.reset_cause()), (b"", machine.PWRON_RESET))

    def test_rtc_memory_is_bounded(self):
        rtc = machine.RTC()
        rtc.memory(bytes(2048))
        with self.assertRaises(ValueError):
            rtc.memory(bytes(2049))
        self.assertEqual(rtc.memory(), bytes(2048))

    def test_what_an_earlier_boot_left(self):
        world.reset({"reset_cause": machine.DEEPSLEEP_RESET, "rtc_memory": "0badcafe"}, {})
        self.assertEqual(machine.RTC().memory(), b"\x0b\xad\xca\xfe")
        self.assertEqual(machine.reset_cause(), machine.DEEPSLEEP_RESET)

    def test_a_boot_ends_what_ran(self):
        machine.WDT(timeout=1000)
        pin = machine.Pin(12, machine.Pin.OUT, value=1)
        machine.Pin(13, machine.Pin.IN).irq(handler=self.fail, trigger=machine.Pin.IRQ_RISING)
        self.world.boot(machine.HARD_RESET)
        self.world.advance(60000)
        self.assertEqual((pin.value(), self.world.interrupts, self.world.boots), (0, {}, 2))

    def test_the_host_name(self):
        self.assertEqual(network.hostname(), "mpy-esp32")
        network.hostname("a" * 32)
        with self.assertRaises(ValueError):
            network.hostname("a" * 33)
        self.assertEqual(network.WLAN().config("hostname"), "a" * 32)
        self.world.boot(machine.DEEPSLEEP_RESET)
        self.assertEqual(network.hostname(), "mpy-esp32")

    def test_the_network_hears_it_when_the_node_joins(self):
        wlan = network.WLAN()
        wlan.active(True)
        network.hostname("first")
        wlan.connect("depot", "key")
        self.world.advance(5000)
        self.assertTrue(wlan.isconnected())
        network.hostname("second")
        self.assertEqual(self.world.host_names, [[0, "first"]])
        wlan.disconnect()
        wlan.connect("depot", "key")
        self.assertEqual(self.world.host_names, [[0, "first"], [5000, "second"]])


if __name__ == "__main__":
    unittest.main()
