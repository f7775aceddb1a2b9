# The stand-in board: its key partition as esp32.Partition has it in the port, what a boot leaves of the memories,
# and the name that the network hears. The flash itself is test_flash_standin.py's.
import unittest

import esp32
import machine
import network
import world
from models.nor_flash import BLOCK_BYTES, PowerCut

BLANK = b"\xff" * BLOCK_BYTES


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
