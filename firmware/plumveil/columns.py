# The column code of a readings batch: first value, then Rice-coded zigzag differences, bit-packed. Documented to the bit
# at the end of wire.py and in docs/wire-format.md. Only encodes; the host decodes with code of its own.

from plumveil import wire
from plumveil.fixed import bits_for


def rice_parameter(codes):
    # The k that should write the zigzag differences `codes` (after a 0 for the first value) in the fewest bits. From their
    # sum alone: to try every k costs more time than all the rest and saves less than a bit in a hundred.
    n = len(codes) - 1
    twice = 2 * sum(codes)
    best_k, best_bits = 0, twice
    for k in range(1, wire.RICE_K_MAX + 1):
        # What the k low bits hold is taken as half their range on average.
        bits = 2 * n * k + max(0, twice - n * ((1 << k) - 1) >> k)
        if bits >= best_bits:
            break
        best_k, best_bits = k, bits
    return best_k


def _word(u, k, escape_width):
    # One difference's code word as binary digits: q ones, a zero, k low bits.
    q = u >> k
    ones = (1 << min(q, wire.RICE_ESCAPE)) - 1
    if q < wire.RICE_ESCAPE:
        return "{:0{}b}".format(ones << k + 1 | u & (1 << k) - 1, q + 1 + k)
    return "{:b}".format(ones << escape_width | u)


def _column(values, low, high, digits):
    # Appends one column's binary digits. values: [int in low..high, or None where missing].
    present = [value for value in values if value is not None]
    if len(present) == len(values):
        digits.append("0")
    else:
        digits.append("1")
        for value in values:
            digits.append("0" if value is None else "1")
        if not present:
            return
    first = previous = present[0]
    codes = []
    for value in present:
        d = value - previous
        previous = value
        # Zigzag, written out: a call per value costs more than the rest of this loop.
        codes.append(d * 2 if d >= 0 else -d * 2 - 1)
    k = rice_parameter(codes) if any(codes) else wire.RICE_CONSTANT
    width = bits_for(high - low)
    digits.append("{:0{}b}".format(k << width | first - low, 4 + width))
    if k == wire.RICE_CONSTANT:
        return
    # The same few differences come again and again; joining their words leaves less to collect than shifting an ever
    # longer integer.
    words = {}
    escape_width = bits_for((high - low) * 2)
    codes[0] = None
    for u in codes:
        if u is not None:
            word = words.get(u)
            if word is None:
                word = words[u] = _word(u, k, escape_width)
            digits.append(word)


def encode(columns):
    # [(values, low, high)] in ascending field order -> bytes.
    digits = []
    for values, low, high in columns:
        _column(values, low, high, digits)
    digits = "".join(digits)
    n = (len(digits) + 7) // 8
    return (int(digits, 2) << n * 8 - len(digits)).to_bytes(n, "big")
