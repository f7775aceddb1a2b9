# Integer fixed point: rounding, clamping, bit widths, epoch conversion. No floats: an ESP32's are single
# precision, off by 128 s on a Unix time and by 1.7 m on a longitude.

DAY_S = 86400
EPOCH_2000_S = 946684800  # Unix time of 2000-01-01T00:00:00Z, the epoch of the ESP32 port


def div_round(a, b):
    # a / b to the nearest integer, halves up; b > 0.
    return (a * 2 + b) // (b * 2)


def clamp(value, low, high):
    return low if value < low else high if value > high else value


def bits_for(highest):
    # Bits that hold 0..highest.
    n = 0
    while highest:
        highest >>= 1
        n += 1
    return n


def isqrt(n):
    # Largest integer whose square is not above n >= 0 (Newton).
    if n < 2:
        return n
    x = 1 << ((bits_for(n) + 1) >> 1)
    while True:
        y = (x + n // x) >> 1
        if y >= x:
            return x
        x = y


def slot(t_s, every_s):
    # The start of the slot of every_s that t_s lies in: times that leave tell nothing of boots, waits and searches.
    # Slots start anew at midnight, so that none reaches over from one epoch into the next.
    return t_s - t_s % DAY_S % every_s


def unix_s(t_s, epoch_year):
    # A port's time.time() as Unix seconds; epoch_year is time.gmtime(0)[0].
    return int(t_s) + (EPOCH_2000_S if epoch_year == 2000 else 0)
