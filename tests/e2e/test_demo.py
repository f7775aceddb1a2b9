"""`plumveil demo`, as a user runs it: three nodes, their messages, summary, report and verdict."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from host_tools import registry
from host_tools.content import Batch, Event, Health, Position
from host_tools.keyring import KeyRing
from host_tools.simulate import scenario
from host_tools.validate import Message, Validator
from plumveil import wire
from tests.requirements_gate import find_program

ROOT = Path(__file__).resolve().parents[2]
NODES = ("vaccine-fridge", "truck-consent", "truck-no-consent")
TIMEOUT_S = 90  # the bound on a demo after set-up
pytestmark = [pytest.mark.e2e, pytest.mark.vm]


PLUMVEIL = (sys.executable, "-c", "from host_tools.cli import main; main()")


def environment() -> dict[str, str]:
    """Ours, with the checkout on Python's path and a terminal of 100 columns."""
    path = (str(ROOT), str(ROOT / "firmware"), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "COLUMNS": "100"}


def plumveil(*arguments: str | Path, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    command = [*PLUMVEIL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment(), check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, plumveil("demo", "--out", out)


@pytest.fixture(scope="module")
def out(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    folder, done = demo
    assert done.returncode == 0, done.stderr
    return folder


def opened(out: Path, name: str) -> list[Message]:
    validator = Validator(KeyRing(registry.load(out / "keys.json")))
    return [validator.check(path.read_bytes()) for path in sorted((out / "messages").glob(f"{name}-0*.cbor"))]


def contents(out: Path, name: str, kind: type) -> list:
    return [message.content for message in opened(out, name) if isinstance(message.content, kind)]


def test_the_summary_has_exactly_the_agreed_shape(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary) == {"nodes", "validator", "seconds"}
    assert set(summary["validator"]) == {"valid", "invalid"}
    assert tuple(node["name"] for node in summary["nodes"]) == NODES
    numbers = ("sealed_bytes_per_reading", "senml_cbor_bytes_per_reading", "json_bytes_per_reading")
    for node in summary["nodes"]:
        assert set(node) == {"name", "messages", "readings", "locations", "dropped", *numbers}
        assert all(isinstance(node[name], int) for name in ("messages", "readings", "locations"))
        assert 0 < node[numbers[0]] < node[numbers[1]] < node[numbers[2]]
        assert all(isinstance(count, int) and count > 0 for count in node["dropped"].values())
        assert set(node["dropped"]) <= {name for _, name in wire.RULES}
    assert 0 < summary["seconds"] < TIMEOUT_S


def test_the_figures_are_those_of_the_messages(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    total = 0
    for node in summary["nodes"]:
        messages = opened(out, node["name"])
        batches = [message for message in messages if isinstance(message.content, Batch)]
        readings = sum(message.content.readings for message in batches if isinstance(message.content, Batch))
        sealed_bytes = sum(message.size_bytes for message in batches)
        assert (len(messages), readings) == (node["messages"], node["readings"])
        assert len(contents(out, node["name"], Position)) == node["locations"]
        assert node["sealed_bytes_per_reading"] == pytest.approx(sealed_bytes / readings, abs=0.006)
        assert all(message.valid and not message.duplicate for message in messages)
        total += len(messages)
    assert summary["validator"] == {"valid": total, "invalid": 0}


def test_only_the_truck_with_consent_sends_positions_and_only_cells(out: Path) -> None:
    assert contents(out, "vaccine-fridge", Position) == []
    assert contents(out, "truck-no-consent", Position) == []
    positions = contents(out, "truck-consent", Position)
    assert len(positions) > 25
    assert {position.tier for position in positions} == {3}
    summary = {node["name"]: node for node in json.loads((out / "summary.json").read_text())["nodes"]}
    assert summary["truck-no-consent"]["dropped"]["no_consent"] > 200
    assert "no_consent" not in summary["vaccine-fridge"]["dropped"]
    assert {"same_cell", "no_fix", "bad_sentence"} <= set(summary["truck-consent"]["dropped"])
    assert not {"same_cell", "no_fix", "bad_sentence"} & set(summary["truck-no-consent"]["dropped"])
    assert "0 bytes read from the GPS receiver" in (out / "report.html").read_text()


def test_every_reading_of_the_day_arrives_once(out: Path) -> None:
    for name in NODES:
        times_s = [
            batch.start_s + j * batch.interval_s
            for batch in contents(out, name, Batch)
            for j in range(batch.readings)
        ]
        assert len(times_s) == len(set(times_s))
        assert max(times_s) - min(times_s) > 86400 - 900
        assert len(times_s) >= 287


def test_what_arrives_is_what_was_felt_at_the_sensors_accuracy(out: Path) -> None:
    felt = scenario.refrigerator().temperature
    column = wire.F_TEMPERATURE
    errors_c = []
    for batch in contents(out, "vaccine-fridge", Batch):
        for j, value in enumerate(batch.columns[batch.fields.index(column)]):
            near = [felt.at(batch.start_s + j * batch.interval_s + lag_s) / 1000 for lag_s in range(0, 121, 10)]
            errors_c.append(min(abs(value / 10 - one) for one in near))
    assert max(errors_c) < 0.11
    assert len(errors_c) > 280


def test_the_excursion_raises_an_alarm_and_the_probes_absence_shows(out: Path) -> None:
    events = contents(out, "vaccine-fridge", Event)
    assert [event.event for event in events].count(wire.E_TEMPERATURE_HIGH) == 1
    probe = [
        value
        for batch in contents(out, "vaccine-fridge", Batch)
        for value in batch.columns[batch.fields.index(wire.F_PROBE_TEMPERATURE)]
    ]
    assert probe.count(None) == 4


def test_health_reports_tell_what_was_dropped_but_not_what_the_receiver_did(out: Path) -> None:
    names = dict(wire.RULES)
    for node in json.loads((out / "summary.json").read_text())["nodes"]:
        reports = contents(out, node["name"], Health)
        assert len(reports) > 3
        told = Counter[str]()
        for report in reports:
            assert not report.masked
            told.update({names[rule]: n for rule, n in report.drops.items()})
        # What came after the last report waits for the next.
        assert told <= Counter(node["dropped"])
        assert not {"same_cell", "no_fix", "bad_sentence"} & set(told)
        if node["name"] == "vaccine-fridge":
            assert told == {"sensor_fault": 4}
        elif node["name"] == "truck-no-consent":
            assert told["no_consent"] > 200


def test_validate_is_content_with_the_folder(out: Path) -> None:
    done = plumveil("validate", out / "messages")
    assert done.returncode == 0, done.stdout + done.stderr


def test_keys_are_for_their_owner_alone(out: Path) -> None:
    assert stat.S_IMODE((out / "keys.json").stat().st_mode) == 0o600
    assert len(registry.load(out / "keys.json").nodes) == 3


def test_it_prints_the_figures_the_reports_path_and_the_time(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = demo
    for text in (*NODES, "SenML-CBOR", "validator:", " 0 invalid", "dropped by truck-no-consent: "):
        assert text in done.stdout
    assert str(folder / "report.html") in done.stdout
    assert re.search(r"\(\d+\.\d s\)", done.stdout)
    assert done.stderr == ""


def test_the_report_opens_without_a_network(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert "http" not in page
    assert page.count("<svg") == 2 + 3 * 2
    for name in NODES:
        assert name in page


def test_a_second_run_replaces_what_the_first_made_and_nothing_else(out: Path) -> None:
    mine = out / "my-notes.txt"
    mine.write_text("keep")
    before = {path.name: path.read_bytes() for path in (out / "messages").iterdir()}
    done = plumveil("demo", "--out", out)
    assert done.returncode == 0, done.stderr
    after = {path.name: path.read_bytes() for path in (out / "messages").iterdir()}
    assert mine.read_text() == "keep"
    assert not set(before.values()) & set(after.values())
    assert plumveil("validate", out / "messages").returncode == 0


@pytest.mark.parametrize("name", ["keys.json", "summary.json", "messages/other.cbor"])
def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    done = plumveil("demo", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not from an earlier simulation" in done.stderr
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.needs_mosquitto
def test_mosquitto_in_place_of_the_embedded_broker(tmp_path: Path) -> None:
    program = find_program("mosquitto")
    assert program is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    broker = subprocess.Popen(
        [program, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_port(port)
        done = plumveil("demo", "--out", tmp_path / "out", "--broker", f"mqtt://127.0.0.1:{port}")
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "out" / "summary.json").read_text())["validator"]["valid"] > 50
    finally:
        broker.terminate()
        broker.wait(10)


def _wait_for_port(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("mosquitto did not start")
