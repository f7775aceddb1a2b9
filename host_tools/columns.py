"""Decodes the column code of a readings batch, documented to the bit at the end of plumveil.wire.

Strict: every bit has one meaning, and bits left over are an error. The pass along the bits is machine code
(host_tools.column_kernel); there is no other way to decode, and it must never be handed what was not sized here.
"""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from host_tools import column_kernel
from host_tools.column_kernel import AFTER_BYTES, COLUMNS_MAX, LAYOUT, LIMIT_BITS, MISSING, Kernel, Values
from host_tools.errors import PlumveilError
from plumveil import wire

_FAULTS = {
    column_kernel.EARLY: "the column ends early",
    column_kernel.NONE_MISSING: "says that values are missing, and none is",
    column_kernel.NEEDLESS_ESCAPE: "an escape that was not needed",
    column_kernel.LEFT_OVER: "bits are left over behind the last column",
}
_AFTER = bytes(AFTER_BYTES)
# Ten readings within -40..40: k 1, with short codes and escapes on both sides of the border between them; gaps, with
# k 14; a constant above the limits; nothing at all. Written by host_tools.reference_encoder.
_SAMPLE = bytes.fromhex("0a8197fff3fff7fff8f7fff2523072f00bafa30000")
_SAMPLE_CODES = (0, 1, 2, 3, 28, 29, 30, 37, 0)

Column = Sequence[int | None]


class Malformed(ValueError):
    """The bits are no column code; `field` is the name of the column at fault."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


class Spec(NamedTuple):
    """What a column's code depends on: the field's name, its limits in wire units, and those for the kernel."""

    name: str
    low: int
    high: int
    layout: bytes


def spec(name: str, low: int, high: int) -> Spec:
    """The column spec of a field with values low..high. ValueError for a field that the kernel has no room for."""
    spread = high - low
    if spread < 0 or spread >> LIMIT_BITS or abs(low) >> LIMIT_BITS:
        raise ValueError(f"{name}: limits out of order, or wider than {LIMIT_BITS} bits")
    layout = LAYOUT.pack(spread.bit_length(), (2 * spread).bit_length(), low, high)
    return Spec(name, low, high, layout)


def unzigzag(u: int) -> int:
    """0, 1, 2, 3 ... -> 0, -1, 1, -2 ..."""
    return (u >> 1) ^ -(u & 1)


def decode(data: bytes, specs: tuple[Spec, ...], count: int) -> tuple[list[Column], bool]:
    """Column code of `count` (1 to wire.BATCH_MAX) readings -> (one list per spec, None where a value is missing;
    True when some value is outside its field's limits, see `outside`). Raises Malformed; ValueError for a count or a
    number of specs that no batch has.
    """
    return _decode(_kernel(), data, specs, count)


def _decode(kernel: Kernel, data: bytes, specs: tuple[Spec, ...], count: int) -> tuple[list[Column], bool]:
    width = len(specs)
    job = b"".join([*[one.layout for one in specs], data, _AFTER])
    # From the job itself: whatever the layouts were, the kernel is told of no byte that is not there.
    bits_bytes = len(job) - width * LAYOUT.size - AFTER_BYTES
    if not 0 < count <= wire.BATCH_MAX or not 0 < width <= COLUMNS_MAX or bits_bytes < 0:
        raise ValueError(f"no batch has {count} readings of {width} such columns")
    out = Values()
    verdict = kernel.run(job, bits_bytes << 16 | width << 8 | count, out)
    if verdict < 0:
        at, fault = divmod(-verdict, 8)
        raise Malformed(specs[at].name, _FAULTS[fault])
    columns: list[Column] = [out[start : start + count] for start in range(0, width * count, count)]
    if verdict > 1:
        for at in range(width):
            if verdict >> at & 2:
                columns[at] = [None if value == MISSING else value for value in columns[at]]
    return columns, bool(verdict & 1)


@cache
def _kernel() -> Kernel:
    """The kernel, compiled when first needed."""
    kernel = column_kernel.compile_kernel()
    if not _passes(kernel):
        raise PlumveilError("the column decoder as compiled for this processor gives wrong results; report its model")
    return kernel


def _passes(kernel: Kernel) -> bool:
    """A batch with every construct of the code: what LLVM made of the program is right on this machine."""
    stepped = list(accumulate(map(unzigzag, _SAMPLE_CODES), initial=0))
    gaps = [None, None, None, 7, -40, *[None] * 5]
    try:
        told = _decode(kernel, _SAMPLE, (spec("", -40, 40),) * 4, 10)
    except Malformed:
        return False
    return told == ([stepped, gaps, [41] * 10, [None] * 10], True)


def outside(column: Column, one: Spec) -> list[int]:
    """Indices of the values that lie outside the field's limits."""
    return [j for j, value in enumerate(column) if value is not None and not one.low <= value <= one.high]
