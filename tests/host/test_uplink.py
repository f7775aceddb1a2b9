"""The node's uplink against a real broker over real TLS. The firmware runs on CPython here."""

import ssl
import time

import pytest
from umqtt.simple import MQTTClient, MQTTException  # type: ignore[import-not-found]

from host_tools.broker import BrokerUrl, Collector, EmbeddedBroker
from plumveil.clock import Clock
from plumveil.drops import Drops
from plumveil.errors import ConfigError, LinkDown
from plumveil.store import Store
from plumveil.trust import Sealed
from plumveil.uplink import SOCKET_TIMEOUT_S, Uplink, Wrap


class Wlan:
    """An access point that is there or not."""

    def __init__(self, there: bool = True) -> None:
        self.there = there
        self.name = "0123456789ab"  # today's host name
        self.names: list[str] = []  # that DHCP was told
        self.left = 0

    def isconnected(self) -> bool:
        return self.there

    def active(self, on: bool) -> None:
        pass

    def disconnect(self) -> None:
        self.left += 1

    def connect(self, ssid: str, key: str) -> None:
        pass

    def status(self, what: str) -> int:
        return -60


class Ticks:
    """CPython's time with the port's calls; sleeping costs nothing."""

    def __init__(self) -> None:
        self.slept_ms = 0

    gmtime = staticmethod(time.gmtime)

    def time(self) -> int:
        return int(time.time()) + self.slept_ms // 1000

    def ticks_ms(self) -> int:
        return self.slept_ms

    def ticks_add(self, ticks: int, delta: int) -> int:
        return ticks + delta

    def ticks_diff(self, a: int, b: int) -> int:
        return a - b

    def sleep_ms(self, n_ms: int) -> None:
        self.slept_ms += n_ms


class PortSsl:
    """CPython's ssl as the port has it: the socket beneath a TLS socket stays in use, and carries the time limit."""

    CERT_REQUIRED, PROTOCOL_TLS_CLIENT = ssl.CERT_REQUIRED, ssl.PROTOCOL_TLS_CLIENT

    class SSLContext(ssl.SSLContext):
        def wrap_socket(self, sock, server_hostname):  # type: ignore[override]
            return super().wrap_socket(sock.dup(), server_hostname=server_hostname)


def sealed(n: int, epoch: int = 1, stream: int = 0) -> Sealed:
    return Sealed(stream, epoch, bytes([stream]) * 8, bytes([epoch]) * 8, b"message %d" % n)


def clock_that_knows() -> Clock:
    kept = [b""]
    clock = Clock(Ticks(), lambda data=None: kept[0] if data is None else kept.__setitem__(0, data), 0)
    clock.wait_ms, clock.heard = clock.sleep_ms, lambda call, *arguments: call(*arguments)
    clock.set_by_source()
    return clock


def make(url: str, ca_der: bytes | None, wlan: Wlan | None = None) -> Uplink:
    broker = BrokerUrl.parse(url)
    where, clock = [broker.host, broker.port, ca_der], clock_that_knows()
    link = wlan or Wlan()
    return Uplink(
        where, ["ap", "key"], link, MQTTClient, PortSsl, clock, lambda: None, link.names.append, lambda: link.name
    )


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "q"), Drops())


def test_delivers_everything_once_oldest_epoch_first_over_tls(store) -> None:
    for n, (epoch, stream) in enumerate([(2, 0), (1, 3), (2, 3), (1, 0), (1, 0)]):
        store.put(sealed(n, epoch, stream))
    with EmbeddedBroker() as broker, Collector(broker.url, broker.ca_pem) as collector:
        assert make(broker.url, broker.ca_der).deliver(store) == 5
        assert collector.wait_for(5)
        got = [(message.topic, message.payload, message.qos) for message in collector.messages]
    assert store.count() == 0
    assert ("pv/1/e/0303030303030303", b"message 1", 1) in got
    # The broker hands on in its own order between sessions; the queue's order is tests/firmware/test_store.py's
    # matter.
    assert sorted(payload for _, payload, _ in got) == [b"message %d" % n for n in range(5)]


def test_one_session_an_epoch(store) -> None:
    clients = []

    class Counting(MQTTClient):
        def connect(self, *args, **kwargs):
            clients.append(bytes(self.client_id))
            return super().connect(*args, **kwargs)

    for epoch in (1, 1, 2, 3):
        store.put(sealed(0, epoch))
    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = Counting
        uplink.deliver(store)
    assert clients == [b"01" * 8, b"02" * 8, b"03" * 8]


def test_one_session_at_a_time_for_whoever_can_wait(store) -> None:
    for n, epoch in enumerate((1, 2, 3, 3)):
        store.put(sealed(n, epoch, n))
    today = sealed(0, 3).session
    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        assert uplink.deliver_one(store, today, True) == 1
        assert uplink.deliver_one(store, today) == 2
        assert uplink.deliver_one(store, today) == 0
        assert store.count() == 1
        assert uplink.deliver_one(store, today, True) == 1
    assert store.count() == 0


def test_the_clock_is_set_again_after_a_day_and_a_silent_server_is_no_matter() -> None:
    asked = []

    def set_time() -> None:
        asked.append(1)
        raise OSError(110)

    uplink = make("mqtt://127.0.0.1:1", None)
    uplink._set_time = set_time
    uplink.join()
    assert asked == []
    uplink._clock.sleep_ms(86_400_000)
    uplink.join()
    assert asked == [1]
    uplink._set_time = lambda: asked.append(2)
    uplink.join()
    uplink.join()
    assert asked == [1, 2]


def test_a_broker_that_is_not_there_keeps_the_queue(store) -> None:
    store.put(sealed(1))
    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
    with pytest.raises(LinkDown):
        uplink.deliver(store)
    assert store.count() == 1


def test_a_broker_of_another_authority_gets_nothing(store) -> None:
    store.put(sealed(1))
    with EmbeddedBroker() as other, EmbeddedBroker() as broker, Collector(broker.url, broker.ca_pem) as collector:
        with pytest.raises(LinkDown):
            make(broker.url, other.ca_der).deliver(store)
        assert collector.messages == []
    assert store.count() == 1


def test_no_access_point_ends_in_time(store) -> None:
    store.put(sealed(1))
    uplink = make("mqtt://127.0.0.1:1", None, Wlan(there=False))
    with pytest.raises(LinkDown, match="access point"):
        uplink.deliver(store)


def test_a_new_day_joins_under_a_new_name() -> None:
    wlan = Wlan()
    uplink = make("mqtt://127.0.0.1:1", None, wlan)
    for name in ("first", "first", "second", "second"):
        wlan.name = name
        uplink.join()
    assert wlan.names == ["first", "second"]
    assert wlan.left == 2


def test_plain_tcp_beyond_this_machine_is_refused() -> None:
    with pytest.raises(ConfigError):
        make("mqtt://192.0.2.1:1883", None)


def test_a_broker_that_stops_in_the_middle_loses_nothing(store) -> None:
    for n in range(3):
        store.put(sealed(n))

    class Dying(MQTTClient):
        left = 2

        def publish(self, *args, **kwargs):
            if not Dying.left:
                raise OSError(104)
            Dying.left -= 1
            super().publish(*args, **kwargs)

    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = Dying
        with pytest.raises(LinkDown):
            uplink.deliver(store)
        assert store.count() == 1
        uplink._client = MQTTClient
        assert uplink.deliver(store) == 1


@pytest.mark.parametrize("kind", [ValueError, OSError, IndexError, AssertionError, TypeError, MQTTException])
@pytest.mark.parametrize("call", ["connect", "publish", "disconnect"])
def test_whatever_the_client_makes_of_a_broken_broker(store, kind, call) -> None:
    """The frozen client asserts and indexes what it reads; the port's TLS says ValueError of a bad certificate."""
    store.put(sealed(1))

    def fail(*_):
        raise kind("certificate")

    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = type("Failing", (MQTTClient,), {call: fail})
        if call == "disconnect":
            assert uplink.deliver(store) == 1
        else:
            with pytest.raises(LinkDown):
                uplink.deliver(store)
            assert store.count() == 1


@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_an_access_point_that_the_port_complains_of(store, kind) -> None:
    def connect(ssid: str, key: str) -> None:
        raise kind("Wifi Internal State Error")

    wlan = Wlan(there=False)
    wlan.connect = connect  # type: ignore[method-assign]
    with pytest.raises(LinkDown):
        make("mqtt://127.0.0.1:1", None, wlan).deliver(store)


def test_a_time_server_that_answers_too_short(store) -> None:
    def set_time() -> None:
        raise ValueError("buffer too small")

    uplink = make("mqtt://127.0.0.1:1", None)
    uplink._set_time = set_time
    uplink._clock.trusted = lambda: False
    with pytest.raises(LinkDown):
        uplink.join()


def test_the_client_cannot_take_the_time_limit_off() -> None:
    class Beneath:
        limit_s = None

        def settimeout(self, limit_s):
            self.limit_s = limit_s

    beneath = Beneath()
    wrapped = Wrap(None, None).wrap_socket(beneath, "host")
    assert beneath.limit_s == SOCKET_TIMEOUT_S
    wrapped.setblocking(False)
    assert beneath.limit_s == 0
    wrapped.setblocking(True)
    assert beneath.limit_s == SOCKET_TIMEOUT_S
