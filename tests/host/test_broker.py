"""The embedded broker and the collector, with the node's own MQTT client in the VM on the other side."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.broker import BrokerUrl, Collector, EmbeddedBroker, Message
from host_tools.errors import PlumveilError, UsageError
from host_tools.vm import Vm
from tests.requirements_gate import find_program

PUBLISH = """
import network, time
wlan = network.WLAN(network.WLAN.IF_STA)
wlan.active(True)
wlan.connect("depot", "key")
while not wlan.isconnected():
    time.sleep_ms(100)

import ssl
from umqtt.simple import MQTTClient

def client(host, ca):
    context = None
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=ca)
    return MQTTClient(b"0123456789abcdef", host, {port}, keepalive=60, ssl=context)

def publish(host, ca, count):
    c = client(host, ca)
    c.connect(timeout=5)
    for i in range(count):
        c.publish(b"pv/1/r/00", bytes([i]) * 100, qos=1)
    c.disconnect()
"""


@contextlib.contextmanager
def node(broker: EmbeddedBroker) -> Iterator[Vm]:
    """A VM that has joined its network and knows publish(host, ca, count)."""
    with Vm(firmware=False, allow=[("127.0.0.1", broker.port)]) as vm:
        loaded = vm.run(PUBLISH.replace("{port}", str(broker.port)))
        assert loaded.ok, loaded.error
        yield vm


@pytest.mark.vm
@pytest.mark.parametrize("tls", [True, False])
def test_node_to_collector(tls: bool) -> None:
    with EmbeddedBroker(tls=tls) as broker, Collector(broker.url, broker.ca_pem) as collector:
        with node(broker) as vm:
            result = vm.run(f"publish('127.0.0.1', {broker.ca_der!r}, 20)")
        assert result.ok, result.error
        assert collector.wait_for(20)
        assert collector.messages == [Message("pv/1/r/00", bytes([i]) * 100, 1) for i in range(20)]
        assert {piece.tls for piece in vm.traffic} == {tls}
        assert sum(piece.count(b"pv/1/r/00") for piece in vm.sent) == 20


@pytest.mark.vm
def test_node_refuses_a_certificate_it_does_not_trust() -> None:
    with EmbeddedBroker() as broker, EmbeddedBroker() as other, node(broker) as vm:
        result = vm.run(f"publish('127.0.0.1', {other.ca_der!r}, 1)")
        assert result.error_type == "ValueError", result.error
        assert vm.sent == []


@pytest.mark.vm
def test_node_refuses_a_certificate_for_another_name() -> None:
    with EmbeddedBroker() as broker, node(broker) as vm:
        # The right address, under a name that is not in the certificate.
        code = f"""
import socket
s = socket.socket()
s.connect(("127.0.0.1", {broker.port}))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.verify_mode = ssl.CERT_REQUIRED
context.load_verify_locations(cadata={broker.ca_der!r})
context.wrap_socket(s, server_hostname="broker.example")
"""
        assert vm.run(code).error_type == "ValueError"
        assert vm.sent == []


@pytest.mark.vm
def test_tls_socket_has_no_timeout_of_its_own_as_on_a_board() -> None:
    with EmbeddedBroker() as broker, node(broker) as vm:
        code = f"c = client('127.0.0.1', {broker.ca_der!r})\nc.connect(timeout=5)\nc.sock.settimeout(5)"
        assert vm.run(code).error_type == "AttributeError"


@pytest.mark.vm
def test_stand_in_refuses_tls_without_checks() -> None:
    with EmbeddedBroker() as broker, node(broker) as vm:
        for setting in ("verify_mode = ssl.CERT_NONE", "verify_mode = ssl.CERT_REQUIRED"):
            code = f"context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\ncontext.{setting}\n"
            result = vm.run(code + "context.wrap_socket(None, server_hostname='localhost')")
            assert (result.error_type, "CERT_REQUIRED" in result.error) == ("ValueError", True)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    """Port of a Mosquitto on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n")
    process = subprocess.Popen([str(find_program("mosquitto")), "-c", str(config)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.vm
@pytest.mark.needs_mosquitto
def test_node_to_collector_over_mosquitto(mosquitto: int) -> None:
    with (
        Collector(f"mqtt://127.0.0.1:{mosquitto}") as collector,
        Vm(firmware=False, allow=[("127.0.0.1", mosquitto)]) as vm,
    ):
        assert vm.run(PUBLISH.replace("{port}", str(mosquitto))).ok
        result = vm.run("publish('127.0.0.1', None, 20)")
        assert result.ok, result.error
        assert collector.wait_for(20)
        assert collector.messages == [Message("pv/1/r/00", bytes([i]) * 100, 1) for i in range(20)]


def test_broker_stops_and_starts_again_at_the_same_place() -> None:
    with EmbeddedBroker(tls=False) as broker:
        with socket.create_connection((broker.host, broker.port), timeout=5):
            pass
        broker.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((broker.host, broker.port), timeout=5)
        with pytest.raises(PlumveilError, match="no connection"):
            Collector(broker.url).start()
        broker.start()
        with Collector(broker.url) as collector:
            assert collector.messages == []


def test_collector_trusts_only_the_given_authority() -> None:
    with EmbeddedBroker() as broker, pytest.raises(PlumveilError, match="certificate verify failed"):
        Collector(broker.url).start()


def test_collector_gives_up_on_a_peer_that_is_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_tools.broker.START_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        collector = Collector(f"mqtt://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(PlumveilError, match="no answer"):
            collector.start()


def test_broker_listens_on_this_machine_only() -> None:
    with EmbeddedBroker(tls=False) as broker:
        assert (broker.host, broker.url) == ("127.0.0.1", f"mqtt://127.0.0.1:{broker.port}")
        with pytest.raises(OSError, match=r"refused|timed out|unreachable|assign"):
            socket.create_connection(("127.0.0.2", broker.port), timeout=2)


def test_certificates_are_for_this_machine_and_not_for_long() -> None:
    with EmbeddedBroker() as broker:
        context = ssl.create_default_context(cadata=broker.ca_der)
        with (
            socket.create_connection((broker.host, broker.port), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            names = secure.getpeercert()
        assert names is not None
        assert names["subjectAltName"] == (("DNS", "localhost"), ("IP Address", "127.0.0.1"))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mqtt://h", ("h", 1883, False, None, None)),
        ("mqtts://u:p@h.example:99/", ("h.example", 99, True, "u", "p")),
        ("mqtts://[::1]", ("::1", 8883, True, None, None)),
    ],
)
def test_broker_url(url: str, parts: tuple[object, ...]) -> None:
    assert BrokerUrl.parse(url) == BrokerUrl(*parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["", "h:1883", "http://h", "mqtt://", "mqtt://h:no", "mqtt://h:99999", "mqtt://h/t"])
def test_bad_broker_url(url: str) -> None:
    with pytest.raises(UsageError):
        BrokerUrl.parse(url)
