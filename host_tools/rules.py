"""The rules a message is held to, in the order in which they are looked at, and what a breach of one looks like.

A finding says which rule, where and what; it must never carry a key, a coordinate, a reading or an id.
"""

from typing import NamedTuple

COSE = "cose"
CBOR = "cbor"
PSEUDONYM = "pseudonym"
AUTHENTICITY = "authenticity"
STRUCTURE = "structure"
PADDING = "padding"
FIELD = "field"
RESOLUTION = "resolution"
RANGE = "range"
TIME = "time"
EPOCH = "epoch"
CONSENT = "consent"
REPLAY = "replay"

# (name, what it demands); docs/wire-format.md prints this table.
RULES = (
    (COSE, "the bytes are one tagged COSE_Encrypt0 of the only shape a message has, and not too long"),
    (CBOR, "headers and plaintext are deterministic CBOR without floats, tags, text or indefinite lengths"),
    (PSEUDONYM, "the key id is a pseudonym that the keys given know"),
    (AUTHENTICITY, "the seal opens under that pseudonym's key, and binds tenant, stream and policy version"),
    (STRUCTURE, "the plaintext has the entries of its stream, all of them and no others"),
    (PADDING, "padding is zeros, and no more than the block needs"),
    (FIELD, "every field is known, belongs to the stream, and is on the list of the policy named"),
    (RESOLUTION, "no value, position or time is finer than the policy allows"),
    (RANGE, "every value lies within its field's limits"),
    (TIME, "times are in order, within the format's limits, and not in the future"),
    (EPOCH, "the pseudonym is that of the epoch in which the times lie, or of a later one where the node runs ahead"),
    (
        CONSENT,
        (
            "a position was sealed under, and names, a consent on record that covers its time and its tier, and of"
            " which the node's receipt, or its statement of that epoch, was seen before"
        ),
    ),
    (REPLAY, "no counter is used for two different messages under a pseudonym, and no step falls as counters rise"),
)


class Finding(NamedTuple):
    """One breach: the rule's name, the place in the message, and what is wrong there."""

    rule: str
    where: str
    what: str


class Refused(Exception):
    """A message cannot be followed further; `finding` says why. Never leaves the validator."""

    def __init__(self, rule: str, where: str, what: str) -> None:
        super().__init__(rule)
        self.finding = Finding(rule, where, what)
