# The stand-in serial line and the receiver model on it: speed, buffer, power, time to first fix, faults.
import unittest

import machine
import world
from sensing import record


def receiver(stretches, **spec):
    # A world whose receiver has these (second, bytes), and the port it is on.
    log = index = b""
    for t_s, data in stretches:
        index += record((t_s, len(log)))
        log += data
    spec["sensors"] = ["gps"]
    spec["nmea"], spec["nmea_index"] = "log", "index"
    here = world.reset(spec, {"log": log, "index": index})
    return here, machine.Pin(25, machine.Pin.OUT, value=0)


def port(rxbuf=1024, **options):
    return machine.UART(2, 9600, rx=machine.Pin(16), tx=machine.Pin(17), rxbuf=rxbuf, **options)


class SerialLine(unittest.TestCase):
    def test_bytes_come_at_the_lines_speed(self):
        here, power = receiver([(10, b"x" * 480), (11, b"y" * 10)])
        uart = port()
        power.on()
        here.advance(10000)
        self.assertEqual(uart.any(), 0)
        # 960 bytes a second.
        for ms, count in ((1, 0), (1, 1), (98, 96), (300, 384), (100, 480), (500, 480), (11, 490)):
            here.advance(ms)
            self.assertEqual(uart.any(), count)
        self.assertEqual(uart.read(), b"x" * 480 + b"y" * 10)
        self.assertIs(uart.read(), None)
        self.assertEqual(here.uart_bytes_read, 490)
        here.advance(100000)
        self.assertIs(uart.read(5), None)

    def test_verbatim_in_any_pieces(self):
        data = bytes(range(256)) * 6
        here, power = receiver([(t_s, data[t_s * 128 : t_s * 128 + 128]) for t_s in range(12)])
        uart = port()
        power.on()
        got = b""
        buf = bytearray(50)
        step = 1
        while here.elapsed_ms < 13000:
            here.advance(step % 97)
            step += 13
            n = uart.readinto(buf)
            if n:
                got += bytes(buf[:n])
        self.assertEqual(got, data)
        self.assertEqual((here.uart_bytes_dropped, here.gps_reads_while_off), (0, 0))

    def test_full_buffer_drops_what_comes(self):
        here, power = receiver([(0, b"a" * 300 + b"b" * 300)])
        uart = port(rxbuf=256)
        power.on()
        here.advance(1000)
        self.assertEqual(uart.any(), 256)
        self.assertEqual(here.uart_bytes_dropped, 344)
        self.assertEqual(uart.read(), b"a" * 256)

    def test_buffer_has_to_be_larger_than_the_hardwares(self):
        receiver([])
        with self.assertRaises(OSError):
            port(rxbuf=128)

    def test_unpowered_is_silent_and_reading_it_is_noted(self):
        here, power = receiver([(t_s, b"secret") for t_s in range(60)])
        uart = port()
        here.advance(30000)
        self.assertEqual(here.gps_reads_while_off, 0)
        self.assertIs(uart.read(), None)
        self.assertEqual(uart.any(), 0)
        self.assertEqual(here.gps_reads_while_off, 2)
        self.assertEqual(here.uart_bytes_read, 0)
        # What fell due without power never comes.
        power.on()
        here.advance(1500)
        self.assertEqual(uart.read(), b"secret" * 2)
        self.assertEqual(here.gps_reads_while_off, 2)

    def test_power_cut_within_a_stretch(self):
        here, power = receiver([(0, b"x" * 480), (1, b"y")])
        uart = port()
        power.on()
        here.advance(100)
        power.off()
        here.advance(10000)
        self.assertEqual(uart.any(), 96)
        power.on()
        here.advance(1000)
        self.assertEqual(uart.any(), 96)

    def test_void_until_the_first_fix(self):
        here, power = receiver([(t_s, b"<%d>" % t_s) for t_s in range(100)], gps_ttff_s=30)
        uart = port(rxbuf=8192)
        here.advance(10000)
        power.on()
        here.advance(32500)
        void = b"$GPGGA,,,,,,0,00,99.9,,,,,,*71\r\n$GPRMC,,V,,,,,,,,,,N*53\r\n"
        self.assertEqual(uart.read(), void * 30 + b"<40><41><42>")
        # Every start has its own wait.
        power.off()
        power.on()
        here.advance(2000)
        self.assertEqual(uart.read(), void * 2)

    def test_a_log_faster_than_the_line_loses_whole_stretches(self):
        here, power = receiver([(t_s, b"%d" % (t_s % 10) * 1440) for t_s in range(20)])
        uart = port(rxbuf=32768)
        power.on()
        here.advance(60000)
        data = uart.read()
        self.assertEqual(len(data) % 1440, 0)
        self.assertTrue(here.gps.stretches_dropped > 0)
        self.assertEqual(len(data) // 1440 + here.gps.stretches_dropped, 20)

    def test_timeout_waits(self):
        here, power = receiver([(1, b"late")])
        uart = port(timeout=1500)
        power.on()
        self.assertEqual(uart.read(2), b"l")
        self.assertEqual(here.elapsed_ms, 1002)
        here.advance(500)
        self.assertEqual(uart.read(), b"ate")
        self.assertIs(uart.read(), None)
        self.assertEqual(here.elapsed_ms, 3002)

    def test_other_ports_and_other_speeds(self):
        here, power = receiver([(0, b"$GPGGA")])
        other = machine.UART(1, 9600, rx=machine.Pin(9), rxbuf=256)
        fast = machine.UART(2, 115200, rx=machine.Pin(16), rxbuf=256)
        power.on()
        here.advance(500)
        self.assertEqual(other.any(), 0)
        self.assertEqual(fast.any(), 6)
        self.assertFalse(b"$" in fast.read())
        self.assertEqual(fast.write(b"$PMTK"), 5)

    def test_faults(self):
        for kind, wanted in (("absent", None), ("crc", b"$GPGLL/00"), ("timeout", b"$GPGGA,,")):
            faults = [{"sensor": "gps", "kind": kind, "from_s": 0, "to_s": 5}]
            here, power = receiver([(0, b"$GPGLL*00\r\n")], faults=faults)
            uart = port()
            power.on()
            here.advance(1000)
            data = uart.read()
            self.assertEqual(data if wanted is None else data[: len(wanted)], wanted)


if __name__ == "__main__":
    unittest.main()
