"""From a pseudonym to the keys behind it: of all nodes, streams and epochs for the controller, of a key table's rows
for a processor.

Secrets are derived when first needed and kept for the life of the object; nothing of them is ever shown.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive, rules
from host_tools.envelope import Envelope
from host_tools.keytable import ProcessorTable, Row, day_consents
from host_tools.limits import ConsentTerms, Limits, NodeRules, compiled
from host_tools.registry import ConsentRecord, Node, Registry
from host_tools.rules import Refused
from plumveil import terms, wire

BLOCK_EPOCHS = 32  # the index grows by so many epochs per node at a time
STREAM_KEYS_MAX = 4096  # streams of an epoch whose keys are kept; all are dropped when there are more
SEALS_MAX = 256  # seal keys kept per such stream
CONSENTS_MAX = 64  # consents tried on a position, those of its day first
# Enc_structure (RFC 9052 section 5.3) up to its protected header: ["Encrypt0", ...
_ENC_OPENING = b"\x83\x68Encrypt0"
_STREAMS = len(wire.STREAMS)
# Cipher, common IV, external additional data encoded, reference of the consent it was made under.
_Seal = tuple[AESCCM, int, bytes, bytes]
_NO_CONSENT = ((b"", b""),)


def _decrypted(seal: _Seal, envelope: Envelope) -> bytes | None:
    ccm, common_iv, external_item, _ = seal
    nonce = (common_iv ^ envelope.partial_iv).to_bytes(wire.NONCE_BYTES, "big")
    try:
        return ccm.decrypt(nonce, envelope.ciphertext, _ENC_OPENING + envelope.protected_item + external_item)
    except InvalidTag:
        return None


class StreamKeys:
    """Keys of one pseudonym: a node's stream in one epoch.

    rules: what its messages are held to; day: the epoch's Unix day, were the node never ahead of the calendar, and
    epoch: its number, None for who may not know it; names: the node's pseudonyms in it, by stream, for who knows them
    without a message of dates; unmask: report's time (Unix s) -> what lies over its values and counts
    (derive.device_mask), and unmask_receipt: receipt -> entry of the node's log, None for who cannot take that off.
    """

    __slots__ = (
        "_consents",
        "_seals",
        "_steps",
        "day",
        "epoch",
        "kid",
        "names",
        "rules",
        "stream",
        "unmask",
        "unmask_receipt",
    )

    def __init__(
        self,
        rules: NodeRules,
        stream: int,
        day: int | None,
        kid: bytes,
        first_step: bytes,
        *,
        consents: Sequence[tuple[bytes, bytes]] = _NO_CONSENT,
        epoch: int | None = None,
        names: Sequence[bytes] | None = None,
        unmask: Callable[[int], derive.DeviceMask] | None = None,
        unmask_receipt: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """consents: for the location stream, (reference, key of this epoch) of each that may be tried."""
        self.rules = rules
        self.stream = stream
        self.day = day
        self.kid = kid
        self.epoch = epoch
        self.names = names
        self.unmask = unmask
        self.unmask_receipt = unmask_receipt
        self._consents = consents
        self._steps = [first_step]
        self._seals: dict[tuple[int, int, bytes], _Seal] = {}

    def open(self, envelope: Envelope) -> bytes:
        """The message's plaintext. Raises Refused (`authenticity`, `consent`) when the seal does not open."""
        at = (envelope.step, envelope.policy_version, envelope.boot_salt)
        seal = self._seals.get(at)
        plaintext = _decrypted(seal, envelope) if seal else None
        return self._search(envelope, at, seal) if plaintext is None else plaintext

    def consent_of(self, envelope: Envelope) -> bytes:
        """Reference of the consent whose key opened a message of the location stream just now."""
        return self._seals[envelope.step, envelope.policy_version, envelope.boot_salt][3]

    def _search(self, envelope: Envelope, at: tuple[int, int, bytes], tried: _Seal | None) -> bytes:
        if not self._consents:
            raise Refused(rules.CONSENT, "ciphertext", "no consent on record that could open it")
        for reference, joined in self._consents:
            if tried is not None and tried[3] == reference:
                continue
            seal = self._seal(at, reference, joined)
            plaintext = _decrypted(seal, envelope)
            if plaintext is not None:
                # Kept only now: a forger can make up salts, but none that opens.
                if at not in self._seals and len(self._seals) >= SEALS_MAX:
                    self._seals.clear()
                self._seals[at] = seal
                return plaintext
        raise Refused(rules.AUTHENTICITY, "ciphertext", "the seal does not open")

    def _seal(self, at: tuple[int, int, bytes], reference: bytes, joined: bytes) -> _Seal:
        step, policy_version, boot_salt = at
        while len(self._steps) <= step:
            self._steps.append(derive.next_step(self._steps[-1]))
        key, common_iv = derive.seal_material(self._steps[step] + joined, boot_salt)
        external = derive.external_aad(self.rules.tenant, self.stream, self.kid, policy_version)
        return AESCCM(key, wire.TAG_BYTES), int.from_bytes(common_iv, "big"), cbor2.dumps(external), reference


class Ring(Protocol):
    """Whatever finds the keys of a pseudonym."""

    def find(self, kid: bytes) -> StreamKeys | None:
        """The keys of the stream whose pseudonym `kid` is; None when it is nobody's here."""


class NodeKeys:
    """All keys of one node, for who holds its secrets."""

    __slots__ = ("_chain", "_names", "_node", "_rules")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._rules = NodeRules(node.name, node.tenant, compiled(node.policies))
        self._names = derive.Chain(bytes.fromhex(node.k_id))
        self._chain = derive.Chain(bytes.fromhex(node.k_chain))

    @property
    def epoch0_day(self) -> int:
        """Unix day of its first epoch."""
        return self._node.epoch0_day

    def pseudonyms(self, epoch: int) -> list[bytes]:
        """Its pseudonyms in an epoch (>= 0), by stream."""
        secret = self._names.at(epoch)
        return [derive.pseudonym(secret, self._node.tenant, stream) for stream in range(_STREAMS)]

    def stream_keys(self, epoch: int, stream: int) -> StreamKeys:
        """Keys of one stream in an epoch (>= 0)."""
        tenant, day = self._node.tenant, self._node.epoch0_day + epoch
        id_secret = self._names.at(epoch)
        kid = derive.pseudonym(id_secret, tenant, stream)
        first_step = derive.stream_secret(self._chain.at(epoch), stream)
        if stream == wire.LOCATION:
            tried = day_consents(self._node, epoch, id_secret, self._nearest(day))
            known = {one.reference: _terms(one.record) for one in tried}
            consents = [(one.reference, one.key) for one in tried]
            return StreamKeys(self._rules.under(known), stream, day, kid, first_step, consents=consents, epoch=epoch)
        if stream == wire.DEVICE:
            # No partial: its repr would show the secret.
            unmask = lambda t_s: derive.device_mask(id_secret, tenant, t_s)  # noqa: E731
            return StreamKeys(self._rules, stream, day, kid, first_step, epoch=epoch, unmask=unmask)
        if stream == wire.EVENTS:
            own = self._rules.under(self._references(id_secret, day))
            entry_of = lambda receipt: _entry(id_secret, tenant, receipt)  # noqa: E731
            return StreamKeys(own, stream, day, kid, first_step, epoch=epoch, unmask_receipt=entry_of)
        if stream == wire.DATES:
            names = self.pseudonyms(epoch)
            return StreamKeys(self._rules, stream, day, kid, first_step, epoch=epoch, names=names)
        return StreamKeys(self._rules, stream, day, kid, first_step, epoch=epoch)

    def _references(self, id_secret: bytes, day: int) -> dict[bytes, ConsentTerms]:
        """What stands for consents in the statements of an epoch."""
        return {
            derive.consent_reference(id_secret, self._node.tenant, consent.serial): _terms(consent)
            for consent in self._nearest(day)
        }

    def _nearest(self, day: int) -> list[ConsentRecord]:
        """Consents in force on a day, then the nearest others: a node may run ahead, or overstep its consent."""

        def days_off(consent: ConsentRecord) -> int:
            after = day - (consent.expires_s - 1) // wire.EPOCH_S
            return max(0, after, consent.starts_s // wire.EPOCH_S - day)

        return sorted(self._node.consents, key=days_off)[:CONSENTS_MAX]


def _terms(consent: ConsentRecord) -> ConsentTerms:
    return ConsentTerms(consent.serial, consent.tier, consent.starts_s, consent.expires_s, consent.receipted)


def _entry(id_secret: bytes, tenant: str, receipt: bytes) -> bytes:
    """An entry of the node's log, of a receipt: its salt, then the entry under its mask."""
    salt, masked = receipt[: terms.RECEIPT_SALT_BYTES], receipt[terms.RECEIPT_SALT_BYTES :]
    mask = derive.receipt_mask(id_secret, tenant, salt, len(masked))
    return bytes(a ^ b for a, b in zip(masked, mask, strict=True))


class KeyRing:
    """The controller's: any pseudonym of its nodes from epoch 0 up to the day after `now_s` (Unix s; None: now), and
    of nodes that run ahead of the calendar. A node that was given new secrets may be among them once for each."""

    def __init__(self, nodes: Registry | Iterable[Node], now_s: int | None = None) -> None:
        self._nodes = [NodeKeys(node) for node in (nodes.nodes if isinstance(nodes, Registry) else nodes)]
        now_s = int(time.time()) if now_s is None else now_s
        self._last_day = min(now_s, wire.UNIX_MAX_S) // wire.EPOCH_S + 1
        self._looked_ahead = False
        # kid -> (node * epochs + epoch) * streams + stream, as one integer: a year of 200 nodes are 292,000 of them.
        self._index: dict[bytes, int] = {}
        self._indexed = [0] * len(self._nodes)
        self._span = max((self._epochs(node) for node in self._nodes), default=0) + wire.EPOCHS_AHEAD_MAX + 1
        self._complete = not self._nodes
        self._keys: dict[bytes, StreamKeys] = {}

    def find(self, kid: bytes) -> StreamKeys | None:
        """The stream whose pseudonym `kid` is, or None when no node here ever has it."""
        keys = self._keys.get(kid)
        if keys is not None:
            return keys
        while kid not in self._index:
            if not self._complete:
                self._grow()
            elif self._nodes and not self._looked_ahead:
                # Nobody's up to today: perhaps that of a node whose clock burned epochs.
                self._looked_ahead = True
                self._last_day += wire.EPOCHS_AHEAD_MAX
                self._complete = False
            else:
                return None
        place, stream = divmod(self._index[kid], _STREAMS)
        number, epoch = divmod(place, self._span)
        if len(self._keys) >= STREAM_KEYS_MAX:
            self._keys.clear()
        self._keys[kid] = keys = self._nodes[number].stream_keys(epoch, stream)
        return keys

    def _epochs(self, node: NodeKeys) -> int:
        return max(0, self._last_day - node.epoch0_day + 1)

    def _grow(self) -> None:
        """One more block of epochs of every node."""
        self._complete = True
        for number, node in enumerate(self._nodes):
            done, epochs = self._indexed[number], self._epochs(node)
            last = min(epochs, done + BLOCK_EPOCHS)
            for epoch in range(done, last):
                place = (number * self._span + epoch) * _STREAMS
                for stream, kid in enumerate(node.pseudonyms(epoch)):
                    self._index[kid] = place + stream
            self._indexed[number] = max(done, last)
            self._complete = self._complete and self._indexed[number] >= epochs


class TableRing:
    """A processor's: the pseudonyms of a key table, and nothing about whose they are."""

    def __init__(self, table: ProcessorTable) -> None:
        self._tenant = table.tenant
        self._limits = [(policy.version, Limits(policy)) for policy in table.policies]
        self._rows = {bytes.fromhex(row.kid): row for row in table.rows}
        self._keys: dict[bytes, StreamKeys] = {}

    def find(self, kid: bytes) -> StreamKeys | None:
        """The stream whose pseudonym `kid` is, or None when it is not in the table."""
        keys = self._keys.get(kid)
        if keys is not None:
            return keys
        row = self._rows.get(kid)
        if row is None:
            return None
        if len(self._keys) >= STREAM_KEYS_MAX:
            self._keys.clear()
        self._keys[kid] = keys = self._stream_keys(kid, row)
        return keys

    def _stream_keys(self, kid: bytes, row: Row) -> StreamKeys:
        policies = dict(self._limits[number] for number in row.policies)
        known = {
            bytes.fromhex(one.reference): ConsentTerms(None, one.tier, one.starts_s, one.expires_s, one.receipted)
            for one in row.consents
        }
        own = NodeRules(None, self._tenant, policies, known)
        consents: Sequence[tuple[bytes, bytes]] = _NO_CONSENT
        if row.stream == wire.LOCATION:
            consents = [(bytes.fromhex(one.reference), bytes.fromhex(one.key)) for one in row.consents]
        return StreamKeys(own, row.stream, row.day, kid, bytes.fromhex(row.secret), consents=consents)
