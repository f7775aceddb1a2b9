"""`plumveil decode` and `plumveil validate` as a user runs them: exit codes, JSON, tables, wrong usage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from host_tools import registry
from host_tools.registry import ConsentRecord, Policy, Registry
from plumveil import wire
from tests.host import messages
from tests.host.command_line import COMMANDS, NOW, OFF_LIMITS, SOUND, as_json, home_in, put, run, run_process

SHOWN = [wire.STREAMS[stream] for stream in messages.STREAMS]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, for messages; the key file is in the one above."""
    folder = home_in(tmp_path)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_exit_code_0_when_all_is_valid(home: Path, command: str) -> None:
    put(home, a=b"".join(SOUND[:2]), b=SOUND[2], c=SOUND[3])
    assert run_process(command, home, "--now", NOW) == run(command, home, "--now", NOW)
    assert run(command, home, "--now", NOW).code == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", ["empty", "not CBOR", "cut", "with a byte more", "off limits", "CBOR"])
def test_exit_code_1_when_one_message_is_not(home: Path, command: str, bad: str) -> None:
    more = {"cut": SOUND[0][:-1], "with a byte more": SOUND[0] + b"\x83", "off limits": OFF_LIMITS, "CBOR": b"\x00"}
    put(home, a=SOUND[1], b={"empty": b"", "not CBOR": b"not a message", **more}[bad])
    ended = run(command, ".", "--now", NOW)
    assert ended.code == 1
    assert "b.cbor #" in ended.out
    assert ended.err == ""


WRONG_USAGE: list[tuple[Sequence[str], str]] = [
    (["--bogus"], "no such option"),
    (["a", "b"], "takes: PATH"),
    (["absent.cbor"], "cannot read absent.cbor: No such file"),
    (["x" * 300], "name too long"),
    (["--now", "yesterday"], "does not match"),
    (["--keys"], "needs a value"),
    (["--keys", "absent.json", "here"], "cannot read the key file absent.json: No such file"),
    (["--keys", "here", "here"], "cannot read the key file here: Is a directory"),
    (["here/a.cbor", "--keys", "here/a.cbor"], "run: chmod 600"),
    (["empty", "--keys", "../keys.json"], "holds no messages"),
    (["/proc/self/mem", "--keys", "../keys.json"], "cannot read /proc/self/mem: Input/output error"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("arguments", "told"), WRONG_USAGE)
def test_exit_code_2_for_wrong_usage(home: Path, command: str, arguments: Sequence[str], told: str) -> None:
    (home / "here").mkdir()
    (home / "empty").mkdir()
    put(home / "here", a=SOUND[0])
    (home / "here" / "a.cbor").chmod(0o644)
    ended = run(command, *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_without_a_command_there_is_help() -> None:
    ended = run()
    assert ended.code == 2
    assert all(command in ended.out + ended.err for command in COMMANDS)
    assert "no such command" in run("decode-all").err
    assert "no such option" in run("validate", "--stream", "device").err
    assert "is not one of" in run("decode", "--stream", "devices").err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_documents_exit_codes_and_options(command: str) -> None:
    ended = run(command, "--help")
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert "Exit codes: 0 all messages valid, 1 some invalid or the run failed, 2 wrong usage" in text
    assert all(option in text for option in ("--keys", "--json", "--now", "--passphrase-file"))
    assert "first written to its access log" in text
    assert "a keys.json is not logged" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_key_file_anywhere(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    ended = run(command, put(folder, a=SOUND[0]))
    assert ended.code == 2
    assert ended.err == "plumveil: error: no keys.json beside the messages; give --keys FILE or set PLUMVEIL_KEYS\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_keys_by_option_and_by_environment(home: Path, tmp_path: Path, command: str) -> None:
    far = tmp_path / "far" / "away"
    far.mkdir(parents=True)
    put(far, a=SOUND[0])
    keys = home.parent / registry.KEY_FILE
    assert run(command, far, "--now", NOW, "--keys", keys).code == 0
    assert run(command, far, "--now", NOW, PLUMVEIL_KEYS=str(keys)).code == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", ["{", "[]", '{"version": 9}', json.dumps({"nodes": [{"k_id": "c0ffee" * 20}]})])
def test_a_damaged_key_file(home: Path, command: str, content: str) -> None:
    keys = home.parent / registry.KEY_FILE
    keys.write_text(content)
    ended = run(command, put(home, a=SOUND[0]))
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith(f"plumveil: error: {keys} is not a key file: ")
    assert ended.err.count("\n") == 1
    assert "c0ffee" not in ended.err


def test_a_wrong_key_file_finds_no_pseudonym(home: Path) -> None:
    own = {"name": "other", "k_id": "12" * 32, "k_chain": "34" * 32, "k_config": "56" * 32, "k_consent": "78" * 32}
    other = messages.NODE.model_copy(update=own)
    registry.save(Registry(nodes=(other,)), home.parent / registry.KEY_FILE)
    code, document = as_json("validate", put(home, a=SOUND[0]))
    assert code == 1
    assert document["summary"]["rules"] == {"pseudonym": 1}
    registry.save(Registry(), home.parent / registry.KEY_FILE)
    assert as_json("decode", home)[1]["summary"]["rules"] == {"pseudonym": 1}


def test_json_of_decode(home: Path) -> None:
    code, document = as_json("decode", put(home, a=b"".join(SOUND), b=OFF_LIMITS + SOUND[0] + b"\xff"))
    assert code == 1
    assert list(document) == ["messages", "summary"]
    assert document["summary"] == {
        "messages": 7,
        "valid": 5,
        "invalid": 2,
        "duplicates": 1,
        "forgotten": 0,
        "ahead": 0,
        "epochs_ahead_max": 0,
        "rules": {"cose": 1, "range": 1},
    }
    shown = document["messages"]
    assert [one["stream"] for one in shown] == [*SHOWN, "device", "readings", None]
    assert [one["number"] for one in shown] == [1, 2, 3, 4, 1, 2, 3]
    assert [one["duplicate"] for one in shown] == [False] * 5 + [True, False]
    assert [one["broken_off"] for one in shown] == [False] * 6 + [True]
    assert shown[0]["file"] == str(home / "a.cbor")
    assert shown[0]["content"]["fields"]["temperature"] == {
        "unit": "Cel",
        "values": [value / 10 for value in messages.TEMPERATURES if value is not None],
    }
    assert shown[1]["content"]["cell"] == messages.CELL
    assert shown[2]["content"]["values"] == {"uptime": 10800, "rssi": -60}
    assert shown[2]["content"]["drops"] == {"out_of_range": 2, "sensor_fault": 1}
    assert (shown[3]["content"]["event"], shown[3]["content"]["argument"]) == ("consent", 0)
    assert [finding["rule"] for finding in shown[4]["findings"]] == ["range"]
    assert shown[6]["content"] is None


def test_json_of_validate_has_verdicts_and_no_contents(home: Path) -> None:
    code, document = as_json("validate", put(home, a=b"".join(SOUND)))
    assert code == 0
    assert document["summary"]["valid"] == 4
    assert all("content" not in one and one["valid"] for one in document["messages"])
    assert document["messages"][0]["pseudonym"] == messages.sender(wire.READINGS).kid.hex()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("home")
def test_standard_input(command: str) -> None:
    for stdin, count in ((SOUND[0], 1), (b"".join(SOUND), 4)):
        code, document = as_json(command, "-", stdin=stdin)
        assert code == 0
        assert [one["file"] for one in document["messages"]] == ["stdin"] * count
        assert as_json(command, stdin=stdin) == (code, document)
    code, document = as_json(command, stdin=b"".join(SOUND)[:-1])
    assert code == 1
    assert [one["valid"] for one in document["messages"]] == [True, True, True, False]
    assert as_json(command, stdin=b"")[0] == 1


def test_what_uncertainty_is_of_stands_below_positions(home: Path) -> None:
    told = "+- is of the cell told; a policy with scatter moves positions further"
    put(home, a=b"".join(SOUND))
    assert told in run("decode", home, "--now", NOW).out
    assert told not in run("decode", home, "--now", NOW, "--stream", "readings").out
    feature = as_json("decode", home)[1]["messages"][1]["content"]["feature"]
    assert feature["properties"]["uncertainty_of"] in told
    assert told in " ".join(run("decode", "--help").out.split()).replace("A position's +-", "+-")


def test_one_stream_alone(home: Path) -> None:
    put(home, a=b"".join(SOUND), b=OFF_LIMITS)
    for stream in SHOWN:
        code, document = as_json("decode", home, "--stream", stream)
        assert {one["stream"] for one in document["messages"]} == {stream}
        # What is not shown counts all the same.
        assert (code, document["summary"]["messages"]) == (1, 5)
    put(home, a=b"\x00")
    (home / "b.cbor").unlink()
    assert [one["stream"] for one in as_json("decode", home, "--stream", "events")[1]["messages"]] == [None]
    put(home, a=SOUND[0])
    assert as_json("decode", home, "--stream", "events")[1]["messages"] == []
    assert "time (UTC)" in run("decode", home, "--stream", "events", "--now", NOW).out


def test_tables_are_readable(home: Path) -> None:
    ended = run("decode", put(home, a=b"".join(SOUND)), "--now", NOW)
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].split() == ["time", "(UTC)", "node", "stream", "what"]
    start = datetime.fromtimestamp(messages.START_S, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    assert any(line.strip().startswith(start) and "temperature 4 Cel, humidity 45 %RH" in line for line in lines)
    assert "location area cell (1000 m) around" in " ".join(ended.out.split())
    assert "uptime 10800 s, rssi -60 dBm; drops out_of_range 2, sensor_fault 1" in " ".join(ended.out.split())
    assert any(line.split()[-3:] == ["events", "consent", "off"] for line in lines)
    assert lines[-1] == "4 messages, 0 invalid, 0 duplicates"


def test_validate_says_which_rule_and_where(home: Path) -> None:
    put(home, a=SOUND[0] + OFF_LIMITS, b=SOUND[0], c=SOUND[1][:70])
    # A narrow terminal folds tables, not findings: those are for grep as well.
    ended = run("validate", home, "--now", NOW, COLUMNS="60")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == f"{home / 'a.cbor'} #2, device: range at health[16]: outside the field's limits"
    assert lines[1].startswith(f"{home / 'c.cbor'} #1, unknown stream: cose at message: not well-formed CBOR")
    assert lines[2] == f"{home / 'c.cbor'} #1: here the sequence breaks off; what may follow was not read"
    rows = [line.split() for line in lines]
    for row in (["readings", "2", "0"], ["device", "0", "1"], ["unknown", "0", "1"], ["all", "2", "2"]):
        assert row in rows
    assert "1 came more than once" in ended.out


def test_policies_and_consents_come_from_the_key_file(home: Path) -> None:
    """The same message, valid or not by what the controller has on record."""
    put(home, a=SOUND[wire.LOCATION])

    def rules_broken(**change: object) -> list[str]:
        node = messages.NODE.model_copy(update=change)
        registry.save(Registry(nodes=(node,)), home.parent / registry.KEY_FILE)
        return list(as_json("validate", home)[1]["summary"]["rules"])

    consent = messages.NODE.consents[0]
    assert rules_broken() == []
    assert rules_broken(consents=()) == ["consent"]
    assert rules_broken(consents=(ConsentRecord(**{**consent.model_dump(), "tier": 2}),)) == ["consent"]
    assert rules_broken(policies=(Policy(version=1, fields={}, location_ceiling=2),)) == ["resolution"]
    assert rules_broken(policies=()) == ["field"]
