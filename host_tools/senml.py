"""Readings as SenML (RFC 8428), in CBOR and JSON: for interchange, and as the yardstick for the sealed size.

Values are in the field's SenML unit, as close to the wire's integer as a number can be; nothing is made finer.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cbor2

from host_tools.content import Batch
from host_tools.limits import FIELDS

Record = dict[str, Any]
# RFC 9039's example of an organisation's serial number; as short as a real device's name gets.
BASE_NAME = "urn:dev:os:32473-123456:"
# CBOR labels (RFC 8428 section 6, table 6).
LABELS = {
    "bver": -1,
    "bn": -2,
    "bt": -3,
    "bu": -4,
    "bv": -5,
    "bs": -6,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "ut": 7,
    "vd": 8,
}


def number(field: int, value: int) -> int | float:
    """A value in wire units in the field's SenML unit; an int where it is whole."""
    numerator, denominator = FIELDS[field].senml_scale
    whole, rest = divmod(value * numerator, denominator)
    return value * numerator / denominator if rest else whole


def reading_pack(batch: Batch, j: int, base_name: str = BASE_NAME) -> list[Record]:
    """Reading j of a batch as a self-standing pack: base name and time, one record per field that has a value."""
    return _records(batch, range(j, j + 1), base_name)


def batch_pack(batch: Batch, base_name: str = BASE_NAME) -> list[Record]:
    """A whole batch as one pack, times relative to the first reading's."""
    return _records(batch, range(batch.readings), base_name)


def _records(batch: Batch, which: Sequence[int], base_name: str) -> list[Record]:
    records: list[Record] = []
    base_s = batch.start_s + which[0] * batch.interval_s
    for j in which:
        for field, column in zip(batch.fields, batch.columns, strict=True):
            value = column[j]
            if value is None:
                continue
            record: Record = {} if records else {"bn": base_name, "bt": base_s}
            record |= {"n": FIELDS[field].name, "u": FIELDS[field].senml_unit, "v": number(field, value)}
            after_s = batch.start_s + j * batch.interval_s - base_s
            if after_s:
                record["t"] = after_s
            records.append(record)
    return records


def to_json(records: Sequence[Mapping[str, Any]]) -> bytes:
    """A pack as SenML JSON (RFC 8428 section 5), without blanks."""
    return json.dumps(records, separators=(",", ":"), ensure_ascii=False).encode()


def to_cbor(records: Sequence[Mapping[str, Any]]) -> bytes:
    """A pack as SenML CBOR (RFC 8428 section 6): short labels, shortest heads, floats as short as they stay exact.

    Entries keep their order, as in the RFC's examples. KeyError for a label the RFC does not define.
    """
    return _head(0x80, len(records)) + b"".join(map(_record, records))


def _record(record: Mapping[str, Any]) -> bytes:
    entries = (cbor2.dumps(LABELS[label]) + cbor2.dumps(value, canonical=True) for label, value in record.items())
    return _head(0xA0, len(record)) + b"".join(entries)


def _head(major: int, count: int) -> bytes:
    # An unsigned integer's encoding is a head of major type 0.
    head = cbor2.dumps(count)
    return bytes((head[0] | major,)) + head[1:]
