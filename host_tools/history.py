"""What was seen under each pseudonym: finds a nonce used twice, counters that ran back, and messages out of time.

Under a pseudonym a node's counter rises with every message, over steps and boots, and its step never falls. Bounded:
the pseudonym first met is forgotten first, and how many messages went so is counted.
"""

from bisect import bisect_left

from host_tools import rules
from host_tools.envelope import Envelope
from host_tools.rules import Finding
from plumveil import wire

HISTORY_MAX = 200_000  # messages remembered
# What one epoch ahead of the calendar adds to a time: more than any time there is, so that times are compared among
# messages equally far ahead only. A clock set back takes a node's times back, and its epochs further ahead.
AHEAD_WEIGHT = 1 << wire.UNIX_MAX_S.bit_length()
_OLD_KEYS = "the node's keys are from before (an old flash image?)"

# (digest, first time, last time, step, salt) of a message
_Seen = tuple[int, int, int, int, bytes]
_Span = tuple[int, int] | None


class _Track:
    """The messages of one pseudonym in the order of their sealing, which is that of their counters."""

    __slots__ = ("counters", "seen")

    def __init__(self) -> None:
        self.counters: list[int] = []
        self.seen: list[_Seen] = []


class History:
    """Remembers authentic messages. `forgotten` counts those it had to let go to stay within its bound."""

    def __init__(self, messages_max: int = HISTORY_MAX) -> None:
        self.forgotten = 0
        self._messages_max = messages_max
        self._messages = 0
        self._tracks: dict[bytes, _Track] = {}

    def note(self, data: bytes, envelope: Envelope, span_s: _Span) -> Finding | bool | None:
        """Takes in a message with the times it tells of (first, last; None when they cannot be trusted; the latest
        and the earliest that it may be where it was rounded), to which AHEAD_WEIGHT was added for each epoch that its
        node runs ahead.

        Returns None when all is well, True for the very same bytes again, or what is wrong.
        """
        kid, counter, step, _, salt, _, _ = envelope
        track = self._tracks.get(kid)
        if track is None:
            track = self._tracks[kid] = _Track()
        counters, seen = track.counters, track.seen
        digest = hash(data)  # the process's own, keyed: two messages that share it by design cannot be made
        at = len(counters)
        if at and counter <= counters[-1]:
            at = bisect_left(counters, counter)
            if counters[at] == counter:
                return True if seen[at][0] == digest else _used_twice(seen[at], step, salt)
        before_s = 0
        finding = None
        if at:
            _, _, before_s, before_step, before_salt = seen[at - 1]
            if step < before_step or (span_s is not None and span_s[0] < before_s):
                finding = _out_of_order(step < before_step, span_s, before_s, "before")
            # One object in place of many that are equal.
            salt = before_salt if salt == before_salt else salt
        if finding is None and at < len(seen):
            _, after_s, _, after_step, _ = seen[at]
            if step > after_step or (span_s is not None and span_s[1] > after_s > 0):
                finding = _out_of_order(step > after_step, span_s, after_s, "after")
        if finding is not None and finding.rule == rules.REPLAY:
            # Not remembered: messages of the keys in force would look wrong beside it.
            return finding
        # Times that are wrong must not make those of the next message look wrong; one that was rounded down is no
        # earlier than what was sealed before it.
        first_s, last_s = (before_s, before_s) if span_s is None or finding else span_s
        counters.insert(at, counter)
        seen.insert(at, (digest, first_s, max(last_s, before_s), step, salt))
        self._count()
        return finding

    def _count(self) -> None:
        self._messages += 1
        if self._messages <= self._messages_max:
            return
        oldest = self._tracks.pop(next(iter(self._tracks)))
        self.forgotten += len(oldest.counters)
        self._messages -= len(oldest.counters)


def _used_twice(other: _Seen, step: int, salt: bytes) -> Finding:
    """Another message has this counter. With another salt or step its key was another, and no harm is done but to the
    order: whatever counted so had lost count."""
    if (step, salt) == other[3:]:
        return Finding(rules.REPLAY, "protected", "key and nonce were used for another message")
    return Finding(rules.REPLAY, "protected", f"its counter was used by another message: {_OLD_KEYS}")


def _out_of_order(steps: bool, span_s: _Span, other_s: int, sealed: str) -> Finding:
    """steps: they, and not the times, run against the counters; sealed: when the other message was, "before" or
    "after"."""
    earlier = sealed == "before"
    if steps or span_s is None:
        what = f"its step is {'earlier' if earlier else 'later'} than its counter allows: {_OLD_KEYS}"
        return Finding(rules.REPLAY, "protected", what)
    mine_s = span_s[0] if earlier else span_s[1]
    if mine_s // AHEAD_WEIGHT != other_s // AHEAD_WEIGHT:
        word = "fewer" if earlier else "more"
        return Finding(rules.EPOCH, "time", f"{word} epochs ahead of the calendar than a message sealed {sealed} it")
    return Finding(rules.TIME, "time", f"{'earlier' if earlier else 'later'} than a message sealed {sealed} it")
