# The schedule: step() does what is due and says how long nothing will be. No loops, no waiting beyond a driver's
# bound, so that mains and battery nodes live by the same step and a test can drive it under a virtual clock.

from plumveil import wire
from plumveil.errors import LinkDown, SensorFault

IDLE_MAX_MS = 60000  # longest sleep in one go, so that a clock set meanwhile is noticed
RETRY_FIRST_S = 30  # first wait after a failed upload; doubles up to the upload interval


def _slot(t_s, every_s):
    # The start of the slot of every_s that t_s lies in: times that leave tell nothing of boots, waits and searches.
    # Slots start anew at midnight, so that none reaches over from one epoch into the next.
    return t_s - t_s % wire.EPOCH_S % every_s


def _next_slot(t_s, every_s):
    return min(_slot(t_s, every_s) + every_s, t_s - t_s % wire.EPOCH_S + wire.EPOCH_S)


class App:
    # pipeline, policy, store, drops, clock, undated: see there; sensors: objects with read() -> {field id: raw int};
    # health: the same, of the node itself; receiver: GPS or None; uplink: Uplink; random: os.urandom.
    def __init__(self, pipeline, policy, store, drops, clock, undated, sensors, health, receiver, uplink, random):
        self.pipeline = pipeline
        self.policy = policy
        self.store = store
        self.drops = drops
        self.sensor_faults = 0
        self.failed_steps = 0
        self.failed_in_a_row = 0
        self.clock = clock
        self._undated = undated
        self._sensors = sensors
        self._health = health
        self._receiver = receiver
        self._uplink = uplink
        self._random = random
        self._due_s = {}
        self._retry_s = 0
        self._last_slot_s = 0

    def step(self):
        # Does what is due -> milliseconds until the next thing is.
        up_s = self.clock.up_s()
        if not self._time_known():
            # Without time there is no epoch to seal under: readings wait for it.
            if self._undated.due(up_s):
                self._undated.add(up_s, self._read_sensors())
            return min(IDLE_MAX_MS, self.policy.sample_s * 1000)
        now_s = self.clock.now_s()
        for t_s, values in self._undated.take(self.clock.up_s(), now_s):
            self.pipeline.tick(t_s)
            self._take(t_s, values)
        self.pipeline.tick(now_s)
        if self._due("sample", self.policy.sample_s, now_s) and self._take(now_s, None):
            # An alarm does not wait for the next upload.
            self._upload(now_s, self._uplink.deliver, self.store)
        # Health before the position: how long a search takes must show nowhere.
        if self._due("device", self.policy.device_s, now_s):
            self._report_health(_slot(now_s, self.policy.device_s))
        if self._due("position", self.policy.position_s, now_s):
            self.pipeline.take_position(now_s, True, self._receiver)
        # Today's messages and what other days left go out apart: sessions that meet are known for one node's.
        if self._turn_due("upload", now_s):
            self._upload(now_s, self._uplink.deliver_one, self.store, self.pipeline.session())
        if self._turn_due("rest", now_s):
            try:
                self._deliver(self._uplink.deliver_one, self.store, self.pipeline.session(), True)
            except LinkDown:
                # Not tried again before its next turn: after an outage it would meet today's.
                pass
        left_s = min(self._due_s.values()) - self.clock.now_s()
        return max(0, min(IDLE_MAX_MS, left_s * 1000))

    def stop(self):
        # A planned stop: nothing stays open, and what can be delivered is.
        self.pipeline.close()
        self._upload(self.clock.now_s(), self._uplink.deliver, self.store)

    def status(self):
        # What the technician's tools show; counts and states only.
        names = dict(wire.RULES)
        return {
            "dropped": {names[rule]: n for rule, n in self.drops.totals.items()},
            "queued": self.store.count(),
            "failed_steps": self.failed_steps,
            "policy": self.policy.version,
        }

    def _due(self, what, every_s, now_s):
        # True once per slot of every_s; slots are those of the day, so that they tell nothing of the boot.
        due_s = self._due_s.get(what)
        if due_s is not None and due_s - every_s <= now_s < due_s:
            return False
        self._due_s[what] = _next_slot(now_s, every_s)
        return True

    def _turn_due(self, what, now_s):
        # True once per upload slot, at a moment of its own in each, so that no habit of this node's clock shows.
        due_s = self._due_s.get(what)
        every_s = self.policy.upload_s
        if due_s is not None and due_s - 2 * every_s <= now_s < due_s:
            return False
        r = self._random(2)
        self._due_s[what] = _next_slot(now_s, every_s) + ((r[0] << 8 | r[1]) * every_s >> 16)
        return due_s is not None

    def _take(self, t_s, values):
        # One reading of every sensor -> alarms raised. values: None when they are to be read now.
        slot_s = _slot(t_s, self.policy.sample_s)
        if slot_s <= self._last_slot_s:
            # The clock was set back: these slots have their readings.
            self.drops.add(wire.R_CLOCK)
            return 0
        if self._last_slot_s:
            self.drops.add(wire.R_MISSED, (slot_s - self._last_slot_s) // self.policy.sample_s - 1)
        self._last_slot_s = slot_s
        return self.pipeline.take(slot_s, self._read_sensors() if values is None else values)

    def _read_sensors(self):
        values = {}
        for sensor in self._sensors:
            try:
                values.update(sensor.read())
            except SensorFault:
                self.sensor_faults += 1
                self.drops.add(wire.R_SENSOR_FAULT)
        return values

    def _report_health(self, slot_s):
        values = self._health.read(self.store.count(), self.sensor_faults)
        self.sensor_faults = 0
        if self.pipeline.take_health(slot_s, values):
            self._health.reported()

    def _time_known(self):
        # True when there is a time to go by; asks the time server for it otherwise.
        if not self.clock.trusted():
            try:
                self._uplink.join()
            except LinkDown:
                pass
        if self.clock.trusted() and not self.pipeline.follows(self.clock.now_s()):
            # Further ahead than any drawer keeps a node: not to be believed.
            self.clock.distrust()
        return self.clock.trusted()

    def _deliver(self, deliver, *what):
        # The moment within the second would tell one clock from another.
        r = self._random(2)
        self.clock.sleep_ms((r[0] << 8 | r[1]) >> 6)
        deliver(*what)

    def _upload(self, now_s, deliver, *what):
        try:
            self._deliver(deliver, *what)
            self._retry_s = 0
        except LinkDown:
            # Doubling, with jitter so that a fleet does not come back at once.
            self._retry_s = min(self._retry_s * 2 or RETRY_FIRST_S, self.policy.upload_s)
            jitter_s = self._random(1)[0] * self._retry_s // 256
            self._due_s["upload"] = now_s + min(self.policy.upload_s, (self._retry_s + jitter_s) // 2 + 1)
