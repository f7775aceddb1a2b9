"""All secrets of a node over its days, and the search for any part of one of them in any of its usual spellings."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from host_tools import derive
from host_tools.envelope import Envelope
from host_tools.registry import Node
from plumveil import wire

PART_BYTES = 8
WIFI_KEY = "5f9d37c1ab24e8067d1c9be3"
HELD = "_keys _packer _pseudonyms _consent _minimiser _alarms _store _held"  # what a pipeline is made of
STEPS = wire.EPOCH_S // wire.STEP_S


def of_node(node: Node, epochs: int, envelopes: Iterable[tuple[int, int, Envelope]] = ()) -> dict[str, bytes]:
    """{what it is: secret} of a node's registry record, with every C, D, S and K of its epochs; and the key and
    common IV of each message given as (epoch, stream, envelope)."""
    consent = bytes.fromhex(node.consents[0].secret)
    found = {"k_config": bytes.fromhex(node.k_config), "consent": consent}
    found["k_consent"] = bytes.fromhex(node.k_consent)
    chain, names = derive.Chain(bytes.fromhex(node.k_chain)), derive.Chain(bytes.fromhex(node.k_id))
    for epoch in range(epochs + 1):
        found |= {f"C[{epoch}]": chain.at(epoch), f"D[{epoch}]": names.at(epoch)}
        found[f"K[{epoch}]"] = derive.consent_key(consent, epoch)
        for stream in range(len(wire.STREAMS)):
            secret = derive.stream_secret(chain.at(epoch), stream)
            for step in range(STEPS):
                found[f"S[{epoch},{stream},{step}]"] = secret
                secret = derive.next_step(secret)
    for epoch, stream, envelope in envelopes:
        secret = found[f"S[{epoch},{stream},{envelope.step}]"]
        secret += found[f"K[{epoch}]"] if stream == wire.LOCATION else b""
        at = f"[{epoch},{stream},{envelope.step}]"
        found[f"seal{at}"], found[f"iv{at}"] = derive.seal_material(secret, envelope.boot_salt)
    return found


def spellings(secret: bytes) -> set[bytes]:
    """Each eight bytes of a secret: raw, in hexadecimal, base64, as Python shows bytes and lists, and backwards."""
    found: set[bytes] = set()
    for start in range(0, len(secret) - PART_BYTES + 1, PART_BYTES):
        for part in (secret[start : start + PART_BYTES], secret[start : start + PART_BYTES][::-1]):
            texts = [part.hex(), part.hex().upper(), part.hex(":"), part.hex(" "), repr(part)[2:-1]]
            texts += [", ".join(map(str, part)), "".join(f"\\x{byte:02x}" for byte in part)]
            texts += [_base64(part, lead) for lead in range(3)]
            found |= {part, *(text.encode() for text in texts), *(text[::-1].encode() for text in texts)}
    return found


def _base64(part: bytes, lead: int) -> str:
    """What is sure of a text that holds a part after `lead` other bytes: letters that no neighbour has a bit in."""
    text = base64.b64encode(bytes(lead) + part).decode()
    return text[-(-8 * lead // 6) : 8 * (lead + len(part)) // 6]


def seen(secrets: dict[str, bytes], pieces: Iterable[bytes]) -> set[str]:
    """What of the secrets stands in the pieces; searched joined as well, since things are written in parts."""
    pieces = list(pieces)
    everything = b"\x00".join(pieces) + b"\x00" + b"".join(pieces)
    beginnings = {everything[at : at + PART_BYTES] for at in range(len(everything))}

    def shows(form: bytes) -> bool:
        return form[:PART_BYTES] in beginnings and form in everything

    return {name for name, secret in secrets.items() if any(map(shows, spellings(secret)))}
