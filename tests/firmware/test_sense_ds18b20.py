# DS18B20: the driver against the model, and against scratchpads of the datasheet's table 1.
import unittest

import machine
import world
from onewire import OneWire, OneWireError
from sensing import fault_of

from plumveil import wire
from plumveil.sense.ds18b20 import Ds18b20


def start(**spec):
    spec["sensors"] = ["ds18b20"]
    here = world.reset(spec, {})
    return here, Ds18b20(OneWire(machine.Pin(4)), here.advance)


class Bus:
    # A bus whose probe has this scratchpad; crc8 as the port's own.
    def __init__(self, pad, present=True, done=1):
        self.pad = pad
        self.present = present
        self.done = done
        self.sent = []

    def reset(self):
        self.sent.append("reset")
        return self.present

    def writebyte(self, value):
        self.sent.append(value)

    def readbit(self):
        return self.done

    def readinto(self, buf):
        for i in range(9):
            buf[i] = self.pad[i]

    crc8 = OneWire.crc8

    def sensor(self):
        return Ds18b20(self, self.sent.append)


def pad(raw, config=0x7F):
    data = bytes((raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, config, 0xFF, 0x0C, 0x10))
    return data + bytes((OneWire.crc8(None, data),))


class ByHand(unittest.TestCase):
    def test_table_1(self):
        for raw, milli in (
            (0x07D0, 125000),
            (0x0191, 25063),
            (0x00A2, 10125),
            (0x0008, 500),
            (0x0000, 0),
            (0xFFF8, -500),
            (0xFF5E, -10125),
            (0xFE6F, -25062),
            (0xFC90, -55000),
        ):
            self.assertEqual(Bus(pad(raw)).sensor().read(), {wire.F_PROBE_TEMPERATURE: milli})

    def test_conversation(self):
        bus = Bus(pad(0x0191))
        bus.sensor().read()
        # Skip ROM, convert, 750 ms; skip ROM, read scratchpad. Never a ROM code.
        self.assertEqual(bus.sent, ["reset", 0xCC, 0x44, 750, "reset", 0xCC, 0xBE])

    def test_fewer_bits(self):
        # At 9 bits the lowest three are undefined.
        for config, milli in ((0x7F, 25063), (0x5F, 25000), (0x3F, 25000), (0x1F, 25000)):
            self.assertEqual(Bus(pad(0x0191, config)).sensor().read(), {wire.F_PROBE_TEMPERATURE: milli})
        self.assertEqual(Bus(pad(0x019F, 0x1F)).sensor().read(), {wire.F_PROBE_TEMPERATURE: 25500})

    def test_crc_of_the_datasheets_example(self):
        # Application note 27: family 02, serial 00 00 00 01 B8 1C.
        self.assertEqual(OneWire.crc8(None, b"\x02\x1c\xb8\x01\x00\x00\x00"), 0xA2)

    def test_every_flipped_bit_is_refused(self):
        for bit in range(72):
            data = bytearray(pad(0x0191))
            data[bit >> 3] ^= 1 << (bit & 7)
            self.assertEqual(fault_of(Bus(data).sensor()), "ds18b20: crc")

    def test_held_low_or_high_is_refused(self):
        self.assertEqual(fault_of(Bus(bytes(9)).sensor()), "ds18b20: crc")
        self.assertEqual(fault_of(Bus(b"\xff" * 9).sensor()), "ds18b20: crc")

    def test_power_on_value_is_refused(self):
        self.assertEqual(fault_of(Bus(pad(0x0550)).sensor()), "ds18b20: power-on value")
        self.assertEqual(Bus(pad(0x0551)).sensor().read(), {wire.F_PROBE_TEMPERATURE: 85063})

    def test_absent_is_asked_twice(self):
        bus = Bus(pad(0x0191), present=False)
        self.assertEqual(fault_of(bus.sensor()), "ds18b20: absent")
        self.assertEqual(bus.sent, ["reset", "reset"])

    def test_not_done_is_not_read(self):
        bus = Bus(pad(0x0191), done=0)
        self.assertEqual(fault_of(bus.sensor()), "ds18b20: timeout")
        self.assertFalse(0xBE in bus.sent)


class OnTheModel(unittest.TestCase):
    def test_reads_what_is_there(self):
        for milli in (4300, -18000, -55000, 124000, 0, -70, 85200):
            _here, sensor = start(probe_temperature=milli)
            for _ in range(10):
                value = sensor.read()[wire.F_PROBE_TEMPERATURE]
                self.assertTrue(abs(value - milli) <= 26 + 32)
                # 1/16 degC.
                self.assertTrue(value * 2 % 125 in (0, 1, 124))

    def test_takes_its_time(self):
        here, sensor = start()
        sensor.read()
        self.assertEqual(here.elapsed_ms, 750)

    def test_faults(self):
        for kind in ("crc", "absent", "timeout"):
            here, sensor = start(faults=[{"sensor": "ds18b20", "kind": kind, "from_s": 10, "to_s": 20}])
            sensor.read()
            here.advance(10000)
            self.assertEqual(fault_of(sensor), "ds18b20: " + kind)
            here.advance(10000)
            sensor.read()

    def test_driver_that_does_not_wait_gets_nothing(self):
        _here, _ = start()
        sensor = Ds18b20(OneWire(machine.Pin(4)), lambda n: None)
        self.assertEqual(fault_of(sensor), "ds18b20: timeout")

    def test_not_fitted_or_on_another_pin(self):
        here, _ = start()
        self.assertEqual(fault_of(Ds18b20(OneWire(machine.Pin(5)), here.advance)), "ds18b20: absent")
        world.reset({}, {})
        self.assertEqual(fault_of(Ds18b20(OneWire(machine.Pin(4)), here.advance)), "ds18b20: absent")


class Model(unittest.TestCase):
    def read_pad(self, bus):
        bus.reset()
        bus.writebyte(0xCC)
        bus.writebyte(0xBE)
        data = bytearray(9)
        bus.readinto(data)
        self.assertEqual(bus.crc8(data), 0)
        return bytes(data)

    def test_power_on(self):
        start()
        self.assertEqual(self.read_pad(OneWire(machine.Pin(4)))[:8], b"\x50\x05\x4b\x46\x7f\xff\x0c\x10")

    def test_search_finds_it(self):
        start(ds18b20_serial="0000000001b8")
        bus = OneWire(machine.Pin(4))
        roms = bus.scan()
        self.assertEqual([bytes(rom[:7]) for rom in roms], [b"\x28\x00\x00\x00\x00\x01\xb8"])
        self.assertEqual(bus.crc8(roms[0]), 0)
        # Chosen by its code, and by no other.
        bus.select_rom(roms[0])
        bus.writebyte(0xBE)
        self.assertEqual(bus.readbyte(), 0x50)
        bus.select_rom(b"\x28" + bytes(7))
        bus.writebyte(0xBE)
        self.assertEqual(bus.readbyte(), 0xFF)
        bus.reset()
        bus.writebyte(0x33)
        self.assertEqual(bytes(bus.readbyte() for _ in range(8)), bytes(roms[0]))

    def test_resolution_and_time(self):
        here, _ = start(probe_temperature=25060)
        bus = OneWire(machine.Pin(4))
        for config, ms, step in ((0x00, 94, 8), (0x20, 188, 4), (0x40, 375, 2), (0x60, 750, 1)):
            bus.reset()
            bus.writebyte(0xCC)
            bus.write(bytes((0x4E, 1, 2, config)))
            bus.reset()
            bus.writebyte(0xCC)
            bus.writebyte(0x44)
            here.advance(ms - 1)
            self.assertEqual(bus.readbit(), 0)
            here.advance(1)
            self.assertEqual(bus.readbit(), 1)
            data = self.read_pad(bus)
            self.assertEqual(data[2:5], bytes((1, 2, config | 0x1F)))
            self.assertEqual(data[0] % step, 0)

    def test_written_values_come_back_from_eeprom(self):
        start()
        bus = OneWire(machine.Pin(4))
        for command in (b"\x4e\x11\x22\x1f", b"\x48", b"\x4e\x33\x44\x7f", b"\xb8"):
            bus.reset()
            bus.writebyte(0xCC)
            bus.write(command)
        self.assertEqual(self.read_pad(bus)[2:5], b"\x11\x22\x1f")

    def test_bit_by_bit(self):
        start()
        bus = OneWire(machine.Pin(4))
        bus.reset()
        for command in (0xCC, 0xBE):
            for bit in range(8):
                bus.writebit(command >> bit & 1)
        value = 0
        for bit in range(16):
            value |= bus.readbit() << bit
        self.assertEqual(value, 0x0550)

    def test_nobody_there(self):
        world.reset({}, {})
        bus = OneWire(machine.Pin(4))
        self.assertFalse(bus.reset())
        with self.assertRaises(OneWireError):
            bus.reset(True)
        self.assertEqual((bus.readbyte(), bus.readbit(), bus.scan()), (0xFF, 1, []))


if __name__ == "__main__":
    unittest.main()
