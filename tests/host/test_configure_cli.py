"""The `configure` commands without a node: what they print, how they end, and that no mistake ends in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools import ports
from host_tools.configure import schema
from tests.host.command_line import Ended, run, run_process
from tests.host.configuring import DAY, WIFI_KEY, certificate, put
from tests.host.keystores import PASSPHRASE, make

OLD = certificate(begins=-900 * DAY, ends=-500 * DAY)  # over on any clock of today


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A node.toml that today's clock finds no fault with: without certificates."""
    return put(tmp_path, broker={"host": "localhost", "ca_file": None})


def test_check_says_that_a_file_is_sound(sound: Path) -> None:
    assert run("configure", "check", sound) == Ended(0, f"{sound}: sound\n", "")


def test_check_says_all_that_is_wrong_a_line_each(tmp_path: Path) -> None:
    path = put(tmp_path, node={"board": "vertual", "x": 1}, broker={"port": 0})
    ended = run("configure", "check", path)
    assert (ended.code, ended.err) == (1, "")
    assert [line.split(": ")[1] for line in ended.out.splitlines()] == ["node.board", "node.x", "broker.port"]
    assert all(line.startswith(f"{path}: ") for line in ended.out.splitlines())
    path = put(tmp_path, wifi={"key": "password", "security": "wep"}, broker={"ca_file": None})
    ended = run("configure", "check", path)
    assert ended.code == 1
    assert len(ended.out.splitlines()) == 3


def test_check_looks_at_the_clock(tmp_path: Path) -> None:
    assert "the CA certificate ended on" in run("configure", "check", put(tmp_path, OLD)).out


def test_a_dry_run_without_a_node(sound: Path) -> None:
    ended = run("configure", sound, "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{sound}: sound; a configuration of ")
    assert ended == run("configure", "write", sound, "--dry-run")
    assert ended == run("configure", "--dry-run", sound)


def test_a_dry_run_that_shows_what_changes_looks_at_the_node(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "attached", list)
    monkeypatch.setattr(ports, "virtual", list)
    ended = run("configure", sound, "--dry-run", "--diff")
    assert (ended.code, ended.out) == (1, "")
    assert "no board is attached" in ended.err


def test_the_file_of_the_working_folder_is_the_default(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sound.parent)
    assert run("configure", "--dry-run").out.startswith("node.toml: sound")
    assert run("configure", "check").out == "node.toml: sound\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("configure", "none.toml"), 2, "cannot read none.toml: No such file or directory"),
        (("configure", "check", "none.toml"), 2, "cannot read none.toml"),
        (("configure", "{file}", "--port", "/dev/none"), 2, "there is no serial port /dev/none"),
        (("configure", "export", "--port", "/dev/none"), 2, "there is no serial port /dev/none"),
        (("configure", "export", "--port", "/dev/none", "-o", "{file}"), 2, "is there already; name another file"),
    ],
)
def test_mistakes_end_in_one_line(
    sound: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    keystore = make(tmp_path)
    given = [argument.replace("{file}", str(sound)) for argument in arguments]
    ended = run(*given, PLUMVEIL_KEYSTORE=str(keystore), PLUMVEIL_PASSPHRASE=PASSPHRASE)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_a_file_that_breaks_a_rule_is_refused_before_a_passphrase_is_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path, wifi={"key": "password"}, broker={"host": "localhost", "ca_file": None})
    ended = run("configure", path, "--port", "/dev/none", PLUMVEIL_KEYSTORE="/dev/none")
    assert ended.code == 1
    assert "wifi key: is a default" in ended.err


def test_the_schema() -> None:
    ended = run("configure", "schema")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == schema.text()
    assert json.loads(ended.out)["$schema"] == schema.DRAFT


def test_help_is_there_for_each() -> None:
    for arguments in ((), ("write",), ("check",), ("export",), ("schema",)):
        ended = run_process("configure", *arguments, "--help")
        assert ended.code == 0
        assert "Usage: plumveil configure" in ended.out


def test_nothing_prints_the_key(sound: Path) -> None:
    shown = ""
    for arguments in (("check", sound), (sound, "--dry-run"), (sound, "--port", "/dev/none", "--diff")):
        ended = run("configure", *arguments)
        shown += ended.out + ended.err
    assert "sound" in shown
    assert WIFI_KEY not in shown
