"""`plumveil audit` as a user runs it: exit codes, what is printed and what is not, each role's view."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from host_tools import accesslog, audit_show
from host_tools.accesslog import AccessLog
from tests.host import messages, stores
from tests.host.command_line import SOUND, Ended, put, run, run_process
from tests.host.stores import OTHER, with_store


def audit(*arguments: str | Path, **more: Any) -> Ended:
    """Runs the audit, the passphrase in the environment."""
    return run("audit", *arguments, **{"PLUMVEIL_PASSPHRASE": stores.PASSPHRASE, "COLUMNS": "120", **more})


def as_json(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """(exit code, the JSON document)."""
    ended = audit(*arguments, "--json")
    assert ended.err == ""
    document: dict[str, Any] = json.loads(ended.out)
    return ended.code, document


def log_of(path: Path) -> AccessLog:
    with stores.open_store(path) as store:
        return AccessLog.beside(store)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A controller's keystore with a log of three entries."""
    path = stores.controller(tmp_path, stores.entry(messages.NODE), stores.entry(OTHER))
    log = log_of(path)
    log.append("resolve", ["fridge"], 1)
    log.append("export", [], 2, "role processor streams location from 2026-01-01 to 2026-01-31")
    log.append("open_location", ["truck", "fridge"], 7, "decode")
    return path


def break_line(path: Path, line: int) -> None:
    """Changes a digit in a line."""
    log = accesslog.log_path(path)
    lines = log.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"uid":', b'"uid":1')
    log.write_bytes(b"".join(lines))


def test_a_sound_log(store: Path) -> None:
    ended = audit("--keystore", store)
    assert (ended.code, ended.err) == (0, "")
    assert run_process("audit", "--keystore", store, PLUMVEIL_PASSPHRASE=stores.PASSPHRASE, COLUMNS="120") == ended
    lines = ended.out.splitlines()
    assert lines[1].split() == ["entry", "time", "(UTC)", "who", "(uid)", "as", "what", "about", "count", "detail"]
    assert max(map(len, lines[:8])) <= 120
    assert re.search(r"3 +\S+Z +\S.* \(\d+\) +controller +open_location +2 +7 +decode", ended.out)
    assert lines[-2] == f"{accesslog.log_path(store)} is sound: 3 entries, signed by the controller's key; the last:"
    assert re.fullmatch("3:[0-9a-f]{64}", lines[-1])


def test_json(store: Path) -> None:
    code, document = as_json("--keystore", store)
    assert code == 0
    assert list(document) == ["entries", "summary"]
    assert [entry["action"] for entry in document["entries"]] == ["resolve", "export", "open_location"]
    assert [entry["line"] for entry in document["entries"]] == [1, 2, 3]
    assert document["entries"][2]["subjects"][1] == document["entries"][0]["subjects"][0]
    mark = audit("--keystore", store).out.splitlines()[-1]
    assert document["summary"] == {
        "log": str(accesslog.log_path(store)),
        "sound": True,
        "entries": 3,
        "signed_by": ["the controller's key"],
        "mark": mark,
        "faults": [],
        "more_faults": 0,
        "notes": [],
    }


def test_a_changed_log_is_exit_code_1(store: Path) -> None:
    break_line(store, 2)
    ended = audit("--keystore", store)
    assert (ended.code, ended.err) == (1, "")
    assert "line 2: not signed by the log's key\n" in ended.out
    assert "is sound" not in ended.out
    assert ended.out.splitlines()[-1] == (
        f"{accesslog.log_path(store)} is not as it was written; 2 entries are signed, by the controller's key"
    )
    code, document = as_json("--keystore", store)
    assert (code, document["summary"]["sound"]) == (1, False)
    assert document["summary"]["faults"] == [
        {"line": 2, "what": "not signed by the log's key"},
        {"line": None, "what": "the head names another length of the log"},
    ]
    assert [entry["seq"] for entry in document["entries"]] == [1, 3]
    accesslog.head_path(accesslog.log_path(store)).unlink()
    assert as_json("--keystore", store)[1]["summary"]["faults"][-1] == {"line": None, "what": "the head is gone"}
    assert "head: the head is gone\n" in audit("--keystore", store).out


def test_what_was_interrupted_is_told_and_sound(store: Path) -> None:
    with accesslog.log_path(store).open("ab") as file:
        file.write(b'{"action":"res')
    ended = audit("--keystore", store)
    assert ended.code == 0
    assert "note, line 4: an interrupted write; nothing was shown under it, and the next entry sets it" in ended.out


def test_entries_about_a_node(store: Path) -> None:
    def seqs(*arguments: str) -> list[int]:
        code, document = as_json("--keystore", store, *arguments)
        # What is not shown is verified all the same.
        assert (code, document["summary"]["entries"]) == (0, 3)
        return [entry["seq"] for entry in document["entries"]]

    assert seqs("--node", "fridge") == [1, 3]
    assert seqs("--node", "truck") == [3]
    assert seqs("--node", "ward") == []
    year = as_json("--keystore", store)[1]["entries"][0]["time"][:4]
    assert seqs("--from", "2026-01-01") == [1, 2, 3]
    assert seqs("--to", "2026-01-01") == []
    assert seqs("--node", "fridge", "--to", f"{int(year) + 1}-01-01T00:00:00Z") == [1, 3]
    assert seqs("--from", f"{int(year) + 1}-01-01") == []
    break_line(store, 2)
    assert audit("--keystore", store, "--node", "truck").code == 1


def test_times_are_compared_to_the_second(store: Path) -> None:
    moments = [entry["time"] for entry in as_json("--keystore", store)[1]["entries"]]
    shown = as_json("--keystore", store, "--to", moments[0])[1]["entries"]
    assert shown == []
    shown = as_json("--keystore", store, "--from", moments[-1])[1]["entries"]
    assert [entry["seq"] for entry in shown][-1] == 3


def test_what_was_noted_is_expected(store: Path) -> None:
    log = accesslog.log_path(store)
    earlier = (log.read_bytes(), accesslog.head_path(log).read_bytes())
    noted = audit("--keystore", store).out.splitlines()[-1]
    log_of(store).append("list")
    later = audit("--keystore", store).out.splitlines()[-1]
    for mark in (noted, later, f" {later.upper()} "):
        assert audit("--keystore", store, "--expect", mark).code == 0
    log.write_bytes(earlier[0])
    accesslog.head_path(log).write_bytes(earlier[1])
    assert audit("--keystore", store).code == 0
    ended = audit("--keystore", store, "--expect", later)
    assert ended.code == 1
    assert "head: entry 4 with the hash expected is not in the log\n" in ended.out
    log.unlink()
    accesslog.head_path(log).unlink()
    assert audit("--keystore", store, "--expect", noted).code == 1


def test_an_auditor_verifies_with_public_keys(store: Path, tmp_path: Path) -> None:
    """The controller's log, copied away; he cannot look for a node. A processor's log as well."""
    auditor = stores.handed_out(store, "auditor")
    copy = tmp_path / "elsewhere.log"
    copy.write_bytes(accesslog.log_path(store).read_bytes())
    accesslog.head_path(copy).write_bytes(accesslog.head_path(accesslog.log_path(store)).read_bytes())
    code, document = as_json("--keystore", auditor, "--log", copy)
    assert (code, document["summary"]["signed_by"]) == (0, ["the controller's key"])
    ended = audit("--keystore", auditor, "--log", copy, "--node", "fridge")
    error = f"plumveil: error: {auditor} holds no key to look for a node; the keystore beside the log does\n"
    assert ended == Ended(2, "", error)
    ended = audit("--keystore", auditor)
    assert ended.code == 2
    assert ended.err.endswith("is an auditor's and has no log of its own: give --log FILE\n")


def test_a_processors_log(store: Path, tmp_path: Path) -> None:
    processor = stores.handed_out(store, "processor")
    auditor = stores.handed_out(store, "auditor")
    folder = tmp_path / "messages"
    folder.mkdir()
    assert with_store("decode", processor, put(folder, a=SOUND[1])).code == 0
    kid = messages.sender(1).kid.hex()
    assert [e["seq"] for e in as_json("--keystore", processor, "--node", kid.upper())[1]["entries"]] == [1]
    assert as_json("--keystore", processor, "--node", "fridge")[1]["entries"] == []
    log = accesslog.log_path(processor)
    for reader in (auditor, store):
        code, document = as_json("--keystore", reader, "--log", log)
        assert code == 0
        assert document["summary"]["signed_by"][0].startswith("the processor's keystore made ")
    # A controller's own log is not one that a processor may sign.
    for path in (accesslog.log_path, lambda keys: accesslog.head_path(accesslog.log_path(keys))):
        path(store).write_bytes(path(processor).read_bytes())
    ended = audit("--keystore", store)
    assert ended.code == 1
    assert "line 1: not signed by the log's key" in ended.out
    assert "may be another keystore's log" in ended.out


WRONG_USAGE = [
    (["--bogus"], "no such option"),
    (["--from", "yesterday"], "does not match"),
    (["--expect", "3"], "--expect takes what an earlier audit printed"),
    (["--expect", f"0:{'0' * 64}"], "--expect takes what an earlier audit printed"),
    ([], "there is no keystore plumveil.keystore: give --keystore, set $PLUMVEIL_KEYSTORE"),
    (["--keystore", "absent.keys"], "there is no keystore absent.keys"),
    (["--keystore", "tenant.keys", "--log", "absent.log"], "no access log absent.log: nothing was logged there yet"),
    (["--keystore", "tenant.keys", "--log", "."], "cannot read the access log .: Is a directory"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG_USAGE)
def test_wrong_usage(store: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str) -> None:
    monkeypatch.chdir(store.parent)
    ended = audit(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.count("\n") == 1


def test_a_wrong_passphrase(store: Path) -> None:
    ended = audit("--keystore", store, PLUMVEIL_PASSPHRASE="wrong, but long")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "wrong, but" not in ended.err


def test_where_the_keystore_comes_from(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audit(PLUMVEIL_KEYSTORE=str(store)) == audit("--keystore", store)
    monkeypatch.chdir(store.parent)
    (store.parent / "keys.json").write_text("{}")
    ended = audit("--keystore", "keys.json")
    assert ended == Ended(1, "", "plumveil: error: keys.json is no keystore\n")


def test_a_long_log_is_printed_in_pieces(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = audit("--keystore", store).out
    monkeypatch.setattr(audit_show, "TABLE_ROWS", 2)
    pieces = audit("--keystore", store).out
    assert [line.split() for line in pieces.splitlines() if line.strip()] == [
        line.split() for line in whole.splitlines() if line.strip()
    ]


def test_names_that_a_terminal_would_obey(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write a log may put anything there that its key signs."""
    monkeypatch.setattr(accesslog, "_actor", lambda: "\x1b[2J\u202eroot")
    log_of(store).append("list")
    ended = audit("--keystore", store)
    assert ended.code == 0
    assert not set(ended.out) & {"\x1b", "\u202e"}
    assert "?[2J?root" in ended.out


def test_help_says_what_it_cannot_find() -> None:
    text = " ".join(audit("--help").out.replace("│", " ").split())
    assert "A log put back to an earlier state together with its head looks sound" in text
    assert "Exit codes: 0 sound, 1 the log or a chain is changed" in text
    assert "An auditor's keystore has no key to look for one." in text
