"""`plumveil keys retire`, its receipt, and `plumveil keys rotate`."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from host_tools.keys import container, retire, roles, when
from host_tools.keys.keystore import INDEX
from plumveil import wire
from tests.host.command_line import PROGRAM, surroundings
from tests.host.keystores import (
    CHEAP,
    DAY,
    EXPORTED,
    NAMES,
    NOW_S,
    PASSPHRASE,
    RENEWED,
    error_line,
    hand_out,
    keys,
    make,
    opened,
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


@pytest.mark.parametrize(
    "typed", [b"", b"\n", b"no\n", f"{NAMES[0]}\nno\n".encode(), f"{NAMES[0]}\n".encode(), b"destroy\n"]
)
def test_retire_asks_twice_and_takes_no_other_answer(path: Path, typed: bytes) -> None:
    before = path.read_bytes()
    ended = keys("retire", NAMES[0], "--without-node", "--keystore", path, stdin=typed)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("plumveil: error: that was not it; nothing was destroyed\n")
    assert path.read_bytes() == before


def retired(path: Path, *more: str | Path) -> str:
    answers = f"{NAMES[0]}\ndestroy\n".encode()
    ended = keys("retire", NAMES[0], "--without-node", *more, "--keystore", path, stdin=answers)
    assert ended.code == 0, ended.err
    return ended.out


def test_retire_destroys_here_and_gives_a_receipt(path: Path) -> None:
    keys("resolve", "00" * 8, "--keystore", path)
    index = path.with_name(path.name + INDEX)
    assert index.exists()
    auditor = handed(path, "auditor")
    file = path.with_name("receipt.json")
    printed = retired(path, "--receipt", file)
    assert printed == file.read_text()
    receipt = json.loads(printed)
    assert (receipt["node"], receipt["tenant"]) == (NAMES[0], "acme")
    assert receipt["on_node"] == {"reached": False}
    assert receipt["on_host"] == {
        "key_sets_destroyed": 1,
        "consent_secrets_destroyed": 1,
        "old_file_overwritten": True,
    }
    # An auditor's holds nothing of a node.
    assert receipt["handed_out"] == []
    assert not index.exists()
    with opened(path) as store:
        found = store.get(NAMES[0])
        assert (found.state, found.keys, found.k_config, found.consents) == ("retired", None, None, ())
        assert [node.name for node in store.registry().nodes] == list(NAMES[1:])
    for keystore, passphrase in ((path, PASSPHRASE), (auditor, EXPORTED)):
        ended = keys("receipt", file, "--keystore", keystore, passphrase=passphrase)
        assert ended.out == f"sound: {NAMES[0]} of acme, retired 2026-07-16T08:20:00Z\n"
    answers = f"{NAMES[0]}\ndestroy\n".encode()
    ended = keys("retire", NAMES[0], "--without-node", "--keystore", path, stdin=answers)
    assert "is retired already" in error_line(ended)
    assert "is retired, and stays so" in error_line(keys("rekey", NAMES[0], "--out", "x", "--keystore", path))
    assert "a name is never used again" in error_line(keys("enrol", NAMES[0], "--out", "x", "--keystore", path))


def test_a_receipt_that_was_changed_or_is_anothers(path: Path, tmp_path: Path) -> None:
    file = path.with_name("receipt.json")
    retired(path, "--receipt", file)
    receipt = json.loads(file.read_text())
    other = tmp_path / "other"
    other.mkdir()
    foreign = make(other)
    assert "not signed by a controller of this tenant" in error_line(keys("receipt", file, "--keystore", foreign))
    for key in receipt:
        changed = {**receipt, key: "00" * 32 if key == "signing_key" else "00" * 64 if key == "signature" else "x"}
        file.write_text(json.dumps(changed))
        assert error_line(keys("receipt", file, "--keystore", path))
        file.write_text(json.dumps({name: value for name, value in receipt.items() if name != key}))
        assert error_line(keys("receipt", file, "--keystore", path))
    for text in ("", "[]", "7", "[" * 100_000, '{"signing_key": 7}'):
        file.write_text(text)
        assert "is no receipt" in error_line(keys("receipt", file, "--keystore", path))
    assert "cannot read" in error_line(keys("receipt", tmp_path / "none", "--keystore", path), 2)


def test_a_receipt_of_before_a_rotation_and_of_a_copy_is_sound(path: Path) -> None:
    first, second = path.with_name("first.json"), path.with_name("second.json")
    retired(path, "--receipt", first)
    assert keys("rotate", "--keystore", path, PLUMVEIL_NEW_PASSPHRASE=RENEWED).code == 0
    with opened(path, RENEWED, write=True) as store:
        roles.export(store, "controller", path.with_name("copy"), EXPORTED, NOW_S + 86400, cost=CHEAP)
    with opened(path.with_name("copy"), EXPORTED, write=True) as copy:
        second.write_text(retire.text(retire.retire(copy, NAMES[1], None)))
    auditor = path.with_name("auditor")
    with opened(path, RENEWED, write=True) as store:
        roles.export(store, "auditor", auditor, EXPORTED, NOW_S + 86400, cost=CHEAP)
    for file in (first, second):
        assert keys("receipt", file, "--keystore", auditor, passphrase=EXPORTED).code == 0


def test_rotate_renews_all_that_is_the_tenants_own(path: Path) -> None:
    keys("resolve", "00" * 8, "--keystore", path)
    with opened(path) as store:
        before, index_key, nodes = store.meta, store.index_key, list(store.nodes())
    ended = keys("rotate", "--keystore", path, PLUMVEIL_NEW_PASSPHRASE=RENEWED)
    assert (ended.code, ended.err) == (0, "")
    assert "wrong passphrase" in error_line(keys("list", "--keystore", path))
    with opened(path, RENEWED) as store:
        after = store.meta
        assert store.index_key != index_key
        assert list(store.nodes()) == nodes
    assert after.log_keys[:-1] == before.log_keys
    assert after.subject_keys[1:] == before.subject_keys
    for name in ("signing_seed", "enrol_private", "enrol_public"):
        assert getattr(after, name) != getattr(before, name)
    assert (after.board_key, after.store_id) == (before.board_key, before.store_id)
    assert not path.with_name(path.name + INDEX).exists()
    # The log goes on under the new key, and is one chain.
    assert keys("list", "--keystore", path, passphrase=RENEWED).code == 0
    assert [made.action for made in logged(path)] == ["resolve", "rotate", "list"]


def test_a_rotation_cut_short_before_the_new_file_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(container, "write", full)
        ended = keys("rotate", "--keystore", path, PLUMVEIL_NEW_PASSPHRASE=RENEWED)
        assert "cannot write the keystore" in error_line(ended, 2)
    assert path.read_bytes() == before
    assert keys("list", "--keystore", path).code == 0
    assert [made.action for made in logged(path)] == ["rotate", "rotate", "list"]


def test_interrupted_at_the_question_nothing_is_destroyed(path: Path) -> None:
    before = path.read_bytes()
    command = [*map(str, (*PROGRAM, "keys", "retire", NAMES[0], "--without-node", "--keystore", path))]
    pipe = subprocess.PIPE
    own = surroundings(PLUMVEIL_PASSPHRASE=PASSPHRASE)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=own) as process:
        assert process.stderr is not None
        assert process.stderr.read(4) == b"What"
        process.send_signal(signal.SIGINT)
        # Its input stays open for as long: an end of it is an answer too.
        process.wait(30)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.endswith(b"plumveil: interrupted\n")
    assert b"Traceback" not in said
    assert path.read_bytes() == before
    with opened(path, write=True) as store:
        assert store.get(NAMES[0]).keys is not None
