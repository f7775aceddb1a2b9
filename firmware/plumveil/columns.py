# The column code of a readings batch: first value, then Rice-coded zigzag differences, bit-packed. Documented to the
# bit at the end of wire.py and in docs/wire-format.md. Only encodes; the host decodes with code of its own.

from plumveil import wire
from plumveil.fixed import bits_for


def rice_parameter(total, n):
    # The k that should write n zigzag differences of the sum `total` in the fewest bits. From their sum alone: to try
    # every k costs more time than all the rest and saves less than a bit in a hundred. What the k low bits hold is
    # taken as half their range on average: then the ones before the zeros take half of (rest >> k) - n bits, and one
    # more low bit, which costs n, saves more than that as long as this is above 4 * n.
    rest = 2 * total + n
    k = 0
    while rest > 4 * n and k < wire.RICE_K_MAX:
        rest >>= 1
        k += 1
    return k


def _whole_bytes(out, held, n):
    # Moves the whole bytes of the lowest n bits of `held` to `out` -> (held, n) of what is left, 7 bits at most.
    while n > 7:
        n -= 8
        out.append(held >> n & 255)
    return held & 127, n


def _differences(codes, k, escape_width, out, held, n):
    # Appends the code words of zigzag differences: q ones, a zero, k low bits. Bytes leave at once, as _whole_bytes
    # would have it: an integer of more than 30 bits is a new object for each bit that joins it.
    low_bits = (1 << k) - 1
    after = k + 1
    append = out.append
    escape = wire.RICE_ESCAPE
    for u in codes:
        q = u >> k
        if q < escape:
            held = (held + 1 << q) - 1 << after | u & low_bits
            n += q + after
        else:
            held = (held + 1 << wire.RICE_ESCAPE) - 1 << escape_width | u
            n += wire.RICE_ESCAPE + escape_width
        while n > 7:
            n -= 8
            append(held >> n & 255)
        held &= 127
    return held, n


def _column(values, low, high, out, held, n):
    # Appends one column. values: [int in low..high, or None where missing].
    missing = None in values
    held, n = _whole_bytes(out, held << 1 | missing, n + 1)
    if missing:
        for value in values:
            held, n = _whole_bytes(out, held << 1 | (value is not None), n + 1)
        values = [value for value in values if value is not None]
        if not values:
            return held, n
    # Each value makes room for the zigzag difference that leads to it.
    codes = []
    append = codes.append
    last = values[0]
    total = 0
    for value in values:
        u = value - last
        last = value
        u = u * 2 if u >= 0 else -u * 2 - 1
        total += u
        append(u)
    del codes[0]
    width = bits_for(high - low)
    k = rice_parameter(total, len(codes)) if total else wire.RICE_CONSTANT
    held, n = _whole_bytes(out, (held << 4 | k) << width | values[0] - low, n + 4 + width)
    if total:
        held, n = _differences(codes, k, bits_for((high - low) * 2), out, held, n)
    return held, n


def encode(columns):
    # [(values, low, high)] in ascending field order -> bytes.
    out = bytearray()
    held = n = 0
    for values, low, high in columns:
        held, n = _column(values, low, high, out, held, n)
    if n:
        out.append(held << 8 - n & 255)
    return bytes(out)
