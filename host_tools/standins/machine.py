# Stands in for the ESP32 port's `machine` (MicroPython 1.28): same names, arguments, constants and OSError numbers,
# on `world.current` in place of hardware. Only what the firmware uses.

import time

import world

PWRON_RESET = world.PWRON_RESET
HARD_RESET = world.HARD_RESET
WDT_RESET = world.WDT_RESET
DEEPSLEEP_RESET = world.DEEPSLEEP_RESET
SOFT_RESET = world.SOFT_RESET

RTC_MEMORY_BYTES = 2048
ENODEV = 19
ETIMEDOUT = 110

_frequency_hz = 160000000


def unique_id():
    return world.current.mac()


def reset_cause():
    return world.current.reset_cause


def freq(hz=None):
    global _frequency_hz
    if hz is None:
        return _frequency_hz
    _frequency_hz = hz
    return None


def reset():
    world.current.restart(HARD_RESET)


def soft_reset():
    raise SystemExit


def lightsleep(ms):
    world.current.lightsleep(ms)


def deepsleep(ms=None):
    """Ends in world.Restart, as the chip wakes by a reset."""
    world.current.deepsleep(ms)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        self.number = id
        self._mode = self.IN
        self._pull = None
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if mode != -1:
            self._mode = mode
        if pull != -1:
            self._pull = pull
        if value is not None:
            self.value(value)

    def value(self, x=None):
        if x is None:
            return world.current.level(self.number, 1 if self._pull == self.PULL_UP else 0)
        if self._mode != self.IN:
            world.current.drive(self.number, 1 if x else 0)
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, wake=None):
        """Rising edges only; others do not happen in the world."""
        if handler is not None and trigger & self.IRQ_RISING:
            world.current.interrupts[self.number] = lambda: handler(self)
        else:
            world.current.interrupts.pop(self.number, None)


class Signal:
    """A pin by what it does: on or off, whatever the level."""

    def __init__(self, pin, invert=False):
        self._pin = pin
        self._invert = invert

    def value(self, x=None):
        if x is None:
            return self._pin.value() ^ bool(self._invert)
        self._pin.value(bool(x) != bool(self._invert))
        return None


class I2C:
    """One bus with everything on it, whatever its id and pins."""

    def __init__(self, id=-1, *, scl=None, sda=None, freq=400000, timeout=50000):
        pass

    def scan(self):
        return sorted(address for address in world.current.i2c if self._answers(address))

    def writeto(self, addr, buf, stop=True):
        if not _device(addr).write(bytes(buf)):
            raise OSError(ENODEV)
        return len(buf)

    def readfrom_into(self, addr, buf, stop=True):
        if not _device(addr).read(buf):
            raise OSError(ENODEV)

    def readfrom(self, addr, nbytes, stop=True):
        buf = bytearray(nbytes)
        self.readfrom_into(addr, buf)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, bytes((memaddr,)) + bytes(buf))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, bytes((memaddr,)), False)
        self.readfrom_into(addr, buf)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf)
        return bytes(buf)

    def _answers(self, address):
        try:
            return _device(address).write(b"")
        except OSError:
            return False


def _device(address):
    # The ESP32 port probes the address first: nobody there is ENODEV, a held clock line ETIMEDOUT.
    name, model = world.current.i2c.get(address, (None, None))
    fault = world.current.fault(name)
    if fault == "timeout":
        raise OSError(ETIMEDOUT)
    if model is None or fault == "absent":
        raise OSError(ENODEV)
    return model


class UART:
    """A port whose receive buffer fills at the line's speed; what does not fit is dropped. Only gps_rx has a line."""

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **options):
        self._baud = baudrate
        self._timeout_ms = options.get("timeout", 0)
        self._buf = bytearray(options.get("rxbuf", 256))
        if len(self._buf) <= 128:
            # uart_driver_install: more than the hardware's own buffer.
            raise OSError(-258)
        self._first = self._count = 0
        rx = options.get("rx")
        self._gps = None
        gps = world.current.gps
        if gps is not None and rx is not None and getattr(rx, "number", rx) == world.current.pins.get("gps_rx"):
            self._gps = gps
            gps.port = self

    def any(self):
        self._listen()
        return self._count

    def readinto(self, buf, nbytes=None):
        """Returns how many bytes came, None when none did within the timeout."""
        self._listen()
        waited_ms = 0
        while not self._count:
            if waited_ms >= self._timeout_ms:
                return None
            world.current.advance(1)
            waited_ms += 1
            self._listen()
        n = min(len(buf) if nbytes is None else nbytes, self._count)
        for i in range(n):
            buf[i] = self._buf[(self._first + i) % len(self._buf)]
        self._first = (self._first + n) % len(self._buf)
        self._count -= n
        world.current.uart_bytes_read += n
        return n

    def read(self, nbytes=None):
        buf = bytearray(len(self._buf) if nbytes is None else nbytes)
        n = self.readinto(buf)
        return None if n is None else bytes(buf[:n])

    def write(self, buf):
        if self._gps is not None:
            self._gps.write(bytes(buf))
        return len(buf)

    def arrive(self, n, take):
        """n bytes came over the line; take(k) hands out the first k of them."""
        room = min(len(self._buf) - self._count, n)
        world.current.uart_bytes_dropped += n - room
        # At another speed the bits fall into the wrong places.
        wrong = 0 if self._baud == self._gps.baud else 0xA5
        for b in take(room) if room else b"":
            self._buf[(self._first + self._count) % len(self._buf)] = b ^ wrong
            self._count += 1

    def _listen(self):
        if self._gps is not None:
            self._gps.pump()
            if not self._gps.powered:
                world.current.gps_reads_while_off += 1
                world.current.note("reads_while_off", world.current.gps_reads_while_off)


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._pin = pin
        self._attenuation = atten

    def atten(self, atten):
        self._attenuation = atten

    def read_uv(self):
        here = world.current
        if here.battery is None or getattr(self._pin, "number", self._pin) != here.pins.get("battery_adc"):
            return 0
        return here.battery.read_uv(self._attenuation)


class RTC:
    """The node's clock is that of the stand-in for time; what is set here is set there."""

    def datetime(self, when=None):
        """(year, month, day, weekday, hours, minutes, seconds, us) of the node's clock; given one, sets it."""
        if when is None:
            now = time.gmtime()
            return now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0
        days = _days(when[0], when[1], when[2])
        time.set_unix_ms((days * 86400 + when[4] * 3600 + when[5] * 60 + when[6]) * 1000)
        return None

    def memory(self, data=None):
        """What was kept there last, over deep sleep and every reset but power-on."""
        if data is None:
            return world.current.rtc_memory
        if len(data) > RTC_MEMORY_BYTES:
            raise ValueError("buffer too long")
        world.current.rtc_memory = bytes(data)
        return None


class WDT:
    def __init__(self, id=0, timeout=5000):
        self._timeout_ms = timeout
        self.feed()

    def feed(self):
        world.current.watch(self._timeout_ms)


def _days(year, month, day):
    """Returns the days from 1970-01-01 (proleptic Gregorian, years counted from March)."""
    year -= month < 3
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719468
