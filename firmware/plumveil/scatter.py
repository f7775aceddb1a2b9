# The second mode: a position is moved before it becomes a cell, by planar Laplace noise that the node's key and the
# place decide: a place has one answer, however often, so that waiting averages nothing away. Integers only.
# Must never draw anew.

from plumveil import cbor, grid
from plumveil.crypto import hmac_sha256

PLACE_TIER = 4  # what counts as one place: a cell of the finest tier
_LN2 = 45426  # 65536 * ln 2
# 65536 * ln(64 / (32 + i)) for i = 0..32, 16 bits each, big-endian.
_LOG16 = (
    b"\xb1\x72\xa9\x91\xa1\xed\x9a\x81\x93\x4b\x8c\x47\x85\x74\x7e\xcd\x78\x52\x72\x00\x6b\xd5\x65\xcf"
    b"\x5f\xec\x5a\x2b\x54\x8b\x4f\x09\x49\xa6\x44\x5e\x3f\x32\x3a\x20\x35\x28\x30\x48\x2b\x7f\x26\xcc"
    b"\x22\x2f\x1d\xa7\x19\x33\x14\xd3\x10\x86\x0c\x4a\x08\x21\x04\x08\x00\x00"
)


def _exponential(drawn):
    # Three random bytes as u / 2**24 -> -ln of it in 1/65536, a few parts in 10,000 too high: a chord lies above its
    # curve.
    u = int.from_bytes(drawn, "big") or 1
    x = -_LN2
    while u < 0x1000000:
        u <<= 1
        x += _LN2
    i = (u >> 19 & 31) * 2
    here = _LOG16[i] << 8 | _LOG16[i + 1]
    return x + here - ((here - (_LOG16[i + 2] << 8 | _LOG16[i + 3])) * (u & 0x7FFFF) >> 19)


def _as_lon(e6, lat_e6):
    # So much of latitude as longitude at a latitude. At a pole there is no east: there any will do.
    return (e6 << 16) // max(grid.cos16(abs(lat_e6)), 1)


def moved(lat_e6, lon_e6, scale_m, key):
    # A position in 1e-6 degree -> where it is said to be: 2 * scale_m from the middle of its place, on average.
    # key: bytes, secret. The distance of planar Laplace noise is Gamma(2, scale), the sum of two exponential draws.
    place = grid.locate(lat_e6, lon_e6, PLACE_TIER)
    drawn = hmac_sha256(key, cbor.dumps(place))
    far_e6 = (_exponential(drawn[:3]) + _exponential(drawn[3:6])) * scale_m * 1000000 // (grid.M_PER_DEGREE_LAT << 16)
    # The direction: its quarter in two bits, the angle within that in fourteen.
    angle_e6 = ((drawn[6] & 63) << 8 | drawn[7]) * 90000000 >> 14
    lat_e6 = sum(grid.row_edges_e6(PLACE_TIER, place[1])) // 2
    lon_e6 = (2 * place[2] + 1) * (grid.TURN_E6 // 2) // grid.columns(PLACE_TIER, place[1])
    east_e6 = _as_lon(grid.cos16(90000000 - angle_e6) * far_e6 >> 16, lat_e6)
    north_e6 = grid.cos16(angle_e6) * far_e6 >> 16
    lat_e6 += north_e6 if drawn[6] & 128 else -north_e6
    lon_e6 += east_e6 if drawn[6] & 64 else -east_e6
    beyond_e6 = abs(lat_e6) - grid.HALF_LAT_E6
    if beyond_e6 > 0:
        # Over the pole, and down on its other side.
        lat_e6 += -2 * beyond_e6 if lat_e6 > 0 else 2 * beyond_e6
        lon_e6 += grid.TURN_E6 // 2
    return lat_e6, lon_e6 % grid.TURN_E6 - grid.TURN_E6 // 2


def _cell(lat_e6, lon_e6, tier, scale_m, key):
    lat_e6, lon_e6 = moved(lat_e6, lon_e6, scale_m, key)
    return grid.locate(lat_e6, lon_e6, tier)


def cell_for(lat_e6, lon_e6, tier, held, scale_m, key):
    # The cell to report of a moved position. The held one holds while any place within the margin would give it: no
    # flicker at a place's edge, and no place need be kept for that.
    cell = _cell(lat_e6, lon_e6, tier, scale_m, key)
    if held is None or held[0] != tier or cell == held:
        return cell
    north_e6 = grid.margin_m(PLACE_TIER) * 1000000 // grid.M_PER_DEGREE_LAT
    # A place is no narrower than twice the margin, in the row towards the equator too: these corners find all there
    # are around.
    inner_e6 = max(abs(lat_e6) - north_e6, 0)
    east_e6 = _as_lon(north_e6 * grid.M_PER_DEGREE_LAT // grid.M_PER_DEGREE_LON, inner_e6)
    for near_e6 in (max(lat_e6 - north_e6, -grid.HALF_LAT_E6), min(lat_e6 + north_e6, grid.HALF_LAT_E6)):
        for at_e6 in (lon_e6 - east_e6, lon_e6 + east_e6):
            if _cell(near_e6, at_e6, tier, scale_m, key) == held:
                return held
    return cell
