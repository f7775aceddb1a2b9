"""Traces are read, or refused in one line without a coordinate in it; what is due of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from host_tools.errors import UsageError
from host_tools.privacy.attack import traces
from tests.host.command_line import ROOT

HEAD = "vehicle_id,timestamp,latitude,longitude,route_id\n"
ROWS = "".join(f"7,2026-02-06T10:{at:02d}:30+00:00,48.1{at:02d},9.2,A\n" for at in range(20))
DRIVE = ROOT.parent / "shared" / "data" / "nmea" / "20100403_Z205_Switzerland_short.txt"


def written(folder: Path, text: str, *, zipped: bool = False) -> Path:
    path = folder / "traces.csv"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_a_csv_is_read_sorted_and_without_names(tmp_path: Path, zipped: bool) -> None:
    lines = ROWS.splitlines(keepends=True)
    (found,) = traces.load([written(tmp_path, HEAD + "".join(lines[::-1]), zipped=zipped)])
    (trace,) = found.traces
    assert trace.lat_e6[0] == 48_100_000
    assert trace.lat_e6[-1] == 48_119_000
    assert np.all(np.diff(trace.times_s) == 60)
    assert set(trace.routes) == {"A"}
    assert "7" not in found.name


def test_due_is_the_newest_fix_of_each_slot() -> None:
    times = np.array([10, 299, 300, 301, 1000])
    trace = traces.Trace(times, times * 10, times * 10)
    due = trace.due(300)
    assert due.slots_s.tolist() == [300, 600, 1200]
    assert due.times_s.tolist() == [300, 301, 1000]


def test_metres_and_back() -> None:
    frame = traces.Frame(48.0, 9.0)
    there = np.array([[48.1, 9.1], [47.9, 8.8]])
    assert frame.degrees(frame.metres(there)) == pytest.approx(there)
    assert frame.metres(there)[0] == pytest.approx([11_119.5, 7_440.4], rel=1e-3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "with the columns vehicle_id, timestamp, latitude, longitude"),
        (HEAD + "7,yesterday,48.1234,9.2,A\n", "line 2: not a time"),
        (HEAD + "7,2026-02-06T10:00:00,148.1234,9.2,A\n", "line 2: not a place on Earth"),
        (HEAD + "7,2026-02-06T10:00:00,48.1234,9.2,A\n", "no trace of at least 10 fixes"),
        ("", "with the columns"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        traces.load([written(tmp_path, text)])
    assert "1234" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_damaged_gzip_file_and_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    for bad in (path, tmp_path / "none"):
        with pytest.raises(UsageError, match="cannot read"):
            traces.load([bad])


@pytest.mark.skipif(not DRIVE.parents[2].is_dir(), reason="no shared data beside the checkout")
def test_an_nmea_drive_is_one_vehicle() -> None:
    (found,) = traces.load([DRIVE])
    (trace,) = found.traces
    assert len(trace.times_s) > 100
    assert found.frame.metres(np.stack((trace.lat_e6, trace.lon_e6), axis=-1) / 1e6).std() > 50
