"""What somebody tries who has some of a tenant's secrets and all that its nodes send: opens, names, links."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive
from host_tools import reference_encoder as encoder
from host_tools.envelope import Envelope, parse
from plumveil import wire
from tests.host import keystores
from tests.host.keystores import DAY, NAMES, TENANT, secret

EPOCHS = 40  # further than any key here is from the day it serves


STEP = 3


STREAMS = range(len(wire.STREAMS))


DAYS = (DAY - 1, DAY, DAY + 1)


@dataclass(frozen=True)
class Sent:
    """A message, and what the attacker is not told: whose, when."""

    name: str
    stream: int
    day: int
    data: bytes

    @property
    def envelope(self) -> Envelope:
        return parse(self.data)


def sender(name: str, stream: int, day: int) -> encoder.Sender:
    keys = keystores.key_set(name)
    return encoder.Sender(
        keys.k_id,
        keys.k_chain,
        TENANT,
        stream,
        day - keys.epoch0_day,
        bytes(range(16)),
        secret(name, "consent 77"),
    )


def body(own: encoder.Sender, stream: int, day: int) -> dict[int, Any]:
    t_s = day * wire.EPOCH_S + STEP * wire.STEP_S
    if stream == wire.READINGS:
        columns = encoder.columns([([40, 41], -550, 1250)])
        return {
            wire.K_TIME: t_s,
            wire.K_INTERVAL: 300,
            wire.K_COUNT: 2,
            wire.K_FIELDS: [wire.F_TEMPERATURE],
            wire.K_COLUMNS: columns,
        }
    if stream == wire.LOCATION:
        return {wire.K_TIME: t_s, wire.K_CELL: [3, 15000, 1200], wire.K_CONSENT: own.consent_reference(77)}
    if stream == wire.DEVICE:
        return {wire.K_TIME: t_s, wire.K_HEALTH: {wire.F_UPTIME: 3}}
    return {wire.K_TIME: t_s, wire.K_EVENT: wire.E_SHOCK, wire.K_ARGUMENT: 20}


def messages() -> list[Sent]:
    sent = []
    for name, stream, day in itertools.product(NAMES, STREAMS, DAYS):
        own = sender(name, stream, day)
        sent.append(Sent(name, stream, day, own.seal(STEP, 1, 0, encoder.plaintext(body(own, stream, day)))))
    return sent


MESSAGES = messages()


def chain(start: bytes, length: int) -> Iterator[bytes]:
    """What follows from a secret by the step from one epoch to the next."""
    for _ in range(length):
        yield start
        start = derive.next_secret(start)


def stepped(start: bytes, steps: int) -> bytes:
    for _ in range(steps):
        start = derive.next_step(start)
    return start


def opens(key: bytes, consent: bytes, sent: Sent) -> bool:
    """Whether S[e, stream, step], with what joins it, is the secret of this message."""
    envelope = sent.envelope
    seal_key, common_iv = derive.seal_material(key + consent, envelope.boot_salt)
    nonce = int.from_bytes(common_iv, "big") ^ envelope.partial_iv
    external = derive.external_aad(TENANT, sent.stream, envelope.kid, envelope.policy_version)
    protected = derive.enc_structure(cbor2.loads(envelope.protected_item), external)
    try:
        AESCCM(seal_key, 16).decrypt(nonce.to_bytes(wire.NONCE_BYTES, "big"), envelope.ciphertext, protected)
    except InvalidTag:
        return False
    return True


def opened_by(secrets: Iterable[bytes], sent: Iterable[Sent]) -> set[tuple[str, int, int]]:
    """What can be opened by who has `secrets` and tries each as chain, stream and step secret and as consent's."""
    secrets = list(secrets)
    consents = [key for one in secrets for key in (one, *(derive.consent_key(one, epoch) for epoch in range(18, 23)))]
    steps: dict[int, list[bytes]] = {stream: [] for stream in STREAMS}
    for one, stream in itertools.product(secrets, STREAMS):
        from_chain = [derive.stream_secret(link, stream) for link in chain(one, EPOCHS)]
        steps[stream] = [*steps[stream], one, stepped(one, STEP), *(stepped(key, STEP) for key in from_chain)]
    found = set()
    for message in sent:
        joined = consents if message.stream == wire.LOCATION else [b""]
        keys = steps[message.stream]
        if any(opens(key, consent, message) for key in keys for consent in joined):
            found.add((message.name, message.stream, message.day))
    return found


def resolved_by(secrets: Iterable[bytes], sent: Iterable[Sent]) -> set[tuple[str, int, int]]:
    """Messages whose pseudonym follows from a secret: their senders are linked by it."""
    kids = {message.envelope.kid: message for message in sent}
    found = set()
    for one, stream in itertools.product(secrets, STREAMS):
        for link in chain(one, EPOCHS):
            message = kids.get(derive.pseudonym(link, TENANT, stream))
            if message is not None:
                found.add((message.name, message.stream, message.day))
    return found


def places(sent: Iterable[Sent]) -> set[tuple[str, int, int]]:
    return {(message.name, message.stream, message.day) for message in sent}


def follow(start: bytes) -> Iterator[bytes]:
    """Whatever the key schedule makes of a secret, and its HMACs as the schedule makes names."""
    for link in chain(start, EPOCHS):
        yield link
        for stream in STREAMS:
            yield derive.stream_secret(link, stream)
            yield derive.pseudonym(link, TENANT, stream)
        yield derive.consent_reference(link, TENANT, 77)
    step = start
    for _ in range(48):
        step = derive.next_step(step)
        yield step
    for epoch in range(EPOCHS):
        yield derive.consent_key(start, epoch)
