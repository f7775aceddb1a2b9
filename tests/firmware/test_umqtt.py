# The stand-in MQTT client's bytes against the MQTT 3.1.1 standard, with a broker that only plays back.
import unittest

from umqtt import simple

CONNACK = b"\x20\x02\x00\x00"


class Wire:
    # A socket whose peer has already said all it will say.
    def __init__(self, replies):
        self.replies = replies
        self.sent = b""
        self.blocking = None
        self.closed = False

    def settimeout(self, seconds):
        self.timeout_s = seconds

    def setblocking(self, flag):
        self.blocking = flag

    def connect(self, address):
        self.address = address

    def sendall(self, data):
        self.sent += data

    def recv(self, n):
        if not self.replies and self.blocking is False:
            raise OSError(11, "EAGAIN")
        data, self.replies = self.replies[:n], self.replies[n:]
        return data

    def close(self):
        self.closed = True


class Network:
    # In place of the module `socket`.
    def __init__(self, wire):
        self.wire = wire

    def socket(self):
        return self.wire

    def getaddrinfo(self, host, port):
        return [(2, 1, 6, "", (host, port))]


class Tls:
    def wrap_socket(self, sock, server_hostname):
        self.hostname = server_hostname
        return sock


class Client(unittest.TestCase):
    def setUp(self):
        self.real = simple.socket

    def tearDown(self):
        simple.socket = self.real

    def connected(self, replies=b"", **options):
        wire = Wire(CONNACK + replies)
        simple.socket = Network(wire)
        client = simple.MQTTClient(b"id", "broker", **options)
        self.assertEqual(client.connect(timeout=5), 0)
        connect, wire.sent = wire.sent, b""
        return client, wire, connect

    def test_connect(self):
        _, wire, sent = self.connected(keepalive=60)
        self.assertEqual(sent, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id")
        self.assertEqual((wire.address, wire.timeout_s), (("broker", 1883), 5))

    def test_connect_with_everything(self):
        tls = Tls()
        wire = Wire(b"\x20\x02\x01\x00")
        simple.socket = Network(wire)
        client = simple.MQTTClient("id", "broker", user="u", password="p", ssl=tls)
        client.set_last_will("w", b"gone", retain=True, qos=1)
        self.assertEqual(client.connect(clean_session=False), 1)
        payload = b"\x00\x02id\x00\x01w\x00\x04gone\x00\x01u\x00\x01p"
        self.assertEqual(wire.sent, b"\x10\x1d\x00\x04MQTT\x04\xec\x00\x00" + payload)
        self.assertEqual((wire.address[1], tls.hostname), (8883, "broker"))

    def test_refused(self):
        for reply in (b"\x20\x02\x00\x05", b"\x20\x03\x00\x00\x00", b"\x30\x02\x00\x00"):
            simple.socket = Network(Wire(reply))
            with self.assertRaises(simple.MQTTException):
                simple.MQTTClient(b"id", "broker").connect()

    def test_broker_gone(self):
        for reply in (b"", b"\x20", b"\x20\x02\x00"):
            simple.socket = Network(Wire(reply))
            with self.assertRaises(OSError):
                simple.MQTTClient(b"id", "broker").connect()

    def test_publish_without_acknowledgement(self):
        client, wire, _ = self.connected()
        client.publish(b"t", b"m" * 200, retain=True)
        self.assertEqual(wire.sent, b"\x31\xcb\x01\x00\x01t" + b"m" * 200)

    def test_publish_waits_for_its_own_acknowledgement(self):
        heard = []
        ping, other, own = b"\xd0\x00", b"\x40\x02\x00\x09", b"\x40\x02\x00\x01"
        message = b"\x32\x06\x00\x01a\x00\x07b"
        client, wire, _ = self.connected(other + ping + message + own + ping)
        client.set_callback(lambda topic, payload: heard.append((topic, payload)))
        client.publish(b"t", b"m", qos=1)
        self.assertEqual(wire.sent, b"\x32\x06\x00\x01t\x00\x01m" + b"\x40\x02\x00\x07")
        self.assertEqual(heard, [(b"a", b"b")])
        self.assertEqual(wire.replies, b"\xd0\x00")

    def test_packet_ids_leave_out_zero(self):
        client, _, _ = self.connected(b"\x40\x02\xff\xff\x40\x02\x00\x01")
        client.pid = 65534
        client.publish(b"t", b"", qos=1)
        client.publish(b"t", b"", qos=1)
        self.assertEqual(client.pid, 1)

    def test_subscribe(self):
        client, wire, _ = self.connected(b"\x90\x03\x00\x01\x01\x90\x03\x00\x02\x80\xb0\x02\x00\x03")
        client.set_callback(print)
        client.subscribe(b"a/#", qos=1)
        self.assertEqual(wire.sent, b"\x82\x08\x00\x01\x00\x03a/#\x01")
        with self.assertRaises(simple.MQTTException):
            client.subscribe(b"b")
        wire.sent = b""
        client.unsubscribe(b"c")
        self.assertEqual(wire.sent, b"\xa2\x05\x00\x03\x00\x01c")

    def test_check_msg_does_not_wait(self):
        client, wire, _ = self.connected(b"\xd0\x00")
        client.ping()
        self.assertEqual(wire.sent, b"\xc0\x00")
        self.assertIs(client.check_msg(), None)
        self.assertIs(client.check_msg(), None)
        self.assertIs(wire.blocking, True)

    def test_forbidden_packets(self):
        long_length, too_long = b"\x40\x80\x80\x80\x80\x01", b"\x40\xff\xff\xff\x7f"
        for packet in (long_length, too_long, b"\x34\x04\x00\x01ab", b"\x30\x01a", b"\x30\x03\x00\x09a"):
            client, _, _ = self.connected(packet)
            client.set_callback(print)
            with self.assertRaises(simple.MQTTException):
                client.wait_msg()

    def test_disconnect(self):
        client, wire, _ = self.connected()
        client.disconnect()
        self.assertEqual((wire.sent, wire.closed), (b"\xe0\x00", True))


if __name__ == "__main__":
    unittest.main()
