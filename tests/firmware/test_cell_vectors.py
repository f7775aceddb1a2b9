# The same cells everywhere (P12): 100,000 points, and where some of them are moved to, against what the host's own
# arithmetic makes of them (tests/vectors/make_cells.py), a block at a time.
import json
import unittest
from binascii import crc32

import cellpoints
from testdata import vectors

from plumveil import grid, scatter

KEY = bytes(range(64, 96))
SCALES_M = (1, 150, 1000, 20000)


def expected(what):
    with open(vectors("cells.json")) as f:
        return json.load(f)[what]


class Located(unittest.TestCase):
    def check(self, tenth):
        found = []
        for block in range(tenth * 10, tenth * 10 + 10):
            numbers = []
            n = 0
            for lat, lon in cellpoints.points(block):
                numbers.extend(grid.locate(lat, lon, cellpoints.tier_of(n))[1:])
                n += 1
            found.append(crc32(cellpoints.written(numbers)))
        self.assertEqual(found, expected("located")[tenth * 10 : tenth * 10 + 10])
        self.assertEqual(len(expected("located")), cellpoints.BLOCKS)

    def test_first_tenth(self):
        self.check(0)

    def test_second_tenth(self):
        self.check(1)

    def test_third_tenth(self):
        self.check(2)

    def test_fourth_tenth(self):
        self.check(3)

    def test_fifth_tenth(self):
        self.check(4)

    def test_sixth_tenth(self):
        self.check(5)

    def test_seventh_tenth(self):
        self.check(6)

    def test_eighth_tenth(self):
        self.check(7)

    def test_ninth_tenth(self):
        self.check(8)

    def test_last_tenth(self):
        self.check(9)


class Moved(unittest.TestCase):
    def check(self, block):
        numbers = []
        for lat, lon in cellpoints.points(block):
            there = scatter.moved(lat, lon, SCALES_M[block], KEY)
            for number in (there[0] + grid.HALF_LAT_E6, there[1] + grid.TURN_E6 // 2):
                numbers.extend(divmod(number, 1 << 20))
        self.assertEqual(crc32(cellpoints.written(numbers)), expected("moved")[block])

    def test_by_a_metre(self):
        self.check(0)

    def test_by_a_street(self):
        self.check(1)

    def test_by_a_kilometre(self):
        self.check(2)

    def test_by_twenty_kilometres(self):
        self.check(3)


if __name__ == "__main__":
    unittest.main()
