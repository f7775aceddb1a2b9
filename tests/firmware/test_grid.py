# Cells: where they lie, how large they are, how long one is held.
import unittest

from plumveil import grid, wire


class Grid(unittest.TestCase):
    def test_cells_lie_around_their_position(self):
        for tier in range(1, 5):
            for lat in (-90000000, -89999999, -53123456, -1, 0, 1, 12345678, 49028600, 66600000, 89990000, 90000000):
                for lon in (-180000000, -179999999, -1, 0, 12065272, 179999999, 180000000):
                    cell = grid.locate(lat, lon, tier)
                    self.assertTrue(grid.valid(cell))
                    self.assertTrue(grid.within_margin(lat, lon, cell))
                    south, north = grid.row_edges_e6(tier, cell[1])
                    self.assertTrue(south <= lat <= north)

    def test_antimeridian_is_one_place(self):
        for tier in range(1, 5):
            self.assertEqual(grid.locate(10000000, 180000000, tier), grid.locate(10000000, -180000000, tier))

    def test_a_cell_keeps_its_metres(self):
        # The true cosine is above the table's chord, so counting columns with it can only give more of them.
        for tier in range(1, 5):
            metres = wire.TIERS[tier][1]
            self.assertTrue(grid.lat_step_e6(tier) * grid.M_PER_DEGREE_LAT >= metres * 1000000)
            for row in range(0, grid.rows(tier), max(1, grid.rows(tier) // 200)):
                south, north = grid.row_edges_e6(tier, row)
                edge = max(abs(south), abs(north))
                around_m = 360 * grid.M_PER_DEGREE_LON * grid.cos16(edge) // 65536
                self.assertTrue(grid.columns(tier, row) == 1 or around_m // grid.columns(tier, row) >= metres)

    def test_held_cell_holds_at_its_edge_and_goes_beyond_the_margin(self):
        tier = 3
        held = grid.locate(49026566, 12065272, tier)
        north = grid.row_edges_e6(tier, held[1])[1]
        self.assertIs(grid.cell_for(north + 500, 12065272, tier, held), held)
        beyond = grid.margin_m(tier) * 1000000 // grid.M_PER_DEGREE_LAT + 1
        self.assertEqual(grid.cell_for(north + beyond, 12065272, tier, held)[1], held[1] + 1)

    def test_held_cell_of_another_tier_is_not_kept(self):
        held = grid.locate(49026566, 12065272, 4)
        self.assertEqual(grid.cell_for(49026566, 12065272, 3, held)[0], 3)

    def test_what_comes_from_flash_is_checked(self):
        for bad in (
            None,
            [],
            [1, 2],
            [0, 0, 0],
            [5, 0, 0],
            [3, -1, 0],
            [3, 10**9, 0],
            [3, 0, 10**9],
            [3, 0, "0"],
            "cell",
            [1, 2, 3, 4],
        ):
            self.assertFalse(grid.valid(bad))


if __name__ == "__main__":
    unittest.main()
