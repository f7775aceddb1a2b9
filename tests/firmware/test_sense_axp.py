# The receiver's rail of a power chip: the driver against the register-level models of both chips, as the T-Beams have
# them. Never another rail, never another chip.
import unittest

import machine
import scratch
import world
from sensing import record, sentence

from plumveil import cbor, flash, hardware, service, wire
from plumveil.errors import SensorFault
from plumveil.sense.axp import Rail
from plumveil.sense.receiver import Receiver

ADDRESS = 0x34
# chip -> what Rail takes: id; register, mask and value of the voltage; register and mask of the switch.
NUMBERS = {
    "axp192": (0x03, 0x28, 0x0F, 0x0F, 0x12, 0x08),
    "axp2101": (0x4A, 0x94, 0x1F, 0x1C, 0x90, 0x04),
}
OTHER = {"axp192": "axp2101", "axp2101": "axp192"}


class Clock:
    # plumveil.clock.Clock's part that the receiver uses, on the world's time.
    def dates(self):
        return ()

    def ticks_ms(self):
        return world.current.elapsed_ms

    def elapsed_ms(self, since_ms):
        return world.current.elapsed_ms - since_ms

    def sleep_ms(self, n_ms):
        world.current.advance(n_ms)

    wait_ms = sleep_ms


class Stuck(machine.I2C):
    # Whatever is written, the switch reads as off.
    def __init__(self, numbers):
        self.numbers = numbers

    def readfrom_mem(self, addr, memaddr, nbytes, addrsize=8):
        found = machine.I2C.readfrom_mem(self, addr, memaddr, nbytes)
        return bytes((found[0] & ~self.numbers[5],)) if memaddr == self.numbers[4] else found


def start(chip, numbers=None, **spec):
    # (world, model of the chip, Rail with the numbers of `numbers`, or of the chip itself)
    spec["power_chip"] = chip
    spec.setdefault("sensors", ["gps"])
    here = world.reset(spec, {})
    return here, here.i2c[ADDRESS][1], Rail(machine.I2C(0), ADDRESS, NUMBERS[numbers or chip])


class Switching(unittest.TestCase):
    def test_off_is_written_at_the_start(self):
        # The rail comes up on, and a reset of the node leaves it as it is.
        for chip in NUMBERS:
            here, axp, rail = start(chip)
            self.assertTrue(here.gps.powered)
            rail.value(0)
            self.assertFalse(here.gps.powered)
            self.assertFalse(axp.receiver_on())

    def test_on_is_3v3_before_it_is_on(self):
        for chip in NUMBERS:
            here, axp, rail = start(chip)
            rail.value(0)
            del axp.writes[:]
            rail.value(1)
            self.assertTrue(here.gps.powered)
            self.assertTrue(axp.receiver_at_3v3())
            voltage, switch = NUMBERS[chip][1], NUMBERS[chip][4]
            self.assertEqual([register for register, _ in axp.writes], [voltage, switch])

    def test_other_rails_keep_what_they_had(self):
        for chip in NUMBERS:
            _, v_register, v_mask, _, register, mask = NUMBERS[chip]
            for before in range(256):
                if chip == "axp192" and not before & 2:
                    continue  # the node would be without power
                _, axp, rail = start(chip)
                axp.registers[register] = before
                axp.registers[v_register] = before
                rail.value(1)
                self.assertEqual(axp.registers[register], before | mask)
                self.assertEqual(axp.registers[v_register] & ~v_mask, before & ~v_mask)
                rail.value(0)
                self.assertEqual(axp.registers[register], before & ~mask)

    def test_a_reset_of_the_node_changes_no_rail(self):
        for chip in NUMBERS:
            here, axp, rail = start(chip)
            rail.value(0)
            here.boot(machine.SOFT_RESET)
            self.assertFalse(here.gps.powered)
            self.assertTrue(here.i2c[ADDRESS][1] is axp)

    def test_the_usual_pin_switches_nothing_then(self):
        here, _, rail = start("axp192")
        rail.value(0)
        machine.Pin(world.PINS["gps_power"], machine.Pin.OUT, value=1)
        self.assertFalse(here.gps.powered)

    def test_power_lost_and_back_is_on_again(self):
        for chip in NUMBERS:
            here, _, rail = start(chip)
            rail.value(0)
            here.boot(machine.PWRON_RESET)
            self.assertTrue(here.gps.powered)

    def test_as_a_sensor_it_is_off_at_every_sample(self):
        for chip in NUMBERS:
            here, _, rail = start(chip)
            self.assertEqual(rail.read(), {})
            self.assertFalse(here.gps.powered)
            rail.value(1)
            rail.read()
            self.assertFalse(here.gps.powered)

    def test_as_a_sensor_a_silent_chip_is_a_fault(self):
        here, _, rail = start("axp2101", faults=[{"sensor": "axp", "kind": "absent", "from_s": 0, "to_s": 10}])
        with self.assertRaises(SensorFault):
            rail.read()
        here.advance(11000)
        rail.read()
        self.assertFalse(here.gps.powered)


class Config:
    # The parts of plumveil.config.Config that the wiring is built from.
    sample_s = 300

    def __init__(self, chip, sensors):
        self.policy = self
        self.sensors = sensors
        self.board = {"i2c_scl": 22, "i2c_sda": 21, "i2c_frequency_hz": 400000, "sht4x_address": 0x44}
        self.board.update({"gps_uart": 2, "gps_tx": 12, "gps_rx": 34, "gps_baud": 9600})
        if chip is None:
            self.board["gps_power"] = world.PINS["gps_power"]
        else:
            self.board["axp_address"] = ADDRESS
            for name, number in zip(hardware.AXP_NUMBERS, NUMBERS[chip]):
                self.board["axp_" + name] = number


class Starting(scratch.Scratch):
    # What holds before a key or a configuration is believed: there is none here.
    PATHS = ("FILE_BOARD", "FOLDER_QUEUE")

    def start(self, chip, data=None):
        here, _, _ = start(chip)
        board = Config(chip, []).board
        flash.save(wire.FILE_BOARD, cbor.dumps(board) if data is None else data)
        hardware.receiver_off()
        return here

    def test_the_receiver_is_off_first_of_all(self):
        for chip in NUMBERS:
            self.assertFalse(self.start(chip).gps.powered)

    def test_by_a_pin_too(self):
        here = world.reset({"sensors": ["gps"]}, {})
        here.drive(world.PINS["gps_power"], 1)
        self.assertTrue(here.gps.powered)
        flash.save(wire.FILE_BOARD, cbor.dumps(Config(None, []).board))
        hardware.receiver_off()
        self.assertFalse(here.gps.powered)

    def test_before_keys_are_looked_for(self):
        here, _, _ = start("axp2101")
        flash.save(wire.FILE_BOARD, cbor.dumps(Config("axp2101", []).board))
        kept = service.self_test
        service.self_test = self.stop
        try:
            with self.assertRaises(Stopped):
                service.build(self.fail)
        finally:
            service.self_test = kept
        self.assertFalse(here.gps.powered)

    def stop(self):
        raise Stopped

    def test_a_damaged_file_is_no_crash_and_switches_nothing(self):
        whole = cbor.dumps(Config("axp2101", []).board)
        parts = (cbor.dumps({"axp_id": 1}), cbor.dumps({"gps_power": "x"}))
        for data in (b"", b"\xff", b"\x80", b"\x01", whole[:-1]) + parts:
            self.assertTrue(self.start("axp2101", data).gps.powered)


class Stopped(Exception):
    pass


class Building(unittest.TestCase):
    def test_a_receiver_that_nobody_asked_for_has_no_power(self):
        for sensors in (["sht4x"], ["sht4x", "gps"], []):
            for chip in NUMBERS:
                here, _, _ = start(chip, sensors=["sht4x", "gps"])
                _, receiver = hardware.build_sensors(Config(chip, sensors), Clock())
                self.assertFalse(here.gps.powered)
                self.assertEqual(receiver is not None, "gps" in sensors)
            here = world.reset({"sensors": ["gps"]}, {})
            here.drive(world.PINS["gps_power"], 1)
            hardware.build_sensors(Config(None, []), Clock())
            self.assertFalse(here.gps.powered)


class Refusing(unittest.TestCase):
    def test_another_chip_is_never_written_to(self):
        for chip in NUMBERS:
            for on in (0, 1):
                _, axp, rail = start(chip, OTHER[chip])
                with self.assertRaises(OSError):
                    rail.value(on)
                self.assertEqual(axp.writes, [])

    def test_a_chip_that_does_not_answer_is_an_error(self):
        for chip in NUMBERS:
            for kind in ("absent", "timeout"):
                fault = {"sensor": "axp", "kind": kind, "from_s": 0, "to_s": 10}
                here, axp, rail = start(chip, faults=[fault])
                with self.assertRaises(OSError):
                    rail.value(0)
                self.assertEqual(axp.writes, [])
                here.advance(11000)
                rail.value(0)
                self.assertFalse(here.gps.powered)

    def test_a_switch_that_does_not_hold_is_an_error(self):
        for chip in NUMBERS:
            _, _, rail = start(chip)
            rail.value(0)
            with self.assertRaises(OSError):
                Rail(Stuck(NUMBERS[chip]), ADDRESS, NUMBERS[chip]).value(1)

    def test_the_model_knows_the_branch_it_sits_on(self):
        # AXP192 numbers of the ESP32's own rail: what a whole byte written to the switches would do.
        for register, chip in ((0x12, "axp192"), (0x80, "axp2101")):
            start(chip)
            with self.assertRaises(world.Restart):
                machine.I2C(0).writeto_mem(ADDRESS, register, b"\x00")


class Receiving(unittest.TestCase):
    def test_the_receiver_is_powered_only_while_it_searches(self):
        for chip in NUMBERS:
            log = index = b""
            for second in range(120):
                index += record((second, len(log)))
                log += sentence("GPGGA,,5200.000000,N,01621.54005,E,1,10,0.96,,M,,M,,")
            spec = {"power_chip": chip, "sensors": ["gps"], "nmea": "log", "nmea_index": "index", "gps_ttff_s": 5}
            here = world.reset(spec, {"log": log, "index": index})
            rail = Rail(machine.I2C(0), ADDRESS, NUMBERS[chip])
            uart = machine.UART(2, 9600, rx=machine.Pin(16), tx=machine.Pin(17), rxbuf=1024, timeout=0)
            receiver = Receiver(uart, rail, Clock(), 30000)
            self.assertFalse(here.gps.powered)
            self.assertEqual(receiver.fix(), (52000000, 16359000 + 1))
            self.assertFalse(here.gps.powered)
            self.assertEqual(here.gps_reads_while_off, 0)

    def test_the_back_up_cell_is_charged_where_there_is_one(self):
        for chip, register, mask in (("axp192", 0x35, 0x80), ("axp2101", 0x18, 0x04)):
            here = world.reset({"power_chip": chip, "sensors": ["gps"]}, {})
            axp = here.i2c[ADDRESS][1]
            axp.registers[register] = 0x21
            Rail(machine.I2C(0), ADDRESS, NUMBERS[chip]).value(1)
            self.assertEqual(axp.registers[register], 0x21)
            rail = Rail(machine.I2C(0), ADDRESS, NUMBERS[chip] + (register, mask))
            rail.value(0)
            self.assertEqual(axp.registers[register], 0x21)
            rail.value(1)
            self.assertEqual(axp.registers[register], 0x21 | mask)
            self.assertTrue(axp.receiver_on())

    def test_without_an_answer_there_is_no_fix_and_no_crash(self):
        fault = {"sensor": "axp", "kind": "absent", "from_s": 0, "to_s": 1000}
        _, _, rail = start("axp2101", faults=[fault])
        uart = machine.UART(2, 9600, rx=machine.Pin(16), tx=machine.Pin(17), rxbuf=1024, timeout=0)
        self.assertTrue(Receiver(uart, rail, Clock(), 3000).fix() is None)


if __name__ == "__main__":
    unittest.main()
