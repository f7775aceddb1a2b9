"""`decode` and `validate` with a keystore: what each role opens, and what it is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from host_tools import accesslog, message_keys, registry, searched_ring
from host_tools.registry import Node
from plumveil import wire
from tests.host import messages, stores
from tests.host.command_line import COMMANDS, NOW, SOUND, Ended, home_in, put, run
from tests.host.messages import sealed
from tests.host.stores import OTHER, logged, told, truck, with_store

SENSORS = [SOUND[wire.READINGS], SOUND[wire.DEVICE], SOUND[wire.EVENTS]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A controller's keystore."""
    return stores.controller(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for messages."""
    folder = tmp_path / "messages"
    folder.mkdir()
    return folder


def test_a_controller_sees_what_a_key_file_shows(tmp_path: Path, store: Path) -> None:
    home = home_in(tmp_path)
    put(home, a=b"".join(SOUND))
    for arguments in (["decode"], ["decode", "--json"], ["validate"], ["validate", "--json"]):
        ended = with_store(arguments[0], store, home, *arguments[1:])
        assert ended == run(*arguments, home, "--now", NOW)
        assert (ended.code, ended.err) == (0, "")
    assert told(store) == [
        ("open_location", ("fridge",), 1, command) for command in ("decode", "decode", *COMMANDS[1:] * 2)
    ]
    # The key file beside the messages was read four times, and is not logged.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "keys.json",
        "messages",
        "tenant.keys",
        "tenant.keys.log",
        "tenant.keys.log.head",
    ]


def test_a_controller_resolves_pseudonyms(store: Path, home: Path) -> None:
    """Without positions it is the names that are personal: where they are shown, that is logged."""
    put(home, a=b"".join(SENSORS), b=truck(wire.READINGS))
    assert with_store("validate", store, home, "--json").code == 1  # of nobody, as yet
    assert with_store("validate", store, home).code == 1
    assert with_store("decode", store, home).code == 1
    assert told(store) == [("resolve", ("fridge",), 1, "validate"), ("resolve", ("fridge",), 1, "decode")]


def test_positions_not_shown_were_opened_all_the_same(store: Path, home: Path) -> None:
    put(home, a=b"".join(SOUND))
    assert "cell" not in with_store("decode", store, home, "--stream", "readings").out
    assert "cell" in with_store("decode", store, home, "--stream", "location").out
    assert [detail for *_, detail in told(store)] == ["decode not shown", "decode"]


def test_a_processor(store: Path, home: Path) -> None:
    """No name, no serial, no epoch, health as it was sent; its own log, about pseudonyms."""
    path = stores.handed_out(store, "processor")
    masked = sealed(wire.DEVICE, policy=messages.MASKED, counter=1)
    put(home, a=b"".join(SOUND) + masked)
    ended = with_store("decode", path, home, COLUMNS="160")
    assert (ended.code, ended.err) == (0, "")
    assert "uptime 10800 s, rssi -60 dBm" in ended.out
    assert "uptime masked, rssi masked" in ended.out
    assert f"consent reference {messages.reference().hex()}" in ended.out
    assert "fridge" not in ended.out
    document = json.loads(with_store("decode", path, home, "--json").out)
    assert {(one["node"], one["epoch"]) for one in document["messages"]} == {(None, None)}
    content = document["messages"][4]["content"]
    assert (content["masked"], set(content["values"].values()), content["drops"]) == (True, {None}, None)
    kid = messages.sender(wire.LOCATION).kid.hex()
    assert told(path) == [("open_location", (kid,), 1, "decode")] * 2
    assert {entry.role for entry in logged(path)} == {"processor"}
    assert {entry.action for entry in logged(store)} == {"export"}
    # Sensor readings under pseudonyms are what it is there for.
    put(home, a=b"".join(SENSORS))
    assert with_store("decode", path, home).code == 0
    assert len(logged(path)) == 2


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("role", ["technician", "auditor"])
def test_roles_that_open_nothing(store: Path, home: Path, role: str, command: str) -> None:
    path = stores.handed_out(store, role)
    ended = with_store(command, path, put(home, a=b"".join(SOUND)))
    article = {"technician": "a", "auditor": "an"}[role]
    error = f"plumveil: error: {path} is {article} {role}'s keystore and holds no keys that open messages\n"
    assert ended == Ended(1, "", error)
    assert not accesslog.log_path(path).exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_where_the_passphrase_comes_from(tmp_path: Path, store: Path, home: Path, command: str) -> None:
    put(home, a=SOUND[0])
    given = tmp_path / "passphrase"
    given.write_text(f"{stores.PASSPHRASE}\n")
    given.chmod(0o600)
    assert run(command, home, "--keys", store, "--passphrase-file", given, "--now", NOW).code == 0
    for variable in ("PLUMVEIL_KEYS", "PLUMVEIL_KEYSTORE"):
        named: dict[str, Any] = {variable: str(store), "PLUMVEIL_PASSPHRASE": stores.PASSPHRASE}
        assert run(command, home, "--now", NOW, **named).code == 0
    ended = with_store(command, store, home, PLUMVEIL_PASSPHRASE="another one")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("plumveil: error: ")
    assert "passphrase" in ended.err
    assert "another one" not in ended.err


def test_a_damaged_keystore(store: Path, home: Path) -> None:
    store.write_bytes(store.read_bytes()[:-1])
    ended = with_store("decode", store, put(home, a=SOUND[0]))
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)


def test_a_node_with_new_keys_keeps_its_name(tmp_path: Path, home: Path) -> None:
    """Messages from before and after the change are of one node, in the table and in the log."""
    renewed = Node.model_validate({**OTHER.model_dump(), "name": "fridge"})
    path = stores.controller(tmp_path, stores.entry(renewed, messages.NODE))
    put(home, a=SOUND[wire.LOCATION], b=truck(wire.LOCATION))
    document = json.loads(with_store("decode", path, home, "--json").out)
    assert [one["node"] for one in document["messages"]] == ["fridge", "fridge"]
    assert document["summary"]["valid"] == 2
    assert told(path) == [("open_location", ("fridge",), 2, "decode")]


def test_nodes_whose_clock_ran_ahead(tmp_path: Path, store: Path, home: Path) -> None:
    ahead = [
        sealed(wire.EVENTS, messages.event(wire.E_EPOCHS_AHEAD, 3), epoch=messages.EPOCH + 3),
        sealed(wire.READINGS, epoch=messages.EPOCH + 3),
        sealed(wire.READINGS, epoch=messages.EPOCH + 40),
    ]
    line = "messages from nodes whose clock ran ahead: their epochs are"
    put(home, a=SOUND[0] + ahead[0] + ahead[1])
    for command in COMMANDS:
        ended = with_store(command, store, home)
        assert ended.code == 0
        assert f"2 {line} 3 ahead of the calendar" in ended.out
    put(home, b=ahead[2])
    ended = with_store("validate", store, home)
    assert f"3 {line} 3 to 40 ahead of the calendar" in ended.out
    document = json.loads(with_store("decode", store, home, "--json").out)
    assert [one["epochs_ahead"] for one in document["messages"]] == [0, 3, 3, 40]
    assert (document["summary"]["ahead"], document["summary"]["epochs_ahead_max"]) == (3, 40)
    put(home, a=SOUND[0], b=SOUND[1])
    assert line not in with_store("validate", store, home).out


def test_a_key_file_from_a_pipe(home: Path) -> None:
    """To look whether it is a keystore must not eat up what cannot be read twice."""
    put(home, a=SOUND[0])
    reading, writing = os.pipe()
    os.write(writing, messages.REGISTRY.model_dump_json().encode())
    os.close(writing)
    try:
        os.fchmod(reading, 0o600)
        assert run("validate", home, "--keys", f"/dev/fd/{reading}", "--now", NOW).code == 0
    finally:
        os.close(reading)
    assert registry.KEY_FILE not in {path.name for path in home.parent.iterdir()}


def test_a_keystore_too_large_to_try_every_node(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pseudonyms are searched by the index, and that is logged; what comes out is the same but for other months."""
    renewed = Node.model_validate({**OTHER.model_dump(), "name": "fridge"})
    path = stores.controller(tmp_path, stores.entry(renewed, messages.NODE))
    put(home, a=b"".join(SOUND), b=truck(wire.LOCATION), c=truck(wire.EVENTS) + SOUND[0] + b"\x00")
    tried = {command: with_store(command, path, home, "--json") for command in COMMANDS}
    entries = len(logged(path))
    monkeypatch.setattr(message_keys, "NODES_TRIED_MAX", 0)
    monkeypatch.setattr(searched_ring, "AHEAD_MESSAGES", 3)
    monkeypatch.setattr(searched_ring, "FOUND_MAX", 1)
    for command in COMMANDS:
        assert with_store(command, path, home, "--json") == tried[command]
    assert [entry.action for entry in logged(path)[entries:]] == [
        "resolve",
        "resolve",
        "resolve",
        "open_location",
    ] * 2
    # Names shown beside sensor readings are logged by the search, and not once more.
    for path_ in home.iterdir():
        path_.unlink()
    assert with_store("decode", path, put(home, a=b"".join(SENSORS))).code == 0
    assert [(entry.action, entry.detail) for entry in logged(path)[entries + 8 :]] == [("resolve", "")]
    later = sealed(wire.EVENTS, epoch=messages.EPOCH + 40)
    ended = with_store("validate", path, put(home, b=later + later, c=SOUND[0]))
    assert ended.code == 1
    assert "1 pseudonyms are nobody's from 2026-05-02 to 2026-06-01; for so many nodes no other days" in ended.out


def test_a_search_that_cannot_be_logged(store: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_keys, "NODES_TRIED_MAX", 0)
    accesslog.log_path(store).mkdir()
    ended = with_store("decode", store, put(home, a=SOUND[0]))
    assert (ended.code, ended.out) == (1, "")
    assert "what cannot be logged is not done" in ended.err
