"""Writes docs/wire-format.md from plumveil.wire and plumveil.terms: `python -m host_tools.wiredoc`, with --check to
compare only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from host_tools import generated, reference_encoder, terms_cddl, terms_examples, wire_cddl, wire_examples
from host_tools.receipts import words
from host_tools.wire_examples import Example
from plumveil import terms, wire

PATH = Path(__file__).resolve().parents[1] / "docs" / "wire-format.md"
TEMPLATE = Path(__file__).with_name("wire_format.md.in")


def document() -> str:
    """The document's text."""
    examples = wire_examples.examples()
    parts = {
        "WIRE_VERSION": str(wire.WIRE_VERSION),
        "STREAMS": _streams(),
        "FIELDS": _fields(),
        "TIERS": _table(("index", "tier", "nominal size"), [_tier(index) for index in range(len(wire.TIERS))]),
        "EVENTS": _table(("code", "event", "argument"), [(str(a), f"`{b}`", c) for a, b, c in wire.EVENT_NAMES]),
        "RULES": _table(("number", "rule", "sent"), [_rule(number, name) for number, name in wire.RULES]),
        "MESSAGE_CDDL": wire_cddl.message(),
        "PROTECTED_CDDL": wire_cddl.protected(),
        "PLAINTEXT_CDDL": wire_cddl.plaintext(),
        "COLUMN_WALK": _column_walk(),
        "EXAMPLE_KEYS": _example_keys(),
        "EXAMPLES": "\n".join(_example(example) for example in examples),
        "PAD_BLOCK_BYTES": str(wire.PAD_BLOCK_BYTES),
        "MESSAGE_MAX_BYTES": str(wire.MESSAGE_MAX_BYTES),
        "RICE_ESCAPE": str(wire.RICE_ESCAPE),
        "RICE_CONSTANT": str(wire.RICE_CONSTANT),
        "HDR_PLUMVEIL": str(wire.HDR_PLUMVEIL),
        "POSITION_TIME_S": str(wire.POSITION_TIME_S),
        "TOPIC_PREFIX": wire.TOPIC_PREFIX,
        "EPOCHS_AHEAD_MAX": str(wire.EPOCHS_AHEAD_MAX),
        "K_DROPS": str(wire.K_DROPS),
        "DROPS_MAX": str(wire.DROPS_MAX),
        "DROPS_RANGE": str(wire.DROPS_MAX + 1),
    }
    text = TEMPLATE.read_text("utf-8")
    for name, value in (parts | _consent_parts()).items():
        text = text.replace("{{" + name + "}}", value.rstrip("\n"))
    if "{{" in text:
        raise AssertionError("the template names a part that is not made here")
    return text


def _consent_parts() -> dict[str, str]:
    """What the document says by plumveil.terms."""
    return {
        "GRANT_CDDL": terms_cddl.grant(),
        "GRANT_HEADER_CDDL": terms_cddl.grant_header(),
        "GRANT_PAYLOAD_CDDL": terms_cddl.grant_payload(),
        "COMMAND_CDDL": terms_cddl.command(),
        "COMMAND_HEADER_CDDL": terms_cddl.command_header(),
        "COMMAND_PLAINTEXT_CDDL": terms_cddl.command_plaintext(),
        "ENTRY_CDDL": terms_cddl.entry(),
        "LOG_KINDS": _table(("number", "kind"), [(str(number), f"`{name}`") for number, name in terms.LOG_KINDS]),
        "WITHDRAWN_BY": _table(
            ("number", "withdrawn"), [(str(number), what) for number, what in words.WITHDRAWN_WORDS.items()]
        ),
        "REFUSALS": _table(("number", "reason", "the grant was"), [_refusal(*row) for row in terms.REFUSALS]),
        "CONSENT_EXAMPLES": "\n".join(_consent_example(name, data) for name, data in terms_examples.examples()),
        "TEXT_MAX": str(terms.TEXT_MAX),
        "RECEIPT_SALT_BYTES": str(terms.RECEIPT_SALT_BYTES),
        "REFUSED_MAX": str(terms.REFUSED_MAX),
        "VOIDS_MAX": str(terms.VOIDS_MAX),
        "DOWN_MAX_BYTES": str(terms.DOWN_MAX_BYTES),
        "GRANT_MAX_BYTES": str(terms.GRANT_MAX_BYTES),
        "UNIX_MIN_S": str(wire.UNIX_MIN_S),
        "TOPIC_DOWN": wire.TOPIC_DOWN,
    }


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _streams() -> str:
    carries = (
        "sensor values, in batches",
        "cells, only under consent",
        "the node's health, and counts of what it dropped",
        "alarms, consent, receipts, a clock that ran ahead",
        "where the policy splits them off: which day the times of the other streams are of",
    )
    rows = [
        (str(number), f"`{name}`", f"`{wire.TOPIC_LETTERS[number]}`", carries[number])
        for number, name in enumerate(wire.STREAMS)
    ]
    return _table(("number", "stream", "topic letter", "carries"), rows)


def _fields() -> str:
    rows = []
    for number, name, stream, _, low, high, unit, (numerator, denominator) in wire.FIELDS:
        scale = str(numerator) if denominator == 1 else f"{numerator}/{denominator}"
        rows.append((str(number), f"`{name}`", wire.STREAMS[stream], f"{scale} {unit}", f"{low} to {high}"))
    return _table(("id", "field", "stream", "one wire unit", "range in wire units"), rows)


def _tier(index: int) -> tuple[str, ...]:
    name, nominal_m = wire.TIERS[index]
    return str(index), f"`{name}`", f"{nominal_m} m" if nominal_m else "no position"


def _rule(number: int, name: str) -> tuple[str, ...]:
    place = f"place {wire.RULES_SENT.index(number)}" if number in wire.RULES_SENT else "no, stays on the node"
    return str(number), f"`{name}`", place


def _refusal(number: int, name: str) -> tuple[str, ...]:
    return str(number), f"`{name}`", words.REFUSAL_WORDS[number]


def _column_walk() -> str:
    rows = [(name, f"`{bits}`", meaning) for name, bits, meaning in wire_examples.column_walk()]
    return _table(("column", "bits", "meaning"), rows)


def _example_keys() -> str:
    rows = [
        ("`K_id`", wire_examples.K_ID.hex()),
        ("`K_chain`", wire_examples.K_CHAIN.hex()),
        ("`K_consent`", terms_examples.K_CONSENT.hex()),
        ("tenant", f'"{terms_examples.TENANT}"'),
        ("first epoch", f"Unix day {terms_examples.EPOCH0_DAY}"),
        ("epoch, step", f"{terms_examples.EPOCH}, {terms_examples.STEP}"),
        ("boot salt", wire_examples.BOOT_SALT.hex()),
        ("consent", f"serial {terms_examples.CONSENT_SERIAL}, secret {terms_examples.CONSENT_SECRET.hex()}"),
        ("health before the mask", f"`{wire_examples.HEALTH}`"),
        ("counts before the mask", f"`{reference_encoder.counts(wire_examples.DROPS)}`"),
    ]
    return _table(("what", "value"), rows)


def _hex(data: bytes) -> str:
    return "\n".join(wrap(data.hex(), 96))


def _example(example: Example) -> str:
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in example.body.items()}
    stream = wire.STREAMS[example.stream]
    title = stream if example.name == stream else f"{stream}: {example.name}"
    return f"""\
### {title}

Plaintext map before padding (byte strings in hex): `{shown}`

```hex {example.name} plaintext
{_hex(example.plaintext)}
```

```hex {example.name} protected
{_hex(wire_examples.protected(example))}
```

```hex {example.name} message
{_hex(example.message)}
```
"""


def _consent_example(name: str, data: bytes) -> str:
    return f"""\
### {name}

```hex {name}
{_hex(data)}
```
"""


def main(arguments: list[str]) -> int:
    """Writes the document, or with --check compares; returns the exit code."""
    return generated.run(arguments, "host_tools.wiredoc", PATH, document, "wire.py says")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
