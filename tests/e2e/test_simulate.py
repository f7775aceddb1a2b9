"""`plumveil simulate`, as a user runs it on recordings; what goes wrong ends in one line and the right exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from host_tools.broker import EmbeddedBroker
from host_tools.cli import app
from host_tools.simulate import jobs, runner, scenario
from host_tools.simulate.inputs import load_nmea
from host_tools.simulate.runner import NodeRun, NodeSpec, Progress
from plumveil import wire
from tests.e2e.test_demo import PLUMVEIL, ROOT, environment, plumveil

SHARED = ROOT.parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="shared recordings are not here")
pytestmark = [pytest.mark.e2e, pytest.mark.vm]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of a drive and of a temperature, as a user would have them."""
    folder = tmp_path_factory.mktemp("recordings")
    truck = scenario.truck()
    assert truck.nmea is not None
    part = truck.nmea.window(truck.start_s + 7200, truck.start_s + 4 * 3600)
    (folder / "drive.nmea").write_bytes(part.data)
    rows = ["time,temperature"]
    for time_s in range(part.start_s, part.end_s, 60):
        celsius = truck.temperature.at(time_s) / 1000
        rows.append(f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S},{celsius * 9 / 5 + 32:.2f}")
    (folder / "cargo.csv").write_text("\n".join(rows) + "\n")
    return folder


def summary(out: Path) -> dict:
    return json.loads((out / "summary.json").read_text())


@pytest.mark.parametrize("board", ["virtual", "ESP32_GENERIC"])
@pytest.mark.parametrize(("consent", "least"), [("off", 0), ("region", 1), ("district", 2), ("area", 10)])
def test_recordings_under_every_consent(
    recordings: Path, tmp_path: Path, board: str, consent: str, least: int
) -> None:
    inputs = ("--nmea", recordings / "drive.nmea", "--temperature", recordings / "cargo.csv")
    options = ("--temperature-unit", "F", "--board", board, "--consent", consent, "--out", tmp_path)
    done = plumveil("simulate", *inputs, *options)
    assert done.returncode == 0, done.stderr
    (node,) = summary(tmp_path)["nodes"]
    assert node["readings"] >= 23
    assert node["locations"] >= least
    assert (node["locations"] == 0) == (consent == "off")
    # A node has its consent once it knows the time; what is due before is dropped.
    assert (node["dropped"].get("no_consent", 0) > 1) == (consent == "off")
    assert plumveil("validate", tmp_path / "messages").returncode == 0
    assert f"location consent: {consent}" in (tmp_path / "report.html").read_text() or consent == "off"


def test_temperature_alone_is_a_node_without_receiver(recordings: Path, tmp_path: Path) -> None:
    done = plumveil("simulate", "--temperature", recordings / "cargo.csv", "--consent", "area", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (node,) = summary(tmp_path)["nodes"]
    assert node["locations"] == 0
    assert "--temperature-unit F" not in done.stdout
    assert "no GPS receiver" in (tmp_path / "report.html").read_text()


def test_bad_lines_and_moved_dates_are_told(recordings: Path, tmp_path: Path) -> None:
    lines = (recordings / "cargo.csv").read_text().replace("2026-", "2021-").splitlines()
    (tmp_path / "t.csv").write_text("\n".join([*lines[:20], "broken", "2021-01-05 08:20:30,", *lines[20:]]))
    inputs = ("--nmea", recordings / "drive.nmea", "--temperature", tmp_path / "t.csv", "--temperature-unit", "F")
    done = plumveil("simulate", *inputs, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "2 bad lines left out" in done.stdout
    assert "the recordings lie at different times (temperature from 2021-01-05" in done.stdout


@needs_shared
def test_shared_recordings(tmp_path: Path) -> None:
    nmea = SHARED / "nmea" / "20100411_Geko_Regensburg.txt"
    temperature = SHARED / "temperature" / "fridge-tag-2l_130500109088.txt"
    inputs = ("--nmea", nmea, "--temperature", temperature, "--consent", "area")
    done = plumveil("simulate", *inputs, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = summary(tmp_path)
    assert found["validator"]["invalid"] == 0
    (node,) = found["nodes"]
    assert node["readings"] >= 287
    assert node["locations"] >= 2
    assert 30 * node["sealed_bytes_per_reading"] < node["senml_cbor_bytes_per_reading"]
    assert plumveil("validate", tmp_path / "messages").returncode == 0


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((SHARED / "nmea").glob("*.log")), ids=lambda path: path.name)
def test_every_shared_receiver_log_passes_through_a_node(path: Path, tmp_path: Path) -> None:
    inputs = ("--nmea", path, "--temperature", SHARED / "temperature" / "nab_ambient.csv", "--temperature-unit", "F")
    done = plumveil("simulate", *inputs, "--consent", "area", "--hours", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path)["validator"]["invalid"] == 0
    fixes = len(load_nmea(path).log.track)
    assert summary(tmp_path)["nodes"][0]["locations"] >= (1 if fixes > 12 else 0)


CSV = ("--temperature", "cargo.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--temperature", "none.csv"), "cannot read none.csv"),
        (("--temperature", "drive.nmea"), "looks like an NMEA log"),
        ((*CSV, "--nmea", "cargo.csv"), "no NMEA position sentence"),
        ((*CSV, "--nmea", "none.nmea"), "cannot read none.nmea"),
        ((*CSV, "--board", "ESP99"), "there are: ESP32_GENERIC, ESP32_GENERIC_C3,"),
        ((*CSV, "--profile", "secret"), "general"),
        ((*CSV, "--consent", "house"), "off, region, district, area"),
        ((*CSV, "--nmea", "drive.nmea", "--consent", "street"), "allows off, region, district, area"),
        ((*CSV, "--hours", "0"), "--hours must be"),
        ((*CSV, "--broker", "http://127.0.0.1"), "mqtt://"),
        ((*CSV, "--broker", "mqtt://broker.example"), "this very machine"),
        ((*CSV, "--broker", "mqtts://broker.example"), "--broker-ca"),
        ((*CSV, "--broker", "mqtts://127.0.0.1:1", "--broker-ca", "cargo.csv"), "not a certificate"),
        ((*CSV, "--out", "cargo.csv"), "cannot write to cargo.csv"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = () if "--out" in arguments else ("--out", str(tmp_path / "out"))
    located = [str(recordings / part) if part in ("cargo.csv", "drive.nmea") else part for part in (*arguments, *out)]
    done = plumveil("simulate", *located)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr.replace(f"{recordings}/", "")
    assert done.stderr.startswith("plumveil: error: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "messages").exists()


def test_an_option_that_is_missing_is_a_usage_error() -> None:
    done = plumveil("simulate")
    assert done.returncode == 2
    assert "--temperature" in done.stderr


def test_a_broker_that_is_not_there_is_one_line(recordings: Path, tmp_path: Path) -> None:
    temperature = ("--temperature", recordings / "cargo.csv")
    done = plumveil("simulate", *temperature, "--broker", "mqtt://127.0.0.1:1", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("plumveil: error: no connection to the broker at 127.0.0.1:1")
    assert done.stderr.count("\n") == 1


def test_a_broker_of_ones_own_with_tls(recordings: Path, tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        assert broker.ca_pem is not None
        (tmp_path / "ca.pem").write_bytes(broker.ca_pem)
        options = ("--broker", broker.url, "--broker-ca", tmp_path / "ca.pem", "--out", tmp_path / "out")
        done = plumveil("simulate", "--temperature", recordings / "cargo.csv", *options)
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path / "out")["validator"]["valid"] > 2


def test_an_invalid_message_ends_with_exit_code_1(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(specs: list[NodeSpec], progress: Progress, *broker: object) -> list[NodeRun]:
        (run,) = runner.simulate(specs, progress)
        first, *others = run.messages
        flipped = replace(first, payload=first.payload[:-1] + bytes((first.payload[-1] ^ 1,)))
        return [replace(run, messages=(flipped, *others))]

    monkeypatch.setattr(jobs, "simulate", spoiled)
    arguments = ["simulate", "--temperature", str(recordings / "cargo.csv"), "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "1 invalid" in result.output
    assert "authenticity" in result.output
    assert summary(tmp_path)["validator"]["invalid"] == 1
    assert (
        "is not valid" in (tmp_path / "report.html").read_text()
        or "are not valid" in (tmp_path / "report.html").read_text()
    )


def descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")
def test_ctrl_c_ends_every_process_and_leaves_no_half_result(recordings: Path, tmp_path: Path) -> None:
    temperature = ("--temperature", str(recordings / "cargo.csv"), "--hours", "700", "--out", str(tmp_path))
    pipe = subprocess.PIPE
    running = subprocess.Popen([*PLUMVEIL, "simulate", *temperature], env=environment(), stdout=pipe, stderr=pipe)
    children: set[int] = set()
    try:
        for _ in range(600):
            children = descendants(running.pid)
            if children or running.poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(1.0)
        assert running.poll() is None
        assert children
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=20)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130
    assert b"Traceback" not in error
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert not (tmp_path / "summary.json").exists()


def test_tier_names_in_the_help_are_those_of_the_format() -> None:
    done = plumveil("simulate", "--help")
    assert done.returncode == 0
    for name, _ in wire.TIERS[:4]:
        assert name in done.stdout
