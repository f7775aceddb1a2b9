# Location cells: one global numbering of (tier, row, column), integers only. A cell is never smaller than its tier's
# nominal size. The host inverts this numbering independently; change neither side alone.

from plumveil import wire

HALF_LAT_E6 = 90000000
TURN_E6 = 360000000
# A degree of latitude is shortest at the equator, 110,574 m; a degree of longitude is never shorter than
# 111,319 m times the cosine of the latitude (WGS 84: the prime vertical radius is never below the equatorial one).
M_PER_DEGREE_LAT = 110574
M_PER_DEGREE_LON = 111319
# floor(65536 * cos(d)) for d = 1..90 whole degrees, 16 bits each, big-endian.
_COS16 = (
    b"\xff\xf6\xff\xd8\xff\xa6\xff\x60\xff\x06\xfe\x98\xfe\x17\xfd\x82\xfc\xd9\xfc\x1c\xfb\x4b\xfa\x67"
    b"\xf9\x70\xf8\x65\xf7\x46\xf6\x15\xf4\xd0\xf3\x78\xf2\x0d\xf0\x8f\xee\xff\xed\x5b\xeb\xa6\xe9\xde"
    b"\xe8\x03\xe6\x17\xe4\x19\xe2\x08\xdf\xe7\xdd\xb3\xdb\x6f\xd9\x19\xd6\xb3\xd4\x3b\xd1\xb3\xcf\x1b"
    b"\xcc\x73\xc9\xbb\xc6\xf3\xc4\x1b\xc1\x34\xbe\x3e\xbb\x39\xb8\x26\xb5\x04\xb1\xd5\xae\x97\xab\x4c"
    b"\xa7\xf3\xa4\x8d\xa1\x1b\x9d\x9b\x9a\x10\x96\x79\x92\xd5\x8f\x27\x8b\x6d\x87\xa8\x83\xd9\x80\x00"
    b"\x7c\x1c\x78\x2f\x74\x38\x70\x39\x6c\x30\x68\x1f\x64\x06\x5f\xe6\x5b\xbe\x57\x8e\x53\x58\x4f\x1b"
    b"\x4a\xd8\x46\x90\x42\x41\x3d\xee\x39\x96\x35\x39\x30\xd8\x2c\x74\x28\x0c\x23\xa0\x1f\x32\x1a\xc2"
    b"\x16\x4f\x11\xdb\x0d\x65\x08\xef\x04\x77\x00\x00"
)


def _cos16_at(degree):
    if degree == 0:
        return 65536
    return _COS16[degree * 2 - 2] << 8 | _COS16[degree * 2 - 1]


def cos16(abs_lat_e6):
    # Lower bound of 65536 * cos: the chord between whole degrees lies below the curve.
    d, r = divmod(abs_lat_e6, 1000000)
    if d >= 90:
        return 0
    here = _cos16_at(d)
    return here - ((here - _cos16_at(d + 1)) * r + 999999) // 1000000


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
    slack_e6 = margin_m(tier) * 1000000 // M_PER_DEGREE_LAT
    if not south - slack_e6 <= lat_e6 < north + slack_e6:
        return False
    count = columns(tier, row)
    x = (lon_e6 + TURN_E6 // 2) % TURN_E6
    # In units of 1 / count of a microdegree a cell is exactly one turn wide.
    slack = TURN_E6 * margin_m(tier) // wire.TIERS[tier][1]
    from_west = (x * count - column * TURN_E6) % (TURN_E6 * count)
    return from_west < TURN_E6 + slack or from_west >= TURN_E6 * count - slack


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
