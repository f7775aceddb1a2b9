"""SHA-256's compression function over many blocks at once: vector code, compiled by LLVM for the processor at hand.

A lane is a column of the arrays; all run the same steps and none branches on data. Must never keep what it hashes.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from host_tools import machine_code
from host_tools.errors import PlumveilError

Words = NDArray[np.uint32]  # shape (rows, lanes): word `row` of each lane
STATE_ROWS = 8
BLOCK_ROWS = 16
BLOCK_BYTES = 4 * BLOCK_ROWS
ROUNDS = 64


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root_bits(prime: int) -> int:
    """First 32 bits of the fraction of a prime's cube root, in integers: a float's digits would not do."""
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
    return low & 0xFFFFFFFF


# FIPS 180-4 sections 4.2.2 and 5.3.3 define them so.
K = [_cube_root_bits(prime) for prime in _primes(ROUNDS)]
START: Words = np.array([math.isqrt(prime << 64) & 0xFFFFFFFF for prime in _primes(STATE_ROWS)], np.uint32)


class _Code(NamedTuple):
    run: Callable[[int, int, int], None]  # addresses of state and block, number of groups of `group` lanes
    group: int
    code: machine_code.Code  # owns what `run` runs, so it lives as long


def _rounds(b: Any, vector: Any, rotate: Any, words: list[Any], start: list[Any]) -> list[Any]:
    """The 64 rounds of FIPS 180-4 section 6.2.2 as straight-line code; words are those of the block."""

    def every(value: int) -> Any:
        return vector([value] * vector.count)

    def right(x: Any, *bits: int) -> Any:
        turned = [b.call(rotate, [x, x, every(count)]) for count in bits]
        mixed = b.xor(turned[0], turned[1])
        return b.xor(mixed, turned[2]) if len(turned) == 3 else mixed

    words = list(words)
    s = list(start)
    for t in range(ROUNDS):
        if t >= BLOCK_ROWS:
            small0 = b.xor(right(words[t - 15], 7, 18), b.lshr(words[t - 15], every(3)))
            small1 = b.xor(right(words[t - 2], 17, 19), b.lshr(words[t - 2], every(10)))
            words.append(b.add(b.add(words[t - 16], small0), b.add(words[t - 7], small1)))
        choice = b.xor(s[6], b.and_(s[4], b.xor(s[5], s[6])))
        majority = b.or_(b.and_(s[0], s[1]), b.and_(s[2], b.or_(s[0], s[1])))
        t1 = b.add(b.add(s[7], b.add(words[t], every(K[t]))), b.add(choice, right(s[4], 6, 11, 25)))
        t2 = b.add(right(s[0], 2, 13, 22), majority)
        s = [b.add(t1, t2), s[0], s[1], s[2], b.add(s[3], t1), s[4], s[5], s[6]]
    return [b.add(after, before) for after, before in zip(s, start, strict=True)]


def _program(group: int) -> str:
    """LLVM's text of `compress(state, block, groups)`: for each group of lanes, load, 64 rounds, store."""
    # Imported here, not above: a look-up in the index hashes nothing and need not wait for LLVM.
    from llvmlite import ir  # type: ignore[import-untyped]

    word, index, pointer = ir.IntType(32), ir.IntType(64), ir.PointerType()
    vector = ir.VectorType(word, group)
    module = ir.Module("sha256")
    rotate = ir.Function(module, ir.FunctionType(vector, [vector] * 3), f"llvm.fshr.v{group}i32")
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer, pointer, index]), "compress")
    state, block, groups = function.args
    entry, loop, end = (function.append_basic_block(name) for name in ("entry", "loop", "end"))
    before = ir.IRBuilder(entry)
    before.cbranch(before.icmp_signed(">", groups, index(0)), loop, end)
    b = ir.IRBuilder(loop)
    at = b.phi(index)

    def place(base: Any, row: int) -> Any:
        return b.gep(base, [b.add(b.mul(groups, index(row)), at)], source_etype=vector)

    words = [b.load(place(block, row), typ=vector, align=4) for row in range(BLOCK_ROWS)]
    start = [b.load(place(state, row), typ=vector, align=4) for row in range(STATE_ROWS)]
    for row, value in enumerate(_rounds(b, vector, rotate, words, start)):
        b.store(value, place(state, row), align=4)
    following = b.add(at, index(1))
    b.cbranch(b.icmp_signed("<", following, groups), loop, end)
    at.add_incoming(index(0), entry)
    at.add_incoming(following, loop)
    ir.IRBuilder(end).ret_void()
    return str(module)


def compiled(group: int, without: str = "") -> _Code:
    """Machine code that takes `group` lanes a turn; `without` switches features of the processor off ("-avx512f")."""
    code = machine_code.compiled(_program(group), "compress", without)
    # A CFUNCTYPE lets go of the interpreter's lock while it runs: threads hash side by side.
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    return _Code(kind(code.address), group, code)


def _passes(code: _Code) -> bool:
    """FIPS 180-4's own example in every lane: what LLVM made of the program is right on this machine."""
    state = np.repeat(START[:, None], code.group, axis=1)
    words = np.frombuffer(b"abc\x80" + bytes(59) + b"\x18", ">u4").astype(np.uint32)
    run(code, state, np.repeat(words[:, None], code.group, axis=1))
    return {lane.astype(">u4").tobytes() for lane in state.T} == {hashlib.sha256(b"abc").digest()}


@cache
def _code() -> _Code:
    from llvmlite import binding

    wide = binding.get_host_cpu_features().get("avx512f", False)
    code = compiled(16 if wide else 8)  # 32 vector registers hold a turn of 16 lanes; with 16 registers it spills
    if not _passes(code):
        raise PlumveilError("SHA-256 as compiled for this processor gives wrong results; report its model")
    return code


def group() -> int:
    """Lanes of a turn here; a number of lanes is a multiple of it. The first call compiles, which takes 0.4 s."""
    return _code().group


def start_state(lanes: int) -> Words:
    """The state before the first block, shape (8, lanes)."""
    return np.repeat(START[:, None], lanes, axis=1)


def run(code: _Code, state: Words, block: Words) -> None:
    """`compress` by the given code."""
    lanes = state.shape[1] if state.ndim == 2 else 0
    # The code is handed bare addresses: an array of another shape or type would have it write past the end.
    for words, rows in ((state, STATE_ROWS), (block, BLOCK_ROWS)):
        if words.shape != (rows, lanes) or words.dtype != np.uint32 or not words.flags.c_contiguous:
            raise ValueError(f"lanes need a contiguous uint32 array of shape ({rows}, {lanes})")
    if lanes % code.group or not state.flags.writeable:
        raise ValueError(f"the state must be writable and its lanes a multiple of {code.group}")
    code.run(state.ctypes.data, block.ctypes.data, lanes // code.group)


def compress(state: Words, block: Words) -> None:
    """Takes one 64-byte block a lane into the state, in place (FIPS 180-4 section 6.2.2).

    state: (8, lanes), block: (16, lanes), uint32, C-contiguous, lanes a multiple of `group()`. Other threads run
    meanwhile. ValueError for any other shape.
    """
    run(_code(), state, block)


def to_words(data: NDArray[np.uint8], lanes: int) -> Words:
    """Bytes (n, 4 * rows), a message a row, as words (rows, lanes); lanes beyond n are zero."""
    words = np.zeros((data.shape[1] // 4, lanes), np.uint32)
    words[:, : len(data)] = np.ascontiguousarray(data).view(">u4").T
    return words


def to_bytes(words: Words) -> NDArray[np.uint8]:
    """Words (rows, lanes) as bytes (lanes, 4 * rows)."""
    return np.ascontiguousarray(words.T).astype(">u4").view(np.uint8)
