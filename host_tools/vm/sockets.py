"""Real TCP and TLS connections on behalf of a VM, to listed brokers only.

Keeps every byte that passes, before encryption: the search for leaked raw values reads it. Must never connect to what
the caller did not list, never skip the check of a certificate or host name, and never wait without a bound.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Literal

WAIT_MAX_S = 30.0  # longest wait, whatever the VM asks for
RECV_MAX_BYTES = 65536

# errno as MicroPython counts on every port, whatever the host's system says.
EIO, EBADF, EAGAIN, EACCES, EINVAL = 5, 9, 11, 13, 22
ECONNABORTED, ECONNRESET, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH = 103, 104, 110, 111, 113
_ERRNOS: tuple[tuple[type[Exception], int], ...] = (
    (KeyError, EBADF),
    (UnicodeError, EINVAL),
    (BlockingIOError, EAGAIN),
    (ssl.SSLWantReadError, EAGAIN),
    (ssl.SSLWantWriteError, EAGAIN),
    (ssl.SSLCertVerificationError, EACCES),
    (TimeoutError, ETIMEDOUT),
    (ConnectionRefusedError, ECONNREFUSED),
    (ConnectionResetError, ECONNRESET),
    (BrokenPipeError, ECONNRESET),
    (ConnectionAbortedError, ECONNABORTED),
    (OSError, EIO),
)


@dataclass(frozen=True)
class Traffic:
    """Bytes that passed a socket of the VM: as the VM wrote or read them, so before TLS."""

    direction: Literal["out", "in"]
    port: int
    tls: bool
    data: bytes


class Sockets:
    """The VM's sockets. `call` answers one request of the stand-ins with (result or negative errno, bytes).

    allow: the (host, port) that may be reached. record: whether `traffic` and `refused` are kept.
    """

    def __init__(self, allow: Container[tuple[str, int]], *, record: bool = True) -> None:
        self._allow = allow
        self._record = record
        self._open: dict[int, socket.socket] = {}
        self._ports: dict[int, int] = {}
        self._next_id = 1
        self.traffic: list[Traffic] = []
        self.refused: list[tuple[str, int]] = []

    def call(self, payload: bytes) -> tuple[int, bytes]:
        """payload: [op u8][socket i32][argument i32][bytes]. Never raises for what the VM or the network does."""
        operations: dict[str, Callable[[int, int, bytes], tuple[int, bytes]]] = {
            "o": self._connect,
            "t": self._set_timeout,
            "s": self._send,
            "r": self._recv,
            "l": self._start_tls,
            "c": self._close,
        }
        operation = operations.get(chr(payload[0]))
        number = int.from_bytes(payload[1:5], "big", signed=True)
        argument = int.from_bytes(payload[5:9], "big", signed=True)
        if operation is None:
            return -EINVAL, b""
        try:
            return operation(number, argument, payload[9:])
        except (KeyError, UnicodeError, OSError) as error:
            return -next(code for kind, code in _ERRNOS if isinstance(error, kind)), b""

    def abort(self) -> None:
        """Ends every wait on a socket; from any thread."""
        for connection in list(self._open.values()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes what the VM left open."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _connect(self, _number: int, timeout_ms: int, data: bytes) -> tuple[int, bytes]:
        address = (data[2:].decode(), int.from_bytes(data[:2], "big"))
        if address not in self._allow:
            if self._record:
                self.refused.append(address)
            return -EHOSTUNREACH, b""
        connection = socket.create_connection(address, timeout=_seconds(timeout_ms) or WAIT_MAX_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = self._next_id
        self._next_id += 1
        self._open[number] = connection
        self._ports[number] = address[1]
        return number, b""

    def _set_timeout(self, number: int, timeout_ms: int, _data: bytes) -> tuple[int, bytes]:
        self._open[number].settimeout(_seconds(timeout_ms))
        return 0, b""

    def _send(self, number: int, _argument: int, data: bytes) -> tuple[int, bytes]:
        self._note("out", number, data)
        self._open[number].sendall(data)
        return len(data), b""

    def _recv(self, number: int, count: int, _data: bytes) -> tuple[int, bytes]:
        data = self._open[number].recv(max(0, min(count, RECV_MAX_BYTES)))
        self._note("in", number, data)
        return len(data), data

    def _start_tls(self, number: int, name_length: int, data: bytes) -> tuple[int, bytes]:
        name, authority = data[:name_length].decode(), data[name_length:]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=authority.decode() if authority.startswith(b"---") else authority)
        except (ssl.SSLError, ValueError):
            return -EINVAL, b""
        connection = self._open[number]
        timeout_s = connection.gettimeout()
        connection.settimeout(timeout_s or WAIT_MAX_S)
        self._open[number] = context.wrap_socket(connection, server_hostname=name)
        self._open[number].settimeout(timeout_s)
        return 0, b""

    def _close(self, number: int, _argument: int, _data: bytes) -> tuple[int, bytes]:
        self._open.pop(number).close()
        return 0, b""

    def _note(self, direction: Literal["out", "in"], number: int, data: bytes) -> None:
        tls = isinstance(self._open[number], ssl.SSLSocket)
        if self._record:
            self.traffic.append(Traffic(direction, self._ports[number], tls, data))


def _seconds(timeout_ms: int) -> float:
    return WAIT_MAX_S if timeout_ms < 0 else min(timeout_ms / 1000, WAIT_MAX_S)
