# Location cells: one global numbering of (tier, row, column), integers only. A cell is never smaller than its tier's
# nominal size. The host inverts this numbering independently; change neither side alone.

from plumveil import wire

HALF_LAT_E6 = 90000000
TURN_E6 = 360000000
# A degree of latitude is shortest at the equator, 110,574 m; a degree of longitude is never shorter than
# 111,319 m times the cosine of the latitude (WGS 84: the prime vertical radius is never below the equatorial one).
M_PER_DEGREE_LAT = 110574
M_PER_DEGREE_LON = 111319
_TWICE_COS_1 = 2198688333659  # cosine of a degree, 40 binary places
_GIVEN_BACK = 4096


def _cosines():
    # floor(65536 * cos(d)) for d = 0..90 whole degrees, by Chebyshev's cos(d + 1) = 2 cos(1) cos(d) - cos(d - 1).
    # Rounding errors grow to 2**-28 at most, and half of that is given back: 0.5 and 0 are no less.
    found = []
    here = 1 << 40
    then = _TWICE_COS_1 >> 1
    for _ in range(91):
        found.append(here + _GIVEN_BACK >> 24)
        here, then = then, (then * _TWICE_COS_1 >> 40) - here
    return found


_COS16 = _cosines()


def cos16(abs_lat_e6):
    # Lower bound of 65536 * cos: the chord between whole degrees lies below the curve.
    d, r = divmod(abs_lat_e6, 1000000)
    if d >= 90:
        return 0
    here = _COS16[d]
    return here - ((here - _COS16[d + 1]) * r + 999999) // 1000000


def lat_step_e6(tier):
    return (wire.TIERS[tier][1] * 1000000 + M_PER_DEGREE_LAT - 1) // M_PER_DEGREE_LAT


def rows(tier):
    return 2 * HALF_LAT_E6 // lat_step_e6(tier)


def row_edges_e6(tier, row):
    # (south, north) latitude of a row in 1e-6 degree; the last row takes what is left.
    step = lat_step_e6(tier)
    south = row * step - HALF_LAT_E6
    return south, HALF_LAT_E6 if row == rows(tier) - 1 else south + step


def columns(tier, row):
    # Cells around the row: as many as fit at its narrow side, at least one.
    south, north = row_edges_e6(tier, row)
    edge = max(abs(south), abs(north))
    return max(1, cos16(edge) * M_PER_DEGREE_LON * 360 // (65536 * wire.TIERS[tier][1]))


def locate(lat_e6, lon_e6, tier):
    # The cell (tier, row, column) that holds a position in 1e-6 degree.
    row = min((lat_e6 + HALF_LAT_E6) // lat_step_e6(tier), rows(tier) - 1)
    x = (lon_e6 + TURN_E6 // 2) % TURN_E6
    return tier, row, x * columns(tier, row) // TURN_E6


def margin_m(tier):
    # How far beyond the edge a held cell still holds: several sigmas of a receiver's noise.
    return max(100, wire.TIERS[tier][1] // 10)


def within_margin(lat_e6, lon_e6, cell):
    # True while the position is in the cell or at most margin_m beyond its edge.
    tier, row, column = cell
    south, north = row_edges_e6(tier, row)
    beyond_m = margin_m(tier)
    slack_e6 = beyond_m * 1000000 // M_PER_DEGREE_LAT
    if not south - slack_e6 <= lat_e6 < north + slack_e6:
        return False
    count = columns(tier, row)
    # Rounded, so that no number grows large: by less than a metre, at the margin's edge.
    width_e6 = -(-TURN_E6 // count)
    slack_e6 = width_e6 * beyond_m // wire.TIERS[tier][1]
    from_west_e6 = (lon_e6 + TURN_E6 // 2 - column * TURN_E6 // count) % TURN_E6
    return from_west_e6 < width_e6 + slack_e6 or from_west_e6 >= TURN_E6 - slack_e6


def valid(cell):
    # True for a well-formed cell; used on what comes back from flash.
    if not isinstance(cell, (tuple, list)) or len(cell) != 3:
        return False
    for number in cell:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            return False
    tier, row, column = cell
    return 0 < tier < len(wire.TIERS) and row < rows(tier) and column < columns(tier, row)


def cell_for(lat_e6, lon_e6, tier, held):
    # The cell to report: the held one as long as it holds (no averaging, no flicker at an edge), else the new one.
    if held is not None and held[0] == tier and within_margin(lat_e6, lon_e6, held):
        return held
    return locate(lat_e6, lon_e6, tier)
