"""The column code's decoder as machine code: one pass along the bits of a batch, in LLVM's text.

Reads nothing outside `job` and writes nothing outside `out`, whatever the bits: every step forward is held against
the end before the next word is read. host_tools.columns is its only caller and sees to the sizes of both.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable
from string import Template
from typing import NamedTuple

from host_tools.machine_code import Code, compiled
from plumveil import wire

COLUMNS_MAX = sum(row[2] == wire.READINGS for row in wire.FIELDS)
# Of a column in `job`: bits of a first value, bits of an escaped difference, lowest and highest value.
LAYOUT = struct.Struct("=4i")
# Zeros behind the bits in `job`: a word read at the end, or 33 bits behind it for presence, stays inside (12 do).
AFTER_BYTES = 16
LIMIT_BITS = 24  # of a field's range and lowest value: 60 differences of twice that stay far inside 31 bits
MISSING = -(1 << 31)  # in `out`, where a value is missing
Values = ctypes.c_int32 * (COLUMNS_MAX * wire.BATCH_MAX)

# Verdicts: below zero -(8 * column + fault), else 1 for a value off its limits + 2 << column per column with gaps.
EARLY, NONE_MISSING, NEEDLESS_ESCAPE, LEFT_OVER = range(1, 5)

# Names ending in .w are words with the bits to come at the top. Shifts by 1 and then by 63 - n in place of 64 - n
# take n = 0 as well: LLVM leaves a shift by 64 undefined.
_PROGRAM = Template("""
declare i64 @llvm.bswap.i64(i64)
declare i64 @llvm.ctlz.i64(i64, i1)

; The 57 bits or more from bit `at` on.
define private i64 @word(ptr %data, i64 %at) alwaysinline {
  %byte = lshr i64 %at, 3
  %place = getelementptr i8, ptr %data, i64 %byte
  %loaded = load i64, ptr %place, align 1
  %swapped = call i64 @llvm.bswap.i64(i64 %loaded)
  %aside = and i64 %at, 7
  %at.w = shl i64 $in_order, %aside
  ret i64 %at.w
}

; The first n bits of a word, n from 0 to 63.
define private i64 @top(i64 %from.w, i64 %n) alwaysinline {
  %halved = lshr i64 %from.w, 1
  %away = sub i64 63, %n
  %bits = lshr i64 %halved, %away
  ret i64 %bits
}

; Number `row` of the 32-bit integers at a place.
define private i64 @number(ptr %base, i64 %row) alwaysinline {
  %place = getelementptr i32, ptr %base, i64 %row
  %narrow = load i32, ptr %place, align 1
  %wide = sext i32 %narrow to i64
  ret i64 %wide
}

; job: $layout_bytes bytes a column, the bits, zeros. sizes: bytes of the bits << 16 | columns << 8 | readings.
define i64 @decode(ptr %job, i64 %sizes, ptr %out) {
start:
  %count = and i64 %sizes, 255
  %sizes.8 = lshr i64 %sizes, 8
  %columns = and i64 %sizes.8, 255
  %bytes = lshr i64 %sizes, 16
  %end = shl i64 %bytes, 3
  %specs = mul i64 %columns, $layout_bytes
  %data = getelementptr i8, ptr %job, i64 %specs
  %beyond = sub i64 64, %count
  %all = lshr i64 -1, %beyond
  br label %column

column:
  %c = phi i64 [0, %start], [%c.next, %next.column]
  %at = phi i64 [0, %start], [%at.after, %next.column]
  %flags = phi i64 [0, %start], [%flags.after, %next.column]
  %row = mul i64 %c, $layout_bytes
  %spec = getelementptr i8, ptr %job, i64 %row
  %first.bits = call i64 @number(ptr %spec, i64 0)
  %escape.bits = call i64 @number(ptr %spec, i64 1)
  %low = call i64 @number(ptr %spec, i64 2)
  %high = call i64 @number(ptr %spec, i64 3)
  %values.at = mul i64 %c, %count
  %values = getelementptr i32, ptr %out, i64 %values.at
  %flag.w = call i64 @word(ptr %data, i64 %at)
  %at.1 = add i64 %at, 1
  %gaps = icmp slt i64 %flag.w, 0
  br i1 %gaps, label %presence, label %head

presence:
  %at.33 = add i64 %at, 33
  %early.w = call i64 @word(ptr %data, i64 %at.1)
  %late.w = call i64 @word(ptr %data, i64 %at.33)
  %early.32 = and i64 %early.w, -4294967296
  %late.32 = lshr i64 %late.w, 32
  %present.w = or i64 %early.32, %late.32
  %present.some = lshr i64 %present.w, %beyond
  %at.presence = add i64 %at.1, %count
  %column.flag = shl i64 2, %c
  %flags.gaps = or i64 %flags, %column.flag
  %presence.out = icmp ugt i64 %at.presence, %end
  br i1 %presence.out, label %fault, label %presence.whole
presence.whole:
  %none.missing = icmp eq i64 %present.some, %all
  br i1 %none.missing, label %fault, label %presence.any
presence.any:
  %none = icmp eq i64 %present.some, 0
  br i1 %none, label %readings, label %head

head:
  %present = phi i64 [%all, %column], [%present.some, %presence.any]
  %flags.head = phi i64 [%flags, %column], [%flags.gaps, %presence.any]
  %at.head = phi i64 [%at.1, %column], [%at.presence, %presence.any]
  %head.w = call i64 @word(ptr %data, i64 %at.head)
  %k.read = lshr i64 %head.w, 60
  %behind.k.w = shl i64 %head.w, 4
  %first = call i64 @top(i64 %behind.k.w, i64 %first.bits)
  %first.value = add i64 %first, %low
  %at.first = add i64 %at.head, 4
  %at.codes = add i64 %at.first, %first.bits
  %head.out = icmp ugt i64 %at.codes, %end
  br i1 %head.out, label %fault, label %readings

readings:
  %k = phi i64 [%k.read, %head], [0, %presence.any]
  %shown = phi i64 [%present, %head], [0, %presence.any]
  %value.first = phi i64 [%first.value, %head], [0, %presence.any]
  %flags.readings = phi i64 [%flags.head, %head], [%flags.gaps, %presence.any]
  %at.readings = phi i64 [%at.codes, %head], [%at.presence, %presence.any]
  %constant = icmp eq i64 %k, $constant
  %shown.w = shl i64 %shown, %beyond
  br label %reading

reading:
  %j = phi i64 [0, %readings], [%j.next, %next.reading]
  %at.j = phi i64 [%at.readings, %readings], [%at.j.next, %next.reading]
  %value.before = phi i64 [%value.first, %readings], [%value.last, %next.reading]
  %met = phi i1 [false, %readings], [%met.next, %next.reading]
  %flags.j = phi i64 [%flags.readings, %readings], [%flags.j.next, %next.reading]
  %here.w = shl i64 %shown.w, %j
  %here = icmp slt i64 %here.w, 0
  br i1 %here, label %value.here, label %next.reading

value.here:
  ; The first value there is stands in the head; a constant repeats it.
  %unmet = xor i1 %met, true
  %no.code = or i1 %unmet, %constant
  br i1 %no.code, label %value.found, label %code

code:
  %code.w = call i64 @word(ptr %data, i64 %at.j)
  %zeros.w = xor i64 %code.w, -1
  %q = call i64 @llvm.ctlz.i64(i64 %zeros.w, i1 false)
  %escaped = icmp uge i64 %q, $escape
  br i1 %escaped, label %escape, label %short

short:
  %unary = add i64 %q, 1
  %behind.unary.w = shl i64 %code.w, %unary
  %low.bits = call i64 @top(i64 %behind.unary.w, i64 %k)
  %quotient = shl i64 %q, %k
  %u.short = or i64 %quotient, %low.bits
  %at.unary = add i64 %at.j, %unary
  %at.short = add i64 %at.unary, %k
  %short.out = icmp ugt i64 %at.short, %end
  br i1 %short.out, label %fault, label %difference

escape:
  %behind.ones.w = shl i64 %code.w, $escape
  %u.escape = call i64 @top(i64 %behind.ones.w, i64 %escape.bits)
  %at.ones = add i64 %at.j, $escape
  %at.escape = add i64 %at.ones, %escape.bits
  %escape.out = icmp ugt i64 %at.escape, %end
  br i1 %escape.out, label %fault, label %escape.whole
escape.whole:
  %could.be = lshr i64 %u.escape, %k
  %needless = icmp ult i64 %could.be, $escape
  br i1 %needless, label %fault, label %difference

difference:
  %u = phi i64 [%u.short, %short], [%u.escape, %escape.whole]
  %at.code = phi i64 [%at.short, %short], [%at.escape, %escape.whole]
  ; Zigzag undone: 0, 1, 2, 3 ... -> 0, -1, 1, -2 ...
  %half = lshr i64 %u, 1
  %odd = and i64 %u, 1
  %sign = sub i64 0, %odd
  %step = xor i64 %half, %sign
  %value.stepped = add i64 %value.before, %step
  br label %value.found

value.found:
  %value = phi i64 [%value.before, %value.here], [%value.stepped, %difference]
  %at.value = phi i64 [%at.j, %value.here], [%at.code, %difference]
  %below = icmp slt i64 %value, %low
  %above = icmp sgt i64 %value, %high
  %off = or i1 %below, %above
  %off.flag = zext i1 %off to i64
  %flags.value = or i64 %flags.j, %off.flag
  br label %next.reading

next.reading:
  %told = phi i64 [$missing, %reading], [%value, %value.found]
  %value.last = phi i64 [%value.before, %reading], [%value, %value.found]
  %at.j.next = phi i64 [%at.j, %reading], [%at.value, %value.found]
  %met.next = phi i1 [%met, %reading], [true, %value.found]
  %flags.j.next = phi i64 [%flags.j, %reading], [%flags.value, %value.found]
  %told.32 = trunc i64 %told to i32
  %slot = getelementptr i32, ptr %values, i64 %j
  store i32 %told.32, ptr %slot, align 4
  %j.next = add i64 %j, 1
  %more.readings = icmp ult i64 %j.next, %count
  br i1 %more.readings, label %reading, label %next.column

next.column:
  %at.after = phi i64 [%at.j.next, %next.reading]
  %flags.after = phi i64 [%flags.j.next, %next.reading]
  %c.next = add i64 %c, 1
  %more.columns = icmp ult i64 %c.next, %columns
  br i1 %more.columns, label %column, label %padding

padding:
  ; Zero bits fill the last byte, and there is no other behind it.
  %left = sub i64 %end, %at.after
  %rest.w = call i64 @word(ptr %data, i64 %at.after)
  %rest = call i64 @top(i64 %rest.w, i64 7)
  %bytes.left = icmp ugt i64 %left, 7
  %bits.left = icmp ne i64 %rest, 0
  %spoiled = or i1 %bytes.left, %bits.left
  br i1 %spoiled, label %fault, label %done
done:
  ret i64 %flags.after

fault:
  %what = phi i64 [$early, %presence], [$none_missing, %presence.whole], [$early, %head], [$early, %short],
                  [$early, %escape], [$needless_escape, %escape.whole], [$left_over, %padding]
  %where = shl i64 %c, 3
  %both = add i64 %where, %what
  %verdict = sub i64 0, %both
  ret i64 %verdict
}
""")


class Kernel(NamedTuple):
    """The compiled decoder: run(job, sizes, out) -> verdict. `code` owns what it runs."""

    run: Callable[[bytes, int, ctypes.Array[ctypes.c_int32]], int]
    code: Code


def compile_kernel() -> Kernel:
    """Compiles the decoder, which takes 0.05 s, and 0.2 s where LLVM is imported first."""
    program = _PROGRAM.substitute(
        in_order="%swapped" if sys.byteorder == "little" else "%loaded",
        layout_bytes=LAYOUT.size,
        constant=wire.RICE_CONSTANT,
        escape=wire.RICE_ESCAPE,
        missing=MISSING,
        early=EARLY,
        none_missing=NONE_MISSING,
        needless_escape=NEEDLESS_ESCAPE,
        left_over=LEFT_OVER,
    )
    code = compiled(program, "decode")
    # Too short for other threads to gain by it: the interpreter's lock is kept.
    kind = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p)
    return Kernel(kind(code.address), code)
