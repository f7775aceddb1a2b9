"""Marked secrets through every `keys` command: none comes out in what is printed, raised, logged, written
in the open, or told to another program.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import typer

from host_tools import cli_keys, node_link
from host_tools.errors import PlumveilError
from host_tools.keys import enrol, files, when
from host_tools.keys.entries import KeySet
from tests.fakes.raw_repl import Board
from tests.host import keystores
from tests.host.command_line import PROGRAM, Ended, surroundings
from tests.host.keystores import (
    DAY,
    EXPORTED,
    NAMES,
    NOW_S,
    PASSPHRASE,
    RENEWED,
    SHARE_ARGUMENTS,
    key_set,
    make,
    secret,
)

pytestmark = pytest.mark.vm

MAC = bytes.fromhex("240ac4a1b2c3")
TEXTS = (PASSPHRASE, EXPORTED, RENEWED)
WRONG = "this is not the passphrase at all"
STARTS_PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn")
# What a keystore made in the test holds beside its nodes; names of Meta.
META_SECRETS = ("signing_seed", "board_key", "enrol_private")

_started: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in STARTS_PROGRAMS:
        _started.append(repr(arguments))


sys.addaudithook(_hook)


@contextlib.contextmanager
def watching() -> Iterator[None]:
    global _watching
    _watching = True
    try:
        yield
    finally:
        _watching = False


def forms(value: bytes) -> Iterator[bytes]:
    """How a secret may be written down."""
    for one in (value, value[::-1]):
        yield one
        yield one.hex().encode()
        yield one.hex().upper().encode()
        yield base64.b64encode(one).rstrip(b"=")[:-1]
        yield base64.urlsafe_b64encode(one).rstrip(b"=")[:-1]
        yield repr(one)[2:-1].encode()
        yield str(int.from_bytes(one, "big")).encode()
        yield str(list(one))[1:-1].encode()


class Watch:
    """Everything that came out, by where."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[tuple[str, bytes]] = []
        self.secrets: dict[str, bytes] = {f"passphrase {n}": text.encode() for n, text in enumerate((*TEXTS, WRONG))}
        self.secrets["hardware id"] = MAC
        for name in (*NAMES, "drawn 0", "drawn 1", "drawn 2"):
            for kind in ("id", "chain", "config", "consent key", "consent 77"):
                self.secrets[f"{name} {kind}"] = secret(name, kind)

    def run(self, *arguments: str | Path, code: int = 0, command: str = "keys", **more: Any) -> Ended:
        raised: list[BaseException] = []
        make_error = PlumveilError.__init__

        def noted(error: PlumveilError, *texts: object) -> None:
            make_error(error, *texts)
            raised.append(error)

        with mock.patch.object(PlumveilError, "__init__", noted), watching():
            ended = keystores.cheaply(command, *arguments, PLUMVEIL_NEW_PASSPHRASE=RENEWED, **more)
        assert ended.code == code, ended
        name = " ".join(map(str, arguments[:1]))
        self.seen += [(f"{name} output", ended.out.encode()), (f"{name} error", ended.err.encode())]
        for error in raised:
            lines = "".join(traceback.format_exception(error))
            self.seen.append((f"{name} exception", (lines + repr(error) + repr(error.__context__)).encode()))
        return ended

    def also_in(self, path: Path, passphrase: str) -> None:
        """Takes the secrets that a keystore drew for itself."""
        with keystores.opened(path, passphrase) as store:
            for name in META_SECRETS:
                value = getattr(store.meta, name)
                if value is not None:
                    self.secrets[f"{path.name} {name}"] = value
            for n, key in enumerate(store.subject_keys):
                self.secrets[f"{path.name} subject {n}"] = key
            self.secrets[f"{path.name} index"] = store.index_key
            self.secrets[f"{path.name} master"] = store._reader.opening.master
            shown = repr([store, store.meta, store.signing_key, *_nodes(store)])
            self.seen.append((f"{path.name} repr", shown.encode()))

    def found(self) -> list[str]:
        """Where a secret is."""
        seen = [*self.seen, ("programs started", " ".join(_started).encode())]
        for path in self.folder.iterdir():
            if path.suffix != ".slot" and path.is_file():
                seen.append((path.name, path.read_bytes()))
        return [
            f"{name} in {where}"
            for name, value in self.secrets.items()
            for form in forms(value)
            for where, data in seen
            if form in data
        ]


def _nodes(store: Any) -> list[Any]:
    if store.role not in ("controller", "technician"):
        return []
    return [part for one in store.nodes() for part in (one, one.keys, *one.history, *one.records())]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Watch]:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    monkeypatch.chdir(tmp_path)
    drawn = iter(range(3))

    def draw() -> KeySet:
        name = f"drawn {next(drawn)}"
        return key_set(name, DAY)

    monkeypatch.setattr(enrol, "_draw", draw)
    monkeypatch.setattr(node_link, "RUN_TIMEOUT_S", 1.0)
    caplog.set_level(logging.DEBUG)
    _started.clear()
    watch = Watch(tmp_path)
    yield watch
    watch.seen.append(("logging", caplog.text.encode()))
    assert watch.found() == []


def hold(path: Path, passphrase: str = PASSPHRASE) -> tuple[str, Path]:
    file = path.with_name("passphrase file of the test")
    files.write_private(file, passphrase.encode(), "x")
    return "--passphrase-file", file


def test_all_that_succeeds(watch: Watch, tmp_path: Path) -> None:
    path = make(tmp_path)
    at = ("--keystore", path)
    with Board(world=repr({"mac": MAC.hex()})) as board:
        watch.run("enrol", "first", "--board", "virtual", "--port", board.port, *at)
        watch.run("rekey", "first", "--port", board.port, *at)
        watch.run("list", *at)
        watch.run("list", "--json", *at)
        for role in ("controller", "technician", "processor", "auditor"):
            share = SHARE_ARGUMENTS if role == "processor" else ()
            watch.run("export", "--role", role, *share, "--out", tmp_path / role, *at)
            watch.also_in(tmp_path / role, EXPORTED)
            watch.run("list", "--json", "--keystore", tmp_path / role, passphrase=EXPORTED)
        slot = ("--board", "virtual", "--out", "second.slot")
        watch.run("enrol", "second", *slot, "--keystore", tmp_path / "technician", passphrase=EXPORTED)
        watch.run("import", tmp_path / "technician.outbox", *at)
        watch.run("resolve", "00" * 8, *at, code=1)
        watch.run("retire", "first", "--port", board.port, "--receipt", "receipt", *at, stdin=b"first\ndestroy\n")
        watch.run("receipt", "receipt", *at)
    consented(watch, path, tmp_path)
    watch.also_in(path, PASSPHRASE)
    watch.run("rotate", "--end-technicians", *at)
    watch.also_in(path, RENEWED)
    watch.run("list", *at, passphrase=RENEWED)
    # Every one of them was there to be found.
    assert len(watch.secrets) > 40
    assert (tmp_path / "second.slot").read_bytes().find(secret("drawn 2", "id")) > 0


def consented(watch: Watch, path: Path, folder: Path) -> None:
    """The `consent` commands, whose secrets are drawn by them."""
    at = ("--node", NAMES[0], "--keystore", path)
    given = ("--tier", "area", "--purpose", "x", "--notice", "1", "--until", "2026-08-01", *at)
    watch.run("issue", *given, "--by", "y", "--out", folder / "granted.slot", command="consent")
    with keystores.opened(path) as store:
        watch.secrets["drawn consent"] = bytes.fromhex(store.get(NAMES[0]).consents[-1].secret)
    watch.run("delegate", *given, "--person", "y", "--out", folder / "laptop", command="consent")
    watch.also_in(folder / "laptop", EXPORTED)
    with keystores.opened(folder / "laptop", EXPORTED) as laptop:
        watch.secrets["delegated"] = laptop.get(NAMES[0]).delegations[0].key
    watch.run("list", "--json", *at, command="consent")
    watch.run("revoke", *at, "--out", folder / "messages", command="consent")
    watch.run("void", "1", *at, "--out", folder / "messages", command="consent")
    for file in (folder / "messages").rglob("*"):
        watch.seen += [("message", file.read_bytes())] if file.is_file() else []


def telling(marks: list[bytes]) -> str:
    """A node that says what it was told in every way it can."""
    return "".join(f"print({mark!r})\n" for mark in marks) + "raise ValueError({slot!r})\n"


def test_all_that_fails(watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path)
    at = ("--keystore", path)
    watch.also_in(path, PASSPHRASE)
    for arguments in (("list",), ("rekey", NAMES[0], "--out", "a.slot"), ("rotate",)):
        watch.run(*arguments, *at, passphrase=WRONG, code=1)
    watch.run("rekey", NAMES[0], "--out", tmp_path / "none" / "a.slot", *at, code=2)
    watch.run("export", "--role", "auditor", "--out", tmp_path / "none" / "a", *at, code=2)
    watch.run("import", path, *at, code=2)
    with Board(world=repr({"mac": MAC.hex()})) as board:
        monkeypatch.setattr(node_link, "_ENROL", "# {replace!r}\n" + telling([secret("drawn 1", "id")]))
        watch.run("enrol", "first", "--board", "virtual", "--port", board.port, *at, code=1)
        assert any("print(" in code for code in board.codes)
    watch.run("retire", NAMES[1], "--port", "/dev/none", *at, stdin=b"x\nx\n", code=2)
    damaged = path.read_bytes()[:-40]
    path.write_bytes(damaged)
    watch.run("list", *at, code=1)
    watch.run("list", "--keystore", hold(path)[1], code=1)
    hold(path)[1].unlink()
    # A key file of another kind, with secrets where they do not belong.
    plain = tmp_path / "keys.json"
    files.write_private(plain, b'{"nodes": [{"k_id": "%s", "name": 7}]}' % b"c0ffee", "x")
    watch.run("import", plain, "--keystore", make(tmp_path / _folder(tmp_path)), code=2)


def _folder(folder: Path) -> str:
    (folder / "sub").mkdir()
    return "sub"


def options(command: Any) -> Iterator[str]:
    """Every option of a command and of those below it."""
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)
    for option in command.params:
        yield from option.opts


def test_no_option_takes_a_secret() -> None:
    """What is on a command line is in the list of processes, for all to see."""
    found = list(options(typer.main.get_command(cli_keys.keys)))
    assert len(found) > 30
    asked = [name for name in found if any(word in name for word in ("pass", "secret", "key", "pin"))]
    assert set(asked) == {"--passphrase-file", "--out-passphrase-file", "--new-passphrase-file", "--keystore"}


def test_the_process_shows_nothing(tmp_path: Path) -> None:
    """What /proc tells of a running command, while it runs."""
    path = make(tmp_path)
    with keystores.opened(path) as store:
        master = store._reader.opening.master
    option, file = hold(path)
    command = [*map(str, (*PROGRAM, "keys", "retire", NAMES[0], "--without-node", "--keystore", path, option, file))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings()
    ) as process:
        # It has the keystore open and waits for an answer.
        assert process.stderr is not None
        assert process.stderr.read(4) == b"What"
        shown = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm"))
        process.communicate(b"no\n", timeout=30)
    assert b"retire" in shown
    for value in (PASSPHRASE.encode(), master, secret(NAMES[0], "id"), secret(NAMES[0], "chain")):
        assert not any(form in shown for form in forms(value))


@pytest.mark.parametrize("spell", range(8))
def test_the_search_finds_what_is_there(tmp_path: Path, spell: int) -> None:
    watch = Watch(tmp_path)
    value = secret(NAMES[0], "chain")
    watch.seen.append(("a message", b"before " + list(forms(value))[spell] + b" after"))
    assert f"{NAMES[0]} chain in a message" in watch.found()
