# Moved positions: the same place has the same answer, and the answer tells no more than noise does.
import unittest

from plumveil import grid, scatter

KEY = bytes(range(32))
HERE = (49026566, 12065272)
EDGES = (
    (90000000, 0),
    (-90000000, 0),
    (89999999, 179999999),
    (-89999999, -180000000),
    (0, 180000000),
    (0, -180000000),
    (0, 0),
    (-1, -1),
    (66600000, 179999999),
    (89950000, 1),
)


class Moved(unittest.TestCase):
    def test_the_same_everywhere(self):
        # From tests/host/test_scatter.py's own arithmetic.
        for place, there in (
            ((49026566, 12065272), (49024890, 12115782)),
            ((0, 180000000), (9221, 179979358)),
            ((-33868800, 151209300), (-33873015, 151193505)),
            ((89999000, 5), (89974538, 132387584)),
            ((-54801912, -68302951), (-54790413, -68331519)),
        ):
            self.assertEqual(scatter.moved(place[0], place[1], 1000, KEY), there)

    def test_a_place_has_one_answer(self):
        cell = grid.locate(HERE[0], HERE[1], scatter.PLACE_TIER)
        there = scatter.moved(HERE[0], HERE[1], 500, KEY)
        for north in range(-1500, 1501, 300):
            for east in range(-2500, 2501, 500):
                at = HERE[0] + north, HERE[1] + east
                same = grid.locate(at[0], at[1], scatter.PLACE_TIER) == cell
                self.assertEqual(scatter.moved(at[0], at[1], 500, KEY) == there, same)

    def test_another_key_has_another_answer(self):
        answers = set()
        for n in range(20):
            answers.add(scatter.moved(HERE[0], HERE[1], 500, bytes((n,)) * 32))
        self.assertEqual(len(answers), 20)

    def test_twice_the_scale_is_twice_as_far(self):
        one = scatter.moved(0, 0, 1000, KEY)
        other = scatter.moved(0, 0, 2000, KEY)
        middle = grid.lat_step_e6(4) // 2
        south = grid.row_edges_e6(4, grid.locate(0, 0, 4)[1])[0]
        self.assertTrue(abs((other[0] - south - middle) - 2 * (one[0] - south - middle)) <= 4)

    def test_all_of_the_earth_has_answers_on_it(self):
        for lat, lon in EDGES:
            for scale_m in (1, 1000, 20000):
                for n in range(8):
                    there = scatter.moved(lat, lon, scale_m, bytes((n,)) * 32)
                    self.assertTrue(-90000000 <= there[0] <= 90000000 and -180000000 <= there[1] < 180000000)
                    for tier in range(1, 5):
                        self.assertTrue(grid.valid(grid.locate(there[0], there[1], tier)))

    def test_the_draw_of_the_least_and_the_most(self):
        for drawn in (b"\0\0\0", b"\0\0\1", b"\xff\xff\xff", b"\x80\0\0", b"\x7f\xff\xff"):
            self.assertTrue(0 <= scatter._exponential(drawn) <= 24 * 45426)
        self.assertEqual(scatter._exponential(b"\0\0\0"), 24 * 45426)


class Held(unittest.TestCase):
    def test_a_held_cell_holds_at_its_places_edge(self):
        held = scatter.cell_for(HERE[0], HERE[1], 3, None, 500, KEY)
        south, north = grid.row_edges_e6(4, grid.locate(HERE[0], HERE[1], 4)[1])
        for lat in (south - 800, south - 1, south, north - 1, north, north + 800):
            self.assertEqual(scatter.cell_for(lat, HERE[1], 3, held, 500, KEY), held)

    def test_in_its_place_it_holds_everywhere(self):
        # In the middle too, as far from all edges as can be.
        place = grid.locate(HERE[0], HERE[1], 4)
        south, north = grid.row_edges_e6(4, place[1])
        count = grid.columns(4, place[1])
        west = -(-place[2] * grid.TURN_E6 // count) - grid.TURN_E6 // 2
        east = -(-(place[2] + 1) * grid.TURN_E6 // count) - grid.TURN_E6 // 2
        held = scatter.cell_for(HERE[0], HERE[1], 4, None, 500, KEY)
        for part in range(65):
            lat = south + (north - 1 - south) * part // 64
            self.assertEqual(scatter.cell_for(lat, (west + east) // 2, 4, held, 500, KEY), held)
            lon = west + (east - 1 - west) * part // 64
            self.assertEqual(scatter.cell_for((south + north) // 2, lon, 4, held, 500, KEY), held)

    def test_beyond_the_margin_the_place_decides_anew(self):
        held = scatter.cell_for(HERE[0], HERE[1], 4, None, 500, KEY)
        north = grid.row_edges_e6(4, grid.locate(HERE[0], HERE[1], 4)[1])[1]
        self.assertFalse(scatter.cell_for(north + 1000, HERE[1], 4, held, 500, KEY) == held)

    def test_another_tiers_cell_is_not_held(self):
        held = scatter.cell_for(HERE[0], HERE[1], 4, None, 500, KEY)
        self.assertEqual(scatter.cell_for(HERE[0], HERE[1], 3, held, 500, KEY)[0], 3)

    def test_the_poles_have_cells_too(self):
        for lat in (-90000000, 90000000):
            held = scatter.cell_for(lat, 0, 3, None, 500, KEY)
            self.assertEqual(scatter.cell_for(lat, 0, 3, held, 500, KEY), held)

    def test_near_a_pole_it_holds_at_its_places_edge_too(self):
        # There a place is some degrees wide, and each row's are wider than those of the row before.
        for sign in (-1, 1):
            for row in range(1, 12):
                edge = 90000000 - row * grid.lat_step_e6(4)
                for lon in range(-170000000, 180000000, 10000000):
                    held = scatter.cell_for(sign * (edge - 40), lon, 4, None, 500, KEY)
                    self.assertEqual(scatter.cell_for(sign * (edge + 60), lon, 4, held, 500, KEY), held)


if __name__ == "__main__":
    unittest.main()
