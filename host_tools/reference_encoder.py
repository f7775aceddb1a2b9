"""The wire format's encoder as plainly as it can be written: for the examples in docs/wire-format.md and for tests.

It favours reading over speed (bits are characters here). Nodes have their own encoder; both must give the same bytes.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive
from plumveil import terms, wire

Values = Sequence[int | None]


def binary(value: int, width: int) -> str:
    """`value` in `width` binary digits; none at all for width 0."""
    return format(value, f"0{width}b") if width else ""


def zigzag(difference: int) -> int:
    """0, -1, 1, -2 ... -> 0, 1, 2, 3 ..."""
    return 2 * difference if difference >= 0 else -2 * difference - 1


def rice(u: int, k: int, escape_bits: int) -> str:
    """One difference, zigzagged."""
    quotient = u >> k
    if quotient >= wire.RICE_ESCAPE:
        return "1" * wire.RICE_ESCAPE + binary(u, escape_bits)
    return "1" * quotient + "0" + binary(u & ((1 << k) - 1), k)


def rice_parameter(codes: Sequence[int]) -> int:
    """The k nodes choose, from the sum of the zigzagged differences alone: a decoder takes any.

    Twice the expected bits of n codes under k: 2nk, and what is left of the doubled sum when the k low bits of each
    are taken as half their range.
    """
    twice = 2 * sum(codes)
    best, best_bits = 0, twice
    for k in range(1, wire.RICE_K_MAX + 1):
        bits = 2 * len(codes) * k + max(0, (twice - len(codes) * ((1 << k) - 1)) >> k)
        if bits >= best_bits:
            break
        best, best_bits = k, bits
    return best


def column_parts(values: Values, low: int, high: int, k: int | None = None) -> list[tuple[str, str]]:
    """One column as (bits, what they say) parts. k: a Rice parameter to use in place of a node's."""
    present = [value for value in values if value is not None]
    parts = [("0", "no value is missing")]
    if len(present) < len(values):
        mask = "".join("0" if value is None else "1" for value in values)
        parts = [("1", "some values are missing"), (mask, "which are there")]
    if not present:
        return parts
    escape_bits = (2 * (high - low)).bit_length()
    codes = [zigzag(after - before) for before, after in pairwise(present)]
    if k is None:
        k = rice_parameter(codes) if any(codes) else wire.RICE_CONSTANT
    meaning = "constant" if k == wire.RICE_CONSTANT else f"k = {k}"
    parts.append((binary(k, 4), meaning))
    parts.append((binary(present[0] - low, (high - low).bit_length()), f"first value {present[0]}"))
    if k != wire.RICE_CONSTANT:
        for value, u in zip(present[1:], codes, strict=True):
            parts.append((rice(u, k, escape_bits), f"u = {u}: {value}"))
    return parts


def pack_bits(bits: str) -> bytes:
    """Bits to bytes, most significant first, zeros filling the last."""
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def columns(batch: Sequence[tuple[Values, int, int]]) -> bytes:
    """[(values, lowest, highest of the field)] in ascending order of field ids -> K_COLUMNS."""
    return pack_bits("".join(bits for column in batch for bits, _ in column_parts(*column)))


def plaintext(body: dict[int, Any]) -> bytes:
    """Deterministic CBOR of `body`, padded so that with its tag it fills whole blocks."""
    plain = cbor2.dumps(body, canonical=True)
    for pad_bytes in range(2 * wire.PAD_BLOCK_BYTES):
        if (len(plain) + wire.TAG_BYTES) % wire.PAD_BLOCK_BYTES == 0:
            break
        plain = cbor2.dumps({**body, wire.K_PAD: bytes(pad_bytes)}, canonical=True)
    return plain


def counts(drops: dict[int, int]) -> list[int]:
    """{rule: count} -> K_DROPS."""
    return [drops.get(rule, 0) for rule in wire.RULES_SENT]


def log_entry(number: int, before: bytes, kind: int, t_s: int | None, details: Any) -> bytes:
    """An entry of the node's log (terms.LOG_*). before: the hash of the entry before it, 32 zero bytes for the
    first."""
    return cbor2.dumps([number, before, kind, t_s, details], canonical=True)


def mac0(key: bytes, payload: dict[int, Any]) -> bytes:
    """A grant: the tagged COSE_Mac0 around a payload of terms.G_* (RFC 9052 sections 6.2 and 6.3)."""
    protected = cbor2.dumps({wire.COSE_HDR_ALG: terms.COSE_ALG_HMAC_256})
    encoded = cbor2.dumps(payload, canonical=True)
    tag = hmac.digest(key, cbor2.dumps(["MAC0", protected, b"", encoded]), "sha256")
    return cbor2.dumps(cbor2.CBORTag(terms.COSE_TAG_MAC0, [protected, {}, encoded, tag]))


def command(key: bytes, tenant: str, iv: bytes, kind: int, number: int) -> bytes:
    """A command of the controller's: terms.DOWN_*. key: of the epoch; iv: wire.NONCE_BYTES random ones."""
    header = {wire.COSE_HDR_ALG: wire.COSE_ALG_AES_CCM_16_128_256, terms.COSE_HDR_IV: iv}
    protected = cbor2.dumps(header, canonical=True)
    bound = derive.enc_structure(protected, derive.label(terms.L_DOWN, tenant))
    sealed = AESCCM(key, wire.TAG_BYTES).encrypt(iv, cbor2.dumps([kind, number]), bound)
    return envelope(protected, sealed)


@dataclass(frozen=True)
class Sender:
    """A node's stream in one epoch and boot, as its keys see it. consent_secret: for the location stream alone."""

    k_id: bytes = field(repr=False)
    k_chain: bytes = field(repr=False)
    tenant: str
    stream: int
    epoch: int
    boot_salt: bytes
    consent_secret: bytes = field(default=b"", repr=False)

    @property
    def _id_secret(self) -> bytes:
        return derive.Chain(self.k_id).at(self.epoch)

    @property
    def kid(self) -> bytes:
        """The stream's pseudonym in this epoch."""
        return derive.pseudonym(self._id_secret, self.tenant, self.stream)

    def consent_reference(self, serial: int) -> bytes:
        """What stands for a consent's serial in this epoch's positions."""
        return derive.consent_reference(self._id_secret, self.tenant, serial)

    def receipt(self, entry: bytes, salt: bytes) -> bytes:
        """K_RECEIPT of an entry of the node's log; salt: of terms.RECEIPT_SALT_BYTES, another for each."""
        mask = derive.receipt_mask(self._id_secret, self.tenant, salt, len(entry))
        return salt + bytes(a ^ b for a, b in zip(entry, mask, strict=True))

    def masked(self, t_s: int, values: dict[int, int]) -> dict[int, int]:
        """Health {field id: value} of time t_s (Unix s) as it is sent under a policy that masks it."""
        offsets = derive.health_mask(self._id_secret, self.tenant, t_s)
        limits = {row[0]: (row[4], row[5]) for row in wire.FIELDS}
        out = {}
        for name, value in values.items():
            low, high = limits[name]
            out[name] = low + (value - low + offsets[name]) % (high - low + 1)
        return out

    def masked_drops(self, t_s: int, drops: dict[int, int]) -> list[int]:
        """K_DROPS of time t_s (Unix s), of {rule: count}, as it is sent under a policy that masks health."""
        offsets = derive.drops_mask(self._id_secret, self.tenant, t_s)
        return [(n + offset) % (wire.DROPS_MAX + 1) for n, offset in zip(counts(drops), offsets, strict=True)]

    def protected(self, step: int, policy_version: int, partial_iv: int) -> dict[int, Any]:
        """The protected header."""
        return {
            wire.COSE_HDR_ALG: wire.COSE_ALG_AES_CCM_16_128_256,
            wire.COSE_HDR_KID: self.kid,
            wire.COSE_HDR_PARTIAL_IV: partial_iv.to_bytes(max(1, (partial_iv.bit_length() + 7) // 8), "big"),
            wire.HDR_PLUMVEIL: [wire.WIRE_VERSION, step, policy_version, self.boot_salt],
        }

    def encrypt(self, protected: bytes, plain: bytes) -> bytes:
        """Ciphertext and tag of `plain` under an encoded protected header."""
        header = cbor2.loads(protected)
        _, step, policy_version, _ = header[wire.HDR_PLUMVEIL]
        secret = derive.stream_secret(derive.Chain(self.k_chain).at(self.epoch), self.stream)
        for _ in range(step):
            secret = derive.next_step(secret)
        if self.stream == wire.LOCATION:
            secret += derive.consent_key(self.consent_secret, self.epoch)
        key, common_iv = derive.seal_material(secret, self.boot_salt)
        external = derive.external_aad(self.tenant, self.stream, self.kid, policy_version)
        nonce = derive.nonce(common_iv, header[wire.COSE_HDR_PARTIAL_IV])
        return AESCCM(key, wire.TAG_BYTES).encrypt(nonce, plain, derive.enc_structure(protected, external))

    def seal(self, step: int, policy_version: int, partial_iv: int, plain: bytes) -> bytes:
        """The message."""
        protected = cbor2.dumps(self.protected(step, policy_version, partial_iv), canonical=True)
        return envelope(protected, self.encrypt(protected, plain))


def envelope(protected: bytes, ciphertext: bytes) -> bytes:
    """The tagged COSE_Encrypt0 around encoded headers and ciphertext."""
    return cbor2.dumps(cbor2.CBORTag(wire.COSE_TAG_ENCRYPT0, [protected, {}, ciphertext]), canonical=True)
