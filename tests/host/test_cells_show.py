"""`plumveil cells show` as a user types it: every tier explained, no coordinate said, outlines in a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from host_tools import cell_shapes, cells, cells_show
from plumveil import grid, wire
from tests.host.command_line import run

ROW = re.compile(r"(\w+ [0-9/]+)" + 2 * " ([0-9.,]+ k?m)" + " ([0-9.,]+)" + 2 * " ([0-9.,]+ k?m)" + 3 * " ([0-9.,]+)")
NAMES = [name for name, _ in wire.TIERS[1:]]


def number(text: str) -> float:
    """A figure of the table, lengths in metres."""
    amount, _, unit = text.partition(" ")
    return float(amount.replace(",", "")) * (1000 if unit == "km" else 1)


@pytest.mark.parametrize(("lat", "lon"), [("-33.86", "151.2"), ("0.001", "-0.001"), ("71.2", "25.8"), ("-89.5", "3")])
def test_every_tier_is_shown_with_its_cell_and_size(lat: str, lon: str) -> None:
    ended = run("cells", "show", lat, lon)
    assert (ended.code, ended.err) == (0, "")
    for tier, name in enumerate(NAMES, start=1):
        cell = grid.locate(round(float(lat) * 1e6), round(float(lon) * 1e6), tier)
        row = next(
            filter(None, (ROW.fullmatch(" ".join(line.split())) for line in ended.out.splitlines() if name in line))
        )
        assert row[1] == f"{name} {cell[1]}/{cell[2]}"
        size, km2 = cell_shapes.size(*cell), cell_shapes.size(*cell).area_m2 / 1e6
        at_least = [size.north_south_m, size.east_west_m, km2, 1500 * km2]
        at_most = [cells.uncertainty_m(*cell), cells.margin_m(tier), 300 * km2, 50 * km2]
        # Never more than there is of its size, never less than its bounds; two figures at least.
        for told, true in zip(map(number, row.group(2, 3, 4, 7)), at_least, strict=True):
            assert 0.9 * true < told <= true
        for told, true in zip(map(number, row.group(5, 6, 8, 9)), at_most, strict=True):
            assert true <= told < 1.1 * true
    words = " ".join(ended.out.split())
    assert "street: allowed by logistics" in words
    assert "one farm or one house" in words


def test_who_agrees_is_told_of_moved_positions() -> None:
    words = " ".join(run("cells", "show", "60", "25").out.split())
    assert "by two scales on average, about one in twenty by more than 4.7." in words
    assert "the one told need not hold the true place" in words
    assert "The same place has the same answer while the node has its keys" in words


def test_one_tier_alone() -> None:
    out = run("cells", "show", "60", "25", "--tier", "area").out
    assert "area" in out
    assert "district:" not in out


def test_no_coordinate_is_printed(tmp_path: Path) -> None:
    out = run("cells", "show", "12.345678", "-7.654321", "--geojson", tmp_path / "out.geojson").out
    out = out.replace(str(tmp_path), "")
    assert not re.search(r"\b(12|7)\.[0-9]{2,}", out)


def test_the_outlines_are_geojson(tmp_path: Path) -> None:
    path = tmp_path / "out.geojson"
    assert run("cells", "show", "0", "180", "--tier", "district", "--geojson", path).code == 0
    document = json.loads(path.read_text("utf-8"))
    assert document == json.loads(json.dumps(cell_shapes.collection([grid.locate(0, 180_000_000, 2)])))
    assert [one["geometry"]["type"] for one in document["features"]] == ["Polygon", "MultiPolygon"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["90.1", "8"], "latitude: not in decimal degrees"),
        (["8", "-180.5"], "longitude: not in decimal degrees"),
        (["48,1", "8"], "latitude"),
        (["nan", "8"], "latitude"),
        (["8"], "LON"),
        (["8", "9", "--tier", "off"], "--tier"),
        (["--geojsn", "8"], "no such option --geojsn"),
        (["8", "9", "--geojson", "/proc/none/x"], "cannot write to /proc/none/x"),
    ],
)
def test_wrong_usage_ends_with_2_and_never_repeats_the_place(arguments: list[str], told: str) -> None:
    ended = run("cells", "show", *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert "Traceback" not in ended.err
    assert not any(text in ended.err for text in ("90.1", "180.5", "48,1"))


def test_a_bound_from_above_is_rounded_up_and_one_from_below_down() -> None:
    for value_m, down, up in (
        (200.001, "200 m", "201 m"),
        (200.0, "200 m", "200 m"),
        (10_060.0, "10.0 km", "10.1 km"),
    ):
        assert (cells_show.metres(value_m, up=False), cells_show.metres(value_m, up=True)) == (down, up)
    for value, down, up in (
        (0.0412, "0.041", "0.042"),
        (1240.0, "1,200", "1,300"),
        (9.96, "9.9", "10"),
        (12.0, "12", "12"),
    ):
        assert (cells_show.figures(value, up=False), cells_show.figures(value, up=True)) == (down, up)
