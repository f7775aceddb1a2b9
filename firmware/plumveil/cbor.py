# Deterministic CBOR (RFC 8949 section 4.2.1), the subset the wire uses: integers of 64 bits, byte and text strings,
# arrays, maps with integer or text keys, false, true, null, and the tag of COSE_Encrypt0.
# What is wrong stands beside each refusal, and not in it: nobody on a node reads it.
# `loads` must never take a second encoding of anything, nor use stack or memory beyond what its input is long.

from plumveil import wire
from plumveil.errors import Malformed


class Tagged:
    def __init__(self, tag, value):
        self.tag = tag
        self.value = value


# Bytes of `obj`: int in -2**64..2**64-1, bytes, bytearray, memoryview of bytes, str, list, tuple, dict with keys int
# or str, True, False, None, Tagged. Malformed for anything else.
def dumps(obj):
    out = bytearray()
    put(out, obj)
    return bytes(out)


def _head(out, major, n):
    if n < 24:
        out.append(major << 5 | n)
    elif n < 0x100:
        out.append(major << 5 | 24)
        out.append(n)
    elif n >> 32 >> 32:
        raise Malformed  # integer too large
    else:
        power = 1 if n < 0x10000 else 3 if n >> 32 else 2
        out.append(major << 5 | 24 | power)
        out.extend(n.to_bytes(1 << power, "big"))


# Appends the bytes of `obj` to a bytearray: no copy for each part of something longer.
def put(out, obj):
    # The wire's commonest kinds first. By type and not isinstance: on CPython a boolean is an integer.
    kind = type(obj)
    if kind is int:
        if 0 <= obj < 24:
            out.append(obj)
        elif obj < 0:
            _head(out, 1, -1 - obj)
        else:
            _head(out, 0, obj)
    elif kind is bytes or kind is bytearray or kind is memoryview:
        _head(out, 2, len(obj))
        out.extend(obj)
    elif kind is list or kind is tuple:
        _head(out, 4, len(obj))
        for item in obj:
            put(out, item)
    elif kind is dict:
        _put_map(out, obj)
    elif kind is str:
        obj = obj.encode()
        _head(out, 3, len(obj))
        out.extend(obj)
    elif obj is None:
        out.append(0xF6)
    elif kind is bool:
        out.append(0xF5 if obj else 0xF4)
    elif kind is Tagged:
        _head(out, 6, obj.tag)
        put(out, obj.value)
    else:
        raise Malformed  # type


def _put_map(out, obj):
    _head(out, 5, len(obj))
    for key in obj:
        if type(key) is not int or not 0 <= key < 24:
            _put_items(out, obj)
            return
    # Nearly every map's keys: as numbers they have the order of their encodings, one byte each.
    for key in sorted(obj):
        out.append(key)
        put(out, obj[key])


def _put_items(out, obj):
    items = {}
    for key in obj:
        head = dumps(key)
        _key(head[0])
        items[head] = obj[key]
    for head in sorted(items):
        out.extend(head)
        put(out, items[head])


def _key(first):
    if first >> 5 not in (0, 1, 3):
        raise Malformed  # map key


# The one item `data` holds: arrays come as lists, maps as dicts, a tag as Tagged. Malformed when `data` is not whole,
# not deterministic, outside the subset, or has arrays and maps nested deeper than depth_max.
def loads(data, depth_max=wire.CBOR_DEPTH_MAX):
    data = bytes(data)
    obj, at = _item(data, 0, depth_max)
    if at != len(data):
        raise Malformed  # bytes left over
    return obj


# -> (object, offset behind it)
def _item(data, at, depth):
    major, n, at = _read_head(data, at)
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major == 7:
        if not 20 <= n <= 22:
            raise Malformed  # float or simple value
        return (False, True, None)[n - 20], at
    if major == 6:
        # An array must follow (RFC 9052 section 2), so that tags cannot nest.
        if n != wire.COSE_TAG_ENCRYPT0 or at >= len(data) or data[at] >> 5 != 4:
            raise Malformed  # tag
        obj, at = _item(data, at, depth)
        return Tagged(n, obj), at
    # Every item of an array or map takes a byte at least.
    if n > len(data) - at:
        raise Malformed  # cut short
    if major < 4:
        end = at + n
        return (data[at:end] if major == 2 else _text(data[at:end])), end
    if depth < 1:
        raise Malformed  # too deep
    if major == 5:
        return _map(data, at, n, depth - 1)
    items = []
    for _ in range(n):
        obj, at = _item(data, at, depth - 1)
        items.append(obj)
    return items, at


def _map(data, at, n, depth):
    items = {}
    last = b""
    for _ in range(n):
        start = at
        key, at = _item(data, at, 0)
        _key(data[start])
        # Bytewise order of the encoded keys; equal ones fall out with it.
        if data[start:at] <= last:
            raise Malformed  # map order
        last = data[start:at]
        items[key], at = _item(data, at, depth)
    return items, at


# -> (major type, argument, offset behind the head)
def _read_head(data, at):
    if at >= len(data):
        raise Malformed  # cut short
    major = data[at] >> 5
    n = data[at] & 31
    at += 1
    if n > 23:
        size = 1 << (n - 24)
        if size > 8:
            raise Malformed  # indefinite or reserved length
        if size > len(data) - at:
            raise Malformed  # cut short
        n = int.from_bytes(data[at : at + size], "big")
        at += size
        if n < 24 or (size > 1 and not n >> 4 * size):
            raise Malformed  # not the shortest form
    return major, n, at


def _text(data):
    # MicroPython checks the shape of UTF-8 only: it lets overlong forms, surrogates and values past U+10FFFF through.
    size = 0
    try:
        text = str(data, "utf-8")
        for char in text:
            code = ord(char)
            if code >> 11 == 0x1B or code > 0x10FFFF:
                break
            size += 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
    except UnicodeError:
        size = -1
    if size != len(data):
        raise Malformed  # text is not UTF-8
    return text
