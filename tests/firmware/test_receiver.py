# The receiver beyond its search: whose date is believed, what a u-blox is told, and what is kept warm.
import unittest

import machine
import world
from models import ublox
from sensing import record, sentence

from plumveil.clock import Clock
from plumveil.sense import receiver
from plumveil.sense.receiver import Receiver

START_S = 1772431200  # 2026-03-02T06:00:00Z
TODAY = "020326"


class Time:
    # The port's `time`, on the world's.
    def gmtime(self, t_s):
        import time

        return time.gmtime(t_s)

    def time(self):
        return self.gmtime_s + world.current.elapsed_ms // 1000

    def ticks_ms(self):
        return world.current.elapsed_ms

    def ticks_diff(self, a, b):
        return a - b

    def ticks_add(self, a, b):
        return a + b

    def sleep_ms(self, n_ms):
        world.current.advance(n_ms)


def clock(trusted=True):
    time = Time()
    # Where the interpreter counts from 2000, so does the stand-in.
    time.gmtime_s = START_S - (946684800 if time.gmtime(0)[0] == 2000 else 0)
    memory = [b""]

    def rtc(data=None):
        if data is not None:
            memory[0] = data
        return memory[0]

    made = Clock(time, rtc, 0)
    made.wait_ms = time.sleep_ms
    if trusted:
        made.set_by_source()
    return made


def second(date):
    place = "5200.00000,N,01621.54005,E"
    said = sentence("GPRMC,120000.00,A," + place + ",0.1,,%s,,,A" % date)
    said += sentence("GPGGA,120000.00," + place + ",1,10,0.96,,M,,M,,") + sentence("GPGSV,1,1,00")
    return said + sentence("GPGLL," + place + ",120000.00,A,A") + sentence("GPGSA,A,1,,,,,,,,,,,,,,,")


class Receiving(unittest.TestCase):
    power = None

    def start(self, date=TODAY, seconds=range(0), ttf_max_ms=60000, trusted=True, ublox=False, backup=False, **spec):
        log = index = b""
        for n in seconds:
            index += record((n, len(log)))
            log += second(date)
        spec.update({"sensors": ["gps"], "nmea": "log", "nmea_index": "index"})
        self.here = world.reset(spec, {"log": log, "index": index})
        uart = machine.UART(2, 9600, rx=machine.Pin(16), tx=machine.Pin(17), rxbuf=1024, timeout=0)
        self.power = machine.Pin(25, machine.Pin.OUT, value=1)
        self.receiver = Receiver(uart, self.power, clock(trusted), ttf_max_ms, ublox, backup)
        return self.receiver

    def tearDown(self):
        if self.power is not None:
            self.assertEqual(self.power.value(), 0)


class Dates(Receiving):
    def test_the_clocks_dates(self):
        self.assertEqual(list(clock().dates()), [b"010326", b"020326", b"030326"])
        self.assertEqual(list(clock(trusted=False).dates()), [])

    def test_a_receiver_with_the_nodes_date_is_believed(self):
        self.assertEqual(self.start(seconds=range(60)).fix()[0], 52000000)

    def test_one_with_another_is_not(self):
        # 1,024 weeks before; a year off.
        for date in ("170706", "020325", "020327", ""):
            self.assertIs(self.start(date, seconds=range(30), ttf_max_ms=20000).fix(), None)

    def test_without_trusted_time_there_is_nobody_to_judge(self):
        self.assertEqual(self.start("170706", seconds=range(60), trusted=False).fix()[0], 52000000)


class Ublox(Receiving):
    def test_it_sends_what_is_read_and_nothing_else(self):
        for kind in ("m8", "m10"):
            self.begin(kind)
            self.assertEqual(self.receiver.fix()[0], 52000000)
            self.assertEqual(self.receiver.take_bad(), 0)
            self.assertEqual(self.rates, [0, 0, 0, 0, 1, 0])

    def begin(self, kind, **more):
        # The receiver's settings as they are when its power goes.
        self.start(seconds=range(200), ublox=True, **more)
        here = self.here
        here.gps.ublox = ublox.Ublox(kind)
        self.rates = None
        test = self
        power = here.gps.power

        def watched(on):
            if not on and here.gps.powered:
                test.rates = list(here.gps.ublox.rates)
            power(on)

        here.gps.power = watched

    def test_five_settings_of_six_are_not_all(self):
        self.begin("m8 with GLL")
        self.assertEqual(self.receiver.fix()[0], 52000000)
        self.assertEqual(self.receiver.take_bad(), 1)
        self.assertEqual(self.rates, [0, 1, 0, 0, 1, 0])

    def test_one_that_says_nothing_is_read_as_it_is_and_counted(self):
        self.begin("mute")
        self.assertEqual(self.receiver.fix()[0], 52000000)
        self.assertEqual(self.receiver.take_bad(), 1)
        self.assertEqual(self.rates, [1] * 6)
        self.assertTrue(60000 <= self.here.elapsed_ms < 60400)

    def test_asking_takes_no_longer_than_a_search_may(self):
        self.begin("mute", ttf_max_ms=3000)
        self.receiver.fix()
        self.assertTrue(self.here.elapsed_ms <= 3200)

    def test_it_is_told_again_after_its_power_was_gone(self):
        self.begin("m8")
        for _ in range(2):
            self.rates = None
            self.assertEqual(self.receiver.fix()[0], 52000000)
            self.assertEqual(self.rates, [0, 0, 0, 0, 1, 0])
        self.assertEqual(self.here.gps.ublox.frames, 12)

    def test_another_receiver_is_told_nothing(self):
        self.begin("m8")
        self.receiver._ublox = False
        self.assertEqual(self.receiver.fix()[0], 52000000)
        self.assertEqual(self.here.gps.ublox.frames, 0)


class Model(unittest.TestCase):
    # The stand-in itself, by the words of the protocol.
    def test_it_acknowledges_what_it_did_and_refuses_the_rest(self):
        model = ublox.Ublox("m8")
        model.write(b"$PUBX,40*00\r\n\xb5" + ublox.frame(b"\x06\x01", b"\xf0\x02\x00"))
        self.assertEqual(model.answers, b"\xb5\x62\x05\x01\x02\x00\x06\x01\x0f\x38")
        self.assertEqual(model.rates, [1, 1, 0, 1, 1, 1])
        for kind, payload in ((b"\x06\x01", b"\xf1\x02\x00"), (b"\x06\x01", b"\xf0"), (b"\x06\x8a", bytes(9))):
            model.answers = b""
            model.write(ublox.frame(kind, payload))
            self.assertEqual(model.answers[2:4], b"\x05\x00")

    def test_it_passes_over_what_is_no_frame(self):
        model = ublox.Ublox("m8")
        good = ublox.frame(b"\x06\x01", b"\xf0\x00\x00")
        for byte in good[:5] + bytes((good[5] ^ 1,)) + good[6:] + bytes(600):
            model.write(bytes((byte,)))
        self.assertEqual((model.frames, model.answers), (0, b""))
        for byte in good:
            model.write(bytes((byte,)))
        self.assertEqual(model.frames, 1)

    def test_a_frame_of_ours_is_one_of_its(self):
        self.assertEqual(receiver._ubx(b"\x06\x01\x03\x00\xf0\x04\x01"), ublox.frame(b"\x06\x01", b"\xf0\x04\x01"))


class Warm(Receiving):
    def on_ms(self):
        # How long the receiver has power in one search.
        here = self.here
        power = here.gps.power
        at = [0, 0]

        def watched(on):
            if on != here.gps.powered:
                at[0 if on else 1] = here.elapsed_ms
            power(on)

        here.gps.power = watched
        self.assertEqual(self.receiver.fix()[0], 52000000)
        here.gps.power = power
        return at[1] - at[0]

    def test_now_and_then_it_listens_for_all_of_its_time(self):
        # Heard of a few seconds in each half hour.
        seconds = [n for half_hour in range(5) for n in range(half_hour * 1800, half_hour * 1800 + 6)]
        self.start(seconds=seconds, backup=True)
        for half_hour, whole in ((0, True), (1, False), (2, False), (3, False), (4, True)):
            self.here.advance(half_hour * 1800000 - self.here.elapsed_ms)
            self.assertEqual(self.on_ms() >= 60000, whole)
        self.assertEqual(receiver.FRESH_S, 5400)

    def test_without_a_back_up_there_is_nothing_to_keep(self):
        self.start(seconds=range(200))
        self.assertTrue(self.on_ms() < 5000)

    def test_a_search_without_a_fix_kept_nothing(self):
        self.start(seconds=range(100), backup=True, gps_ttff_s=90, ttf_max_ms=30000)
        self.assertIs(self.receiver.fix(), None)
        self.here.spec["gps_ttff_s"] = 0
        self.assertTrue(self.on_ms() >= 30000)


if __name__ == "__main__":
    unittest.main()
