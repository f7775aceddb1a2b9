# The uplink's waits: where the technician's Ctrl-C comes out, and what is left then.
import unittest

from plumveil import wire
from plumveil.trust import Sealed
from plumveil.uplink import Uplink


class Clock:
    # plumveil.clock.Clock's part that the uplink uses; breaks off the n-th wait or call.
    def __init__(self):
        self.ms = 0
        self.left = None
        self.heard_calls = 0

    def ticks_ms(self):
        return self.ms

    def elapsed_ms(self, since_ms):
        return self.ms - since_ms

    def trusted(self):
        return True

    def stale(self):
        return False

    def count(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KeyboardInterrupt

    def wait_ms(self, n_ms):
        self.count()
        self.ms += n_ms

    def heard(self, call, *arguments):
        self.heard_calls += 1
        self.count()
        return call(*arguments)


class Wlan:
    def __init__(self):
        self.up = False
        self.said = []

    def isconnected(self):
        return self.up

    def active(self, on):
        pass

    def connect(self, ssid, key):
        self.said.append("connect")

    def disconnect(self):
        self.said.append("disconnect")


class Client:
    # umqtt.simple.MQTTClient's part for sessions that do not listen.
    published = []
    sessions = []

    def __init__(self, client_id, host, port, keepalive, ssl):
        self.sessions.append("open")

    def connect(self, clean, timeout):
        pass

    def publish(self, topic, message, retain, qos):
        self.published.append(message)

    def disconnect(self):
        self.sessions.append("closed")


class Store:
    def __init__(self, n):
        self.waiting = [Sealed(wire.READINGS, 1, b"12345678", b"87654321", b"%d" % i) for i in range(n)]

    def peek(self, session, others):
        return self.waiting[0] if self.waiting else None

    def ack(self, head):
        self.waiting.remove(head)


class Waits(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self.wlan = Wlan()
        Client.published, Client.sessions = [], []
        broker = ["127.0.0.1", 1883, None]
        self.uplink = Uplink(
            broker, ["depot", "key"], self.wlan, Client, None, self.clock, None, lambda name: None, lambda: "today"
        )

    def test_joining_broken_off_leaves_the_access_point_alone(self):
        self.clock.left = 3
        with self.assertRaises(KeyboardInterrupt):
            self.uplink.join()
        self.assertEqual(self.wlan.said, ["connect", "disconnect"])

    def test_a_delivery_broken_off_closes_its_session_and_loses_nothing(self):
        self.wlan.up = True
        self.uplink._joined_as = "today"
        store = Store(3)
        # The session's beginning, then a publish each.
        self.clock.left = 2
        with self.assertRaises(KeyboardInterrupt):
            self.uplink.deliver_one(store)
        self.assertEqual((Client.published, len(store.waiting)), ([b"0"], 2))
        self.assertEqual(Client.sessions, ["open", "closed"])
        self.assertEqual(self.uplink.deliver_one(store), 2)
        self.assertEqual((Client.published, store.waiting), ([b"0", b"1", b"2"], []))
        # Leaving is not heard: what is begun there ends.
        self.assertEqual(self.clock.heard_calls, 3 + 3)


if __name__ == "__main__":
    unittest.main()
