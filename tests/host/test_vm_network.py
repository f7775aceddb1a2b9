"""The VM's network: what its sockets reach, what is recorded of them, and how they fail."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from host_tools.vm import RunResult, Traffic, Vm

pytestmark = pytest.mark.vm

JOIN = """
import network
import time
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.connect("depot", "key")
while not wlan.isconnected():
    time.sleep_ms(100)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def said(result: RunResult) -> str:
    assert result.ok, result.error
    return result.output.strip()


def test_socket_traffic_is_recorded(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(peer.recv(100)[::-1] + b"\nrest")

    server = threading.Thread(target=serve)
    server.start()
    code = f"""{JOIN}
import socket
s = socket.socket()
s.settimeout(5)
s.connect(socket.getaddrinfo("127.0.0.1", {port})[0][-1])
s.write(b"hello!", 5)
print(s.readline(), s.read(2), s.read())
s.close()
"""
    with Vm(firmware=False, allow=[("127.0.0.1", port)]) as one:
        assert said(one.run(code)) == r"b'olleh\n' b're' b'st'"
        server.join(10)
        assert one.sent == [b"hello"]
        assert one.traffic[0] == Traffic("out", port, False, b"hello")
        assert b"".join(piece.data for piece in one.traffic if piece.direction == "in") == b"olleh\nrest"
        assert one.refused == []


def test_sockets_reach_listed_brokers_only(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    code = f"""{JOIN}
import socket
for address in (("127.0.0.1", {port}), ("localhost", {port}), ("example.org", 80)):
    try:
        socket.socket().connect(address)
    except OSError as e:
        print(e.errno)
"""
    with Vm(firmware=False, allow=[("127.0.0.1", port + 1)]) as one:
        assert said(one.run(code)).split() == ["113"] * 3
        assert one.refused == [("127.0.0.1", port), ("localhost", port), ("example.org", 80)]
        assert one.traffic == []


def test_socket_waits_are_bounded_and_errors_are_errno(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    code = f"""{JOIN}
import socket
s = socket.socket()
s.connect(("127.0.0.1", {port}))
s.setblocking(False)
print(s.read(1))
s.settimeout(0.1)
try:
    s.read(1)
except OSError as e:
    print(e.errno)
s.close()
try:
    s.send(b"x")
except OSError as e:
    print(e.errno)
try:
    socket.socket().connect(("127.0.0.1", 1))
except OSError as e:
    print(e.errno)
"""
    with Vm(firmware=False, allow=[("127.0.0.1", port), ("127.0.0.1", 1)]) as one:
        assert said(one.run(code)).split() == ["None", "110", "107", "111"]


def test_no_network_before_the_station_has_joined_or_in_an_outage(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    outage = json.dumps({"network": {"outages": [[60, 120]]}})
    code = f"""
import network, socket, time, world
world.reset({outage}, {{}})
def attempt():
    try:
        s = socket.socket()
        s.connect(("127.0.0.1", {port}))
        s.close()
        print("up", end=" ")
    except OSError as e:
        print(e.errno, end=" ")
attempt()
try:
    socket.getaddrinfo("127.0.0.1", {port})
except OSError as e:
    print(e.errno, end=" ")
{JOIN}
attempt()
time.sleep(70)
attempt()
time.sleep(60)
attempt()
"""
    with Vm(firmware=False, allow=[("127.0.0.1", port)]) as one:
        assert said(one.run(code)).split() == ["113", "113", "up", "113", "up"]


def test_a_clock_never_set_is_set_by_the_time_server() -> None:
    code = f"""
import ntptime, world
world.reset({{"start_unix_s": 1800000000}}, {{}})
import time
print(time.gmtime()[0])
try:
    ntptime.settime()
except OSError:
    print("no network")
{JOIN}
ntptime.settime()
print(time.gmtime()[0])
"""
    with Vm(firmware=False) as one:
        assert said(one.run(code)).split("\n") == ["2000", "no network", "2027"]
