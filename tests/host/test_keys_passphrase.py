"""Passphrases: from a file, the environment or the terminal, never an argument; new ones long, and typed twice."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host_tools.errors import UsageError
from host_tools.keys import passphrase
from host_tools.keys.passphrase import LONGEST_BYTES, NEW_VARIABLE, SHORTEST, VARIABLE, get, get_new
from tests.host.command_line import PROGRAM, surroundings
from tests.host.keystores import NAMES, PASSPHRASE, make, opened

LONG = "twelve chars and more"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, NEW_VARIABLE, passphrase.EXPORT_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "passphrase"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [LONG, LONG + "\n", LONG + "\r\n", LONG + "\nsecond line\n"])
def test_the_first_line_of_a_file(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "the environment comes second")
    assert get(write(tmp_path, content.encode())) == LONG
    assert get_new(write(tmp_path, content.encode())) == LONG


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, LONG)
    monkeypatch.setenv(NEW_VARIABLE, LONG + " new")
    assert get(None) == LONG
    assert get_new(None, variable=NEW_VARIABLE) == LONG + " new"


def test_blanks_are_kept_and_one_letter_has_one_spelling(tmp_path: Path) -> None:
    assert get(write(tmp_path, b"  two and two  \n")) == "  two and two  "
    composed, decomposed = "schl\u00fcssel am bund", "schlu\u0308ssel am bund"
    assert get(write(tmp_path, decomposed.encode())) == composed


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\nsecond", b"\xff\xfe\n", b"x" * (LONGEST_BYTES + 1), b"x" * 10_000]
)
def test_what_is_no_passphrase(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UsageError, match=r"the first line of .*passphrase") as caught:
        get(path)
    assert "xxxx" not in str(caught.value)
    assert get(write(tmp_path, b"x" * LONGEST_BYTES)) == "x" * LONGEST_BYTES


def test_no_file_or_one_that_others_may_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the passphrase file .*No such file"):
        get(tmp_path / "none")
    for mode in (0o640, 0o604, 0o644):
        with pytest.raises(UsageError, match="chmod 600"):
            get(write(tmp_path, LONG.encode(), mode))


def test_a_pipe_is_a_file_too(tmp_path: Path) -> None:
    """As a shell's <(...) gives it: it has no mode of its own."""
    read, written = os.pipe()
    os.write(written, LONG.encode() + b"\n")
    os.close(written)
    try:
        assert get(Path(f"/dev/fd/{read}")) == LONG
    finally:
        os.close(read)


@pytest.mark.parametrize("given", ["file", "environment"])
def test_a_new_one_has_twelve_characters(tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short = "e" * (SHORTEST - 1)
    file = write(tmp_path, short.encode()) if given == "file" else None
    monkeypatch.setenv(VARIABLE, short)
    with pytest.raises(UsageError, match="at least 12 characters") as caught:
        get_new(file)
    assert short not in str(caught.value)
    # One there was is taken as it is.
    assert get(file) == short
    monkeypatch.setenv(VARIABLE, short + "é")
    assert get_new(None) == short + "é"


def at_terminal(*arguments: str | Path, typed: list[str], **more: str) -> tuple[int, str]:
    """Runs `plumveil keys ...` at a terminal of its own, answering each question as it comes -> (code, screen)."""
    child, terminal = pty.fork()
    if child == 0:
        own = surroundings(**more)
        os.execve(sys.executable, [*PROGRAM, "keys", *map(str, arguments)], own)
    screen, answers = "", list(typed)
    until_s = time.monotonic() + 60
    asked = 0
    while time.monotonic() < until_s:
        try:
            if select.select([terminal], [], [], 0.1)[0]:
                screen += os.read(terminal, 4096).decode()
        except OSError:
            break
        if answers and screen.count(": ") > asked and screen.endswith(": "):
            asked = screen.count(": ")
            os.write(terminal, answers.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen


@pytest.mark.slow
def test_asked_for_at_the_terminal_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "k"
    code, screen = at_terminal("init", path, "--tenant", "acme", typed=[LONG, LONG])
    assert code == 0, screen
    assert "New passphrase for k: " in screen
    assert "New passphrase for k, once more: " in screen
    assert LONG not in screen
    code, screen = at_terminal("list", "--keystore", path, typed=[LONG])
    assert (code, "tenant: acme" in screen, LONG in screen) == (0, True, False)
    code, screen = at_terminal("list", "--keystore", path, typed=["another one entirely"])
    assert (code, "wrong passphrase for" in screen, "entirely" in screen) == (1, True, False)


@pytest.mark.slow
def test_typed_twice_and_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / "k"
    code, screen = at_terminal("init", path, "--tenant", "acme", typed=[LONG, LONG + "!"] * 3)
    assert (code, path.exists()) == (2, False)
    assert "the two were not the same; nothing was written" in screen
    code, screen = at_terminal("init", path, "--tenant", "acme", typed=["too short"])
    assert (code, path.exists()) == (2, False)
    code, screen = at_terminal("init", path, "--tenant", "acme", typed=[LONG, LONG + "!", LONG, LONG])
    assert (code, path.exists()) == (0, True)


@pytest.mark.slow
def test_a_node_is_retired_at_the_terminal_after_two_questions(tmp_path: Path) -> None:
    path = make(tmp_path)
    command = ("retire", NAMES[1], "--without-node", "--keystore", path)
    code, screen = at_terminal(*command, typed=[PASSPHRASE, NAMES[1], "destroy"])
    assert code == 0, screen
    assert f"Type the node's name ({NAMES[1]}): " in screen
    assert 'Type "destroy": ' in screen
    with opened(path) as store:
        assert store.get(NAMES[1]).keys is None


def test_without_a_terminal_it_says_so_and_does_not_read_on(tmp_path: Path) -> None:
    path = make(tmp_path)
    done = subprocess.run(
        [*PROGRAM, "keys", "list", "--keystore", path],
        input=PASSPHRASE.encode(),
        capture_output=True,
        env=surroundings(),
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        b"plumveil: error: no passphrase: no terminal to ask at, no passphrase file given, no $PLUMVEIL_PASSPHRASE\n"
    )


def test_an_end_of_input_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def closed(_prompt: str) -> str:
        raise EOFError

    opener = Path.open

    def with_terminal(self: Path, *all_: object, **more: object) -> object:
        return opener(tmp_path / "tty", "w+b") if str(self) == "/dev/tty" else opener(self, *all_, **more)  # type: ignore[call-overload]

    monkeypatch.setattr("getpass.getpass", closed)
    monkeypatch.setattr(Path, "open", with_terminal)
    with pytest.raises(UsageError, match="no passphrase was typed"):
        get(None)
