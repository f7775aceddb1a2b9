# The column code of a readings batch: first value, then Rice-coded zigzag differences, bit-packed. Documented to the
# bit at the end of wire.py and in docs/wire-format.md. Only encodes; the host decodes with code of its own.

from plumveil import wire
from plumveil.fixed import bits_for


def rice_parameter(codes):
    # The k that should write the zigzag differences `codes` in the fewest bits. From their sum alone: to try
    # every k costs more time than all the rest and saves less than a bit in a hundred.
    n = len(codes)
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
    present = values
    if None in values:
        present = [value for value in values if value is not None]
        digits.append("1")
        digits.extend(["0" if value is None else "1" for value in values])
        if not present:
            return
    else:
        digits.append("0")
    differences = [present[i] - present[i - 1] for i in range(1, len(present))]
    varies = any(differences)
    # Zigzag, written out: a call per value costs more than the rest.
    codes = [d * 2 if d >= 0 else -d * 2 - 1 for d in differences]
    k = rice_parameter(codes) if varies else wire.RICE_CONSTANT
    width = bits_for(high - low)
    digits.append("{:0{}b}".format(k << width | present[0] - low, 4 + width))
    if varies:
        # The same few differences come again and again; joining their words leaves less to collect than shifting an
        # ever longer integer.
        escape_width = bits_for((high - low) * 2)
        words = {u: _word(u, k, escape_width) for u in set(codes)}
        digits.extend([words[u] for u in codes])


def encode(columns):
    # [(values, low, high)] in ascending field order -> bytes.
    digits = []
    for values, low, high in columns:
        _column(values, low, high, digits)
    digits = "".join(digits)
    n = (len(digits) + 7) // 8
    return (int(digits, 2) << n * 8 - len(digits)).to_bytes(n, "big")
