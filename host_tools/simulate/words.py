"""What the report says in words: why the filter drops things, how consent stands, what all this does not hide."""

from __future__ import annotations

from plumveil import wire

RULE_WORDS = {
    wire.R_NOT_ON_LIST: "The policy does not name the field, so it went no further than the sensor.",
    wire.R_OUT_OF_RANGE: "The value lies outside what its field may say; such a value is a fault, not a measurement.",
    wire.R_NO_CONSENT: "A position was due and consent is off: the receiver stayed without power and was not read.",
    wire.R_NO_FIX: "The receiver found no valid fix in time, as in a tunnel or after its recording ended.",
    wire.R_BAD_SENTENCE: "A receiver's sentence was cut, overlong, or failed its checksum.",
    wire.R_SAME_CELL: "The node is still in the cell it reported last: nothing new to say, and nothing to average.",
    wire.R_SENSOR_FAULT: "A sensor did not answer, or failed its checksum.",
    wire.R_CLOCK: "The node had no trusted time, and without time there is no pseudonym to send under.",
    wire.R_QUEUE_FULL: "The queue on flash was full and its bound forced the oldest out.",
    wire.R_MISSED: "The node was busy or off when the reading was due.",
    wire.R_DAMAGED: "The flash did not give a queued message back whole.",
    wire.R_KEYS: "There was no key to seal it with: the key state could not be written, or a self-test had failed.",
    wire.R_REFUSED: "A grant or a command was not believed: it was no one's who may give it, or its time was over.",
    wire.R_EXPIRED: "The policy does not keep messages of the stream for so long.",
    wire.R_NOT_NOW: "A position was due outside the policy's hours, without an alarm, or again in the same interval.",
    wire.R_ZONE: "The node was in one of the policy's private zones.",
    wire.R_BUDGET: "As many moved positions had been told that day as the policy allows.",
}

LIMITS = (
    (
        "A coarse cell hides where in it the node was, not that it was there. In empty country one cell may hold "
        "a single house, and a depot's cell together with a home's cell can identify a driver."
    ),
    (
        "The order and the times of the cells follow the drive. Times are rounded down to "
        f"{wire.POSITION_TIME_S // 60} minutes; the rhythm of a day stays visible."
    ),
    "Pseudonyms change every day (00:00 UTC). Within a day, the messages of one stream belong together.",
    "Pseudonymised data stay personal data: whoever holds the node's keys can name it.",
    (
        "The broker sees network addresses and when a node is online. Lengths are padded to steps of "
        f"{wire.PAD_BLOCK_BYTES} bytes, which tells little of what is inside, not nothing."
    ),
    (
        "This page itself shows the raw input, the raw track included. It was drawn on this machine; the node sent "
        "none of it. Treat the page as you would treat the recording."
    ),
)


def rule_words(rule: int) -> str:
    """Returns why things are dropped under a rule of wire.RULES, and whether the count stays on the node."""
    reason = RULE_WORDS[rule]
    return reason if rule in wire.RULES_SENT else f"{reason} The count stays on the node."


def tier_words(tier: int) -> str:
    """Returns how location consent stands, for an index into wire.TIERS."""
    name, metres = wire.TIERS[tier]
    if tier == wire.TIER_OFF:
        return "no location consent"
    size = f"{metres // 1000} km" if metres >= 1000 else f"{metres} m"
    return f"location consent: {name}, {size} cells"
