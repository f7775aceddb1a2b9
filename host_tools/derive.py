"""The key hierarchy of docs/wire-format.md, derived with `cryptography`: chains, stream keys, seal keys, pseudonyms,
the keys of consents, and the masks over device reports and receipts.

Independent of the firmware's derivation; the two share labels and lengths only. Must never print or log a secret.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cbor2
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from plumveil import terms, wire


def label(*parts: str | int) -> bytes:
    """A derivation label: always a CBOR array, never joined strings."""
    return cbor2.dumps(list(parts))


def hkdf(secret: bytes, info: bytes, salt: bytes = b"", length_bytes: int = wire.KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869), extract and expand; an empty salt counts as absent (section 2.2)."""
    return HKDF(SHA256(), length_bytes, salt, info).derive(secret)


HOST_NAME_BYTES = 6
# Field -> its limits, in the order of wire.FIELDS: a field's place says which bytes of the mask are its own.
_DEVICE_FIELDS = {row[0]: (row[4], row[5]) for row in wire.FIELDS if row[2] == wire.DEVICE}
_NEXT = label(wire.L_NEXT)
_STEP = label(wire.L_STEP)
_SEAL = label(wire.L_SEAL, wire.COSE_ALG_AES_CCM_16_128_256)


def next_secret(secret: bytes) -> bytes:
    """C[e] -> C[e+1], and D[e] -> D[e+1]."""
    return hkdf(secret, _NEXT)


def stream_secret(chain_secret: bytes, stream: int) -> bytes:
    """C[e] -> S[e, stream, 0]."""
    return hkdf(chain_secret, label(wire.L_STREAM, stream))


def next_step(secret: bytes) -> bytes:
    """S[e, stream, i] -> S[e, stream, i+1]."""
    return hkdf(secret, _STEP)


def consent_key(consent_secret: bytes, epoch: int) -> bytes:
    """A consent's secret -> its 32-byte key of one epoch, which joins the location stream's secrets.

    One for each epoch: from one of them no other follows, nor the secret.
    """
    return hkdf(consent_secret, label(wire.L_CONSENT, epoch))


def grant_key(k_consent: bytes, caveats: Sequence[int | str] | None = None) -> bytes:
    """K_consent -> the key of the controller's grants; with `caveats` (D_*, in their order) that of a delegate's.

    From a delegate's key neither K_consent follows, nor the key of other caveats.
    """
    if caveats is None:
        return _hmac(k_consent, label(terms.L_GRANT))
    return _hmac(k_consent, cbor2.dumps([terms.L_DELEGATION, list(caveats)], canonical=True))


def grant_node(k_consent: bytes, tenant: str) -> bytes:
    """K_consent -> the 8 bytes that name the node in its grants."""
    return _hmac(k_consent, label(terms.L_NODE, tenant))[: wire.PSEUDONYM_BYTES]


def command_key(k_consent: bytes, epoch: int) -> bytes:
    """K_consent -> the 32-byte key of the controller's commands of one epoch."""
    return hkdf(k_consent, label(terms.L_DOWN, epoch))


def receipt_mask(id_secret: bytes, tenant: str, salt: bytes, length_bytes: int) -> bytes:
    """D[e] -> what an entry of the node's log is xored with in the receipt of that salt."""
    return hkdf(id_secret, label(terms.L_RECEIPT, tenant), salt, length_bytes)


def seal_material(step_secret: bytes, boot_salt: bytes) -> tuple[bytes, bytes]:
    """S[e, stream, i] and the boot's salt -> (32-byte seal key, 13-byte common IV).

    For the location stream the secret is S[e, stream, i] followed by `consent_key`.
    """
    material = hkdf(step_secret, _SEAL, boot_salt, wire.KEY_BYTES + wire.NONCE_BYTES)
    return material[: wire.KEY_BYTES], material[wire.KEY_BYTES :]


def _hmac(key: bytes, message: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(message)
    return mac.finalize()


def pseudonym(id_secret: bytes, tenant: str, stream: int) -> bytes:
    """D[e] -> the 8-byte pseudonym of one stream in that epoch; it is the messages' key id."""
    return _hmac(id_secret, label(wire.L_ID, tenant, stream))[: wire.PSEUDONYM_BYTES]


def session_id(id_secret: bytes, tenant: str) -> str:
    """D[e] -> MQTT client id of that epoch, lower-case hex."""
    return _hmac(id_secret, label(wire.L_SESSION, tenant))[: wire.PSEUDONYM_BYTES].hex()


def host_name(id_secret: bytes, tenant: str) -> str:
    """D[e] -> the node's DHCP host name of that epoch, 12 lower-case hex digits."""
    return _hmac(id_secret, label(wire.L_HOST, tenant))[:HOST_NAME_BYTES].hex()


def consent_reference(id_secret: bytes, tenant: str, serial: int) -> bytes:
    """D[e] -> the 8 bytes that stand for a consent's serial in that epoch's positions."""
    return _hmac(id_secret, label(wire.L_CONSENT, tenant, serial))[: wire.CONSENT_REF_BYTES]


def health_mask(id_secret: bytes, tenant: str, t_s: int) -> dict[int, int]:
    """D[e] -> {device field id: what is added to its value in the report of time t_s (Unix s), to be taken modulo the
    field's range}."""
    mask = _hmac(id_secret, label(wire.L_HEALTH, tenant, t_s))
    return {field: int.from_bytes(mask[4 * n : 4 * n + 4], "big") for n, field in enumerate(_DEVICE_FIELDS)}


def drops_mask(id_secret: bytes, tenant: str, t_s: int) -> list[int]:
    """D[e] -> what is added to each count of the report of time t_s (Unix s), in the order of wire.RULES_SENT, to be
    taken modulo wire.DROPS_MAX + 1."""
    mask = _hmac(id_secret, label(wire.L_DROPS, tenant, t_s))
    return [int.from_bytes(mask[2 * n : 2 * n + 2], "big") for n in range(len(wire.RULES_SENT))]


class DeviceMask(NamedTuple):
    """What lies over one device report: `health_mask` and `drops_mask`, and how each is taken off."""

    health: dict[int, int]
    drops: list[int]

    def value_of(self, field: int, sent: int) -> int:
        """The value of a device field, of what was sent within the field's limits."""
        low, high = _DEVICE_FIELDS[field]
        return low + (sent - low - self.health[field]) % (high - low + 1)

    def count_of(self, place: int, sent: int) -> int:
        """The count of the rule at `place` in wire.RULES_SENT, of what was sent."""
        return (sent - self.drops[place]) % (wire.DROPS_MAX + 1)


def device_mask(id_secret: bytes, tenant: str, t_s: int) -> DeviceMask:
    """D[e] -> the mask over the device report of time t_s (Unix s)."""
    return DeviceMask(health_mask(id_secret, tenant, t_s), drops_mask(id_secret, tenant, t_s))


def external_aad(tenant: str, stream: int, kid: bytes, policy_version: int) -> bytes:
    """What the seal binds besides the protected header (RFC 9052 section 4.3)."""
    return cbor2.dumps([wire.WIRE_VERSION, tenant, stream, kid, policy_version])


def enc_structure(protected: bytes, external: bytes) -> bytes:
    """The AEAD's additional data, Enc_structure of COSE_Encrypt0 (RFC 9052 section 5.3)."""
    return cbor2.dumps(["Encrypt0", protected, external])


def nonce(common_iv: bytes, partial_iv: bytes) -> bytes:
    """Common IV xor the partial IV, left-padded with zeros (RFC 9052 section 3.1)."""
    mixed = int.from_bytes(common_iv, "big") ^ int.from_bytes(partial_iv, "big")
    return mixed.to_bytes(wire.NONCE_BYTES, "big")


class Chain:
    """One secret per epoch, ratcheted forward as far as it is asked for and kept."""

    def __init__(self, first: bytes) -> None:
        self._secrets = [first]

    def at(self, epoch: int) -> bytes:
        """The chain's secret of `epoch` (>= 0)."""
        while len(self._secrets) <= epoch:
            self._secrets.append(next_secret(self._secrets[-1]))
        return self._secrets[epoch]
