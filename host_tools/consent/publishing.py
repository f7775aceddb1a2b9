"""Leaves commands on a broker as retained messages: over TLS with the broker's name checked, or in the clear to this
very machine. A broker's word that it has a message is no sign that a node will get it: that is its receipt alone.
"""

from __future__ import annotations

import random
import secrets
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.broker import BrokerUrl
from host_tools.consent.downlink import Command
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import passphrase

CONNECT_TIMEOUT_S = 15.0
SENT_TIMEOUT_S = 60.0
PASSWORD_VARIABLE = "PLUMVEIL_BROKER_PASSWORD"  # noqa: S105  a variable's name
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Broker:
    """Where commands go. ca_pem: what to trust in place of the system's authorities."""

    url: BrokerUrl
    ca_pem: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.url.host}:{self.url.port}"


def broker(url: str, ca: Path | None, password_file: Path | None) -> Broker:
    """The broker of an mqtt[s]://[user@]host[:port]. UsageError when it would be spoken to in the clear, a password
    stands on the command line, or a file cannot be read."""
    parts = BrokerUrl.parse(url)
    if parts.password is not None:
        raise UsageError(
            "--broker: a password there is seen by everybody on this machine: use --broker-password-file or"
            f" ${PASSWORD_VARIABLE}"
        )
    if not parts.tls and parts.host not in _LOOPBACK:
        raise UsageError("--broker: plain mqtt:// is for this very machine only; use mqtts://")
    ca_pem = None if ca is None else _read(ca)
    password = None
    if parts.user is not None:
        password = passphrase.get(password_file, f"Password of {parts.user} at {parts.host}", PASSWORD_VARIABLE)
    return Broker(parts, ca_pem, password)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"--broker-ca: cannot read {path} as a certificate in PEM") from None


def publish(to: Broker, commands: Sequence[Command]) -> None:
    """Has the broker keep each command for its node, in no order. PlumveilError when it does not take them all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="controller-" + secrets.token_hex(6))
    client.connect_timeout = CONNECT_TIMEOUT_S
    answered = threading.Event()
    refused: list[str] = []

    def connected(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refused.append(str(reason))
        answered.set()

    client.on_connect = connected
    try:
        _prepare(client, to)
        client.connect(to.url.host, to.url.port)
    except (OSError, ValueError) as error:
        raise PlumveilError(f"no connection to the broker at {to.where}: {error}") from None
    client.loop_start()
    try:
        if not answered.wait(CONNECT_TIMEOUT_S) or refused:
            why = refused[0] if refused else "no answer"
            raise PlumveilError(f"the broker at {to.where} did not take the connection: {why}")
        _send(client, to, commands)
    finally:
        client.disconnect()
        client.loop_stop()


def _prepare(client: mqtt.Client, to: Broker) -> None:
    if to.url.user is not None:
        client.username_pw_set(to.url.user, to.password)
    if to.url.tls:
        client.tls_set_context(ssl.create_default_context(cadata=to.ca_pem))


def _send(client: mqtt.Client, to: Broker, commands: Sequence[Command]) -> None:
    # Days of one node that follow one another would tell that they are one's.
    shuffled = list(commands)
    random.SystemRandom().shuffle(shuffled)
    sent = [client.publish(one.topic, one.payload, qos=1, retain=True) for one in shuffled]
    for taken, one in enumerate(sent):
        if not _taken(one):
            raise PlumveilError(f"the broker at {to.where} took {taken} of {len(sent)} messages")


def _taken(sent: mqtt.MQTTMessageInfo) -> bool:
    try:
        sent.wait_for_publish(SENT_TIMEOUT_S)
        return sent.is_published()
    except (RuntimeError, ValueError):
        # The connection went before it was handed over.
        return False
