# The CBOR codec: published encodings, each either in the wire's subset and back to the same bytes, or refused.

import json
import unittest
from binascii import hexlify, unhexlify

from testdata import shared, vectors

from plumveil import cbor, wire
from plumveil.errors import Malformed


def text(data):
    return str(hexlify(data), "ascii")


def load(path):
    with open(path) as file:
        return json.load(file)


def spelt(value):
    # A JSON value of tests/vectors/cbor.json: {"bytes": hex} and {"map": [[key, value]]} are what JSON cannot say.
    if isinstance(value, list):
        return [spelt(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return unhexlify(value["bytes"])
    return dict([(spelt(key), spelt(item)) for key, item in value["map"]])


def head(data, at):
    # -> (major type, additional information, argument, offset behind the head), taking the bytes as they are.
    major, info = data[at] >> 5, data[at] & 31
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    argument = int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else info
    return major, info, argument, at + 1 + size


def shortest(argument):
    if argument < 24:
        return 0
    return 1 if argument < 1 << 8 else 2 if argument < 1 << 16 else 4 if argument < 1 << 32 else 8


def end_of(data, at):
    # Offset behind the well-formed, definite item at `at`.
    items = 1
    while items:
        major, _, argument, at = head(data, at)
        items += {4: argument, 5: 2 * argument, 6: 1}.get(major, 0) - 1
        if major in (2, 3):
            at += argument
    return at


def keys_in_order(data, at, pairs):
    keys = []
    for _ in range(pairs):
        end = end_of(data, at)
        keys.append(data[at:end])
        at = end_of(data, end)
    return keys == sorted(set(keys)) and all([key[0] >> 5 in (0, 1, 3) for key in keys])


def heads_allowed(data):
    # No indefinite length; simple values f4, f5, f6 alone; tag 16 alone, on an array; shortest heads (RFC 8949
    # section 4.2.1).
    at = 0
    while at < len(data):
        major, info, argument, after = head(data, at)
        if info == 31 or (major == 7 and data[at] not in (0xF4, 0xF5, 0xF6)):
            return False
        if major == 6 and (argument != 16 or data[after] >> 5 != 4):
            return False
        if after - at - 1 != shortest(argument):
            return False
        at = after + argument if major in (2, 3) else after
    return True


def in_subset(data):
    # The rule for a well-formed item: heads as above; maps keyed by integers or text, each key bytewise above the one
    # before; at most CBOR_DEPTH_MAX arrays and maps in one another.
    if not heads_allowed(data):
        return False
    at = 0
    ends = []  # of the arrays and maps around
    while at < len(data):
        major, _, argument, after = head(data, at)
        if major == 5 and not keys_in_order(data, after, argument):
            return False
        ends = [end for end in ends if end > at]
        if major in (4, 5):
            ends.append(end_of(data, at))
        if len(ends) > wire.CBOR_DEPTH_MAX:
            return False
        at = after + argument if major in (2, 3) else after
    return True


class Vectors(unittest.TestCase):
    def refused(self, data):
        try:
            cbor.loads(data)
        except Malformed:
            return
        self.fail("accepted " + text(data))

    def again(self, data):
        # A vector of the subset: comes back to the same bytes; no beginning of it passes, and nothing may follow.
        self.assertEqual(text(cbor.dumps(cbor.loads(data))), text(data))
        for cut in range(min(len(data), 40)):
            self.refused(data[:cut])
        self.refused(data + b"\x00")

    def sorted_out(self, encodings):
        # -> (accepted, refused): how many of each the rule found, all treated accordingly.
        accepted = refused = 0
        for data, bad in encodings:
            if not bad and in_subset(data):
                self.again(data)
                accepted += 1
            else:
                self.refused(data)
                refused += 1
        return accepted, refused

    def test_rfc_8949_examples(self):
        examples = load(vectors("cbor.json"))
        for vector in examples["accepted"]:
            data = unhexlify(vector["hex"])
            value = spelt(vector["value"])
            self.assertEqual(cbor.loads(data), value)
            self.assertIs(type(cbor.loads(data)), type(value))
            self.assertEqual(text(cbor.dumps(value)), vector["hex"])
            self.assertTrue(in_subset(data))
        for vector in examples["refused"]:
            self.refused(unhexlify(vector["hex"]))
        self.assertEqual((len(examples["accepted"]), len(examples["refused"])), (37, 45))

    def test_appendix_a(self):
        path = shared("cbor/appendix_a.json")
        if not path:
            self.skipTest("no shared data")
        # f818 is listed there and is not well-formed (section 3.3).
        found = self.sorted_out([(unhexlify(v["hex"]), v["hex"] == "f818") for v in load(path)])
        self.assertEqual(found, (37, 45))

    def test_working_group_vectors(self):
        path = shared("cbor/cbor_wg_vectors.json")
        if not path:
            self.skipTest("no shared data")
        found = self.sorted_out([(unhexlify(v["hex"]), v["fail"]) for v in load(path)])
        self.assertEqual(found, (298, 1083))

    def test_not_well_formed(self):
        path = shared("cbor/rfc8949_appendix_f_not_well_formed.json")
        if not path:
            self.skipTest("no shared data")
        encodings = [unhexlify(v["hex"]) for v in load(path)]
        for data in encodings:
            self.refused(data)
            self.refused(b"\x81" + data)
            self.refused(b"\xa1\x00" + data)
        self.assertEqual(len(encodings), 94)


class Decoder(unittest.TestCase):
    def refused(self, *encodings):
        for encoding in encodings:
            try:
                cbor.loads(unhexlify(encoding))
            except Malformed:
                continue
            self.fail("accepted " + encoding)

    def test_one_encoding_of_a_length(self):
        for long in ("1817", "190018", "1a0000ffff", "1b00000000ffffffff", "5800", "580100", "7800", "9800", "b800"):
            self.refused(long, "82" + long + "00", "a100" + long)

    def test_map_order(self):
        self.assertEqual(cbor.loads(unhexlify("a3010018180060f6")), {1: 0, 24: 0, "": None})
        self.refused("a201000100", "a202000100", "a21818000100", "a260000100", "a220000100")

    def test_map_keys(self):
        for key in ("4100", "80", "a0", "f4", "f6", "d080", "f93c00", "c000"):
            self.refused("a1" + key + "00")

    def test_tags(self):
        message = cbor.loads(unhexlify("d083404040"))
        self.assertEqual((message.tag, message.value), (wire.COSE_TAG_ENCRYPT0, [b"", b"", b""]))
        self.refused("d0", "d000", "d0d080", "d0a0", "d180", "d81080", "d8185f", "c080", "d9d9f780")

    def test_depth(self):
        deepest = wire.CBOR_DEPTH_MAX
        for shell in (b"\x81", b"\xa1\x00"):
            data = shell * deepest + b"\x00"
            self.assertEqual(cbor.dumps(cbor.loads(data)), data)
            self.refused(text(shell * (deepest + 1) + b"\x00"), text(shell * 5000 + b"\x00"))
            with self.assertRaises(Malformed):
                cbor.loads(data, deepest - 1)
        self.assertEqual(cbor.loads(b"\xd0" + b"\x81" * deepest + b"\x00").value, [[[[0]]]])
        self.assertEqual(cbor.loads(b"\x05", 0), 5)
        self.refused("d0" * 5000 + "80")

    def test_lengths_that_are_not_there(self):
        self.refused("5affffffff", "5bffffffffffffffff00", "7bffffffffffffffff", "9affffffff00", "9bffffffffffffffff")
        self.refused("baffffffff00", "bbffffffffffffffff0000", "9b7fffffffffffffff00", "5b8000000000000000")

    def test_reserved_lengths_and_what_has_none(self):
        for major in range(8):
            for info in (28, 29, 30, 31):
                for size in (0, 16, 32, 64, 128):
                    self.refused(text(bytes((major << 5 | info,)) + b"\xff" * size))

    def test_text_is_utf_8(self):
        edges = ("7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf", "f0908080", "f48fbfbf", "61c3a9e282ac")
        for good in edges:
            data = bytes((0x60 + len(good) // 2,)) + unhexlify(good)
            self.assertEqual(cbor.dumps(cbor.loads(data)), data)
        overlong = ("c080", "c1bf", "e08080", "e09fbf", "f0808080", "f08fbfbf", "61c08061", "c08061616161")
        beyond = ("eda080", "edbfbf", "61eda08061", "eda08061616161", "f4908080", "f5808080", "f490808061")
        broken = ("80", "bf", "c0", "f8888080", "fe", "ff", "c3", "e282", "f09080", "c341", "61ff", "f888808080")
        for bad in overlong + beyond + broken:
            self.refused(text(bytes((0x60 + len(bad) // 2,))) + bad)

    def test_other_buffers(self):
        self.assertEqual(cbor.loads(bytearray(b"\x81\x41a")), [b"a"])
        self.assertEqual(cbor.loads(memoryview(b"\x00\x81\x41a")[1:]), [b"a"])
        self.assertIs(type(cbor.loads(bytearray(b"\x41a"))), bytes)


class Encoder(unittest.TestCase):
    def test_integers_at_every_width(self):
        for bits in (0, 4, 5, 7, 8, 15, 16, 29, 30, 31, 32, 33, 53, 62, 63, 64):
            for n in ((1 << bits) - 1, 1 << bits, -(1 << bits), -1 - (1 << bits)):
                if -(1 << 64) <= n < 1 << 64:
                    data = cbor.dumps(n)
                    self.assertEqual(cbor.loads(data), n)
                    self.assertTrue(in_subset(data))
        for n in (1 << 64, 1 << 70, -1 - (1 << 64)):
            with self.assertRaises(Malformed):
                cbor.dumps(n)

    def test_map_is_sorted_whatever_order_it_was_built_in(self):
        pairs = [(99, None), (65536, None), (-1, True), (-25, False), ("a", 3), ("a\x00", (1, 2)), ("b", 4)]
        for order in (pairs, pairs[::-1], pairs[3:] + pairs[:3]):
            made = {}
            for key, value in order:
                made[key] = value
            want = "a71863f61a00010000f620f53818f4616103616204626100820102"
            self.assertEqual(text(cbor.dumps(made)), want)

    def test_short_keys_sort_as_numbers(self):
        # Built in two orders: a node's dicts have none of their own.
        for order in (range(24), range(23, -1, -1)):
            made = {}
            for key in order:
                made[key] = [key]
            want = "b818" + "".join(["%02x81%02x" % (key, key) for key in range(24)])
            self.assertEqual(text(cbor.dumps(made)), want)
        for made, want in (({24: 0, 23: 1, 0: 2}, "a300021701181800"), ({-1: 2, 23: 1, 0: 0}, "a3000017012002")):
            self.assertEqual(text(cbor.dumps(made)), want)

    def test_put_appends(self):
        out = bytearray(b"before")
        cbor.put(out, [1, {0: b"x"}])
        cbor.put(out, "t")
        self.assertEqual(bytes(out), b"before" + cbor.dumps([1, {0: b"x"}]) + cbor.dumps("t"))

    def test_buffers_are_byte_strings(self):
        for data in (b"abc", bytearray(b"abc"), memoryview(b"xabc")[1:]):
            self.assertEqual(cbor.dumps(data), b"\x43abc")

    def test_tag_and_nesting(self):
        self.assertEqual(text(cbor.dumps(cbor.Tagged(16, (b"", {}, b"\x01")))), "d08340a04101")
        self.assertEqual(text(cbor.dumps([[], {}, ((),)])), "8380a08180")

    def test_refuses_what_the_wire_has_not(self):
        keys = ({b"a": 1}, {True: 1}, {None: 1}, {(1, 2): 3})
        for thing in keys + (1.5, object(), {1}, int, [1.0], {1: 1.0}, cbor.Tagged(16, 0.5)):
            with self.assertRaises(Malformed):
                cbor.dumps(thing)


if __name__ == "__main__":
    unittest.main()
