# The schedule: step() does what is due and says how long nothing will be. No loops, no waiting beyond a driver's
# bound, so that mains and battery nodes live by the same step and a test can drive it under a virtual clock.

from plumveil import wire
from plumveil.errors import GrantRefused, LinkDown, SealRefused, SensorFault
from plumveil.fixed import slot

IDLE_MAX_MS = 60000  # longest sleep in one go, so that a clock set meanwhile is noticed
RETRY_FIRST_S = 30  # first wait after a failed upload; doubles up to the upload interval


def _next_slot(t_s, every_s):
    return min(slot(t_s, every_s) + every_s, t_s - t_s % wire.EPOCH_S + wire.EPOCH_S)


class App:
    # pipeline, policy, store, drops, clock, undated: see there; sensors: objects with read() -> {field id: raw int};
    # health: the same, of the node itself; receiver: GPS or None; uplink: Uplink; random: os.urandom; desk: Desk.
    def __init__(
        self, pipeline, policy, store, drops, clock, undated, sensors, health, receiver, uplink, random, desk
    ):
        self.pipeline = pipeline
        self.desk = desk
        self.policy = policy
        self.store = store
        self.drops = drops
        self.sensor_faults = 0
        self.failed_steps = 0
        self.failed_in_a_row = 0
        self.trial = None  # until a good step: trial.Trial
        self.next_s = 0  # Unix s at which the configuration loaded ahead is due; 0: there is none
        self.route_until_s = 0  # Unix s from which nothing may be sent; 0: there is none
        self.rest_ms = clock.sleep_ms  # how the time to the next step is spent
        self.hand = None  # the technician's: Hand
        self.clock = clock
        self._undated = undated
        self._sensors = sensors
        self._health = health
        self._receiver = receiver
        self._uplink = uplink
        uplink.obey = self._obey
        self._random = random
        self._due_s = {}
        self._retry_s = 0
        self._last_slot_s = 0
        self._no_route = None  # day on which it was said that there is no way to send

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
        try:
            self.desk.tick(now_s)
        except SealRefused:
            # On record in RAM: the next commit has it.
            pass
        alarms = self._take(now_s, None) if self._due("sample", self.policy.sample_s, now_s) else 0
        if alarms:
            # An alarm does not wait for the next upload.
            self._upload(now_s, self._uplink.deliver, self.store)
        # Health before the position: how long a search takes must show nowhere.
        if self._due("device", self.policy.device_s, now_s):
            self._report_health(slot(now_s, self.policy.device_s))
        if self._due("position", self.policy.position_s, now_s) or (alarms and self.policy.alarm_only):
            self._take_position()
        # Today's messages and what other days left go out apart: sessions that meet are known for one node's.
        if self._turn_due("upload", now_s):
            must_listen = self.desk.state.grant is not None
            self._upload(now_s, self._uplink.deliver_one, self.store, self.pipeline.session(), False, must_listen)
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
        slot_s = slot(t_s, self.policy.sample_s)
        if slot_s <= self._last_slot_s:
            # The clock was set back: these slots have their readings.
            self.drops.add(wire.R_CLOCK)
            return 0
        if self._last_slot_s:
            self.drops.add(wire.R_MISSED, (slot_s - self._last_slot_s) // self.policy.sample_s - 1)
        self._last_slot_s = slot_s
        return self.pipeline.take(slot_s, self._read_sensors() if values is None else values)

    def _take_position(self):
        # By the time it is by now: what came before in this step may have taken long.
        try:
            self.pipeline.take_position(self.clock.now_s(), True, self._receiver, self.desk.tier)
        except KeyboardInterrupt:
            # Broken off by the technician: taken when he has done.
            self._due_s["position"] = 0
            raise

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

    def _obey(self, message):
        # What the controller sent down.
        try:
            self.desk.command(message)
        except (GrantRefused, SealRefused):
            # Counted by the desk.
            pass

    def _may_send(self):
        # False once the transfer's safeguard has ended, which is said once a day.
        now_s = self.clock.now_s()
        past_s = now_s - self.route_until_s
        if not self.route_until_s or past_s < 0:
            return True
        day = now_s // wire.EPOCH_S
        if day != self._no_route:
            self._no_route = day
            # No earlier than any other event so far.
            t_s = max(slot(now_s, self.policy.sample_s), slot(now_s, wire.POSITION_TIME_S))
            self.pipeline.no_route(t_s, past_s // wire.EPOCH_S + 1)
        return False

    def _deliver(self, deliver, *what):
        if not self._may_send():
            return
        # The moment within the second would tell one clock from another.
        r = self._random(2)
        self.clock.sleep_ms((r[0] << 8 | r[1]) >> 6)
        deliver(*what)

    def _upload(self, now_s, deliver, *what):
        try:
            self._deliver(deliver, *what)
            self._retry_s = 0
        except KeyboardInterrupt:
            # Broken off by the technician: done once he has finished.
            self._due_s["upload"] = 0
            raise
        except LinkDown:
            # Doubling, with jitter so that a fleet does not come back at once.
            self._retry_s = min(self._retry_s * 2 or RETRY_FIRST_S, self.policy.upload_s)
            jitter_s = self._random(1)[0] * self._retry_s // 256
            self._due_s["upload"] = now_s + min(self.policy.upload_s, (self._retry_s + jitter_s) // 2 + 1)
