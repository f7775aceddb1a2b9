"""Readings to measure on: a real refrigerator logger's temperatures where shared data are there, else generated ones.

Humidity, shock and battery have no recording: they are modelled on the temperature with a fixed seed, and the
bench says so.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

from host_tools.simulate.inputs import load_temperature

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "temperature" / "fridge-tag-2l_130500109088.txt"
READINGS = 2880  # ten days of 5-minute readings, 48 batches of 60
BATTERY_START_MV = 4100.0


def temperatures_mdegc() -> tuple[list[int], str]:
    """(temperatures in 1e-3 degC at 5-minute steps, where they come from)."""
    if SHARED.is_file():
        return list(load_temperature(SHARED).series.values_milli[:READINGS]), "real refrigerator logger, 5 min"
    rng = random.Random(1)
    return [round(5000 + 900 * math.sin(i / 7.0) + rng.gauss(0, 80)) for i in range(READINGS)], "generated"


def _saturation_hpa(t_degc: float) -> float:
    # Magnus formula over water (WMO-No. 8, annex 4.B).
    return 6.112 * math.exp(17.62 * t_degc / (243.12 + t_degc))


def rows() -> tuple[list[tuple[int, int, int, int]], str]:
    """([(mdegC, m%RH, mg, mV)], where the temperatures come from)."""
    temperatures, source = temperatures_mdegc()
    rng = random.Random(2)
    out = []
    for i, t in enumerate(temperatures):
        humidity = 60 * _saturation_hpa(5) / _saturation_hpa(t / 1000) + 3 * math.sin(i / 40) + rng.gauss(0, 0.4)
        shock = abs(rng.gauss(0, 30)) + (900 if rng.random() < 0.02 else 0)
        battery = BATTERY_START_MV - i * 0.02 + rng.gauss(0, 6)
        out.append((t, round(min(99.0, humidity) * 1000), round(shock), round(battery)))
    return out, source
