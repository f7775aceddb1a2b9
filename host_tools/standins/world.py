# What surrounds a node without hardware: time, the quantities its sensors feel, wiring, faults. `world.current` is
# the one that the stand-ins for machine and onewire look at. Portable: runs on CPython and MicroPython, integers
# only.

import io
import json
import sys

from models.axp import ADDRESS as AXP_ADDRESS
from models.axp import Axp
from models.battery import Battery
from models.ds18b20 import Ds18b20
from models.gps import Gps
from models.inputs import Constant, Noise, Recording
from models.lis3dh import Lis3dh
from models.nor_flash import NorFlash
from models.sht4x import Sht4x

# Names as in boards/<board>/board.toml; numbers of the virtual board.
PINS = {"onewire": 4, "shock_interrupt": 33, "battery_adc": 35, "gps_rx": 16, "gps_power": 25}
PINS.update({"consent_button": 27, "led": 2})
SENSORS = ("sht4x", "ds18b20", "lis3dh", "battery", "gps")
FAULTS = {
    "sht4x": ("crc", "absent", "timeout"),
    "ds18b20": ("crc", "absent", "timeout"),
    "lis3dh": ("absent", "timeout"),
    "battery": ("absent", "timeout"),
    "gps": ("crc", "absent", "timeout"),  # wrong checksums; silent; no fix
    "axp": ("absent", "timeout"),
}
PARTITIONS = {"pv_keys": 4}  # label of a flash partition -> its blocks of 4096 bytes
# In the VM a partition lies in a file, so that the host sees what is written and can carry it to the next boot.
FLASH_FOLDER = "/flash" if sys.platform == "webassembly" else None
FLASH_BYTES = 0x400000
DATA_UNDEFINED = (1, 0x06)  # type and subtype of a data partition that is no file system
YEAR_2000_S = 946684800  # what a clock without a battery shows at power-on
DEFAULT_MAC = "240ac4123456"

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


class Restart(SystemExit):
    """The node reset itself; the world's reset_cause says how."""


class World:
    """Surroundings by `spec`, recordings in `folder`: a path, or a dict of name -> bytes.

    spec, all keys optional: start_unix_s, end_unix_s; sensors: names in SENSORS; pins: as PINS; temperature (mdegC),
    humidity (m%RH), probe_temperature (mdegC), battery (mV): name of a recording, or an int that holds for ever;
    shocks: [[seconds after start, peak mg], ...] sorted, each with an optional direction [x, y, z] in 1/1000;
    gravity_mg; vibration_mg: what shakes the node all the time; nmea, nmea_index: names; gps_ttff_s, gps_baud;
    ublox: what of it the receiver is, as models.ublox.KINDS;
    power_chip: "axp192" or "axp2101", which then feeds the receiver in place of the pin gps_power;
    battery_divider: [numerator, denominator]; noise_seed; mac: hex; sht4x_address, lis3dh_address, sht4x_serial,
    ds18b20_serial; network: as the stand-in for it says; faults: [{sensor, kind, from_s, to_s}, ...], seconds after
    start. presses: [[from ms, to ms after start], ...] of the button, sorted. partitions: as PARTITIONS;
    flash_faults: {label: [[nth, fault, part, times], ...]}, see models.nor_flash.NorFlash.order; reset_cause,
    rtc_memory (hex): what an earlier boot left.
    Errors: ValueError for an impossible fault or sensor.
    """

    running = None  # label of the application's partition, where the flash has one

    def __init__(self, spec, folder):
        self.spec = spec
        self._folder = folder
        self.start_unix_s = spec.get("start_unix_s", 1772431200)
        end_s = spec.get("end_unix_s")
        self._end_ms = None if end_s is None else (end_s - self.start_unix_s) * 1000
        self.elapsed_ms = 0
        self.booted_ms = 0  # elapsed_ms at the boot that ticks are counted from
        self.reset_cause = spec.get("reset_cause", PWRON_RESET)
        self.rtc_memory = bytes.fromhex(spec.get("rtc_memory", ""))
        self.boots = 1
        self.host_names = []  # [elapsed ms, name] of each joining: what the access point's network was told
        self.gps_reads_while_off = 0
        self.uart_bytes_read = 0
        self.uart_bytes_dropped = 0
        self.levels = {}  # pin -> level that something drives it to
        self.wakes = {}  # pin -> level that ends light sleep
        self.noted = {}  # what the node shows, or does that it must not: see `note`
        self.interrupts = {}  # pin -> function to call on a rising edge
        self._watchdog_ms = 0
        self._fed_ms = 0
        self.pins = dict(PINS)
        self.pins.update(spec.get("pins", {}))
        if spec.get("power_chip"):
            self.pins.pop("gps_power", None)
        self._faults = spec.get("faults", ())
        self._check()
        self._fit(spec.get("sensors", ()))
        self.flash = self._partitions(spec.get("partitions", PARTITIONS), spec.get("flash_faults", {}))

    @property
    def now_ms(self):
        """True time, Unix milliseconds; what the node's own clock says is the stand-in for time's affair."""
        return self.start_unix_s * 1000 + self.elapsed_ms

    def advance(self, ms):
        """Lets time pass, with the interrupts in it. SystemExit at the world's end, Restart by the watchdog."""
        target_ms = self.elapsed_ms + max(ms, 0)
        bite_ms = self._fed_ms + self._watchdog_ms if self._watchdog_ms else target_ms
        if self._end_ms is not None and target_ms > self._end_ms and self._end_ms <= bite_ms:
            self._run(self._end_ms)
            raise SystemExit
        self._run(min(target_ms, bite_ms))
        # A handler may have fed it.
        if self._watchdog_ms and self.elapsed_ms < target_ms:
            if self.elapsed_ms >= self._fed_ms + self._watchdog_ms:
                self.restart(WDT_RESET)
            self.advance(target_ms - self.elapsed_ms)

    def lightsleep(self, ms):
        """The same, until a pin of `wakes` is at its level."""
        self.advance(self._until_woken_ms(ms))

    def _until_woken_ms(self, ms):
        if self.wakes.get(self.pins.get("consent_button")) == 0:
            for from_ms, to_ms in self.spec.get("presses", ()):
                if to_ms > self.elapsed_ms:
                    ms = min(ms, max(from_ms - self.elapsed_ms, 0))
        if self.lis3dh is not None and self.wakes.get(self.pins.get("shock_interrupt")) == 1:
            edge_ms = self.lis3dh.next_edge_ms(self.elapsed_ms + ms)
            if self.lis3dh.int1():
                ms = 0
            elif edge_ms is not None:
                ms = min(ms, edge_ms - self.elapsed_ms)
        return ms

    def pressed(self):
        """Returns whether somebody holds the button down."""
        return any(from_ms <= self.elapsed_ms < to_ms for from_ms, to_ms in self.spec.get("presses", ()))

    def note(self, name, value):
        """For who watches: "led" and "receiver" (its power) are on or off, "reads_while_off" of its line: a count."""
        self.noted[name] = int(value)

    def mac(self):
        """Returns the chip's factory MAC, which is its Wi-Fi station's too: 6 bytes."""
        network = self.spec.get("network", {})
        return bytes.fromhex(self.spec.get("mac", network.get("mac", DEFAULT_MAC)))

    def restart(self, cause):
        self.reset_cause = cause
        raise Restart

    def boot(self, cause):
        """The chip starts again in the same surroundings; `cause`, one of *_RESET, decides what memories are left."""
        self.boots += 1
        self.reset_cause = cause
        self._watchdog_ms = 0
        self.interrupts = {}
        self.wakes = {}
        for pin in list(self.levels):
            self.drive(pin, 0)
        self.levels = {}
        for flash in self.flash.values():
            flash.power_on()
        if cause == PWRON_RESET:
            self.rtc_memory = b""
            self._fit(self.spec.get("sensors", ()))
            self._lose_clock()

    def _lose_clock(self):
        # Only the VM's stand-in for time can be set.
        import time

        if hasattr(time, "set_unix_ms"):
            time.set_unix_ms(self.now_ms if self.spec.get("clock_set", False) else YEAR_2000_S * 1000)

    def deepsleep(self, ms):
        """The chip sleeps for `ms` and starts again; a chip without an end to its sleep has no stand-in."""
        self.advance(ms)
        self.restart(DEEPSLEEP_RESET)

    def labels(self):
        """Returns the labels of the flash's partitions, in the table's order."""
        return sorted(self.flash)

    def entry(self, label):
        """Returns (type, subtype, address) of a flash partition: the first of the table stands last in the flash."""
        address = FLASH_BYTES
        for name in self.labels():
            address -= self.flash[name].size
            if name == label:
                break
        return DATA_UNDEFINED + (address,)

    def watch(self, timeout_ms):
        """Starts or feeds the watchdog: time may pass for timeout_ms until the next call."""
        self._watchdog_ms = timeout_ms
        self._fed_ms = self.elapsed_ms

    def fault(self, sensor):
        """Returns the kind of fault that `sensor` has now, or None."""
        for fault in self._faults:
            if fault["sensor"] == sensor and fault["from_s"] * 1000 <= self.elapsed_ms < fault["to_s"] * 1000:
                return fault["kind"]
        return None

    def quantity(self, name, default):
        value = self.spec.get(name, default)
        return Recording(self.open(value)) if isinstance(value, str) else Constant(value)

    def noise(self, number):
        """Returns the noise of one sensor: what one of them draws does not change another's."""
        return Noise(self.spec.get("noise_seed", 0) * 31 + number * 7919)

    def open(self, name):
        if isinstance(self._folder, dict):
            return io.BytesIO(self._folder[name])
        return open(self._folder + "/" + name, "rb")

    def drive(self, pin, level):
        """The node sets an output pin."""
        self.levels[pin] = level
        if pin == self.pins.get("led"):
            self.note("led", level)
        if self.gps is not None and pin == self.pins.get("gps_power"):
            self.gps.power(bool(level))

    def level(self, pin, idle):
        """Returns a pin's level; `idle`: what its pull resistor makes of it when nothing drives it."""
        if self.lis3dh is not None and pin == self.pins.get("shock_interrupt"):
            return self.lis3dh.int1()
        if pin == self.pins.get("consent_button") and self.pressed():
            return 0
        return self.levels.get(pin, idle)

    def _run(self, until_ms):
        pin = self.pins.get("shock_interrupt")
        while self.lis3dh is not None and pin in self.interrupts:
            edge_ms = self.lis3dh.next_edge_ms(until_ms)
            if edge_ms is None:
                break
            self.elapsed_ms = edge_ms
            self.interrupts[pin]()
        self.elapsed_ms = max(self.elapsed_ms, until_ms)

    def _check(self):
        for fault in self._faults:
            if fault["kind"] not in FAULTS.get(fault["sensor"], ()):
                raise ValueError("world: a sensor that cannot have this fault")
        for sensor in self.spec.get("sensors", ()):
            if sensor not in SENSORS:
                raise ValueError("world: unknown sensor")

    def _partitions(self, sizes, faults):
        found = {}
        for label in sizes:
            path = None if FLASH_FOLDER is None else FLASH_FOLDER + "/" + label
            found[label] = NorFlash(sizes[label], path)
            for order in faults.get(label, ()):
                found[label].order(*order)
        return found

    def _fit(self, sensors):
        self.i2c = {}  # address -> (sensor, model)
        self.lis3dh = Lis3dh(self) if "lis3dh" in sensors else None
        self.ds18b20 = Ds18b20(self) if "ds18b20" in sensors else None
        self.battery = Battery(self) if "battery" in sensors else None
        self.gps = Gps(self) if "gps" in sensors else None
        if "sht4x" in sensors:
            self.i2c[self.spec.get("sht4x_address", 0x44)] = ("sht4x", Sht4x(self))
        if self.lis3dh is not None:
            self.i2c[self.spec.get("lis3dh_address", 0x18)] = ("lis3dh", self.lis3dh)
        if self.spec.get("power_chip"):
            self.i2c[AXP_ADDRESS] = ("axp", Axp(self, self.spec["power_chip"]))


def reset(spec, folder):
    """Makes a new world the current one and returns it."""
    global current
    current = World(spec, folder)
    return current


def load(folder):
    """The same by the file world.json in `folder`, a path."""
    with open(folder + "/world.json") as file:
        return reset(json.load(file), folder)


current = None
