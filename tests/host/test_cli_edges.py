"""The command line against the machine around it: zones, encodings, pipes, full disks; what it never tells."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from host_tools import registry
from host_tools.registry import Registry
from plumveil import wire
from tests.host import messages
from tests.host.command_line import (
    COMMANDS,
    NOW,
    OFF_LIMITS,
    PROGRAM,
    SOUND,
    as_json,
    home_in,
    put,
    run_process,
    surroundings,
)
from tests.host.messages import sealed

SECRETS = [messages.K_ID.hex(), messages.K_CHAIN.hex(), messages.TENANT, messages.SALT.hex()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, for messages; the key file is in the one above."""
    folder = home_in(tmp_path)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_now_is_utc_in_every_zone(home: Path, zone: str) -> None:
    put(home, a=SOUND[wire.EVENTS])

    def code(before_s: int, ending: str) -> int:
        moment = datetime.fromtimestamp(messages.START_S - before_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return run_process("validate", home, "--now", moment + ending, TZ=zone).code

    assert code(500, "") == code(500, "Z") == 0
    assert code(700, "") == 1


@pytest.mark.parametrize("now", ["9999-12-31", "0001-01-01", "1969-12-31"])
def test_now_however_far(home: Path, now: str) -> None:
    put(home, a=SOUND[0], b=sealed(wire.EVENTS)[:20], c=SOUND[1].replace(messages.sender(1).kid, bytes(8)))
    ended = run_process("validate", home, "--now", now)
    assert ended.code == 1
    assert "pseudonym" in ended.out


@pytest.mark.parametrize("stream", messages.STREAMS)
def test_findings_tell_no_key_place_reading_or_pseudonym(home: Path, stream: int) -> None:
    """One authentic message of each stream, broken in several ways at once, and one with a changed seal."""
    bodies = {
        wire.READINGS: messages.readings({wire.F_HUMIDITY: [93, 201, 133]}),
        wire.LOCATION: messages.location(cell=[4, 77123, 31234], consent=987654, time=messages.START_S + 17),
        wire.DEVICE: messages.device(health={wire.F_UPTIME: 7654321}),
        wire.EVENTS: messages.event(wire.E_TEMPERATURE_HIGH, 7654321),
    }
    put(home, a=sealed(stream, bodies[stream]), b=SOUND[stream][:-1] + b"\x00")
    ended = run_process("validate", ".", "--now", NOW)
    assert ended.code == 1
    own = ["77123", "31234", "987654", "7654321", "201", "133", str(messages.START_S + 17)]
    for secret in [*SECRETS, messages.sender(stream).kid.hex(), *own]:
        assert secret not in ended.out + ended.err


@pytest.mark.parametrize("arguments", [["decode"], ["validate"], ["decode", "--json"], ["validate", "--json"]])
def test_a_reader_that_has_gone_ends_the_command_quietly(home: Path, arguments: list[str]) -> None:
    put(home, a=b"\x00" * 30_000)
    command = [*PROGRAM, *arguments, str(home)]
    own = surroundings()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=own) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["decode"], ["validate"], ["decode", "--json"]])
def test_a_full_disk_is_said_in_a_line(home: Path, arguments: list[str]) -> None:
    put(home, a=SOUND[0])
    command = [*PROGRAM, *arguments, str(home), "--now", NOW]
    own = surroundings()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=own, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == b"plumveil: error: cannot write the output: No space left on device\n"


def test_a_closed_standard_input(home: Path) -> None:
    keys = home.parent / registry.KEY_FILE
    line = 'exec "$0" -m host_tools.cli validate - --keys "$1" <&-'
    own = surroundings()
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, str(keys)], capture_output=True, env=own, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"plumveil: error: there is no standard input\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_names_beyond_the_terminals_letters(home: Path, command: str) -> None:
    node = messages.NODE.model_copy(update={"name": "Kühlschrank \u202e"})
    registry.save(Registry(nodes=(node,)), home.parent / registry.KEY_FILE)
    (home / os.fsdecode(b"\xff\x1b[2J.cbor")).write_bytes(OFF_LIMITS)
    for encoding in ("ascii", "utf-8"):
        ended = run_process(command, ".", "--now", NOW, PYTHONIOENCODING=encoding)
        assert ended.code == 1
        assert not set(ended.out) & {"\x1b", "\u202e"}
        assert "??[2J.cbor #1" in ended.out.replace("\n", "")
    assert as_json(command, home)[1]["messages"][0]["node"] == node.name
