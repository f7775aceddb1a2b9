# The GPS receiver: powered and read only while it searches, patient for so long, never content with an old position.
import unittest

import machine
import world
from sensing import record, sentence

from plumveil.errors import ButtonHeld
from plumveil.sense.receiver import Receiver


class Clock:
    # plumveil.clock.Clock's part that the receiver uses, on the world's time.
    broken_off_ms = None

    def dates(self):
        return ()

    def ticks_ms(self):
        return world.current.elapsed_ms

    def elapsed_ms(self, since_ms):
        return world.current.elapsed_ms - since_ms

    def wait_ms(self, n_ms):
        here = world.current
        ends_ms = here.elapsed_ms + n_ms
        if self.broken_off_ms is not None and ends_ms >= self.broken_off_ms:
            here.advance(self.broken_off_ms - here.elapsed_ms)
            raise ButtonHeld
        here.advance(n_ms)


def position(second):
    # A second's output: 52 degrees and `second` minutes/100 north.
    minutes = "%02d.%02d0000" % (second // 100, second % 100)
    return sentence("GPGGA,,52" + minutes + ",N,01621.54005,E,1,10,0.96,,M,,M,,") + sentence("GPGSV,1,1,00")


class Searching(unittest.TestCase):
    def start(self, seconds=300, ttf_max_ms=60000, **spec):
        log = index = b""
        for second in range(seconds):
            index += record((second, len(log)))
            log += position(second)
        spec["sensors"] = ["gps"]
        spec["nmea"], spec["nmea_index"] = "log", "index"
        here = world.reset(spec, {"log": log, "index": index})
        uart = machine.UART(2, 9600, rx=machine.Pin(16), tx=machine.Pin(17), rxbuf=1024, timeout=0)
        self.power = machine.Pin(25, machine.Pin.OUT, value=1)
        self.receiver = Receiver(uart, self.power, Clock(), ttf_max_ms)
        return here

    def tearDown(self):
        self.assertEqual(world.current.gps_reads_while_off, 0)
        self.assertEqual(self.power.value(), 0)

    def test_built_means_off(self):
        here = self.start()
        self.assertEqual(self.power.value(), 0)
        self.assertFalse(here.gps.powered)
        here.advance(5000)
        self.assertEqual(here.uart_bytes_read, 0)

    def test_waits_for_the_first_fix(self):
        here = self.start(gps_ttff_s=20)
        # So that a second's output comes in two pieces.
        here.advance(30)
        self.assertEqual(self.receiver.fix()[0], 52000000 + 3500)
        # Power was off again after 21 s; the time taken says nothing of that.
        self.assertTrue(60000 <= here.elapsed_ms < 60300)
        self.assertTrue(here.uart_bytes_read < 25 * 200)
        self.assertEqual(self.receiver.take_bad(), 0)

    def test_gives_up(self):
        here = self.start(gps_ttff_s=90, ttf_max_ms=30000)
        self.assertIs(self.receiver.fix(), None)
        self.assertTrue(30000 <= here.elapsed_ms <= 30200)

    def test_nothing_of_an_earlier_search_is_used(self):
        here = self.start()
        self.assertEqual(self.receiver.fix()[0], 52000000)
        # What the receiver sent until its power went stays in the port; the next fix has to be that of second 164.
        self.power.value(1)
        here.advance(3500)
        self.power.value(0)
        here.advance(100000)
        self.assertEqual(self.receiver.fix()[0], 52000000 + 27333)

    def test_half_a_sentence_is_not_joined_to_the_next_search(self):
        self.start()
        self.assertEqual(self.receiver.fix()[0], 52000000)
        self.assertEqual(self.receiver._parser._held, 0)
        self.assertFalse(any(self.receiver._parser._line))
        self.assertFalse(any(self.receiver._buf))

    def test_silent_receiver(self):
        here = self.start(faults=[{"sensor": "gps", "kind": "absent", "from_s": 0, "to_s": 999}], ttf_max_ms=20000)
        self.assertIs(self.receiver.fix(), None)
        self.assertTrue(here.elapsed_ms <= 20200)

    def test_void_receiver(self):
        self.start(faults=[{"sensor": "gps", "kind": "timeout", "from_s": 0, "to_s": 15}])
        self.assertEqual(self.receiver.fix()[0], 52000000 + 2500)

    def test_bad_sentences_are_counted_and_cleared(self):
        self.start(faults=[{"sensor": "gps", "kind": "crc", "from_s": 0, "to_s": 12}])
        self.assertEqual(self.receiver.fix()[0], 52000000 + 2000)
        self.assertEqual(self.receiver.take_bad(), 12)
        self.assertEqual(self.receiver.take_bad(), 0)

    def test_end_of_the_recording(self):
        here = self.start(seconds=10)
        here.advance(20000)
        self.assertIs(self.receiver.fix(), None)

    def test_broken_off_it_ends_at_once_and_without_power(self):
        # In the middle of the search, and while what is left of its time passes.
        for after_ms, gps_ttff_s in ((7000, 20), (30000, 2)):
            here = self.start(gps_ttff_s=gps_ttff_s)
            self.receiver._clock.broken_off_ms = after_ms
            with self.assertRaises(ButtonHeld):
                self.receiver.fix()
            self.assertFalse(here.gps.powered)
            self.assertEqual(here.elapsed_ms, after_ms)
            self.assertFalse(any(self.receiver._buf) or any(self.receiver._parser._line))

    def test_port_error_is_no_fix(self):
        self.start()

        class Broken:
            def readinto(self, buf):
                raise OSError(5)

        self.receiver._uart = Broken()
        self.assertIs(self.receiver.fix(), None)

    def test_wrong_speed(self):
        self.start(gps_baud=4800, ttf_max_ms=5000)
        self.assertIs(self.receiver.fix(), None)


if __name__ == "__main__":
    unittest.main()
