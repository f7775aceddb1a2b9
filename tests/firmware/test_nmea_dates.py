# Whose date is believed: a receiver that has another day than the node knows nothing.
import unittest

from sensing import sentence
from test_nmea import GGA, GLL, GNS, HERE, RMC, fields, parsed

from plumveil.sense.nmea import Parser


class Dated(unittest.TestCase):
    # RMC is of 21 June 2015.
    def found(self, data, dates=(b"200615", b"210615", b"220615")):
        parser = Parser()
        parser.dates = dates
        return parsed(data, parser)

    def test_the_day_before_and_after_will_do(self):
        for day in ("200615", "210615", "220615"):
            self.assertEqual(self.found(fields(RMC, f9=day)), [HERE])

    def test_roll_over_wrong_years_and_no_date_are_refused(self):
        # 1,024 weeks earlier; years of chips that know none; one day too many; what is no date.
        for day in ("051195", "060180", "220899", "210614", "210616", "190615", "230615", ""):
            self.assertEqual(self.found(fields(RMC, f9=day)), [])
        for day in ("21061", "2106155", "0210615", "2106 5", "21061\x3e", "1:0615"):
            self.assertEqual(self.found(fields(RMC, f9=day)), [])

    def test_sentences_without_a_date_go_by_the_last_one(self):
        for other in (GGA, GNS, GLL):
            self.assertEqual(self.found(sentence(other)), [])
            self.assertEqual(self.found(sentence(RMC) + sentence(other)), [HERE, HERE])
            self.assertEqual(self.found(fields(RMC, f2="V") + sentence(other)), [HERE])
            wrong = fields(RMC, f9="051195")
            self.assertEqual(self.found(wrong + sentence(other)), [])
            self.assertEqual(self.found(sentence(RMC) + wrong + sentence(other)), [HERE])
            self.assertEqual(self.found(wrong + sentence(RMC) + sentence(other)), [HERE, HERE])

    def test_without_a_judge_any_will_do(self):
        self.assertEqual(self.found(fields(RMC, f9="051195") + sentence(GGA), ()), [HERE, HERE])

    def test_a_new_search_asks_anew(self):
        parser = Parser()
        parser.dates = (b"210615",)
        self.assertEqual(parsed(sentence(RMC), parser), [HERE])
        parser.wipe()
        self.assertEqual(parsed(sentence(GGA), parser), [])


if __name__ == "__main__":
    unittest.main()
