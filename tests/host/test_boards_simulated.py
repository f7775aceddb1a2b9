"""A node with each board's wiring in the simulator: it reads its sensors, and its receiver only under consent. On the
T-Beams that goes through the power chip.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from host_tools import boards
from tests.host.command_line import run_process

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SECONDS = 3600

pytestmark = [pytest.mark.vm, pytest.mark.slow]


def sentence(body: str) -> str:
    check = 0
    for byte in body.encode():
        check ^= byte
    return f"${body}*{check:02X}\r\n"


def recordings(folder: Path) -> tuple[Path, Path]:
    """(temperatures, a receiver's log) of one hour at one place."""
    temperature, nmea = folder / "t.csv", folder / "log.nmea"
    times = [START + timedelta(seconds=second) for second in range(0, SECONDS + 1, 600)]
    temperature.write_text("time,value\n" + "".join(f"{t:%Y-%m-%dT%H:%M:%S},5.0\n" for t in times), encoding="utf-8")
    moments = (START + timedelta(seconds=second) for second in range(SECONDS))
    place = "5212.0000,N,01312.0000,E"
    log = (sentence(f"GPRMC,{t:%H%M%S}.00,A,{place},0.0,0.0,{t:%d%m%y},,,A") for t in moments)
    nmea.write_text("".join(log), encoding="utf-8")
    return temperature, nmea


@pytest.mark.parametrize("consent", ["off", "area"])
@pytest.mark.parametrize("name", [name for name in boards.names() if name != "virtual"])
def test_a_node_runs_with_the_boards_wiring(name: str, consent: str, tmp_path: Path) -> None:
    temperature, nmea = recordings(tmp_path)
    given = ("--temperature", temperature, "--nmea", nmea, "--board", name, "--consent", consent, "--out", tmp_path)
    ended = run_process("simulate", *given, "--hours", "1")
    assert ended.code == 0, ended
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    (node,) = summary["nodes"]
    assert summary["validator"]["invalid"] == 0
    assert node["readings"] >= SECONDS // 300
    assert node["locations"] == (1 if consent == "area" else 0)
