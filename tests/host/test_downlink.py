"""What the controller leaves on a real broker reaches a node that runs, before anything it has queued leaves. The
firmware runs on CPython here; nothing between the two is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nodefiles  # type: ignore[import-not-found]
import pytest
from umqtt.simple import MQTTClient, MQTTException  # type: ignore[import-not-found]

from host_tools.broker import BrokerUrl, Collector, EmbeddedBroker
from host_tools.consent import downlink, publishing
from host_tools.consent.downlink import Command
from plumveil import flash, terms, wire
from plumveil.drops import Drops
from plumveil.errors import LinkDown
from plumveil.store import Store
from plumveil.uplink import HEARD_MAX, PACKET_MAX_BYTES, Uplink
from tests.e2e.bench import NIGHT_S, NODE, Bench, own_files
from tests.host.test_uplink import make, sealed

TODAY = sealed(0).session
TOPIC = f"{wire.TOPIC_PREFIX}{wire.TOPIC_DOWN}/{TODAY.hex()}"


def leave(broker: EmbeddedBroker, *commands: Command) -> None:
    publishing.publish(publishing.Broker(BrokerUrl.parse(broker.url)), commands)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(str(tmp_path / "q"), Drops())
    for stream in (wire.READINGS, wire.LOCATION, wire.LOCATION):
        found.put(sealed(stream, stream=stream))
    return found


def obeying(uplink: Uplink, store: Store) -> list[bytes]:
    """Has the uplink take queued location away when it hears anything -> what it heard."""
    heard: list[bytes] = []

    def obey(message: bytes) -> None:
        heard.append(message)
        store.clear(wire.LOCATION)

    uplink.obey = obey
    return heard


def test_what_waits_on_the_broker_is_acted_on_before_anything_leaves(store: Store) -> None:
    with EmbeddedBroker(tls=False) as broker, Collector(broker.url) as collector:
        leave(broker, Command(TOPIC, b"taken back"))
        uplink = make(broker.url, None)
        heard = obeying(uplink, store)
        assert uplink.deliver_one(store, TODAY) == 1
        # The broker may say it twice.
        assert set(heard) == {b"taken back"}
        # The command and what the node sends, in any order.
        assert collector.wait_for(2)
        assert [message.payload for message in collector.messages if "/c/" not in message.topic] == [b"message 0"]
    assert store.count() == 0


def test_with_nothing_to_send_it_is_heard_where_there_is_a_consent(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "q"), Drops())
    with EmbeddedBroker(tls=False) as broker:
        leave(broker, Command(TOPIC, b"taken back"))
        uplink = make(broker.url, None)
        heard = obeying(uplink, store)
        assert uplink.deliver_one(store, TODAY) == 0
        assert heard == []
        assert uplink.deliver_one(store, TODAY, False, True) == 0
        assert set(heard) == {b"taken back"}


def test_other_days_sessions_and_an_alarms_hear_nothing(store: Store) -> None:
    with EmbeddedBroker(tls=False) as broker:
        leave(broker, Command(TOPIC, b"taken back"))
        uplink = make(broker.url, None)
        heard = obeying(uplink, store)
        assert uplink.deliver_one(store, b"other" * 2, True) == 3
    assert heard == []


def test_a_broker_that_lets_a_node_hear_nothing_takes_what_it_sends(store: Store) -> None:
    class Refused(MQTTClient):
        def subscribe(self, *_: Any) -> None:
            raise MQTTException(0x80)

    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = Refused
        assert uplink.deliver_one(store, TODAY) == 3


def test_one_that_ends_in_the_middle_of_it_is_no_broker(store: Store) -> None:
    class Gone(MQTTClient):
        def subscribe(self, *_: Any) -> None:
            raise OSError(104)

    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = Gone
        with pytest.raises(LinkDown):
            uplink.deliver_one(store, TODAY)
    assert store.count() == 3


def test_a_packet_longer_than_any_command_is_not_read(store: Store) -> None:
    with EmbeddedBroker(tls=False) as broker:
        leave(broker, Command(TOPIC, bytes(PACKET_MAX_BYTES)))
        uplink = make(broker.url, None)
        heard = obeying(uplink, store)
        with pytest.raises(LinkDown):
            uplink.deliver_one(store, TODAY)
    assert (heard, store.count()) == ([], 3)


def test_a_broker_that_does_not_stop_is_left(store: Store) -> None:
    class Talking(MQTTClient):
        said = 0

        def wait_msg(self) -> int:
            Talking.said += 1
            self.cb(TOPIC.encode(), b"more")
            return 0x30

    with EmbeddedBroker(tls=False) as broker:
        uplink = make(broker.url, None)
        uplink._client = Talking
        heard = obeying(uplink, store)
        with pytest.raises(LinkDown):
            uplink.deliver_one(store, TODAY)
    assert (Talking.said, heard, store.count()) == (HEARD_MAX + 1, [], 3)


def test_a_node_ends_its_consent_by_it_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_files(monkeypatch, tmp_path)
    days = range(NIGHT_S // wire.EPOCH_S, NIGHT_S // wire.EPOCH_S + 2)
    serial = nodefiles.consent()[0]
    with EmbeddedBroker(tls=False) as broker:
        bench = Bench(tmp_path / "q", make(broker.url, None))
        bench.live(NIGHT_S + 1200)
        assert bench.app.desk.tier() == 3
        leave(broker, *downlink.commands(NODE, terms.DOWN_REVOKE, serial, days))
        # An hour has one turn to listen.
        bench.live(NIGHT_S + 2 * 3600)
    assert (bench.app.desk.tier(), bench.app.desk.state.grant) == (0, None)
    # On record once its receipt is on its way.
    assert nodefiles.cbor.dumps([serial, terms.BY_CONTROLLER]) in flash.load(wire.FILE_LOG)
    while (head := bench.store.peek()) is not None:
        assert head.stream != wire.LOCATION
        bench.store.ack(head)
