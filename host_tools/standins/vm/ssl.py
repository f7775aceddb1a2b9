# Stand-in for MicroPython's `ssl`: the host end of a socket does the TLS. As on a board a new context checks nothing
# (verify_mode is CERT_NONE); unlike there, one that would go on so is refused. An SSLSocket has no settimeout().
PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2

EACCES = 13


class SSLContext:
    def __init__(self, protocol):
        if protocol != PROTOCOL_TLS_CLIENT:
            raise ValueError("stand-in: clients only")
        self.verify_mode = CERT_NONE
        self._cadata = None

    def load_verify_locations(self, cafile=None, cadata=None):
        # One or more certificates, DER or PEM.
        if cafile:
            with open(cafile, "rb") as f:
                cadata = f.read()
        if not cadata:
            raise ValueError("invalid cert")
        self._cadata = bytes(cadata)

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        if server_side or not do_handshake_on_connect:
            raise ValueError("stand-in: clients that shake hands at once only")
        if self.verify_mode != CERT_REQUIRED or self._cadata is None:
            raise ValueError("stand-in: CERT_REQUIRED and a CA are a must")
        if server_hostname is None:
            raise ValueError("CERT_REQUIRED requires server_hostname")
        result = sock.start_tls(server_hostname, self._cadata)
        if result == -EACCES:
            # Mbed TLS's failed check is a ValueError on a board too.
            raise ValueError("The certificate is not correctly signed by the trusted CA")
        if result < 0:
            raise OSError(-result)
        return SSLSocket(sock)


_METHODS = ("read", "readinto", "readline", "write", "recv", "recv_into", "send", "sendall", "setblocking", "close")


class SSLSocket:
    def __init__(self, sock):
        for name in _METHODS:
            setattr(self, name, getattr(sock, name))
