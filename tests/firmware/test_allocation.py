# What one position costs the heap in MicroPython: from the receiver's bytes to the record.
import gc
import unittest

import nodefiles
import scratch
from sensing import sentence

from plumveil import grid, wire
from plumveil.sense.nmea import Parser
from plumveil.trust import Fix

LIMIT_BYTES = 1024
# Of the second mode, which asks HMAC-SHA256 for a place and, around another's edge, for four more.
LIMIT_MOVED_BYTES = 4608, 14336
SECOND = (
    sentence("GPRMC,120000.00,A,4804.14539,N,01621.54005,E,0.250,,050626,,,A")
    + sentence("GPGGA,120000.00,4804.14539,N,01621.54005,E,1,10,0.96,205.3,M,42.0,M,,")
    + sentence("GPGSV,1,1,00")
)


def kept_by(call):
    # Bytes that 100 calls leave in use on CPython.
    import tracemalloc

    tracemalloc.start()
    call()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(100):
        call()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return kept


class Allocation(scratch.Scratch):
    PATHS = ("FILE_CELL",)

    def test_a_fix_through_parser_cell_and_record(self):
        self.check(None, LIMIT_BYTES)

    def test_one_beside_the_cell_that_is_held(self):
        there = grid.locate(48069090, 16359001, 3)
        self.check((3, there[1], there[2] + 2), LIMIT_BYTES)

    def test_one_that_is_moved(self):
        for held, limit in zip((None, (3, 1, 1)), LIMIT_MOVED_BYTES):
            self.anew()
            self.check(held, limit, P_SCATTER_M=500, P_SCATTER_DAY=96)

    def check(self, cell, limit, **policy):
        # cell: the one held; limit: bytes.
        pipeline, _, _ = nodefiles.pipeline(nodefiles.consent(), **policy)
        if cell is not None:
            pipeline._held.hold(cell, 7, nodefiles.NOON_S)
        parser = Parser()
        minimiser, names, held = pipeline._minimiser, pipeline._pseudonyms, pipeline._held

        def one():
            parser.feed(SECOND, len(SECOND))
            lat_e6, lon_e6 = parser.take()
            coarse, _ = minimiser.position(Fix(nodefiles.NOON_S, lat_e6, lon_e6), 3, 7, held)
            return names.record(coarse)

        one()
        if not hasattr(gc, "mem_alloc"):
            # CPython counts otherwise: nothing may stay.
            self.assertTrue(kept_by(one) < 5000, kept_by(one))
            return
        gc.collect()
        gc.disable()
        try:
            before = gc.mem_alloc()
            record = one()
            used = gc.mem_alloc() - before
        finally:
            gc.enable()
        self.assertEqual(record.values[wire.K_CELL][0], 3)
        self.assertTrue(0 < used < limit, used)


if __name__ == "__main__":
    unittest.main()
