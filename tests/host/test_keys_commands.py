"""The commands `plumveil keys ...` as a user meets them: what they print, one line for each refusal, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools import accesslog, registry
from host_tools.errors import UsageError
from host_tools.keys import roles, when
from host_tools.keys.keystore import OUTBOX
from host_tools.keys.sealing import STRONG
from plumveil import wire
from tests.host import messages
from tests.host.command_line import run_process
from tests.host.keystores import (
    DAY,
    EXPORTED,
    NAMES,
    NOW_S,
    PASSPHRASE,
    RENEWED,
    entry,
    error_line,
    hand_out,
    keys,
    make,
    opened,
    secret,
)
from tests.host.stores import logged


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def handed(path: Path, role: str) -> Path:
    share = roles.Share((wire.READINGS, wire.LOCATION), DAY - 1, DAY) if role == "processor" else None
    return hand_out(path, role, share)


def test_init_makes_an_empty_keystore_that_is_strong(tmp_path: Path) -> None:
    path = tmp_path / "k"
    ended = run_process("keys", "init", path, "--tenant", "acme", PLUMVEIL_PASSPHRASE=PASSPHRASE)
    assert (ended.code, ended.err) == (0, "")
    assert "k is made, for acme" in ended.out
    assert tuple(path.read_bytes()[8:11]) == STRONG
    with opened(path) as store:
        assert (store.role, store.tenant, store.count, store.expires_s) == ("controller", "acme", 0, None)
    assert [made.action for made in logged(path)] == ["create"]
    before = path.read_bytes()
    assert "is there already" in error_line(keys("init", path, "--tenant", "other"), 2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("tenant", ["", " ", "x" * 57, "a\x1b[2J", "acme~3"])
def test_a_tenant_that_no_node_can_have(tmp_path: Path, tenant: str) -> None:
    assert "a tenant's name" in error_line(keys("init", tmp_path / "k", "--tenant", tenant), 2)
    assert list(tmp_path.iterdir()) == []


def test_where_the_keystore_is(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    line = error_line(keys("list"), 2)
    assert "there is no keystore plumveil.keystore: " in line
    assert "give --keystore, set $PLUMVEIL_KEYSTORE, or run `plumveil keys init`" in line
    assert keys("list", PLUMVEIL_KEYSTORE=str(path)).code == 0
    path.rename("plumveil.keystore")
    assert keys("list").code == 0
    assert keys("list", PLUMVEIL_KEYSTORE="elsewhere").code == 2
    assert keys("list", "--keystore", "plumveil.keystore", PLUMVEIL_KEYSTORE="elsewhere").code == 0


def test_list_shows_nodes_and_no_key(path: Path) -> None:
    ended = keys("list", "--keystore", path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:3] == ["role: controller", "tenant: acme", "nodes: 3"]
    assert all(name in ended.out for name in NAMES)
    document = json.loads(keys("list", "--json", "--keystore", path).out)
    assert [one["node"] for one in document["list"]] == list(NAMES)
    assert document["list"][0] == {
        "node": NAMES[0],
        "state": "active",
        "board": "virtual",
        "board_known": True,
        "keys_since": when.date_text(DAY - 20),
        "key_sets": 1,
        "consents": 1,
    }


NODE_COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "enrol": ("new", "--out", "new.slot", "--board", "virtual"),
    "rekey": (NAMES[0], "--out", "new.slot"),
    "retire": (NAMES[0], "--without-node"),
    "resolve": ("00" * 8,),
    "import": ("box",),
    "rotate": (),
    "export": ("--role", "auditor", "--out", "more"),
    "receipt": ("box",),
}


@pytest.mark.parametrize("command", ["list", "resolve"])
def test_wrong_passphrase_damage_foreign_and_open_to_others(path: Path, command: str) -> None:
    arguments = (command, *(NODE_COMMANDS.get(command, ())), "--keystore", path)
    assert "wrong passphrase for" in error_line(keys(*arguments, passphrase="not the passphrase"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "is damaged: put back a backup" in error_line(keys(*arguments))
    path.write_bytes(b"{}")
    assert "is no keystore" in error_line(keys(*arguments))
    path.write_bytes(whole)
    path.chmod(0o640)
    assert "run: chmod 600" in error_line(keys(*arguments), 2)


def test_enrol_into_a_file_and_import_at_the_controllers(path: Path) -> None:
    technician = handed(path, "technician")
    slot = path.with_name("slot")
    enrolled = ("enrol", "trailer 9", "--board", "virtual", "--out", slot)
    ended = keys(*enrolled, "--keystore", technician, passphrase=EXPORTED)
    assert (ended.code, ended.err) == (0, "")
    assert (slot.stat().st_mode & 0o777, slot.stat().st_size < wire.SLOT_MAX_BYTES) == (0o600, True)
    box = technician.with_name(technician.name + OUTBOX)
    assert str(box) in ended.out
    assert keys("import", box, "--keystore", path).out == "1 nodes enrolled, 0 rekeyed, 0 known already\n"
    assert keys("import", box, "--keystore", path).out == "0 nodes enrolled, 0 rekeyed, 1 known already\n"
    assert "trailer 9" in keys("list", "--keystore", path).out
    # The same once more is refused, and leaves neither node nor file.
    assert "is there already" in error_line(keys(*enrolled[:1], "trailer 10", *enrolled[2:], "--keystore", path), 2)
    assert "trailer 10" not in keys("list", "--keystore", path).out


@pytest.mark.parametrize(
    ("arguments", "line", "code"),
    [
        (("trailer", "--board", "virtual"), "give --port, to write the keys to a board, or --out", 2),
        (("trailer", "--port", "/dev/none", "--out", "x"), "give --port, to write the keys to a board, or --out", 2),
        (("trailer", "--port", "/dev/none"), "there is no serial port /dev/none", 2),
        (("trailer", "--out", "x", "--board", "none"), "no board named 'none'", 2),
        (("trailer", "--out", "x", "--profile", "none"), "unknown profile 'none'", 2),
        ((" trailer", "--out", "x"), "a node's name has 1 to 56 printable characters", 2),
        (("trailer~1", "--out", "x"), "a node's name does not end in ~ and a number", 2),
        ((NAMES[0], "--out", "x"), f"there is a node named {NAMES[0]!r} already; a name is never used again", 1),
        (("trailer", "--out", "none/x"), "cannot write the key slot none/x", 2),
    ],
)
def test_what_cannot_be_enrolled(
    path: Path, arguments: tuple[str, ...], line: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert line in error_line(keys("enrol", *arguments, "--keystore", path), code)
    with opened(path) as store:
        assert [one.name for one in store.nodes()] == list(NAMES)
    assert not Path("x").exists()


def test_a_node_nobody_knows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    for arguments in (("rekey", "nobody", "--out", "x"), ("retire", "nobody", "--without-node")):
        assert "has no node named 'nobody'; `plumveil keys list`" in error_line(keys(*arguments, "--keystore", path))


def test_rekey_into_a_file(path: Path) -> None:
    slot = path.with_name("slot")
    ended = keys("rekey", NAMES[0], "--out", slot, "--keystore", path)
    assert (ended.code, ended.err) == (0, "")
    assert "and configure the node anew" in ended.out
    with opened(path) as store:
        found = store.get(NAMES[0])
        assert found.keys is not None
        assert found.keys.k_id != secret(NAMES[0], "id")
        assert (found.keys.epoch0_day, found.history[0].last_day) == (DAY, DAY)
        assert found.keys.k_id in slot.read_bytes()
        assert [node.name for node in store.registry().nodes] == [NAMES[0], f"{NAMES[0]}~1", *NAMES[1:]]


def test_a_plain_key_file_is_taken_in(tmp_path: Path) -> None:
    node = messages.NODE.model_copy(update={"tenant": "acme"})
    other = node.model_copy(
        update={"name": "n~1", "k_id": "12" * 32, "k_chain": "34" * 32, "k_config": "56" * 32, "k_consent": "78" * 32}
    )
    plain = tmp_path / "keys.json"
    registry.save(registry.Registry(nodes=(node, messages.NODE.model_copy(update=_keys("78", "x")), other)), plain)
    path = make(tmp_path, entry("there"))
    ended = keys("import", plain, "--keystore", path)
    assert ended.code == 1
    assert ended.out == "1 nodes enrolled, 0 rekeyed, 0 known already\n"
    assert "refused: item 2: a node of another tenant\n" in ended.err
    assert "refused: item 3: a node's name does not end in ~ and a number" in ended.err
    with opened(path) as store:
        assert store.registry().nodes[1] == node
    assert "0 nodes enrolled, 0 rekeyed, 1 known" in keys("import", plain, "--keystore", path).out


def _keys(byte: str, name: str) -> dict[str, str]:
    return {
        "name": name,
        "k_id": byte * 32,
        "k_chain": "9a" + byte * 31,
        "k_config": "bc" + byte * 31,
        "k_consent": "de" + byte * 31,
    }


def test_what_cannot_be_imported(path: Path, tmp_path: Path) -> None:
    assert "what is imported is its outbox" in error_line(keys("import", path, "--keystore", path), 2)
    other = tmp_path / "other"
    other.write_bytes(b"\x00\x01")
    other.chmod(0o600)
    assert "is not a key file" in error_line(keys("import", other, "--keystore", path), 2)
    assert "cannot read" in error_line(keys("import", tmp_path / "none", "--keystore", path), 2)


@pytest.mark.parametrize("command", [name for name in NODE_COMMANDS if name != "receipt"])
def test_what_cannot_be_logged_is_not_done(
    path: Path, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    registry.save(registry.Registry(nodes=(messages.NODE.model_copy(update={"tenant": "acme"}),)), Path("box"))
    accesslog.log_path(path).mkdir()
    before = path.read_bytes()
    answers = f"{NAMES[0]}\ndestroy\n".encode()
    ended = keys(command, *NODE_COMMANDS[command], "--keystore", path, stdin=answers, PLUMVEIL_NEW_PASSPHRASE=RENEWED)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].endswith("what cannot be logged is not done")
    assert path.read_bytes() == before
    assert not any(Path(name).exists() for name in ("new.slot", "more"))


def test_two_at_once_are_told(path: Path) -> None:
    with opened(path, write=True):
        for arguments in (("enrol", "new", "--out", "x"), ("rotate",), ("export", "--role", "auditor", "--out", "x")):
            line = error_line(keys(*arguments, "--keystore", path, PLUMVEIL_NEW_PASSPHRASE=RENEWED))
            assert "is being changed by another command; try again" in line
        assert keys("list", "--keystore", path).code == 0


def test_every_command_documents_its_exit_codes() -> None:
    for command in ("init", "list", *NODE_COMMANDS):
        text = " ".join(keys(command, "--help").out.split())
        assert "Exit codes: 0 done, 1 refused or failed" in text
        assert "2 wrong usage, 130 interrupted." in text


def test_dates() -> None:
    assert when.day_of("2026-07-16", "--to") == DAY
    assert when.date_text(DAY) == "2026-07-16"
    for wrong in ("", "2026-7-16", "16.7.2026", "2026-02-30", "2100-01-01", "2025-12-31"):
        with pytest.raises(UsageError, match=r"^--to takes a date"):
            when.day_of(wrong, "--to")
