"""The demo's day: the same from the same seed, with everything in it that the report has to show."""

from __future__ import annotations

import math
import re
from functools import reduce
from operator import xor
from pathlib import Path

import numpy as np
import pytest

from host_tools.simulate import receiver, route, scenario
from host_tools.simulate.nmea_log import read_nmea
from host_tools.simulate.recordings import NmeaLog, Surroundings

SENTENCE = re.compile(rb"\$([^*]*)\*([0-9A-F]{2})")


@pytest.fixture(scope="module")
def truck() -> Surroundings:
    return scenario.truck()


@pytest.fixture(scope="module")
def nmea(truck: Surroundings) -> NmeaLog:
    assert truck.nmea is not None
    return truck.nmea


def minutes_above(surroundings: Surroundings, celsius: float) -> float:
    above = sum(1 for value in surroundings.temperature.values_milli if value > celsius * 1000)
    return above * scenario.SAMPLE_S / 60


def test_the_refrigerator_has_cycles_and_one_short_excursion() -> None:
    fridge = scenario.refrigerator()
    values = np.array(fridge.temperature.values_milli) / 1000
    assert 2.0 < values.min() < values.max() < 14.0
    assert 5 < minutes_above(fridge, 8.0) < 40
    above = values > 8.0
    assert int(np.count_nonzero(above[1:] & ~above[:-1])) == 1
    assert int(np.count_nonzero(np.diff(np.sign(values - np.median(values))) > 0)) > 20
    assert fridge.nmea is None


def test_battery_declines_and_humidity_stays_a_humidity() -> None:
    fridge = scenario.refrigerator()
    assert fridge.battery.values_milli[0] - fridge.battery.values_milli[-1] > 100
    assert all(0 <= value <= 100_000 for value in fridge.humidity.values_milli)


def test_the_same_seed_gives_the_same_day_and_another_another(truck: Surroundings) -> None:
    assert scenario.truck() == truck
    assert scenario.refrigerator() == scenario.refrigerator()
    other = scenario.truck(seed=scenario.SEED + 1)
    assert other.nmea is not None
    assert truck.nmea is not None
    assert other.nmea.track != truck.nmea.track


@pytest.mark.parametrize("seed", range(4))
def test_the_round_is_long_stops_often_and_ends_where_it_began(seed: int) -> None:
    day = route.drive(np.random.default_rng(seed), 86400, scenario.DEPART_S)
    assert day.length_m >= 60_000
    assert len(day.stop_seconds) == 25
    driven_m = float(np.hypot(np.diff(day.east_m), np.diff(day.north_m)).sum())
    assert 0.9 * day.length_m < driven_m <= day.length_m * 1.001
    assert float(day.speed_m_s.max()) < 100 / 3.6
    for arrive_s, leave_s in day.stop_seconds:
        assert float(day.speed_m_s[arrive_s + 1 : leave_s - 1].max()) == pytest.approx(0.0, abs=1e-9)
    for second in (0, scenario.DEPART_S, 86399):
        assert math.hypot(day.east_m[second], day.north_m[second]) < 5
    assert 360 < int(day.in_tunnel.sum()) < 440


def test_sentences_are_1_hz_rmc_and_gga_with_right_checksums(nmea: NmeaLog) -> None:
    assert len(nmea.index) == 86400
    lines = nmea.data.split(b"\r\n")
    assert len(lines) == 2 * 86400 + 1
    good = 0
    for line in lines[:-1]:
        match = SENTENCE.fullmatch(line)
        good += match is not None and reduce(xor, match[1]) == int(match[2], 16)
        assert len(line) <= 80
    expected = 2 * 86400 * receiver.CORRUPTED_PER_MILLION / 1e6
    assert 0.8 * expected < 2 * 86400 - good < 1.2 * expected


def test_the_user_log_reader_finds_the_same_track(nmea: NmeaLog) -> None:
    hour = nmea.window(nmea.start_s + 3600, nmea.start_s + 7200)
    found = read_nmea(Path("demo.nmea"), hour.data)
    assert found.notes == ()
    assert abs(len(found.log.track) - len(hour.track)) < 20
    lat_of = dict(zip(hour.track.times_s, hour.track.lat_deg, strict=True))
    for time_s, lat in zip(found.log.track.times_s, found.log.track.lat_deg, strict=True):
        assert abs(lat_of[time_s] - lat) < 1e-6


def test_the_index_points_at_each_seconds_first_sentence(nmea: NmeaLog) -> None:
    for time_s, offset in nmea.index[:: 86400 // 50]:
        tod_s = time_s % 86400
        clock = f"{tod_s // 3600:02d}{tod_s // 60 % 60:02d}{tod_s % 60:02d}.00".encode()
        assert nmea.data[offset : offset + 6] == b"$GPRMC"
        assert nmea.data[offset : offset + 80].split(b",")[1] == clock


def test_receiver_noise_has_the_size_and_memory_it_claims() -> None:
    noise = receiver.autocorrelated(np.random.default_rng(5), 86400, 5.0, 90.0)
    assert float(noise.std()) == pytest.approx(5.0, rel=0.15)
    lag = float(np.corrcoef(noise[:-90], noise[90:])[0, 1])
    assert lag == pytest.approx(math.exp(-1), abs=0.12)


def test_the_parked_night_is_noise_around_one_place(nmea: NmeaLog) -> None:
    night = nmea.track.window(nmea.end_s - 6 * 3600, nmea.end_s)
    north_m = (np.array(night.lat_deg) - np.mean(night.lat_deg)) * 111_320
    assert 3.0 < float(north_m.std()) < 7.0


def test_the_tunnel_is_void_in_the_sentences(nmea: NmeaLog) -> None:
    void = nmea.data.count(b",V,,,,,,,")
    assert void == pytest.approx(86400 - len(nmea.track), abs=8)
    assert void > 300


def test_shocks_lie_within_the_day_and_one_is_hard(truck: Surroundings) -> None:
    assert all(truck.start_s <= time_s < truck.end_s for time_s, _ in truck.shocks)
    assert max(peak_mg for _, peak_mg in truck.shocks) > 3000
