# The schedule's surroundings in a test's hands: clock, pipeline, sensors, uplink.
import nodefiles

from plumveil import service, wire
from plumveil.app import App
from plumveil.clock import Clock
from plumveil.drops import Drops
from plumveil.errors import LinkDown, SensorFault
from plumveil.policy import Policy

START_S = nodefiles.NOON_S


class Time:
    # The ESP32's `time`: seconds since 2000, ticks that wrap at 2^30.
    def __init__(self, unix_s):
        self.ms = (unix_s - 946684800) * 1000
        self.set_by_ms = 0  # the clock beside the ticks

    def gmtime(self, s):
        return (2000, 1, 1, 0, 0, 0, 5, 1)

    def time(self):
        return (self.ms + self.set_by_ms) // 1000

    def ticks_ms(self):
        return self.ms & 0x3FFFFFFF

    def ticks_add(self, ticks, delta):
        return (ticks + delta) & 0x3FFFFFFF

    def ticks_diff(self, a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def sleep_ms(self, n_ms):
        self.ms += n_ms


class Pipeline:
    # Notes what the schedule asks for.
    def __init__(self):
        self.calls = []
        self.ticks = []
        self.alarms = 0
        self.furthest_s = wire.UNIX_MAX_S

    def take(self, t_s, values):
        self.calls.append(("take", t_s, values))
        return self.alarms

    def take_position(self, t_s, trusted, receiver, tier_now):
        self.calls.append(("position", t_s))
        self.tier_now = tier_now
        self.search()

    def search(self):
        pass

    def no_route(self, t_s, days):
        self.calls.append(("no route", t_s, days))

    def take_health(self, t_s, values):
        self.calls.append(("health", t_s, values))
        return True

    def tick(self, t_s):
        self.ticks.append(t_s)

    def session(self):
        return b"today"

    def follows(self, t_s):
        return t_s <= self.furthest_s

    def close(self):
        self.calls.append(("close",))


class Search:
    # A position search that takes its time.
    def __init__(self, time, ms):
        self.time = time
        self.ms = ms

    def run(self):
        self.time.sleep_ms(self.ms)


class Sensor:
    def __init__(self, values):
        self.values = values

    def read(self):
        if self.values is None:
            raise SensorFault("sht4x: crc")
        return self.values


class Health:
    def __init__(self):
        self.told = 0

    def read(self, queued, faults):
        return {wire.F_UPTIME: 1, wire.F_QUEUE: queued, wire.F_SENSOR_FAULTS: faults}

    def reported(self):
        self.told += 1


class Memory:
    # machine.RTC().memory
    def __init__(self):
        self.kept = b""

    def __call__(self, data=None):
        if data is None:
            return self.kept
        self.kept = data
        return None


class Uplink:
    def __init__(self, time, clock):
        self.time = time
        self.clock = clock
        self.down = False
        self.tried = []
        self.sets_clock_to_s = None
        self.takes_ms = 0

    def join(self):
        if self.sets_clock_to_s is None:
            raise LinkDown("access point")
        self.time.set_by_ms = (self.sets_clock_to_s - 946684800) * 1000 - self.time.ms
        self.clock.set_by_source()

    def deliver(self, store):
        self._deliver("all")

    def deliver_one(self, store, session, others=False, must_listen=False):
        self._deliver("others" if others else "today")

    def _deliver(self, what):
        self.tried.append((self.time.time() + 946684800, what))
        self.time.ms += self.takes_ms
        if self.down:
            raise LinkDown("broker")

    def moments(self, what):
        return [t_s for t_s, which in self.tried if which == what]


class Desk:
    # Notes what time does to it, and what it is told.
    def __init__(self):
        self.state = self
        self.grant = None
        self.ticks = []

    def tick(self, t_s):
        self.ticks.append(t_s)

    def tier(self):
        return wire.TIER_OFF


class Queue:
    def count(self):
        return 2


def node(start_s=START_S, sensors=({wire.F_TEMPERATURE: 4800},), clock_set=True, random=None):
    time = Time(start_s)
    clock = Clock(time, Memory(), nodefiles.EPOCH0_DAY * 86400)
    if clock_set:
        clock.set_by_source()
    pipeline, uplink, drops = Pipeline(), Uplink(time, clock), Drops()
    sensors = [Sensor(values) for values in sensors]
    policy = Policy(nodefiles.policy_map())
    undated = service.build_undated(policy, drops)
    jitter = random or (lambda n: bytes([128]) * n)
    parts = (drops, clock, undated, sensors, Health(), None, uplink, jitter, Desk())
    return App(pipeline, policy, Queue(), *parts), time, pipeline, uplink, drops


def run(app, time, seconds):
    end_ms = time.ms + seconds * 1000
    steps = 0
    while time.ms < end_ms:
        wait_ms = app.step()
        time.ms += max(1, wait_ms)
        steps += 1
    return steps
