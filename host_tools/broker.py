"""An MQTT broker for demo and tests, inside this process, and a collector of what nodes publish.

The broker listens on 127.0.0.1 only, with certificates that live as long as it does. Must never return from start
before a client could connect, nor from Collector.start before the subscription is in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import secrets
import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.errors import BrokerError  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.errors import PlumveilError, UsageError
from plumveil import wire

HOST = "127.0.0.1"
CERTIFICATE_DAYS = 7
START_TIMEOUT_S = 15.0
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
TOPIC_FILTER = wire.TOPIC_PREFIX + "#"


@dataclass(frozen=True)
class Message:
    """One MQTT message as it came from the broker."""

    topic: str
    payload: bytes
    qos: int


@dataclass(frozen=True)
class BrokerUrl:
    """The parts of mqtt[s]://[user[:password]@]host[:port]."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str) -> BrokerUrl:
        """Errors: UsageError for anything else."""
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise UsageError("a broker is given as mqtt://host[:port] or mqtts://host[:port]") from error
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise UsageError("a broker is given as mqtt://host[:port] or mqtts://host[:port]")
        return cls(parts.hostname, port, parts.scheme == "mqtts", parts.username, parts.password)


class EmbeddedBroker:
    """Context manager: an MQTT 3.1.1 broker in a thread; with TLS unless `tls` is false.

    host, port, url: where it listens, the same after stop() and start(). ca_der, ca_pem: the certificate to trust;
    None without TLS.
    """

    def __init__(self, tls: bool = True) -> None:
        self.host = HOST
        self.port = _free_port()
        self.url = f"{'mqtts' if tls else 'mqtt'}://{HOST}:{self.port}"
        self.ca_der: bytes | None = None
        self.ca_pem: bytes | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="plumveil-broker-")
        self._listener: dict[str, Any] = {"type": "tcp", "bind": f"{HOST}:{self.port}"}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._broker: Broker | None = None
        if tls:
            self._make_certificates(Path(self._folder.name))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Returns once clients can connect. Errors: PlumveilError when the broker cannot start."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(START_TIMEOUT_S)
        except (BrokerError, TimeoutError) as error:
            self._end_loop()
            raise PlumveilError(f"the embedded broker did not start: {type(error).__name__}") from error

    def stop(self) -> None:
        """Closes every connection and forgets every message; may be called more than once."""
        if self._loop is None or self._broker is None:
            return
        # Past its time the loop ends all the same, and everything in it.
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(START_TIMEOUT_S)
        self._broker = None
        self._end_loop()

    async def _serve(self) -> None:
        # Without the packaged plug-ins: they log packets and publish statistics of their own.
        access = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        self._broker = Broker({"listeners": {"default": dict(self._listener)}, "plugins": access})
        await self._broker.start()

    def _end_loop(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_TIMEOUT_S)
        if not thread.is_alive():
            loop.close()

    def _make_certificates(self, folder: Path) -> None:
        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = _certificate("Plumveil throw-away CA", authority_key.public_key(), authority_key, None)
        certificate = _certificate("localhost", key.public_key(), authority_key, authority)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        self.ca_pem = authority.public_bytes(pem)
        self.ca_der = authority.public_bytes(serialization.Encoding.DER)
        certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
        certificate_file.write_bytes(certificate.public_bytes(pem))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        self._listener |= {"ssl": True, "certfile": str(certificate_file), "keyfile": str(key_file)}


class Collector:
    """Context manager: gathers what a broker gets under pv/1/, with QoS 1.

    url: mqtt:// or mqtts://; ca_pem: what to trust in place of the system's authorities.
    """

    def __init__(self, url: str, ca_pem: bytes | None = None, topic_filter: str = TOPIC_FILTER) -> None:
        self._broker = BrokerUrl.parse(url)
        self._filter = topic_filter
        self._ready = threading.Event()
        self._arrived = threading.Condition()
        self._messages: list[Message] = []
        self._failure = ""
        client_id = "collector-" + secrets.token_hex(6)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.connect_timeout = START_TIMEOUT_S
        if self._broker.user is not None:
            self._client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            context = ssl.create_default_context(cadata=ca_pem.decode() if ca_pem is not None else None)
            self._client.tls_set_context(context)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def messages(self) -> list[Message]:
        """What has come so far, in the order it came; a copy."""
        with self._arrived:
            return list(self._messages)

    def start(self) -> None:
        """Returns once the broker has confirmed the subscription. Errors: PlumveilError when it does not."""
        where = f"{self._broker.host}:{self._broker.port}"
        try:
            self._client.connect(self._broker.host, self._broker.port)
        except (OSError, ValueError) as error:
            raise PlumveilError(f"no connection to the broker at {where}: {error}") from error
        self._client.loop_start()
        in_time = self._ready.wait(START_TIMEOUT_S)
        if not in_time or self._failure:
            self.stop()
            raise PlumveilError(f"the broker at {where}: {self._failure or 'no answer'}")

    def stop(self) -> None:
        """Ends the connection; may be called more than once."""
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, count: int, timeout_s: float = 30.0) -> bool:
        """Waits until `count` messages have come; whether they did in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self._messages) >= count, timeout_s)

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._fail(f"connection refused ({reason})")
        else:
            client.subscribe(self._filter, qos=1)

    def _subscribed(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._fail("subscription refused")
        self._ready.set()

    def _fail(self, why: str) -> None:
        self._failure = why
        self._ready.set()

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._arrived:
            self._messages.append(Message(message.topic, bytes(message.payload), message.qos))
            self._arrived.notify_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _certificate(
    name: str, key: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None
) -> x509.Certificate:
    """A certificate authority (issuer None), or a server's certificate for this very machine."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unused = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=issuer is None, crl_sign=issuer is None, **unused)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer is not None:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signer, hashes.SHA256())
