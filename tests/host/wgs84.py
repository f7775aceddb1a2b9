"""Lengths and areas on the WGS 84 ellipsoid for tests: by integration and by Vincenty's inverse formula, with nothing
of the code under test in them.
"""

from __future__ import annotations

import math

A_M = 6378137.0
F = 1 / 298.257223563
B_M = A_M * (1 - F)
E2 = F * (2 - F)
# Gauss-Legendre, 5 nodes on -1..1.
NODES = (
    (0.0, 128 / 225),
    *(
        (sign * math.sqrt(5 + way * 2 * math.sqrt(10 / 7)) / 3, (322 - way * 13 * math.sqrt(70)) / 900)
        for sign in (-1, 1)
        for way in (-1, 1)
    ),
)


def meridian_m(south: float, north: float) -> float:
    """Length of the meridian between two latitudes in degrees (at most a few degrees apart)."""
    low, high = math.radians(south), math.radians(north)
    middle, half = (low + high) / 2, (high - low) / 2

    def radius_m(lat: float) -> float:
        return A_M * (1 - E2) / (1 - E2 * math.sin(lat) ** 2) ** 1.5

    return half * sum(weight * radius_m(middle + half * x) for x, weight in NODES)


def parallel_m(lat: float) -> float:
    """Length of the whole parallel at a latitude in degrees."""
    sine, cosine = math.sin(math.radians(lat)), math.cos(math.radians(lat))
    return 2 * math.pi * A_M * cosine / math.sqrt(1 - E2 * sine**2)


def zone_m2(south: float, north: float) -> float:
    """Area of the zone between two latitudes in degrees (closed form)."""

    def below(lat: float) -> float:
        sine = math.sin(math.radians(lat))
        e = math.sqrt(E2)
        return math.pi * B_M**2 * (sine / (1 - E2 * sine**2) + math.atanh(e * sine) / e)

    return below(north) - below(south)


def geodesic_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Shortest way between two points in degrees (T. Vincenty, Survey Review 23, 1975; to less than a millimetre, not
    for points nearly opposite one another)."""
    turn = math.radians(lon2 - lon1)
    u1, u2 = (math.atan2((1 - F) * math.sin(math.radians(x)), math.cos(math.radians(x))) for x in (lat1, lat2))
    s1, c1, s2, c2 = math.sin(u1), math.cos(u1), math.sin(u2), math.cos(u2)
    lam = turn
    for _ in range(200):
        sin_sigma = math.hypot(c2 * math.sin(lam), c1 * s2 - s1 * c2 * math.cos(lam))
        if sin_sigma == 0:
            return 0.0
        cos_sigma = s1 * s2 + c1 * c2 * math.cos(lam)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = c1 * c2 * math.sin(lam) / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        cos_2m = cos_sigma - 2 * s1 * s2 / cos2_alpha if cos2_alpha > 1e-15 else 0.0
        c = F / 16 * cos2_alpha * (4 + F * (4 - 3 * cos2_alpha))
        inner = cos_2m + c * cos_sigma * (2 * cos_2m**2 - 1)
        before, lam = lam, turn + (1 - c) * F * sin_alpha * (sigma + c * sin_sigma * inner)
        if abs(lam - before) < 1e-13:
            break
    else:
        raise AssertionError("no convergence")
    u_sq = cos2_alpha * (A_M**2 - B_M**2) / B_M**2
    big_a = 1 + u_sq / 16384 * (4096 + u_sq * (-768 + u_sq * (320 - 175 * u_sq)))
    big_b = u_sq / 1024 * (256 + u_sq * (-128 + u_sq * (74 - 47 * u_sq)))
    deep = big_b / 6 * cos_2m * (4 * sin_sigma**2 - 3) * (4 * cos_2m**2 - 3)
    delta = big_b * sin_sigma * (cos_2m + big_b / 4 * (cos_sigma * (2 * cos_2m**2 - 1) - deep))
    return B_M * big_a * (sigma - delta)
