# Stand-in for the ESP32's `socket`: TCP clients only, each call answered by the host, which connects to listed
# brokers alone. A node that has not joined its access point has no network.
import _vm
import network
from uctypes import addressof

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6

EAGAIN = 11
ENOTCONN = 107
EHOSTUNREACH = 113
EOPNOTSUPP = 95

_FOREVER_MS = -1


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    # The host resolves the name when it connects, and only names on its list.
    _need_link()
    return [(AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (host, port))]


def _need_link():
    if not network.link_up():
        raise OSError(EHOSTUNREACH)


def _checked(result):
    if result < 0:
        raise OSError(-result)
    return result


class socket:
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=IPPROTO_TCP):
        if type != SOCK_STREAM:
            raise OSError(EOPNOTSUPP)
        self._id = None
        self._timeout_ms = _FOREVER_MS

    def connect(self, address):
        _need_link()
        self._id = _checked(_vm.sock_open(address[0], address[1], self._timeout_ms))
        self._apply_timeout()

    def settimeout(self, seconds):
        self._timeout_ms = _FOREVER_MS if seconds is None else int(seconds * 1000)
        self._apply_timeout()

    def setblocking(self, flag):
        self.settimeout(None if flag else 0)

    def recv(self, n):
        data = bytearray(n)
        got = self.recv_into(data)
        return bytes(memoryview(data)[:got])

    def recv_into(self, buffer, n=None):
        return _checked(_vm.sock_recv(self._connected(), addressof(buffer), len(buffer) if n is None else n))

    def read(self, n=-1):
        # n bytes; fewer at the end of the stream, or from a non-blocking socket, which gives None when it has none.
        data = b""
        while n < 0 or len(data) < n:
            try:
                piece = self.recv(512 if n < 0 else n - len(data))
            except OSError as e:
                if e.errno == EAGAIN:
                    return data or None
                raise
            if not piece:
                break
            data += piece
        return data

    def readinto(self, buffer, n=None):
        data = self.read(len(buffer) if n is None else n)
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.read(1)
            if not byte:
                break
            line += byte
        return line

    def send(self, data):
        return _checked(_vm.sock_send(self._connected(), addressof(data), len(data))) if len(data) else 0

    def sendall(self, data):
        self.send(data)

    def write(self, data, n=None):
        return self.send(data if n is None else memoryview(data)[:n])

    def close(self):
        if self._id is not None:
            _vm.sock_close(self._id)
            self._id = None

    def start_tls(self, server_hostname, cadata):
        # For the stand-in `ssl`; negative errno when the host refuses.
        return _vm.sock_starttls(self._connected(), server_hostname, addressof(cadata), len(cadata))

    def _connected(self):
        _need_link()
        if self._id is None:
            raise OSError(ENOTCONN)
        return self._id

    def _apply_timeout(self):
        if self._id is not None:
            _checked(_vm.sock_timeout(self._id, self._timeout_ms))
