# Delivers the queue over MQTT; the only file that touches a socket. Sees sealed messages only. TLS with certificate
# and host name checked; plain TCP to this very machine alone, for tests. For now the broker's PUBACK counts as
# delivery.

from binascii import hexlify

from plumveil import wire
from plumveil.errors import ConfigError, LinkDown

SOCKET_TIMEOUT_S = 15  # longest wait for the broker
PACKET_MAX_BYTES = 512  # longest that a broker may send: commands are a quarter of it
HEARD_MAX = 4  # commands taken in one session; a broker that has more is left
_REFUSED = 0x80
JOIN_TIMEOUT_MS = 20000  # longest wait for the access point
KEEPALIVE_S = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _topic(letter, name):
    # "pv/1/<letter>/<name in hex>", as bytes.
    return (wire.TOPIC_PREFIX + letter + "/").encode() + hexlify(name)


class Limited:
    # A socket as umqtt uses it, with every wait bounded: umqtt takes the limit off once a byte has come, and a TLS
    # socket of the port has none of its own. sock: what to read and write; beneath: the socket that carries the
    # limit.
    def __init__(self, sock, beneath):
        self._sock = sock
        self._beneath = beneath

    def setblocking(self, on):
        self._beneath.settimeout(SOCKET_TIMEOUT_S if on else 0)

    def __getattr__(self, name):
        return getattr(self._sock, name)


class Wrap:
    # What umqtt takes for an SSLContext. With a CA: TLS that trusts it alone and insists on certificate and host
    # name; without: the plain socket.
    def __init__(self, ssl, ca_der):
        self._context = None
        if ca_der is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(cadata=ca_der)

    def wrap_socket(self, sock, server_hostname):
        sock.settimeout(SOCKET_TIMEOUT_S)
        if self._context is None:
            return Limited(sock, sock)
        return Limited(self._context.wrap_socket(sock, server_hostname=server_hostname), sock)


class Uplink:
    # broker: [host, port, CA in DER or None]; wifi: [ssid, key]; wlan: network.WLAN; client: umqtt.simple.MQTTClient;
    # ssl: the port's ssl module; clock: Clock; set_time: ntptime.settime; set_host_name: network.hostname; host_name:
    # () -> today's.
    def __init__(self, broker, wifi, wlan, client, ssl, clock, set_time, set_host_name, host_name):
        if broker[2] is None and broker[0] not in LOOPBACK:
            raise ConfigError("broker without TLS")
        self._broker = broker
        self._wifi = wifi
        self._wlan = wlan
        self._client = client
        self._ssl = ssl
        self._clock = clock
        self._set_time = set_time
        self._set_host_name = set_host_name
        self._host_name = host_name
        self._joined_as = None
        # Commands that came, and what acts on one.
        self.heard = []
        self.obey = None

    def rssi_dbm(self):
        # None when not joined; the link may go while we ask.
        try:
            return self._wlan.status("rssi") if self._wlan.isconnected() else None
        except OSError:
            return None

    def join(self):
        # Joins the access point and sees to the time. LinkDown when there is none, whatever the port says of it.
        clock = self._clock
        try:
            self._join()
            if clock.stale() or not clock.trusted():
                self._set_time()
                clock.set_by_source()
        except (OSError, RuntimeError, ValueError):
            # A time a day old will do when the server does not answer.
            if not (clock.trusted() and self._wlan.isconnected()):
                raise LinkDown("access point")

    def _join(self):
        wlan = self._wlan
        name = self._host_name()
        if wlan.isconnected():
            if name == self._joined_as:
                return
            # DHCP was told yesterday's name.
            wlan.disconnect()
        wlan.active(True)
        self._set_host_name(name)
        self._joined_as = name
        wlan.connect(self._wifi[0], self._wifi[1])
        since_ms = self._clock.ticks_ms()
        try:
            while not wlan.isconnected():
                if self._clock.elapsed_ms(since_ms) > JOIN_TIMEOUT_MS:
                    raise LinkDown("access point")
                self._clock.wait_ms(100)
        except (LinkDown, KeyboardInterrupt):
            # Left asking, the port refuses the next connect.
            wlan.disconnect()
            raise

    def deliver(self, store):
        # Sends everything that is queued, oldest epoch first, a session an epoch -> messages delivered. LinkDown: the
        # rest waits.
        sent = 0
        while True:
            n = self.deliver_one(store)
            sent += n
            if not n:
                return sent

    def deliver_one(self, store, session=None, others=False, must_listen=False):
        # Sends what one session may carry -> messages delivered. session, others: see Store.peek. Two sessions that
        # follow one another are known for one node's: whoever can wait sends one at a time. Today's, session, also
        # hears commands: must_listen, with nothing to send too.
        self.join()
        head = store.peek(session, others)
        if head is None and not must_listen:
            return 0
        sent = 0
        listens = session is not None and not others
        under = session if listens else head.session
        client = self._connect(under)
        try:
            if listens:
                self._listen(client, under)
            while True:
                # A revocation takes what is queued with it.
                while self.heard:
                    self.obey(self.heard.pop())
                head = store.peek(session, others)
                if head is None or head.session != under:
                    break
                to = _topic(wire.TOPIC_LETTERS[head.stream], head.pseudonym)
                self._ask(client.publish, to, head.message, False, 1)
                store.ack(head)
                sent += 1
        finally:
            _leave(client)
        return sent

    def _listen(self, client, session):
        self.heard = []
        whole = client._recv_len

        def bounded():
            n = whole()
            if n > PACKET_MAX_BYTES:
                raise ValueError
            return n

        # By its name as a string: what is written so keeps it when the firmware is compiled with short names.
        setattr(client, "_recv_len", bounded)  # noqa: B010
        client.set_callback(self._hear)
        try:
            self._clock.heard(client.subscribe, _topic(wire.TOPIC_DOWN, session), 1)
        except MemoryError:
            raise
        except Exception as e:  # noqa: BLE001
            # A broker that lets this node hear nothing still takes what it sends.
            if e.args != (_REFUSED,):
                raise LinkDown("broker")
        # What the broker kept comes before the answer to this.
        self._ask(client.ping)
        while self._ask(client.wait_msg) is not None:
            pass

    def _hear(self, topic, message):
        if len(self.heard) == HEARD_MAX:
            raise ValueError
        self.heard.append(bytes(message))

    def _connect(self, session):
        host, port, ca_der = self._broker
        wrap = Wrap(self._ssl, ca_der)
        client = self._client(hexlify(session), host, port, keepalive=KEEPALIVE_S, ssl=wrap)
        self._ask(client.connect, True, SOCKET_TIMEOUT_S)
        return client

    def _ask(self, call, *arguments):
        # What the broker keeps waiting, the technician may break off.
        return _guarded(self._clock.heard, call, *arguments)


def _guarded(call, *arguments):
    # Whatever the client makes of a broker that is gone, refuses or talks nonsense: umqtt has an exception of its
    # own, asserts, and indexes answers that were cut short; TLS says ValueError of a certificate that does not hold.
    try:
        return call(*arguments)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        raise LinkDown("broker")


def _leave(client):
    # Closes the session; nothing depends on how it ends.
    try:
        _guarded(client.disconnect)
    except LinkDown:
        try:
            client.sock.close()
        except OSError:
            pass
