# Delivers the queue over MQTT; the only file that touches a socket. Sees sealed messages only. TLS with certificate
# and host name checked; plain TCP to this very machine alone, for tests. For now the broker's PUBACK counts as
# delivery.

from binascii import hexlify

from plumveil import wire
from plumveil.errors import ConfigError, LinkDown

SOCKET_TIMEOUT_S = 15  # longest wait for the broker
JOIN_TIMEOUT_MS = 20000  # longest wait for the access point
KEEPALIVE_S = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def topic(sealed):
    # "pv/1/<stream letter>/<pseudonym in hex>", as bytes.
    return wire.TOPIC_PREFIX.encode() + b"%s/%s" % (
        wire.TOPIC_LETTERS[sealed.stream].encode(),
        hexlify(sealed.pseudonym),
    )


class Tls:
    # What umqtt takes for an SSLContext: trusts ca_der alone, insists on certificate and host name, and remembers the
    # socket beneath, since a TLS socket of the port takes no time limit itself.
    def __init__(self, ssl, ca_der):
        self.socket = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(cadata=ca_der)

    def wrap_socket(self, sock, server_hostname):
        self.socket = sock
        return self._context.wrap_socket(sock, server_hostname=server_hostname)


class Uplink:
    # broker: [host, port, CA in DER or None]; wifi: [ssid, key]; wlan: network.WLAN; client: umqtt.simple.MQTTClient;
    # ssl: the port's ssl module; clock: Clock; set_time: ntptime.settime.
    def __init__(self, broker, wifi, wlan, client, ssl, clock, set_time):
        if broker[2] is None and broker[0] not in LOOPBACK:
            raise ConfigError("broker without TLS")
        self._broker = broker
        self._wifi = wifi
        self._wlan = wlan
        self._client = client
        self._ssl = ssl
        self._clock = clock
        self._set_time = set_time

    def rssi_dbm(self):
        return self._wlan.status("rssi") if self._wlan.isconnected() else None

    def join(self):
        # Joins the access point and sees to the time. LinkDown when there is none.
        wlan = self._wlan
        if not wlan.isconnected():
            wlan.active(True)
            wlan.connect(self._wifi[0], self._wifi[1])
            since_ms = self._clock.ticks_ms()
            while not wlan.isconnected():
                if self._clock.elapsed_ms(since_ms) > JOIN_TIMEOUT_MS:
                    raise LinkDown("access point")
                self._clock.sleep_ms(100)
        if not self._clock.trusted():
            try:
                self._set_time()
            except OSError:
                raise LinkDown("time server")

    def deliver(self, store):
        # Sends what is queued, oldest epoch first, a session an epoch -> messages delivered. LinkDown: the rest
        # waits.
        sent = 0
        self.join()
        while True:
            head = store.peek()
            if head is None:
                return sent
            try:
                sent += self._session(store, head.session)
            except (OSError, ValueError):
                # The port's TLS says ValueError of a certificate that does not hold.
                raise LinkDown("broker")
            except Exception as e:
                # umqtt has an exception of its own, outside OSError, for what the broker refuses.
                if type(e).__name__ != "MQTTException":
                    raise
                raise LinkDown("broker refused")

    def _session(self, store, session):
        host, port, ca_der = self._broker
        tls = Tls(self._ssl, ca_der) if ca_der is not None else None
        client = self._client(hexlify(session), host, port, keepalive=KEEPALIVE_S, ssl=tls)
        client.connect(timeout=SOCKET_TIMEOUT_S)
        limited = tls.socket if tls else client.sock
        sent = 0
        try:
            head = store.peek()
            while head is not None and head.session == session:
                # wait_msg takes the time limit off the socket once a byte has come.
                limited.settimeout(SOCKET_TIMEOUT_S)
                client.publish(topic(head), head.message, qos=1)
                store.ack(head)
                sent += 1
                head = store.peek()
        finally:
            try:
                client.disconnect()
            except OSError:
                client.sock.close()
        return sent
