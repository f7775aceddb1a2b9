"""Commands left at a real broker: they are there for whoever connects later, over TLS that is checked, and it is an
error when the broker does not take them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.broker import Collector, EmbeddedBroker
from host_tools.consent import downlink, publishing
from host_tools.errors import PlumveilError
from host_tools.keys import when
from plumveil import terms
from tests.host.keystores import (
    DAY,
    NAMES,
    NOW_S,
    consent_command,
    entry,
    error_line,
    make,
    node,
    opened,
)

COMMANDS = downlink.commands(node(NAMES[0]), terms.DOWN_REVOKE, 7, range(DAY, DAY + 5))


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def ca(broker: EmbeddedBroker, tmp_path: Path) -> Path:
    assert broker.ca_pem is not None
    path = tmp_path / "ca.pem"
    path.write_bytes(broker.ca_pem)
    return path


def kept(broker: EmbeddedBroker, count: int) -> dict[str, bytes]:
    """What the broker hands to one who connects only now."""
    with Collector(broker.url, broker.ca_pem) as late:
        assert late.wait_for(count)
        return {message.topic: message.payload for message in late.messages}


def test_they_wait_for_who_connects_later(broker: EmbeddedBroker, ca: Path) -> None:
    publishing.publish(publishing.broker(broker.url, ca, None), COMMANDS)
    assert kept(broker, len(COMMANDS)) == {one.topic: one.payload for one in COMMANDS}
    # The newest stands in the place of the one before.
    again = downlink.commands(node(NAMES[0]), terms.DOWN_VOID, 3, range(DAY, DAY + 5))
    publishing.publish(publishing.broker(broker.url, ca, None), again)
    assert kept(broker, len(again)) == {one.topic: one.payload for one in again}


def test_their_order_tells_nothing(broker: EmbeddedBroker, ca: Path) -> None:
    many = downlink.commands(node(NAMES[1]), terms.DOWN_REVOKE, 7, range(DAY, DAY + 40))
    with Collector(broker.url, broker.ca_pem) as watching:
        publishing.publish(publishing.broker(broker.url, ca, None), many)
        assert watching.wait_for(len(many))
        topics = [message.topic for message in watching.messages]
    assert sorted(topics) == sorted(one.topic for one in many)
    assert topics != [one.topic for one in many]


def test_a_broker_that_is_not_the_one_gets_nothing(broker: EmbeddedBroker) -> None:
    with pytest.raises(PlumveilError, match=r"no connection to the broker at .*certificate verify failed"):
        publishing.publish(publishing.broker(broker.url, None, None), COMMANDS)


def test_no_broker_is_an_error_in_a_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(PlumveilError, match=f"no connection to the broker at 127.0.0.1:{port}"):
        publishing.publish(publishing.broker(f"mqtt://127.0.0.1:{port}", None, None), COMMANDS)


def test_a_broker_that_says_nothing_or_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "CONNECT_TIMEOUT_S", 1.0)
    monkeypatch.setattr(publishing, "SENT_TIMEOUT_S", 1.0)
    silent = (b"", "did not take the connection: no answer")
    idle = (b"\x20\x02\x00\x00", "took 0 of 5 messages")
    for answer, words in (silent, idle):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=_mute, args=(server, answer), daemon=True).start()
            url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(PlumveilError, match=words):
                publishing.publish(publishing.broker(url, None, None), COMMANDS)


def _mute(server: socket.socket, answer: bytes) -> None:
    """A broker that accepts, says `answer`, and never another word."""
    line, _ = server.accept()
    with line:
        line.sendall(answer)
        while line.recv(4096):
            pass


def test_a_refused_connection_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_mute, args=(server, b"\x20\x02\x00\x05"), daemon=True).start()
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PlumveilError, match="did not take the connection: Not authorized"):
            publishing.publish(publishing.broker(url, None, None), COMMANDS)


def test_the_password_comes_from_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publishing.PASSWORD_VARIABLE, "broker's own word")
    to = publishing.broker("mqtts://me@broker.example", None, None)
    assert (to.password, to.where) == ("broker's own word", "broker.example:8883")
    assert "own word" not in repr(to)
    assert publishing.broker("mqtts://broker.example:1", None, None).password is None


def test_from_the_command_line(
    broker: EmbeddedBroker, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    path = make(tmp_path, entry(NAMES[2]))
    arguments = ("revoke", "--node", NAMES[2], "--keystore", path, "--days", "3")
    done = consent_command(*arguments, "--broker", broker.url, "--broker-ca", ca)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1:] == [
        f"3 messages wait at 127.0.0.1:{broker.port}, for connections up to 2026-07-18.",
        "The node's receipt confirms it: `plumveil consent collect` takes it in, `consent list` shows it.",
    ]
    topics = {one.topic for one in downlink.commands(node(NAMES[2]), terms.DOWN_REVOKE, 7, range(DAY, DAY + 3))}
    assert set(kept(broker, 3)) == topics
    # On record before it is on its way: a broker that is not there changes nothing of that.
    failed = consent_command(*arguments, "--broker", "mqtts://127.0.0.1:9")
    assert (failed.code, failed.out.splitlines()) == (1, [f"Taken back for {NAMES[2]}, and on record."])
    with opened(path) as store:
        assert store.get(NAMES[2]).consents[0].revoked_s == NOW_S
    assert "no connection to the broker" in failed.err
    assert error_line(consent_command("revoke", "--node", "x", "--keystore", path))
