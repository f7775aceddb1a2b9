"""Decodes the column code of a readings batch, documented to the bit at the end of plumveil.wire.

Strict: every bit has one meaning, and bits left over are an error. Differences are read 16 bits at a time from
tables that map a window of bits to all differences that end in it; only escapes and long codes go one by one.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from plumveil import wire

WINDOW_BITS = 16
_WINDOW_MASK = (1 << WINDOW_BITS) - 1
_ALL_ONES = (1 << wire.RICE_ESCAPE) - 1
_EARLY = "the column ends early"
_SOME_MISSING = 16  # the flag bit, as it stands above the four bits of k

Column = Sequence[int | None]
# Per window: the differences that end in it, the bits they take together, and the bits after each of them.
_Entry = tuple[tuple[int, ...], int, tuple[int, ...]]


class Malformed(ValueError):
    """The bits are no column code; `field` is the name of the column at fault."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


class Spec(NamedTuple):
    """What a column's code depends on: the field's name and limits in wire units, and the widths they give."""

    name: str
    low: int
    high: int
    first_bits: int
    escape_bits: int
    head_bits: int  # flag, k and first value together
    head_mask: int


def spec(name: str, low: int, high: int) -> Spec:
    """The column spec of a field with values low..high."""
    first_bits = (high - low).bit_length()
    escape_bits = (2 * (high - low)).bit_length()
    return Spec(name, low, high, first_bits, escape_bits, 5 + first_bits, (1 << 5 + first_bits) - 1)


def unzigzag(u: int) -> int:
    """0, 1, 2, 3 ... -> 0, -1, 1, -2 ..."""
    return (u >> 1) ^ -(u & 1)


def decode(data: bytes, specs: tuple[Spec, ...], count: int) -> tuple[list[Column], bool]:
    """Column code of `count` (>= 1) readings -> (one list per spec, None where a value is missing; True when some
    value is outside its field's limits, see `outside`). Raises Malformed.
    """
    # All bits as one integer, and how many are not yet read. Zeros follow, for windows that reach past the end.
    bits = int.from_bytes(data, "big") << WINDOW_BITS
    left = 8 * len(data)
    columns: list[Column] = []
    suspect = False
    for one in specs:
        column: Column
        shift = left + WINDOW_BITS - one.head_bits
        head = (bits >> shift if shift > 0 else bits << -shift) & one.head_mask
        k = head >> one.first_bits
        if k >= _SOME_MISSING:
            column, left, off = _sparse(bits, left, one, count)
        else:
            first = (head & one.head_mask >> 5) + one.low
            column, left, off = _values(bits, left - one.head_bits, one, k, first, count)
        suspect |= off
        columns.append(column)
    if left >= 8 or bits >> WINDOW_BITS & (1 << left) - 1:
        raise Malformed(specs[-1].name, "bits are left over behind the last column")
    return columns, suspect


def outside(column: Column, one: Spec) -> list[int]:
    """Indices of the values that lie outside the field's limits."""
    return [j for j, value in enumerate(column) if value is not None and not one.low <= value <= one.high]


def _take(bits: int, left: int, width: int, one: Spec) -> tuple[int, int]:
    """(the next `width` bits, bits left after them)."""
    left -= width
    if left < 0:
        raise Malformed(one.name, _EARLY)
    return bits >> left + WINDOW_BITS & (1 << width) - 1, left


def _sparse(bits: int, left: int, one: Spec, count: int) -> tuple[Column, int, bool]:
    """A column with its presence bits."""
    presence, left = _take(bits, left - 1, count, one)
    if presence == (1 << count) - 1:
        raise Malformed(one.name, "says that values are missing, and none is")
    column: list[int | None] = [None] * count
    if not presence:
        return column, left, False
    k, left = _take(bits, left, 4, one)
    first, left = _take(bits, left, one.first_bits, one)
    values, left, off = _values(bits, left, one, k, first + one.low, presence.bit_count())
    following = iter(values)
    for j in range(count):
        if presence >> count - 1 - j & 1:
            column[j] = next(following)
    return column, left, off


def _values(bits: int, left: int, one: Spec, k: int, first: int, count: int) -> tuple[list[int], int, bool]:
    """(values, bits left, True when some are off limits) of the `count` (>= 1) present values behind a head."""
    steps = [first]
    ends: tuple[int, ...] = ()
    start = left
    escaped = False
    if k == wire.RICE_CONSTANT:
        steps *= count
    else:
        table = _TABLES[k] or _row(k)
        while len(steps) < count and left > 0:
            window = bits >> left & _WINDOW_MASK
            differences, used, ends = table[window] or _fill(k, window)
            if used:
                steps += differences
                left -= used
            else:
                difference, left = _slow(bits, left, one, k)
                steps.append(difference)
                ends, escaped = (0,), True
    surplus = len(steps) - count
    if surplus > 0:
        # The last window held the start of the next column as well: give it back.
        left += ends[-1] - ends[-1 - surplus]
        del steps[count:]
    if left < 0 or surplus < 0:
        raise Malformed(one.name, _EARLY)
    if k == wire.RICE_CONSTANT:
        return steps, left, first > one.high
    values = list(accumulate(steps))
    # A code of q + 1 + k bits stands for a u below (q + 1) << k, and u for a difference of at most (u + 1) / 2: the
    # bits spent bound the sum of all differences, and mostly show that no value can have left the limits.
    n = count - 1
    reach = (start - left - n * k << k) + n >> 1
    if not escaped and one.low <= first - reach and first + reach <= one.high:
        return values, left, False
    # Few values are distinct, which makes this quicker than two passes over all of them.
    distinct = set(values)
    return values, left, min(distinct) < one.low or max(distinct) > one.high


def _slow(bits: int, left: int, one: Spec, k: int) -> tuple[int, int]:
    """(one difference of any length, bits left after it)."""
    opening = bits >> left + WINDOW_BITS - wire.RICE_ESCAPE & _ALL_ONES
    quotient = wire.RICE_ESCAPE - (opening ^ _ALL_ONES).bit_length()
    if quotient == wire.RICE_ESCAPE:
        u, left = _take(bits, left - quotient, one.escape_bits, one)
        if u >> k < wire.RICE_ESCAPE:
            raise Malformed(one.name, "an escape that was not needed")
    else:
        low, left = _take(bits, left - quotient - 1, k, one)
        u = quotient << k | low
    return unzigzag(u), left


# By k and window; a row is made when its k is first met.
_TABLES: list[list[_Entry | None]] = [[] for _ in range(wire.RICE_K_MAX + 1)]


def _row(k: int) -> list[_Entry | None]:
    _TABLES[k] = [None] * (1 << WINDOW_BITS)
    return _TABLES[k]


def _fill(k: int, window: int) -> _Entry:
    """Parses one window for parameter k and keeps the result; there are 65,536 per k, made when first met."""
    differences: list[int] = []
    ends: list[int] = []
    at = 0
    while True:
        quotient = 0
        while at + quotient < WINDOW_BITS and window >> (WINDOW_BITS - 1 - at - quotient) & 1:
            quotient += 1
        end = at + quotient + 1 + k
        if end > WINDOW_BITS or quotient >= wire.RICE_ESCAPE:
            break
        u = quotient << k | (window >> (WINDOW_BITS - end) & ((1 << k) - 1))
        differences.append(unzigzag(u))
        ends.append(end)
        at = end
    entry = (tuple(differences), at, tuple(ends))
    _TABLES[k][window] = entry
    return entry
