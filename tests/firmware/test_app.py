# The schedule under a clock in the test's hands.
import unittest

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

    def gmtime(self, s):
        return (2000, 1, 1, 0, 0, 0, 5, 1)

    def time(self):
        return self.ms // 1000

    def ticks_ms(self):
        return self.ms & 0x3FFFFFFF

    def ticks_diff(self, a, b):
        return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def sleep_ms(self, n_ms):
        self.ms += n_ms


class Pipeline:
    # Notes what the schedule asks for.
    def __init__(self):
        self.calls = []
        self.alarms = 0

    def take(self, t_s, values):
        self.calls.append(("take", t_s, values))
        return self.alarms

    def take_position(self, t_s, trusted, receiver):
        self.calls.append(("position", t_s))
        self.search()

    def search(self):
        pass

    def take_health(self, t_s, values):
        self.calls.append(("health", t_s, values))

    def tick(self, t_s):
        self.ticked_s = t_s

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


class Uplink:
    def __init__(self, time):
        self.time = time
        self.down = False
        self.tried = []
        self.sets_clock_to_s = None

    def join(self):
        if self.sets_clock_to_s is None:
            raise LinkDown("access point")
        self.time.ms = (self.sets_clock_to_s - 946684800) * 1000

    def deliver(self, store):
        self.tried.append(self.time.ms // 1000 + 946684800)
        if self.down:
            raise LinkDown("broker")


class Queue:
    def count(self):
        return 2


def node(start_s=START_S, sensors=({wire.F_TEMPERATURE: 4800},)):
    time = Time(start_s)
    pipeline, uplink, drops = Pipeline(), Uplink(time), Drops()
    sensors = [Sensor(values) for values in sensors]
    health = Sensor({wire.F_UPTIME: 1})
    policy = Policy(nodefiles.policy_map())
    app = App(
        pipeline, policy, Queue(), drops, Clock(time), sensors, health, None, uplink, lambda n: bytes([128]) * n
    )
    return app, time, pipeline, uplink, drops


def run(app, time, seconds):
    end_ms = time.ms + seconds * 1000
    steps = 0
    while time.ms < end_ms:
        wait_ms = app.step()
        time.ms += max(1, wait_ms)
        steps += 1
    return steps


class Schedule(unittest.TestCase):
    def test_samples_at_whole_slots_once_each(self):
        app, time, pipeline, _, _ = node(START_S + 17)
        run(app, time, 3600)
        taken = [call[1] for call in pipeline.calls if call[0] == "take"]
        self.assertEqual(taken, [START_S + 300 * n for n in range(13)])
        self.assertEqual(pipeline.ticked_s, START_S + 3600)

    def test_sleeps_between_and_never_over_a_due_time(self):
        app, time, _, _, _ = node(START_S + 17)
        self.assertTrue(run(app, time, 3600) < 100)
        for _ in range(50):
            wait_ms = app.step()
            self.assertTrue(0 <= wait_ms <= 60000)
            time.ms += max(1, wait_ms)

    def test_a_faulty_sensor_is_counted_and_the_others_read(self):
        app, _, pipeline, _, drops = node(sensors=(None, {wire.F_BATTERY: 4000}))
        app.step()
        self.assertEqual(pipeline.calls[0], ("take", START_S, {wire.F_BATTERY: 4000}))
        self.assertEqual(drops.totals, {wire.R_SENSOR_FAULT: 1})
        self.assertEqual(pipeline.calls[1][2], {wire.F_UPTIME: 1, wire.F_QUEUE: 2, wire.F_SENSOR_FAULTS: 1})

    def test_uploads_every_hour_and_at_once_on_an_alarm(self):
        app, time, pipeline, uplink, _ = node(START_S + 17)
        run(app, time, 7300)
        self.assertEqual([t_s - START_S for t_s in uplink.tried], [3600, 7200])
        pipeline.alarms = 1
        run(app, time, 300)
        self.assertEqual(uplink.tried[2] - START_S, 7500)

    def test_a_failed_upload_backs_off_and_comes_back(self):
        app, time, _, uplink, _ = node(START_S + 17)
        uplink.down = True
        run(app, time, 3600 * 5)
        waits_s = [b - a for a, b in zip(uplink.tried, uplink.tried[1:])]
        self.assertTrue(waits_s[0] <= 60)
        self.assertTrue(waits_s[-1] > 1800)
        self.assertEqual(waits_s, sorted(waits_s))
        uplink.down = False
        run(app, time, 3600)
        tried = len(uplink.tried)
        run(app, time, 3600 * 3)
        self.assertEqual(len(uplink.tried), tried + 3)

    def test_a_clock_set_back_repeats_no_slot(self):
        app, time, pipeline, _, _ = node()
        run(app, time, 1500)
        time.ms -= 900000
        run(app, time, 1500)
        taken = [call[1] for call in pipeline.calls if call[0] == "take"]
        self.assertEqual(taken, sorted(set(taken)))

    def test_without_time_nothing_is_taken_until_the_server_answers(self):
        app, time, pipeline, uplink, drops = node(946684800)
        run(app, time, 600)
        self.assertEqual(pipeline.calls, [])
        self.assertTrue(drops.totals[wire.R_CLOCK] >= 2)
        uplink.sets_clock_to_s = START_S
        app.step()
        self.assertEqual(pipeline.calls[0][:2], ("take", START_S))

    def test_how_long_a_search_takes_shows_nowhere(self):
        calls = []
        for search_ms in (1000, 55000, 149000):
            app, time, pipeline, _, drops = node(START_S + 17)
            pipeline.search = Search(time, search_ms).run
            run(app, time, 7 * 3600)
            calls.append(pipeline.calls)
            self.assertEqual(drops.totals, {})
        self.assertEqual(calls[0], calls[1])
        self.assertEqual(calls[0], calls[2])

    def test_slots_that_passed_unread_are_counted(self):
        app, time, _, _, drops = node()
        app.step()
        time.ms += 1500000
        app.step()
        self.assertEqual(drops.totals, {wire.R_MISSED: 4})

    def test_a_step_that_fails_costs_that_step_and_a_board_that_only_fails_starts_anew(self):
        app = node()[0]
        app.step = lambda: 1 // 0
        resets = []
        for _ in range(service.FAILED_STEPS_MAX):
            self.assertEqual(resets, [])
            service.turn(app, lambda: resets.append("reset"))
        self.assertEqual(resets, ["reset"])
        del app.step
        service.turn(app, self.fail)
        self.assertEqual((app.failed_steps, app.failed_in_a_row), (service.FAILED_STEPS_MAX, 0))

    def test_stop_closes_and_delivers(self):
        app, _, pipeline, uplink, _ = node()
        app.stop()
        self.assertEqual((pipeline.calls, len(uplink.tried)), ([("close",)], 1))

    def test_status_names_the_rules(self):
        app, _, _, _, drops = node()
        drops.add(wire.R_NO_FIX, 3)
        self.assertEqual(app.status(), {"dropped": {"no_fix": 3}, "queued": 2, "policy": 1, "failed_steps": 0})


if __name__ == "__main__":
    unittest.main()
