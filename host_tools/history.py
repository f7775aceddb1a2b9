"""What was seen under each pseudonym: finds a nonce used twice and messages out of time.

Bounded: the pseudonym first met is forgotten first, and how many messages went so is counted.
"""

from bisect import bisect_left

from host_tools import rules
from host_tools.envelope import Envelope
from host_tools.rules import Finding
from plumveil import wire

HISTORY_MAX = 200_000  # messages remembered


class _Track:
    """The messages of one pseudonym and boot in the order of their sealing."""

    __slots__ = ("orders", "seen")

    def __init__(self) -> None:
        self.orders: list[int] = []
        # (digest, first time, last time) of each
        self.seen: list[tuple[int, int, int]] = []


class History:
    """Remembers authentic messages. `forgotten` counts those it had to let go to stay within its bound."""

    def __init__(self, messages_max: int = HISTORY_MAX) -> None:
        self.forgotten = 0
        self._messages_max = messages_max
        self._messages = 0
        self._tracks: dict[bytes, _Track] = {}

    def note(self, data: bytes, envelope: Envelope, span_s: tuple[int, int] | None) -> Finding | bool | None:
        """Takes in a message with the times it tells of (first, last; None when they cannot be trusted).

        Returns None when all is well, True for the very same bytes again, or what is wrong.
        """
        name = envelope.kid + envelope.boot_salt
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks[name] = _Track()
        # Counters start anew with each step (the key is another), so the step counts first.
        order = envelope.step << 8 * wire.PARTIAL_IV_MAX_BYTES | envelope.partial_iv
        # The process's own keyed hash: two messages that share it by design cannot be made.
        digest = hash(data)
        at = len(track.orders)
        if at and order <= track.orders[-1]:
            at = bisect_left(track.orders, order)
            if track.orders[at] == order:
                if track.seen[at][0] == digest:
                    return True
                return Finding(rules.REPLAY, "protected", "key and nonce were used for another message")
        finding = None
        before_s = track.seen[at - 1][2] if at else 0
        if span_s is not None and span_s[0] < before_s:
            finding = Finding(rules.TIME, "time", "earlier than a message sealed before it")
        elif span_s is not None and at < len(track.seen) and span_s[1] > track.seen[at][1] > 0:
            finding = Finding(rules.TIME, "time", "later than a message sealed after it")
        # Times that are wrong must not make those of the next message look wrong.
        first_s, last_s = (before_s, before_s) if span_s is None or finding else span_s
        track.orders.insert(at, order)
        track.seen.insert(at, (digest, first_s, last_s))
        self._messages += 1
        if self._messages > self._messages_max:
            self._forget()
        return finding

    def _forget(self) -> None:
        oldest = self._tracks.pop(next(iter(self._tracks)))
        self.forgotten += len(oldest.orders)
        self._messages -= len(oldest.orders)
