"""`plumveil cells show` as a user types it: every tier explained, no coordinate said, outlines in a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from host_tools import cell_shapes, cells, cells_show
from plumveil import grid, wire
from tests.host.command_line import run

NAMES = [name for name, _ in wire.TIERS[1:]]


def test_every_tier_is_shown_with_its_cell_and_size() -> None:
    ended = run("cells", "show", "-33.86", "151.2")
    assert (ended.code, ended.err) == (0, "")
    for tier, name in enumerate(NAMES, start=1):
        _, row, column = grid.locate(-33_860_000, 151_200_000, tier)
        line = next(line for line in ended.out.splitlines() if line.startswith(name))
        assert f"{row}/{column}" in line
        assert cells_show.metres(cell_shapes.size(tier, row, column).north_south_m) in line
        assert cells_show.metres(cells.uncertainty_m(tier, row, column)) in line
    assert "street: allowed by logistics" in ended.out
    assert "one farm or one house" in " ".join(ended.out.split())


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


def test_lengths_are_not_rounded_down() -> None:
    assert cells_show.metres(200.001) == "201 m"
    assert cells_show.metres(10_000.1) == "10.1 km"
    assert cells_show.figures(0.0412) == "0.041"
    assert cells_show.figures(1234.0) == "1,200"
