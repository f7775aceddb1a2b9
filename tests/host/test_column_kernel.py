"""The column decoder's machine code: a reader of single bits agrees with it, and it stays inside its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from string import Template

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools import column_kernel, columns
from host_tools import reference_encoder as encoder
from host_tools.errors import PlumveilError
from plumveil import wire

ROOT = Path(__file__).resolve().parents[2]
Limits = tuple[int, int]
LIMITS: list[Limits] = [(row[4], row[5]) for row in wire.FIELDS if row[2] == wire.READINGS]
LIMITS += [(0, 1), (-3, 4), (5, 5), (-(2**23), 2**23 - 1)]
WIDEST = (1 << column_kernel.LIMIT_BITS) - 1
# Reads batches of random bits with what the kernel reads, and what it writes, up against pages that nobody may touch.
GUARDED = """
import ctypes, mmap, random, sys
from host_tools import column_kernel as ck, columns

PAGE = mmap.PAGESIZE
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int

def fenced():
    area = mmap.mmap(-1, 3 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for outer in (start, start + 2 * PAGE):
        assert protect(outer, PAGE, 0) == 0
    return area, start + PAGE

(job_area, job_page), (out_area, out_page) = fenced(), fenced()
code = ck.compile_kernel().code
run = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)(code.address)
rng = random.Random(3)
limits = [(0, 200), (-550, 1250), (0, 0), (-(2**23), 2**23 - 1)]
ended = set()
for turn in range(40_000):
    width, count, size = rng.randint(1, ck.COLUMNS_MAX), rng.choice((1, 2, 17, 60)), rng.randint(0, 40)
    ones = rng.randbytes(size)
    # Escapes, presence and the longest codes are made of ones.
    data = bytes(byte | rng.choice((0, 0, 255)) for byte in ones)
    layouts = b"".join(columns.spec("", *rng.choice(limits)).layout for _ in range(width))
    job = layouts + data + bytes(ck.AFTER_BYTES)
    for at_end in (True, False):
        start = job_page + PAGE - len(job) if at_end else job_page
        ctypes.memmove(start, job, len(job))
        room = 4 * width * count
        out = out_page + PAGE - room if at_end else out_page
        verdict = run(start, size << 16 | width << 8 | count, out)
        ended.add(-verdict % 8 if verdict < 0 else "read")
print(sorted(map(str, ended)))
if len(sys.argv) > 1:
    run(job_page + PAGE - len(job) + 8 + ck.AFTER_BYTES, size << 16 | width << 8 | count, out_page)
    ctypes.c_int32.from_address(out_page + PAGE).value = 1
"""


class Bits:
    """A reader of the code as plumveil.wire documents it, a character a bit. Raises ValueError with the fault."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)

    def take(self, width: int) -> str:
        if width > len(self.text):
            raise ValueError("the column ends early")
        taken, self.text = self.text[:width], self.text[width:]
        return taken

    def number(self, width: int) -> int:
        return int("0" + self.take(width), 2)

    def difference(self, k: int, escape_bits: int) -> int:
        ones = 0
        while ones < wire.RICE_ESCAPE and self.take(1) == "1":
            ones += 1
        u = (ones << k) + self.number(k) if ones < wire.RICE_ESCAPE else self.number(escape_bits)
        if ones == wire.RICE_ESCAPE and u >> k < ones:
            raise ValueError("an escape that was not needed")
        return -(u + 1) // 2 if u % 2 else u // 2

    def column(self, low: int, high: int, count: int) -> list[int | None]:
        presence = self.take(count) if self.take(1) == "1" else None
        if presence == "1" * count:
            raise ValueError("says that values are missing, and none is")
        column: list[int | None] = [None] * count
        there = [j for j in range(count) if presence is None or presence[j] == "1"]
        if there:
            k, value = self.number(4), self.number((high - low).bit_length()) + low
            column[there[0]] = value
            for j in there[1:]:
                value += 0 if k == wire.RICE_CONSTANT else self.difference(k, (2 * (high - low)).bit_length())
                column[j] = value
        return column


def one_by_one(data: bytes, limits: list[Limits], count: int) -> object:
    """(columns, whether one is off its limits), or (number of the column at fault, fault)."""
    bits = Bits(data)
    made: list[list[int | None]] = []
    try:
        for low, high in limits:
            made.append(bits.column(low, high, count))
    except ValueError as fault:
        return len(made), str(fault)
    if len(bits.text) > 7 or "1" in bits.text:
        return len(made) - 1, "bits are left over behind the last column"
    off = any(v is not None and not low <= v <= high for (low, high), c in zip(limits, made, strict=True) for v in c)
    return made, off


def agrees(data: bytes, limits: list[Limits], count: int) -> None:
    specs = tuple(columns.spec(str(n), *one) for n, one in enumerate(limits))
    told: object
    try:
        found, suspect = columns.decode(data, specs, count)
        told = [list(column) for column in found], suspect
    except columns.Malformed as fault:
        told = int(fault.field), str(fault)
    assert told == one_by_one(data, limits, count)


@st.composite
def batches(draw: st.DrawFn) -> tuple[bytes, list[Limits], int]:
    count = draw(st.integers(1, wire.BATCH_MAX))
    limits = draw(st.lists(st.sampled_from(LIMITS), min_size=1, max_size=column_kernel.COLUMNS_MAX))
    bits = ""
    for low, high in limits:
        near = st.integers(low, min(high, low + draw(st.sampled_from([1, 5, 40])))) | st.sampled_from([low, high])
        values = draw(st.lists(near | st.none() if draw(st.booleans()) else near, min_size=count, max_size=count))
        k = draw(st.none() | st.integers(0, wire.RICE_K_MAX))
        bits += "".join(part for part, _ in encoder.column_parts(values, low, high, k=k))
    data = bytearray(encoder.pack_bits(bits))
    for bit in draw(st.lists(st.integers(0, 8 * len(data) - 1), max_size=2)):
        data[bit // 8] ^= 128 >> bit % 8
    cut = draw(st.just(len(data)) | st.integers(0, len(data)))
    return bytes(data[:cut]) + draw(st.sampled_from([b"", b"", b"\0", b"\x01"])), limits, count


@settings(max_examples=300, deadline=None)
@given(batches())
def test_a_reader_of_single_bits_agrees(batch: tuple[bytes, list[Limits], int]) -> None:
    agrees(*batch)


@settings(max_examples=600, deadline=None)
@given(
    st.binary(max_size=60),
    st.lists(st.sampled_from(LIMITS), min_size=1, max_size=column_kernel.COLUMNS_MAX),
    st.integers(1, wire.BATCH_MAX),
)
def test_it_agrees_on_any_bytes(data: bytes, limits: list[Limits], count: int) -> None:
    agrees(data, limits, count)


@pytest.mark.parametrize("low", [-WIDEST, 0, WIDEST])
def test_the_widest_walk_does_not_wrap(low: int) -> None:
    """Only upwards by as much as an escape can say, 59 times: far off the limits, and told to the unit."""
    spec = columns.spec("widest", low, low + WIDEST)
    up = (1 << (2 * WIDEST).bit_length()) - 2
    bits = "0" + encoder.binary(0, 4) + encoder.binary(WIDEST, WIDEST.bit_length())
    bits += ("1" * wire.RICE_ESCAPE + encoder.binary(up, (2 * WIDEST).bit_length())) * (wire.BATCH_MAX - 1)
    (column,), suspect = columns.decode(encoder.pack_bits(bits), (spec,), wire.BATCH_MAX)
    assert list(column) == [low + WIDEST + j * (up // 2) for j in range(wire.BATCH_MAX)]
    assert suspect
    assert min(abs(value - column_kernel.MISSING) for value in column if value is not None) > 1 << 29


@pytest.mark.parametrize(("low", "high"), [(1, 0), (0, WIDEST + 1), (-WIDEST - 1, 0), (WIDEST + 1, WIDEST + 2)])
def test_a_field_it_has_no_room_for_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="limits"):
        columns.spec("field", low, high)


def test_sizes_it_would_run_past_are_refused() -> None:
    one = columns.spec("one", 0, 200)
    hollow = one._replace(layout=b"")
    sizes = [((one,), 0), ((one,), -1), ((one,), wire.BATCH_MAX + 1), ((), 1), ((one,) * 99, 1), ((hollow,), 1)]
    for specs, count in sizes:
        with pytest.raises(ValueError, match="no batch has") as caught:
            columns.decode(b"", specs, count)
        assert not isinstance(caught.value, columns.Malformed)


@pytest.mark.skipif(sys.platform == "win32", reason="no mprotect")
def test_it_touches_no_byte_outside_its_memory() -> None:
    """Where the fences are is shown by reading and writing over them in the end, which must kill the process."""
    path = f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'firmware')]!r}\n"
    done = subprocess.run([sys.executable, "-c", path + GUARDED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "['1', '2', '3', '4', 'read']\n"), done.stderr
    over = subprocess.run([sys.executable, "-c", path + GUARDED, "over"], capture_output=True, text=True, check=False)
    assert over.returncode < 0


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("%half = lshr i64 %u, 1", "%half = lshr i64 %u, 2"),
        ("icmp sgt i64 %value, %high", "icmp sgt i64 %value, 9999"),
        ("shl i64 2, %c", "shl i64 4, %c"),
        ("lshr i64 %halved, %away", "lshr i64 %from.w, %away"),
        ("uge i64 %q, $escape", "ugt i64 %q, $escape"),
    ],
)
def test_code_that_decodes_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    """As on a machine for which LLVM makes other code than it should."""
    text = column_kernel._PROGRAM.template
    assert text.count(right) == 1
    monkeypatch.setattr(column_kernel, "_PROGRAM", Template(text.replace(right, wrong)))
    columns._kernel.cache_clear()
    try:
        with pytest.raises(PlumveilError, match="wrong results"):
            columns.decode(b"", (columns.spec("one", 0, 200),), 1)
    finally:
        columns._kernel.cache_clear()
