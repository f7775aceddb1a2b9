"""HMAC-SHA256 and the step of a key chain for many keys at once, one a lane; host_tools.derive does the same for one.

Must never keep a key longer than the next one takes its place.
"""

from __future__ import annotations

import numpy as np

from host_tools.keys.sha256_lanes import BLOCK_BYTES, BLOCK_ROWS, STATE_ROWS, Words, compress, start_state

_INNER_PAD = np.uint32(0x36363636)  # RFC 2104 section 2
_OUTER_PAD = np.uint32(0x5C5C5C5C)


def _padding(length_bytes: int) -> bytes:
    """What FIPS 180-4 section 5.1.1 puts behind a message of that length."""
    zeros = -(length_bytes + 9) % BLOCK_BYTES
    return b"\x80" + bytes(zeros) + (8 * length_bytes).to_bytes(8, "big")


class Message:
    """A message that is the same in every lane, as the blocks that follow an HMAC's padded key."""

    def __init__(self, message: bytes, lanes: int) -> None:
        padded = message + _padding(BLOCK_BYTES + len(message))
        words = np.frombuffer(padded, ">u4").astype(np.uint32).reshape(-1, BLOCK_ROWS)
        self.blocks: tuple[Words, ...] = tuple(np.repeat(block[:, None], lanes, axis=1) for block in words)


class HmacLanes:
    """Scratch space of one thread. `lanes` is a multiple of sha256_lanes.group(); keys and digests are 32 bytes each,
    words of shape (8, lanes). A shorter key is its bytes and zeros (RFC 2104 section 2).
    """

    def __init__(self, lanes: int) -> None:
        self._start = start_state(lanes)
        self._inner_key = np.full((BLOCK_ROWS, lanes), _INNER_PAD, np.uint32)
        self._outer_key = np.full((BLOCK_ROWS, lanes), _OUTER_PAD, np.uint32)
        self._inner, self._outer, self._result = (np.empty_like(self._start) for _ in range(3))
        # A block of 32 bytes behind a padded key: a digest, or a secret. Its padding stays.
        self._short = np.empty((BLOCK_ROWS, lanes), np.uint32)
        self._short[STATE_ROWS:] = np.frombuffer(_padding(BLOCK_BYTES + 32), ">u4").astype(np.uint32)[:, None]
        # HKDF without a salt extracts under 32 zeros (RFC 5869 section 2.2).
        self.key(np.zeros_like(self._start))
        self._no_salt = (self._inner.copy(), self._outer.copy())

    def key(self, keys: Words) -> None:
        """Takes the lanes' keys for the digests that follow."""
        for block, pad, state in (
            (self._inner_key, _INNER_PAD, self._inner),
            (self._outer_key, _OUTER_PAD, self._outer),
        ):
            np.bitwise_xor(keys, pad, out=block[:STATE_ROWS])
            np.copyto(state, self._start)
            compress(state, block)

    def digest(self, message: Message) -> Words:
        """HMAC of the message under each lane's key. The array is scratch space: it holds until the next call."""
        inner = self._short[:STATE_ROWS]
        np.copyto(inner, self._inner)
        for block in message.blocks:
            compress(inner, block)
        return self._finish(self._outer)

    def _finish(self, outer: Words) -> Words:
        """The outer hash over the inner digest that stands in the short block."""
        np.copyto(self._result, outer)
        compress(self._result, self._short)
        return self._result

    def chain(self, secrets: Words, step: Message) -> Words:
        """HKDF-SHA256 of each lane's secret, without salt, 32 bytes; `step` is the info and the byte 1 (RFC 5869
        section 2.3). The result is scratch space, and so is the key set before.
        """
        inner, outer = self._no_salt
        state = self._result
        np.copyto(state, inner)
        np.copyto(self._short[:STATE_ROWS], secrets)
        compress(state, self._short)
        np.copyto(self._short[:STATE_ROWS], state)
        self.key(self._finish(outer))
        return self.digest(step)
