# NMEA positions: what is understood, what is refused, what is counted.
import unittest

from sensing import sentence

from plumveil.sense.nmea import Parser

RMC = "GPRMC,092835.00,A,4804.14539,N,01621.54005,E,0.250,,210615,,,A"
GGA = "GNGGA,092835.00,4804.14539,N,01621.54005,E,1,10,0.96,205.3,M,42.0,M,,"
GNS = "GNGNS,092835.00,4804.14539,N,01621.54005,E,AAN,10,0.96,205.3,42.0,,"
GLL = "GLGLL,4804.14539,N,01621.54005,E,092835.00,A,A"
HERE = (48069090, 16359001)
ALL = (RMC, GGA, GNS, GLL)


def parsed(data, parser=None):
    # Every position in data, fed byte by byte.
    parser = parser or Parser()
    found = []
    for b in data:
        parser.feed(bytes((b,)), 1)
        fix = parser.take()
        if fix is not None:
            found.append(fix)
    return found


def fields(body, **changes):
    # The sentence with fields replaced: f3="" empties the third.
    parts = body.split(",")
    for name, value in changes.items():
        parts[int(name[1:])] = value
    return sentence(",".join(parts))


class Understood(unittest.TestCase):
    def test_four_sentences(self):
        for body in ALL:
            self.assertEqual(parsed(sentence(body)), [HERE])

    def test_all_talkers(self):
        for talker in ("GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ", "GI", "IN", "II"):
            for body in ALL:
                self.assertEqual(parsed(sentence(talker + body[2:])), [HERE])

    def test_hemispheres(self):
        self.assertEqual(parsed(fields(RMC, f4="S", f6="W")), [(-HERE[0], -HERE[1])])
        self.assertEqual(parsed(fields(GLL, f2="S", f4="E")), [(-HERE[0], HERE[1])])

    def test_digits_round_to_nearest(self):
        # 1e-6 degree is 6e-5 minutes.
        for minutes, e6 in (
            ("00", 0),
            ("00.", 0),
            ("00.00002", 0),
            ("00.0000299", 0),
            ("00.00003", 1),
            ("00.0000300", 1),
            ("00.00002999999999999", 0),
            ("00.0000899", 1),
            ("00.00009", 2),
            ("30", 500000),
            ("59.9999", 999998),
            ("59.9999999", 1000000),
        ):
            self.assertEqual(
                parsed(fields(GLL, f1="12" + minutes, f3="003" + minutes)), [(12000000 + e6, 3000000 + e6)]
            )

    def test_ends_of_the_earth(self):
        self.assertEqual(parsed(fields(GLL, f1="9000.0000", f3="18000.0000")), [(90000000, 180000000)])
        self.assertEqual(parsed(fields(GLL, f1="0000.0000", f3="00000.0000")), [(0, 0)])
        self.assertEqual(parsed(fields(GLL, f1="8959.9999999", f3="17959.9999999")), [(90000000, 180000000)])

    def test_older_sentences_have_no_mode(self):
        self.assertEqual(parsed(sentence(RMC[:-2])), [HERE])
        self.assertEqual(parsed(sentence(GLL[:-2])), [HERE])

    def test_navigational_status_is_not_asked(self):
        # NMEA 4.1; u-blox sends V always.
        self.assertEqual(parsed(sentence(RMC + ",V")), [HERE])
        self.assertEqual(parsed(sentence(GNS + ",V")), [HERE])

    def test_line_ends_and_lower_case_checksum(self):
        for end in ("\n", "\r", "\r\n", "\r\r\n"):
            self.assertEqual(parsed(sentence(GLL, end)), [HERE])
        self.assertEqual(parsed(sentence(GGA).replace(b"*5D", b"*5d")), [HERE])

    def test_accepted_qualities_and_modes(self):
        for quality in "12345":
            self.assertEqual(parsed(fields(GGA, f6=quality)), [HERE])
        for mode in "ADPRF":
            self.assertEqual(parsed(fields(RMC, f12=mode)), [HERE])
            self.assertEqual(parsed(fields(GLL, f7=mode)), [HERE])
            self.assertEqual(parsed(fields(GNS, f6=mode + "N")), [HERE])

    def test_newest_wins_and_is_taken_once(self):
        parser = Parser()
        data = sentence(GLL) + fields(GLL, f1="1000.0000", f3="02000.0000")
        parser.feed(data, len(data))
        self.assertEqual(parser.take(), (10000000, 20000000))
        self.assertIs(parser.take(), None)

    def test_only_n_bytes_are_read(self):
        parser = Parser()
        data = sentence(GLL)
        parser.feed(data, len(data) - 2)
        self.assertIs(parser.take(), None)
        parser.feed(b"\n$GP", 1)
        self.assertEqual(parser.take(), HERE)


class Refused(unittest.TestCase):
    def refuse(self, data, bad):
        parser = Parser()
        self.assertEqual(parsed(data, parser), [])
        self.assertEqual(parser.bad_sentences, bad)

    def test_no_fix_is_not_bad(self):
        for data in (
            fields(RMC, f2="V"),
            fields(GLL, f6="V"),
            fields(RMC, f2=""),
            sentence("GPRMC,,V,,,,,,,,,,N"),
            sentence("GPGGA,,,,,,0,00,99.99,,,,,,"),
            sentence("GPGLL,,,,,,V,N"),
            sentence("GNGNS,,,,,,NNN,00,,,,,"),
        ):
            self.refuse(data, 0)

    def test_modes_that_are_no_measurement(self):
        for mode in ("N", "E", "M", "S", "V", "X", "", "AA"):
            self.refuse(fields(RMC, f12=mode), 0)
            self.refuse(fields(GLL, f7=mode), 0)
        for mode in ("", "N", "NNNN", "AE", "MA", "AAS", "AX"):
            self.refuse(fields(GNS, f6=mode), 0)

    def test_qualities_that_are_no_measurement(self):
        for quality in ("0", "6", "7", "8", "9", "", "10", "A"):
            self.refuse(fields(GGA, f6=quality), 0)

    def test_positions_that_are_none(self):
        for lat in (
            "",
            "4",
            "480",
            "804.14539",
            "04804.14539",
            "4804;14539",
            "48.0414539",
            "4860.0",
            "4899.9",
            "4x04.1",
            "4:04.1",
        ):
            self.refuse(fields(GLL, f1=lat), 1)
        for lat in ("9000.00006", "9001.0", "9959.9", "-804.1", "4804.1-", "4804.14.5", "+804.14", "4804 14"):
            self.refuse(fields(GLL, f1=lat), 1)
        for lon in ("18000.00006", "18100.0", "99959.9", "1621.54005", "016", "01660.0", "01621.54\x7e"):
            self.refuse(fields(GLL, f3=lon), 1)

    def test_hemispheres_that_are_none(self):
        for letter in ("", "E", "n", "NS", "X"):
            self.refuse(fields(RMC, f4=letter), 1)
        for letter in ("", "N", "e", "EW", "X"):
            self.refuse(fields(RMC, f6=letter), 1)

    def test_cut_at_every_byte(self):
        whole = sentence(RMC)
        for n in range(len(whole) - 2):
            parser = Parser()
            self.assertEqual(parsed(whole[:n] + sentence(GLL), parser), [HERE])
            self.assertEqual(parser.bad_sentences, 1 if n >= 7 else 0)
            self.assertEqual(parsed(whole[:n] + b"\r\n"), [])

    def test_flipped_at_every_bit(self):
        for body in ALL:
            whole = sentence(body)
            for n in range(len(whole) - 2):
                for bit in range(8):
                    data = bytearray(whole)
                    data[n] ^= 1 << bit
                    # A checksum's letters count in either case.
                    if bytes(data).upper() != whole:
                        self.assertEqual(parsed(data), [])

    def test_checksum_is_required(self):
        self.refuse(b"$" + RMC.encode() + b"\r\n", 1)
        self.refuse(b"$" + RMC.encode() + b"*\r\n", 1)
        self.refuse(b"$" + RMC.encode() + b"*5\r\n", 1)
        self.refuse(sentence(RMC, "0\r\n"), 1)
        self.refuse(sentence(RMC).replace(b"*", b"*G"), 1)
        # A checksum that ends in 0, its last digit replaced.
        zero = [data for data in (fields(GLL, f5="%06d" % i) for i in range(64)) if data.endswith(b"0\r\n")]
        for data in zero:
            self.assertEqual(parsed(data), [HERE])
            for letter in (b"G", b"`", b"/", b" "):
                self.refuse(data[:-3] + letter + b"\r\n", 1)
        self.assertTrue(len(zero) >= 2)
        for end in ("\0", "$", " \r\n"):
            self.refuse(sentence(GLL, end), 1)
        for check in range(256):
            data = b"$" + GLL.encode() + b"*%02X\r\n" % check
            self.assertEqual(parsed(data) == [HERE], data == sentence(GLL))

    def test_makers_sentences(self):
        # Garmin's sensor configuration is called PGRMC.
        self.refuse(sentence("P" + RMC[1:]), 0)
        self.refuse(sentence("PUBX,00,092835.00,4804.14539,N,01621.54005,E,546.589,G3,2.1,2.0,0.007,77.52"), 0)

    def test_other_sentences_are_not_looked_at(self):
        for name in ("GPGSV", "GNGSA", "GPVTG", "GNZDA", "GPRMB", "GPGLLX", "GPGL", "gprmc"):
            self.refuse(sentence(name + GLL[5:]), 0)
            self.refuse(b"$" + name.encode() + b",garbage without end", 0)

    def test_overlong(self):
        parser = Parser()
        long = sentence(RMC + ",A" * 20)
        self.assertEqual(parsed(long + sentence(GLL), parser), [HERE])
        self.assertEqual(parser.bad_sentences, 1)
        # 96 bytes from "$" to the checksum are the most.
        for extra, good in ((96, True), (97, False)):
            body = RMC + "," + "0" * (extra - len(RMC) - 5)
            self.assertEqual(len(sentence(body)) - 2, extra)
            self.assertEqual(parsed(sentence(body)) == [HERE], good)

    def test_bytes_beyond_ascii(self):
        # Two flipped top bits leave the checksum right.
        data = sentence(GGA)
        self.refuse(data.replace(b"205", b"\xb2\xb05"), 1)
        self.refuse(data.replace(b"205", b"\x12\x105"), 1)

    def test_too_many_fields(self):
        self.refuse(sentence("GPGLL,4804.14539,N,01621.54005,E,,A,A" + "," * 40), 1)

    def test_fix_lost_withdraws_an_earlier_position(self):
        for loss in (fields(RMC, f2="V"), fields(GGA, f6="0"), fields(GLL, f1="")):
            parser = Parser()
            data = sentence(GLL) + loss
            parser.feed(data, len(data))
            self.assertIs(parser.take(), None)

    def test_noise_between_sentences(self):
        noise = bytes((i * 37 + 11) & 0xFF for i in range(700))
        self.assertEqual(parsed(noise + b"\n" + sentence(RMC) + noise + sentence(GGA)), [HERE, HERE])
        self.assertEqual(parsed(b"$$$$$GP$" + sentence(RMC)), [HERE])

    def test_wipe_forgets_the_sentence(self):
        parser = Parser()
        data = sentence(GLL) + sentence(RMC)[:40]
        parser.feed(data, len(data))
        parser.wipe()
        self.assertIs(parser.take(), None)
        self.assertFalse(any(parser._line))
        self.assertEqual(parsed(sentence(RMC)[40:], parser), [])
        self.assertEqual(parser.bad_sentences, 0)

    def test_nothing_is_allocated(self):
        parser = Parser()
        parser.dates = [b"200615", b"210615", b"220615"]
        data = b"".join(sentence(body) for body in ALL) + fields(GGA, f6="0") + b"$GPRMC,\xff$GPGSV,1*00\r\n"
        size = len(data)
        parser.feed(data, size)
        try:
            from micropython import heap_lock, heap_unlock

            heap_lock()
            try:
                parser.feed(data, size)
            finally:
                heap_unlock()
        except ImportError:
            # CPython makes an object of every number; none of them may stay.
            import tracemalloc

            tracemalloc.start()
            parser.feed(data * 100, size)
            used = tracemalloc.get_traced_memory()[0]
            parser.feed(data * 100, size * 100)
            grown = tracemalloc.get_traced_memory()[0] - used
            tracemalloc.stop()
            self.assertTrue(grown < 1000)
        self.assertTrue(parser.bad_sentences >= 2)


if __name__ == "__main__":
    unittest.main()
