# Stand-in for the ESP32's `time` on the world's virtual clock: epoch 2000, ticks that wrap at 2^30, sleeping costs no
# real time. After power-on the clock shows 2000-01-01 until ntptime or machine.RTC sets it, as on a board without a
# battery; with "clock_set" true in the world's spec it is right from the start.
import utime
import world

EPOCH_2000_S = 946684800
TICKS_PERIOD = 1 << 30
TICKS_HALF = 1 << 29

_world = None  # that the two below belong to: a new one is a new boot
_clock_less_elapsed_ms = 0  # the clock, in ms since 2000, at the world's beginning
_rest_us = 0  # slept, and less than the world's millisecond


def _surroundings():
    global _world, _clock_less_elapsed_ms, _rest_us
    if world.current is not _world:
        _world = world.current
        set_at_boot = _world.spec.get("clock_set", False)
        _clock_less_elapsed_ms = (_world.start_unix_s - EPOCH_2000_S) * 1000 if set_at_boot else 0
        _rest_us = 0
    return _world


def set_unix_ms(unix_ms):
    # For the stand-ins that set the clock; a board's `time` has no such function.
    global _clock_less_elapsed_ms
    _clock_less_elapsed_ms = unix_ms - EPOCH_2000_S * 1000 - _surroundings().elapsed_ms


def _clock_ms():
    return _surroundings().elapsed_ms + _clock_less_elapsed_ms


def time():
    return _clock_ms() // 1000


def time_ns():
    return _clock_ms() * 1000000


def gmtime(secs=None):
    return utime.gmtime((time() if secs is None else int(secs)) + EPOCH_2000_S)


localtime = gmtime


def mktime(parts):
    return utime.mktime(parts) - EPOCH_2000_S


def ticks_ms():
    around = _surroundings()
    return (around.elapsed_ms - around.booted_ms) % TICKS_PERIOD


def ticks_us():
    around = _surroundings()
    return ((around.elapsed_ms - around.booted_ms) * 1000 + _rest_us) % TICKS_PERIOD


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    if not -TICKS_HALF < delta < TICKS_HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) % TICKS_PERIOD


def ticks_diff(end, start):
    return (end - start + TICKS_HALF) % TICKS_PERIOD - TICKS_HALF


def sleep_us(us):
    global _rest_us
    around = _surroundings()
    if us > 0:
        ms, _rest_us = divmod(_rest_us + us, 1000)
        if ms:
            around.advance(ms)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))
