"""Traces are read, or refused in one line without a coordinate in it; what is due of them."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.errors import UsageError
from host_tools.privacy.attack import traces
from tests.host.command_line import ROOT, run

HEAD = "vehicle_id,timestamp,latitude,longitude,route_id\n"
ROWS = "".join(f"7,2026-02-06T10:{at:02d}:30+00:00,48.1{at:02d},9.2,A\n" for at in range(20))
LATE = "timestamp,latitude,longitude,vehicle_id\n"
ROWS_LATE = "".join(f"2026-02-06T10:{at:02d}:30Z,48.1{at:02d},9.2,7\n" for at in range(10))
SOUND = (HEAD + ROWS).encode()
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
        (HEAD + "7,2026-02-06T10:00:00Z,148.1234,9.2,A\n", "line 2: not a place on Earth"),
        (HEAD + "7,2026-02-06T10:00:00Z,nan,9.1234,A\n", "line 2: not a place on Earth"),
        (HEAD + "7,2026-02-06T10:00:00Z,48.1234,9.2,A\n", "no trace of at least 10 fixes"),
        (HEAD + ROWS + "7,2026-02-06T10:30:00,48.1234,9.2,A\n", "line 22: a time without its zone"),
        (HEAD + "7,1960-02-06T10:00:00Z,48.1234,9.2,A\n", "line 2: not a time from 1970"),
        (HEAD + "7,9999-02-06T10:00:00Z,48.1234,9.2,A\n", "line 2: not a time from 1970"),
        (HEAD + "7,0001-01-01T00:00:00+23:59,48.1234,9.2,A\n", "line 2: not a time from 1970"),
        (HEAD + "7,2026-02-06T10:00:00Z,48.1234\n", "line 2: cut short"),
        (LATE + ROWS_LATE + "2026-02-06T10:30:00Z,48.1234,9.2\n", "line 12: cut short"),
        (HEAD + f"7,2026-02-06T10:00:00Z,48.1234,9.2,{'A' * 131_073}\n", "line 2: not CSV"),
        (f"{'A' * 131_073},{HEAD}", "line 1: not CSV"),
        (HEAD + "7,2026-02-06T10:00:00Z,48.1234,9.2\r7,", "line 3: cut short"),
        ("", "with the columns"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        traces.load([written(tmp_path, text)])
    assert "1234" not in str(refused.value)
    assert "\n" not in str(refused.value)


def answer(folder: Path, data: bytes) -> str:
    """What a file with these bytes is refused with, empty where it is read; anything else fails the test."""
    path = folder / "traces"
    path.write_bytes(data)
    told = ""
    try:
        (found,) = traces.load([path])
    except UsageError as refused:
        told = str(refused)
    assert told or all(len(trace.times_s) >= traces.FIXES_MIN for trace in found.traces)
    assert "\n" not in told
    assert "48.1" not in told
    return told


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        traces.load([tmp_path / "none"])


def test_a_file_that_unpacks_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "BYTES_MAX", 1 << 20)
    assert answer(tmp_path, gzip.compress(SOUND + b"\n" * ((1 << 20) - len(SOUND)))) == ""
    for data in (gzip.compress(b"x" * ((1 << 20) + 1)), b"x" * ((1 << 20) + 1)):
        assert answer(tmp_path, data) == "traces: more than 1 MiB; split it"


def test_gzip_damaged_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    packed = gzip.compress(SOUND)
    assert answer(tmp_path, packed) == ""
    for at in range(len(packed)):
        for bit in (1, 16, 128):
            flipped = bytearray(packed)
            flipped[at] ^= bit
            told = answer(tmp_path, bytes(flipped))
            # Before the content are gzip's mark, and time and system, which mean nothing, as do bits that fill it up.
            assert told == "" or at < 10 or told.endswith(": a damaged gzip file")
        assert answer(tmp_path, packed[:at]) != ""


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_text_damaged_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    spoiled = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 6))):
        at, end = sorted(data.draw(st.tuples(*[st.integers(0, len(spoiled))] * 2)))
        spoiled[at : min(end, at + 30)] = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b'"', b"\r", b"\0", b"$G", b",,", b"\xff", b"1e999", b"Z", b"\n"])
        )
    with tempfile.TemporaryDirectory() as folder:
        answer(Path(folder), bytes(spoiled))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=400) | st.text(max_size=200).map(str.encode),
    st.sampled_from([b"", SOUND, b"\x1f\x8b", b"$GP"]),
)
def test_anything_at_all_is_read_or_refused(noise: bytes, before: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answer(Path(folder), before + noise)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(SOUND))
    packed[len(packed) // 2] ^= 0x55
    (tmp_path / "x.csv.gz").write_bytes(packed)
    ended = run("privacy", "attack", "--traces", tmp_path / "x.csv.gz", "--out", tmp_path / "out")
    assert ended.code == 2
    assert ended.err == f"plumveil: error: cannot read {tmp_path}/x.csv.gz: a damaged gzip file\n"


@pytest.mark.skipif(not DRIVE.parents[2].is_dir(), reason="no shared data beside the checkout")
def test_an_nmea_drive_is_one_vehicle() -> None:
    (found,) = traces.load([DRIVE])
    (trace,) = found.traces
    assert len(trace.times_s) > 100
    assert found.frame.metres(np.stack((trace.lat_e6, trace.lon_e6), axis=-1) / 1e6).std() > 50
