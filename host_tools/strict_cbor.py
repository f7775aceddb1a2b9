"""A strict reader for the CBOR subset on the wire: core-deterministic (RFC 8949 section 4.2.1) integers, byte
strings, arrays and maps with integer keys, and where it is told so, text and null. It reads what is not yet
authenticated, so it never recurses deeper than it is told, never allocates by a length it has not checked, and knows
no tags whose decoding does work.
"""

from typing import Any

from plumveil import wire

UINT, NINT, BSTR, TSTR, ARRAY, MAP, TAG, SIMPLE = range(8)
NULL = 0xF6


class NotWellFormed(ValueError):
    """The bytes are not CBOR at all, or end inside an item. `offset_bytes` is where."""

    def __init__(self, what: str, offset_bytes: int) -> None:
        super().__init__(what)
        self.offset_bytes = offset_bytes


class NotStrict(ValueError):
    """Well-formed so far, but not deterministic or not in the subset. `offset_bytes` is where."""

    def __init__(self, what: str, offset_bytes: int) -> None:
        super().__init__(what)
        self.offset_bytes = offset_bytes


def head(data: bytes, pos: int) -> tuple[int, int, int]:
    """(major type, argument, offset behind the head) of the item at `pos`; shortest heads only (section 4.2.1)."""
    try:
        initial = data[pos]
    except IndexError:
        raise NotWellFormed("ends where an item should stand", pos) from None
    low = initial & 31
    if low < 24:
        return initial >> 5, low, pos + 1
    if low > 27:
        if low < 31 or initial >> 5 in (UINT, NINT, TAG):
            raise NotWellFormed("reserved head", pos)
        raise NotStrict("indefinite length", pos)
    width = 1 << (low - 24)
    end = pos + 1 + width
    if end > len(data):
        raise NotWellFormed("ends inside a head", pos)
    argument = int.from_bytes(data[pos + 1 : end], "big")
    if initial >> 5 != SIMPLE and argument < (24 if width == 1 else 1 << (4 * width)):
        raise NotStrict("longer head than needed", pos)
    return initial >> 5, argument, end


def item(data: bytes, pos: int = 0, depth: int = wire.CBOR_DEPTH_MAX, *, text: bool = False) -> tuple[Any, int]:
    """(value, offset behind it) of the strict item at `pos`; at most `depth` arrays and maps inside one another.

    Integers become int, byte strings bytes, arrays list, maps dict. text: text strings and null are read as well, as
    str and None. Raises NotWellFormed or NotStrict.
    """
    if pos < len(data) and data[pos] < 24:
        return data[pos], pos + 1
    major, argument, at = head(data, pos)
    if major == UINT:
        return argument, at
    if major == BSTR:
        end = at + argument
        if end > len(data):
            raise NotWellFormed("ends inside a byte string", pos)
        return data[at:end], end
    if major == NINT:
        return -1 - argument, at
    if major in (ARRAY, MAP):
        if depth == 0:
            raise NotStrict("nested too deep", pos)
        if argument > len(data) - at:
            raise NotWellFormed("more entries than bytes", pos)
        return (_array if major == ARRAY else _map)(data, at, argument, depth - 1, text)
    if text and major == TSTR:
        return _text(data, at, argument)
    if text and data[pos] == NULL:
        return None, at
    raise NotStrict(("text", "tag", "float or simple value")[(TSTR, TAG, SIMPLE).index(major)], pos)


def _text(data: bytes, at: int, size_bytes: int) -> tuple[str, int]:
    end = at + size_bytes
    if end > len(data):
        raise NotWellFormed("ends inside a text", at)
    try:
        return data[at:end].decode("utf-8"), end
    except UnicodeDecodeError:
        raise NotStrict("text that is not UTF-8", at) from None


def _array(data: bytes, at: int, count: int, depth: int, text: bool) -> tuple[list[Any], int]:
    values = []
    for _ in range(count):
        value, at = item(data, at, depth, text=text)
        values.append(value)
    return values, at


def _map(data: bytes, at: int, count: int, depth: int, text: bool) -> tuple[dict[int, Any], int]:
    # Keys ascend by their encoded bytes: for integers that is by major type, then by argument (section 4.2.1).
    entries = {}
    previous = (-1, 0)
    for _ in range(count):
        start = at
        major, argument, at = head(data, at)
        if major > NINT:
            raise NotStrict("map key that is no integer", start)
        if (major, argument) <= previous:
            raise NotStrict("map keys not ascending", start)
        previous = (major, argument)
        entries[argument if major == UINT else -1 - argument], at = item(data, at, depth, text=text)
    return entries, at


def loads(data: bytes, *, text: bool = False) -> Any:
    """The one strict item that `data` is, whole; text: see `item`. Raises NotWellFormed or NotStrict."""
    value, end = item(data, text=text)
    if end != len(data):
        raise NotWellFormed("bytes behind the item", end)
    return value


def skip(data: bytes, pos: int = 0, depth: int = 16) -> int:
    """Offset behind the item at `pos`, of any well-formed CBOR; used to cut a sequence (RFC 8742) into its items.

    Raises NotWellFormed; its message is "ends ..." when more bytes might complete the item.
    """
    try:
        initial = data[pos]
    except IndexError:
        raise NotWellFormed("ends where an item should stand", pos) from None
    major, low = initial >> 5, initial & 31
    if low > 27:
        raise NotWellFormed("reserved head or indefinite length", pos)
    at = pos + 1
    argument = low
    if low > 23:
        at += 1 << (low - 24)
        if at > len(data):
            raise NotWellFormed("ends inside a head", pos)
        argument = int.from_bytes(data[pos + 1 : at], "big")
    if major in (BSTR, TSTR):
        if argument > len(data) - at:
            raise NotWellFormed("ends inside a string", pos)
        return at + argument
    entries = {ARRAY: argument, MAP: 2 * argument, TAG: 1}.get(major, 0)
    if entries and depth == 0:
        raise NotWellFormed("nested too deep", pos)
    for _ in range(entries):
        at = skip(data, at, depth - 1)
    return at
