# Integer fixed point: the edges where rounding goes wrong.
import unittest

from plumveil import fixed


class Fixed(unittest.TestCase):
    def test_div_round_halves_up(self):
        for a, b, want in (
            (5, 10, 1),
            (-5, 10, 0),
            (-6, 10, -1),
            (4, 10, 0),
            (-4, 10, 0),
            (149, 100, 1),
            (150, 100, 2),
            (-150, 100, -1),
            (-151, 100, -2),
            (0, 7, 0),
        ):
            self.assertEqual(fixed.div_round(a, b), want)

    def test_bits_for(self):
        self.assertEqual([fixed.bits_for(n) for n in (0, 1, 2, 3, 4, 255, 256, 1800)], [0, 1, 2, 2, 3, 8, 9, 11])

    def test_isqrt_is_the_floor(self):
        for n in (0, 1, 2, 3, 4, 15, 16, 17, 999999, 1000000, 3 * 16000 * 16000, (1 << 40) - 1):
            root = fixed.isqrt(n)
            self.assertTrue(root * root <= n < (root + 1) * (root + 1))

    def test_unix_time_of_both_epochs(self):
        self.assertEqual(fixed.unix_s(0, 2000), 946684800)
        self.assertEqual(fixed.unix_s(1767225600, 1970), 1767225600)

    def test_clamp(self):
        self.assertEqual([fixed.clamp(n, -1, 2) for n in (-5, -1, 0, 2, 9)], [-1, -1, 0, 2, 2])


if __name__ == "__main__":
    unittest.main()
