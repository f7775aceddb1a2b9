# Points all over the Earth for the vectors of cells, the same on every interpreter, and how cells are written down.
# Portable: the host makes the vectors by it too.

BLOCKS = 100
BLOCK = 1000
LATS = (0, 1, -1, 999999, 1000000, 45000000, 60000000, 66600000, 89999999, 90000000, -90000000, -89999999)
LONS = (-180000000, -179999999, -1, 0, 1, 12065272, 179999999, 180000000)


def points(block):
    # The block's BLOCK points as (lat_e6, lon_e6): each edge with each other first, then by a generator of 31 bits.
    found = []
    for lat in LATS:
        for lon in LONS:
            # Every block is a little further from them.
            found.append((max(-90000000, min(90000000, lat + block * (-1 if lat > 0 else 1))), lon))
    x = block + 1
    while len(found) < BLOCK:
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        lat = x % 180000001 - 90000000
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        found.append((lat, x % 360000001 - 180000000))
    return found


def tier_of(n):
    return 1 + n % 4


def written(numbers):
    # Three bytes each.
    out = bytearray()
    for number in numbers:
        out.append(number >> 16)
        out.append(number >> 8 & 255)
        out.append(number & 255)
    return out
