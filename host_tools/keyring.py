"""From a pseudonym to the keys behind it: the controller's index over all nodes, streams and epochs so far.

Secrets are derived when first needed and kept for the life of the object; nothing of them is ever shown.
"""

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools import derive, rules
from host_tools.envelope import Envelope
from host_tools.limits import NodeRules
from host_tools.registry import Node, Registry
from host_tools.rules import Refused
from plumveil import wire

BLOCK_EPOCHS = 32  # the index grows by so many epochs per node at a time
STREAM_KEYS_MAX = 4096  # streams of an epoch whose keys are kept; all are dropped when there are more
SEALS_MAX = 256  # seal keys kept per such stream
# Enc_structure (RFC 9052 section 5.3) up to its protected header: ["Encrypt0", ...
_ENC_OPENING = b"\x83\x68Encrypt0"
_STREAMS = len(wire.STREAMS)


class StreamKeys:
    """Keys of one node's stream in one epoch."""

    __slots__ = ("_seals", "_steps", "epoch", "kid", "node", "stream")

    def __init__(self, node: NodeRules, epoch: int, stream: int, kid: bytes, first_step: bytes) -> None:
        self.node = node
        self.epoch = epoch
        self.stream = stream
        self.kid = kid
        self._steps = [first_step]
        self._seals: dict[tuple[int, int, bytes], tuple[AESCCM, int, bytes]] = {}

    def open(self, envelope: Envelope) -> bytes:
        """The message's plaintext. Raises Refused (`authenticity`) when the seal does not open."""
        at = (envelope.step, envelope.policy_version, envelope.boot_salt)
        seal = self._seals.get(at) or self._seal(*at)
        ccm, common_iv, external_item = seal
        nonce = (common_iv ^ envelope.partial_iv).to_bytes(wire.NONCE_BYTES, "big")
        additional = _ENC_OPENING + envelope.protected_item + external_item
        try:
            plaintext = ccm.decrypt(nonce, envelope.ciphertext, additional)
        except InvalidTag:
            raise Refused(rules.AUTHENTICITY, "ciphertext", "the seal does not open") from None
        # Kept only now: a forger can make up salts, but none that opens.
        if at not in self._seals:
            if len(self._seals) >= SEALS_MAX:
                self._seals.clear()
            self._seals[at] = seal
        return plaintext

    def _seal(self, step: int, policy_version: int, boot_salt: bytes) -> tuple[AESCCM, int, bytes]:
        while len(self._steps) <= step:
            self._steps.append(derive.next_step(self._steps[-1]))
        key, common_iv = derive.seal_material(self._steps[step], boot_salt)
        external = derive.external_aad(self.node.tenant, self.stream, self.kid, policy_version)
        return AESCCM(key, wire.TAG_BYTES), int.from_bytes(common_iv, "big"), cbor2.dumps(external)


class _NodeIndex:
    """One node's chains, and how far its pseudonyms are in the index."""

    __slots__ = ("chain", "indexed", "names", "rules")

    def __init__(self, node: Node) -> None:
        self.rules = NodeRules(node)
        self.names = derive.Chain(bytes.fromhex(node.k_id))
        self.chain = derive.Chain(bytes.fromhex(node.k_chain))
        self.indexed = 0


class KeyRing:
    """Finds the keys of any pseudonym from epoch 0 of its node up to the day after `now_s` (Unix s)."""

    def __init__(self, registry: Registry, now_s: int) -> None:
        self._nodes = [_NodeIndex(node) for node in registry.nodes]
        self._last_day = min(now_s, wire.UNIX_MAX_S) // wire.EPOCH_S + 1
        # kid -> (node * epochs + epoch) * streams + stream, as one integer: a year of 200 nodes are 292,000 of them.
        self._index: dict[bytes, int] = {}
        self._span = max((self._epochs(node) for node in self._nodes), default=0) or 1
        self._complete = not self._nodes
        self._keys: dict[bytes, StreamKeys] = {}

    def find(self, kid: bytes) -> StreamKeys | None:
        """The stream whose pseudonym `kid` is, or None when no node in the key file ever has it."""
        keys = self._keys.get(kid)
        if keys is not None:
            return keys
        while kid not in self._index:
            if self._complete:
                return None
            self._grow()
        place, stream = divmod(self._index[kid], _STREAMS)
        number, epoch = divmod(place, self._span)
        node = self._nodes[number]
        first_step = derive.stream_secret(node.chain.at(epoch), stream)
        if len(self._keys) >= STREAM_KEYS_MAX:
            self._keys.clear()
        self._keys[kid] = keys = StreamKeys(node.rules, epoch, stream, kid, first_step)
        return keys

    def _epochs(self, node: _NodeIndex) -> int:
        return max(0, self._last_day - node.rules.epoch0_day + 1)

    def _grow(self) -> None:
        """One more block of epochs of every node."""
        self._complete = True
        for number, node in enumerate(self._nodes):
            last = min(self._epochs(node), node.indexed + BLOCK_EPOCHS)
            for epoch in range(node.indexed, last):
                secret = node.names.at(epoch)
                for stream in range(_STREAMS):
                    place = (number * self._span + epoch) * _STREAMS + stream
                    self._index[derive.pseudonym(secret, node.rules.tenant, stream)] = place
            node.indexed = max(node.indexed, last)
            self._complete = self._complete and node.indexed >= self._epochs(node)
