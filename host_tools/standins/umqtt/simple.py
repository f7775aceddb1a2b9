# Stand-in for the frozen `umqtt.simple`: the same class and calls, written from the MQTT 3.1.1 standard (sections
# below). Like the frozen one it blocks, and takes the socket's timeout away once a packet has begun to come in.
# Portable: CPython's sockets as well as the VM's. Must never accept a packet that the standard forbids here.
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK = 0x10, 0x20, 0x30, 0x40
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 0x82, 0x90, 0xA2, 0xB0
PINGREQ, PINGRESP, DISCONNECT = 0xC0, 0xD0, 0xE0
REFUSED = 0x80
PACKET_MAX_BYTES = 65536
# "Nothing there yet" of a non-blocking socket: EAGAIN (Linux, others), and TLS that wants to read first (CPython).
NOTHING_YET = (11, 35, 2)


class MQTTException(Exception):
    pass


def _bytes(s):
    return s.encode() if isinstance(s, str) else bytes(s)


def _text(s):
    # Length-prefixed string (1.5.3).
    data = _bytes(s)
    return struct.pack("!H", len(data)) + data


def _packet(head, body):
    # Fixed header with the remaining length, 7 bits a byte, low ones first (2.2.3).
    n, length = len(body), bytearray()
    while n > 0x7F:
        length.append(n & 0x7F | 0x80)
        n >>= 7
    length.append(n)
    return bytes((head,)) + bytes(length) + body


class MQTTClient:
    def __init__(self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None):
        self.client_id = client_id
        self.server = server
        self.port = port or (8883 if ssl else 1883)
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.ssl = ssl
        self.sock = None
        self.pid = 0
        self.cb = None
        self.lw_topic = None
        self.lw_msg = None
        self.lw_qos = 0
        self.lw_retain = False

    def set_callback(self, f):
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.lw_topic = topic
        self.lw_msg = msg
        self.lw_retain = retain
        self.lw_qos = qos

    # -> whether the broker had kept a session; MQTTException(code) when it refuses (3.2.2.3).
    def connect(self, clean_session=True, timeout=None):
        if self.sock is not None:
            self.sock.close()
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        self.sock.connect(socket.getaddrinfo(self.server, self.port)[0][-1])
        if self.ssl:
            self.sock = self.ssl.wrap_socket(self.sock, server_hostname=self.server)
        self.sock.sendall(_packet(CONNECT, self._connect_body(clean_session)))
        head, body = self._read_packet(self._exactly(1)[0])
        if head != CONNACK or len(body) != 2:
            raise MQTTException("no CONNACK")
        if body[1]:
            raise MQTTException(body[1])
        return body[0] & 1

    def _connect_body(self, clean_session):
        # Variable header (3.1.2), then client id, will, user and password in this order (3.1.3).
        flags = 2 if clean_session else 0
        payload = _text(self.client_id)
        if self.lw_topic:
            flags |= 4 | self.lw_qos << 3 | (0x20 if self.lw_retain else 0)
            payload += _text(self.lw_topic) + _text(self.lw_msg)
        if self.user:
            flags |= 0xC0
            payload += _text(self.user) + _text(self.pswd)
        return _text("MQTT") + struct.pack("!BBH", 4, flags, self.keepalive) + payload

    def disconnect(self):
        self.sock.sendall(_packet(DISCONNECT, b""))
        self.sock.close()

    def ping(self):
        self.sock.sendall(_packet(PINGREQ, b""))

    # qos 0 or 1; with 1 it returns when the broker has acknowledged (4.3.2).
    def publish(self, topic, msg, retain=False, qos=0):
        if qos not in (0, 1):
            raise MQTTException("qos")
        pid = self._next_pid() if qos else None
        body = _text(topic) + (struct.pack("!H", pid) if qos else b"") + _bytes(msg)
        self.sock.sendall(_packet(PUBLISH | qos << 1 | (1 if retain else 0), body))
        if qos:
            self._wait_for(PUBACK, pid)

    def subscribe(self, topic, qos=0):
        if self.cb is None:
            raise MQTTException("no callback")
        pid = self._next_pid()
        self.sock.sendall(_packet(SUBSCRIBE, struct.pack("!H", pid) + _text(topic) + bytes((qos,))))
        body = self._wait_for(SUBACK, pid)
        if len(body) != 3 or body[2] & REFUSED:
            raise MQTTException(REFUSED)

    def unsubscribe(self, topic):
        pid = self._next_pid()
        self.sock.sendall(_packet(UNSUBSCRIBE, struct.pack("!H", pid) + _text(topic)))
        self._wait_for(UNSUBACK, pid)

    # Waits for one packet -> None, or the packet's first byte. A PUBLISH goes to the callback.
    def wait_msg(self):
        packet = self._next_packet()
        return packet[0] if packet and packet[0] != PINGRESP else None

    # The same, without waiting when nothing is there.
    def check_msg(self):
        self.sock.setblocking(False)
        return self.wait_msg()

    def _next_pid(self):
        # 1..65535, never 0 (2.3.1).
        self.pid = self.pid % 65535 + 1
        return self.pid

    def _wait_for(self, head, pid):
        # The body of the acknowledgement with this packet id.
        while True:
            packet = self._next_packet()
            if packet and packet[0] == head and len(packet[1]) >= 2:
                if struct.unpack("!H", packet[1][:2])[0] == pid:
                    return packet[1]

    def _next_packet(self):
        try:
            first = self.sock.recv(1)
        except OSError as e:
            if e.errno not in NOTHING_YET:
                raise
            first = None
        self.sock.setblocking(True)
        if first is None:
            return None
        if not first:
            raise OSError(-1)
        head, body = self._read_packet(first[0])
        if head & 0xF0 == PUBLISH:
            self._deliver(head, body)
        return head, body

    # The frozen one has it under this name, and the firmware bounds it there.
    def _recv_len(self):
        length = shift = 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return length
            shift += 7
            if shift > 21:
                raise MQTTException("remaining length")

    def _read_packet(self, head):
        length = self._recv_len()
        if length > PACKET_MAX_BYTES:
            raise MQTTException("packet too long")
        return head, self._exactly(length)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise OSError(-1)
            data += piece
        return data

    def _deliver(self, head, body):
        # Topic, packet id with QoS 1, then the message; QoS 1 is acknowledged after the callback (3.3).
        qos = head >> 1 & 3
        if len(body) < 2 or qos > 1:
            raise MQTTException("publish")
        end = 2 + struct.unpack("!H", body[:2])[0]
        start = end + 2 if qos else end
        if start > len(body) or self.cb is None:
            raise MQTTException("publish")
        self.cb(body[2:end], body[start:])
        if qos:
            self.sock.sendall(_packet(PUBACK, body[end:start]))
