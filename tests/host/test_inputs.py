"""A user's recordings: what is read, what is counted, and what is refused, and how they come onto one clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.errors import UsageError
from host_tools.simulate.inputs import load_nmea, load_temperature
from host_tools.simulate.nmea_log import read_nmea
from host_tools.simulate.recordings import Series

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="shared recordings are not here")


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def csv_file(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def sentence(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode()):02X}\r\n".encode()


def rmc(clock: str, date: str, status: str = "A", lat: str = "4800.0000") -> bytes:
    return sentence(f"GPRMC,{clock},{status},{lat},N,01100.0000,E,1.0,2.0,{date},,,A")


def read(data: bytes):
    return read_nmea(Path("x.nmea"), data)


# --- CSV ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "times_s", "values"),
    [
        ("2026-03-01T00:00:00Z,4.5\n2026-03-01T00:05:00Z,-0.25\n", [0, 300], [4500, -250]),
        ("time,value\n2026-03-01 00:00:00,4.5\n2026-03-01 00:05,5\n", [0, 300], [4500, 5000]),
        ("2026-03-01T02:00:00+02:00,4.5\n", [0], [4500]),
        ("1772323200,4.5\n1772323260.9,4.6\n", [0, 60], [4500, 4600]),
        ("1772323200000,4.5\n", [0], [4500]),
        ("Zeit;Wert\r\n2026-03-01 00:00:00;4,5\r\n", [0], [4500]),
        ("# logger 7\n2026-03-01\t4.5\n\n", [0], [4500]),
        ("\ufefftime,value,note\n2026-03-01,4.5,door open\n", [0], [4500]),
    ],
)
def test_csv_times_and_values(tmp_path: Path, text: str, times_s: list[int], values: list[int]) -> None:
    series = load_temperature(csv_file(tmp_path, text)).series
    base = unix("2026-03-01")
    assert [time_s - base for time_s in series.times_s] == times_s
    assert list(series.values_milli) == values


def test_csv_bad_lines_are_counted_and_left_out(tmp_path: Path) -> None:
    lines = ["time,value", "2026-03-01 00:00,4.5", "yesterday,4.5", "2026-03-01 00:05,nan", "2026-03-01 00:10,900"]
    lines += [f"2026-03-01 01:{minute:02d},5.0" for minute in range(10)]
    found = load_temperature(csv_file(tmp_path, "\n".join(lines)))
    assert found.bad_lines == 3
    assert len(found.series.times_s) == 11


def test_csv_fahrenheit(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "2026-03-01,212\n2026-03-02,32\n2026-03-03,39.2\n")
    assert load_temperature(path, "F").series.values_milli == (100_000, 0, 4_000)


def test_csv_that_looks_like_fahrenheit_is_said_to(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "".join(f"2026-03-01 00:{minute:02d},70\n" for minute in range(10)))
    assert any("--temperature-unit F" in note for note in load_temperature(path).notes)
    assert load_temperature(path, "F").notes == ()


def test_csv_out_of_order_and_repeated_seconds(tmp_path: Path) -> None:
    found = load_temperature(csv_file(tmp_path, "1772323260,2\n1772323200,1\n1772323260,3\n"))
    assert found.series == Series((1772323200, 1772323260), (1000, 2000))
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"hello\nworld\n", "neither a CSV of temperatures nor a Fridge-tag export"),
        (b"\x7fELF\0\0\0\0", "neither a CSV"),
        (b"a,b,c\n1,x,3\n", "neither a CSV"),
        (rmc("120000", "010326"), "looks like an NMEA log; give it with --nmea"),
        (b"Device: Q-tag Fridge-tag 2\r\n Temp unit: C\r\nHist:\r\n 1:\r\n  Min T: +4.0\r\n", "no detail records"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_temperature(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for reader in (load_temperature, load_nmea):
        with pytest.raises(UsageError, match="cannot read"):
            reader(tmp_path / "none.txt")
        with pytest.raises(UsageError, match="cannot read"):
            reader(tmp_path)


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_no_file_whatever_crashes_a_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    for reader in (load_temperature, load_nmea):
        words = ""
        try:
            reader(path)
        except UsageError as error:
            words = str(error)
        assert "\n" not in words


# --- Fridge-tag ----------------------------------------------------------------------------------------------------

FRIDGE = (
    "Device: Q-tag Fridge-tag 2 L\r\nConf:\r\n Temp unit: {unit}\r\nHist:\r\n 1:\r\n  Min T: +4.0\r\n"
    "\tyyyy-MM-dd hh:mm\tT\tOut of limits\r\n\t2022-05-07 12:51\t5.1\r\n\t2022-05-07 12:56\t-0.4\tx\r\n{more}"
)


def test_fridge_tag_detail_records(tmp_path: Path) -> None:
    found = load_temperature(csv_file(tmp_path, FRIDGE.format(unit="C", more="\t2022-05-07 13:0\t\r\n")))
    base = unix("2022-05-07 12:51")
    assert found.series == Series((base, base + 300), (5_100, -400))
    assert (found.kind, found.bad_lines) == ("Fridge-tag export", 1)


def test_fridge_tag_states_its_own_unit(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FRIDGE.format(unit="F", more="\t2022-05-07 13:01\t212\r\n"))
    assert load_temperature(path, "C").series.values_milli[-1] == 100_000


# --- NMEA ----------------------------------------------------------------------------------------------------------


def test_nmea_times_come_from_rmc() -> None:
    data = rmc("235958", "280226") + rmc("235959.50", "280226") + sentence("GPGSA,A,3") + rmc("000001", "010326")
    found = read(data)
    start_s = unix("2026-02-28 23:59:58")
    assert [time_s - start_s for time_s, _ in found.log.index] == [0, 1, 3]
    assert found.log.data == data
    assert [data[offset : offset + 6] for _, offset in found.log.index] == [b"$GPRMC"] * 3
    assert (found.sentences, found.bad_lines, found.notes) == (4, 0, ())
    assert found.log.track.lat_deg == (48.0, 48.0, 48.0)


def test_nmea_sentences_of_one_second_stay_together() -> None:
    gga = sentence("GPGGA,120000,4800.0000,N,01100.0000,E,1,09,0.9,500.0,M,47.0,M,,")
    found = read(gga + rmc("120000", "010326") + rmc("120001", "010326"))
    assert [offset for _, offset in found.log.index] == [0, len(gga + rmc("120000", "010326"))]


def test_nmea_faulty_lines_are_counted_and_kept() -> None:
    broken = b"$GPRMC,120001,A,48" + b"\r\n" + rmc("120001", "010326").replace(b"*", b"0*") + b"\xff\xfe\n"
    data = rmc("120000", "010326") + broken + rmc("120002", "010326")
    found = read(data)
    assert found.bad_lines == 3
    assert found.log.data == data


def test_nmea_void_fixes_are_no_track() -> None:
    found = read(rmc("120000", "010326") + rmc("120001", "010326", status="V") + rmc("120002", "010326"))
    assert len(found.log.index) == 3
    assert len(found.log.track) == 2


@pytest.mark.parametrize("quality", ["0", "6", "7", "8"])
def test_nmea_estimated_and_simulated_positions_are_no_track(quality: str) -> None:
    gga = sentence(f"GPGGA,120001,4800.0000,N,01100.0000,E,{quality},09,0.9,500.0,M,47.0,M,,")
    found = read(rmc("120000", "010326") + gga)
    assert len(found.log.track) == 1


def test_nmea_without_dates_keeps_its_order_one_second_apart() -> None:
    ggas = [f"GPGGA,{clock},4800.0000,N,01100.0000,E,1,09,0.9,500.0,M,47.0,M,," for clock in (120000, 120010, 115959)]
    found = read(b"".join(map(sentence, ggas)))
    times_s = [time_s for time_s, _ in found.log.index]
    assert [time_s - times_s[0] for time_s in times_s] == [0, 1, 2]
    assert "one second apart" in found.notes[0]


def test_nmea_dates_that_contradict_one_another_keep_their_order() -> None:
    data = b"".join(rmc(f"1200{i:02d}", f"010{1 + i % 9}{10 + i}") for i in range(12))
    found = read(data)
    times_s = [time_s for time_s, _ in found.log.index]
    assert [time_s - times_s[0] for time_s in times_s] == list(range(12))
    assert "one second apart" in found.notes[0]


def test_nmea_a_receivers_default_date_does_not_move_the_rest() -> None:
    data = rmc("000000", "060180", status="V") + b"".join(rmc(f"1200{i:02d}", "010326") for i in range(5, 9))
    found = read(data)
    assert [time_s - unix("2026-03-01 12:00:00") for time_s, _ in found.log.index] == [4, 5, 6, 7, 8]
    assert "1 epochs" in found.notes[0]


@given(order=st.lists(st.integers(0, 86399), min_size=1, max_size=40), data=st.data())
def test_nmea_index_always_ascends(order: list[int], data: st.DataObject) -> None:
    parts = []
    for tod_s in order:
        clock = f"{tod_s // 3600:02d}{tod_s // 60 % 60:02d}{tod_s % 60:02d}"
        date = data.draw(st.sampled_from(["010326", "020326", "060180", "", "991399"]))
        parts.append(rmc(clock, date, status=data.draw(st.sampled_from("AV"))))
    index = read(b"".join(parts)).log.index
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(index))


def test_nmea_from_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"t\.csv: no NMEA position sentence"):
        load_nmea(csv_file(tmp_path, "2026-03-01,4.5\n"))


# --- real recordings ----------------------------------------------------------------------------------------


@needs_shared
def test_shared_fridge_tag_exports() -> None:
    found = load_temperature(SHARED / "temperature" / "fridge-tag-2l_130500109088.txt")
    assert len(found.series.times_s) == 10_653
    assert found.bad_lines == 0
    assert (found.series.start_s, found.series.values_milli[0]) == (unix("2022-05-02 04:44"), 26_300)
    with pytest.raises(UsageError, match="daily summaries only"):
        load_temperature(SHARED / "temperature" / "fridge-tag-2_130400191542.txt")


@needs_shared
def test_shared_ambient_csv_is_fahrenheit() -> None:
    path = SHARED / "temperature" / "nab_ambient.csv"
    values = load_temperature(path, "F").series.values_milli
    assert 10_000 < min(values) < max(values) < 35_000
    assert any("--temperature-unit F" in note for note in load_temperature(path).notes)


@needs_shared
def test_shared_drive() -> None:
    found = load_nmea(SHARED / "nmea" / "20100411_Geko_Regensburg.txt")
    assert (found.log.start_s, found.log.end_s) == (unix("2010-04-11 16:57:44"), unix("2010-04-11 17:24:00"))
    assert found.bad_lines == 0
    assert len(found.log.track) > 700
    assert all(48.9 < lat < 49.1 for lat in found.log.track.lat_deg)


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "nmea").glob("*.log")), ids=lambda path: path.name)
def test_shared_receiver_logs_are_read(path: Path) -> None:
    found = load_nmea(path)
    times_s = [time_s for time_s, _ in found.log.index]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] - times_s[0] < 3600
    assert found.sentences > found.bad_lines
