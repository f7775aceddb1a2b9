# The peer of the comparison: one reading as a SenML pack (RFC 8428) in CBOR, written as a plain Python encoder would
# be, and the same as JSON for the VM's own `json.dumps`. Runs in the VM beside the firmware.

import struct

LABEL_BASE_NAME = -2  # RFC 8428 section 6, table 4
LABEL_BASE_TIME = -3
LABEL_NAME = 0
LABEL_UNIT = 1
LABEL_VALUE = 2


def encode_head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    if n < 256:
        return bytes([major << 5 | 24, n])
    if n < 65536:
        return struct.pack(">BH", major << 5 | 25, n)
    return struct.pack(">BI", major << 5 | 26, n)


def encode(value):
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int):
        return encode_head(0, value) if value >= 0 else encode_head(1, -1 - value)
    if isinstance(value, str):
        data = value.encode()
        return encode_head(3, len(data)) + data
    if isinstance(value, list):
        return encode_head(4, len(value)) + b"".join([encode(item) for item in value])
    out = [encode_head(5, len(value))]
    for key in value:
        out.append(encode(key))
        out.append(encode(value[key]))
    return b"".join(out)


def pack(name, t_s, values):
    # values: [(name, unit, number)] -> SenML-CBOR bytes.
    records = []
    for n, unit, v in values:
        records.append({LABEL_NAME: n, LABEL_UNIT: unit, LABEL_VALUE: v})
    records[0][LABEL_BASE_NAME] = name
    records[0][LABEL_BASE_TIME] = t_s
    return encode(records)


def json_records(name, t_s, values):
    # The same pack as the object that json.dumps takes.
    records = []
    for n, unit, v in values:
        records.append({"n": n, "u": unit, "v": v})
    records[0]["bn"] = name
    records[0]["bt"] = t_s
    return records
