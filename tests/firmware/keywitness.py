# The witness of every (key, nonce) pair that a node of keyfaults.py gives out, and its own reader of key slots. Must
# never mend what it finds: it raises, with the story of the lives before.

from hashlib import sha256

from models.nor_flash import BLOCK_BYTES

from plumveil import cbor, wire
from plumveil.errors import Malformed

SECRETS = (wire.S_CHAIN, wire.S_NAMES, wire.S_POOL)


class Repeat(AssertionError):
    """A (key, nonce) pair was given out twice."""


class Broken(AssertionError):
    """Something else that must hold did not: see Node._broken's callers."""


class Dice:
    """Seeded dice, the same on every interpreter; its bytes never come twice."""

    def __init__(self, seed):
        self._seed = seed
        self._n = 0
        self._left = b""

    def bytes(self):
        self._n += 1
        return sha256(b"dice %d %d" % (self._seed, self._n)).digest()

    def below(self, n):
        if not self._left:
            self._left = self.bytes()
        number = self._left[0] << 8 | self._left[1]
        self._left = self._left[2:]
        return number % n

    def one_of(self, choices):
        return choices[self.below(len(choices))]


class Witness:
    """Every pair given out, by all lives of all nodes. pairs_only: does not judge what stands on flash."""

    def __init__(self, pairs_only=False):
        self.pairs_only = pairs_only
        self.sealed = self.messages = self.lives = self.cuts = self.refusals = self.faults = self.put_back = 0
        self._keys = {}
        self._pairs = set()
        self._headers = set()

    def take(self, seal, partial_iv, node):
        # One key has one common IV, so its nonces differ just when its partial IVs do.
        known = self._keys.get(seal.ccm._key)
        if known is None:
            known = self._keys[seal.ccm._key] = len(self._keys), seal.common_iv
        if known[1] != seal.common_iv:
            raise Broken(node.told("two common IVs for one key"))
        pair = known[0] << 24 | partial_iv
        if pair in self._pairs:
            raise Repeat(node.told("partial IV %d again under one key" % partial_iv))
        self._pairs.add(pair)
        self.sealed += 1

    def take_header(self, header, node):
        # (kid, salt, step, partial IV) of a message as it goes out.
        if header in self._headers:
            raise Repeat(node.told("header of a message again"))
        self._headers.add(header)
        self.messages += 1


def slots(image):
    """[(parts, length)] of an image's whole slots, newest first; the firmware's own reader has no part in it."""
    found = []
    for at in range(0, len(image), BLOCK_BYTES):
        n = image[at] << 8 | image[at + 1]
        try:
            inner = cbor.loads(image[at + 2 : at + 2 + n]) if n < 512 else None
        except Malformed:
            continue
        if isinstance(inner, list) and len(inner) == 2 and isinstance(inner[0], bytes):
            if sha256(inner[0]).digest()[:8] == inner[1]:
                found.append((cbor.loads(inner[0]), n + 2))
    return sorted(found, key=lambda slot: -slot[0][wire.S_GENERATION])


def secrets(parts):
    """Every secret of a slot that is spent one day."""
    return set(parts[wire.S_STREAMS] + [parts[label] for label in SECRETS])


def secrets_of(state):
    """The same of a KeyState."""
    return set(state.streams + [state.chain, state.names, state.pool])
