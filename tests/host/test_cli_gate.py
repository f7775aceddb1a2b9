"""`decode` and `validate` with a keystore: nothing is shown before the access log has it, and then only that."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from host_tools import accesslog, cells, cli, message_keys
from host_tools.accesslog import AccessLog
from host_tools.errors import PlumveilError
from plumveil import wire
from tests.host import messages, stores
from tests.host.command_line import NOW, SOUND, Ended, put, surroundings
from tests.host.messages import sealed
from tests.host.stores import OTHER, logged, told, truck, with_store

LAT, LON = (f"{degrees:.5f}" for degrees in cells.centre(*messages.CELL))
# What would give the place away, in text or JSON.
PLACE = [LAT, LON.removeprefix("-"), str(messages.CELL[1]), str(messages.CELL)]


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


class Watched(io.BytesIO):
    """Standard output that notes how many entries the log had when something was written."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.seen: list[tuple[bytes, int]] = []

    def write(self, data: Any, /) -> int:
        self.seen.append((bytes(data), len(logged(self._path))))
        return super().write(data)


@pytest.mark.parametrize("arguments", [["decode"], ["decode", "--json"], ["validate"], ["validate", "--json"]])
def test_the_entry_is_on_disk_before_anything_is_shown(store: Path, home: Path, arguments: list[str]) -> None:
    put(home, a=b"".join(SOUND))
    watched = Watched(store)
    out = io.TextIOWrapper(watched, encoding="utf-8", write_through=True)
    argv = ["plumveil", *arguments, str(home), "--keys", str(store), "--now", NOW]
    environment = surroundings(PLUMVEIL_PASSPHRASE=stores.PASSPHRASE)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.multiple(sys, argv=argv, stdout=out),
        pytest.raises(SystemExit),
    ):
        cli.main()
    assert watched.seen
    assert {entries for _, entries in watched.seen} == {1}


@pytest.mark.parametrize("piece", [1, message_keys.PIECE_MESSAGES])
@pytest.mark.parametrize("role", ["controller", "processor"])
@pytest.mark.parametrize("arguments", [["decode"], ["decode", "--json"], ["validate"], ["validate", "--json"]])
def test_what_cannot_be_logged_is_not_shown(
    store: Path, home: Path, role: str, arguments: list[str], piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_keys, "PIECE_MESSAGES", piece)
    path = store if role == "controller" else stores.handed_out(store, role)
    put(home, a=SOUND[wire.LOCATION] * 2)
    accesslog.log_path(path).mkdir()
    ended = with_store(arguments[0], path, home, *arguments[1:])
    where = accesslog.log_path(path)
    error = (
        f"plumveil: error: cannot write the access log {where}: Is a directory; what cannot be logged is not done\n"
    )
    assert ended == Ended(1, "", error)


def test_a_changed_log_stops_the_reading(store: Path, home: Path) -> None:
    put(home, a=b"".join(SOUND))
    assert with_store("decode", store, home).code == 0
    accesslog.head_path(accesslog.log_path(store)).unlink()
    ended = with_store("decode", store, home)
    assert (ended.code, ended.out) == (1, "")
    assert "is not as it was left: its head is gone" in ended.err
    assert not [place for place in PLACE if place in ended.err]


def positions(count: int, first: int = 0) -> bytes:
    """Positions of one node."""
    return b"".join(sealed(wire.LOCATION, counter=first + n) for n in range(count))


def test_a_long_run(tmp_path: Path, home: Path) -> None:
    """Subjects are logged as they first appear, in pieces; a last entry counts the positions in between."""
    path = stores.controller(tmp_path, stores.entry(messages.NODE), stores.entry(OTHER))
    piece = message_keys.PIECE_MESSAGES
    put(
        home,
        a=positions(2 * piece + 10),
        b=truck(wire.LOCATION) + truck(wire.READINGS),
        c=positions(piece, 2 * piece + 10),
    )
    ended = with_store("decode", path, home, "--json")
    assert ended.code == 0
    assert told(path) == [
        ("open_location", ("fridge",), piece, "decode"),
        ("open_location", ("truck",), piece - 1, "decode"),
        ("open_location", (), piece + 12, "further decode"),
    ]
    assert len(json.loads(ended.out)["messages"]) == 3 * piece + 12


@pytest.mark.parametrize("arguments", [["decode"], ["decode", "--json"]])
def test_a_log_that_fails_later_stops_what_comes_later(
    tmp_path: Path, home: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stores.controller(tmp_path, stores.entry(messages.NODE), stores.entry(OTHER))
    put(
        home,
        a=positions(message_keys.PIECE_MESSAGES),
        b=truck(wire.LOCATION, cell=[3, 15100, 1300]),
    )
    append = AccessLog.append

    def once(log: AccessLog, *args: Any) -> None:
        if logged(path):
            raise PlumveilError("no room")
        append(log, *args)

    monkeypatch.setattr(AccessLog, "append", once)
    ended = with_store(arguments[0], path, home, *arguments[1:])
    assert (ended.code, ended.err) == (1, "plumveil: error: no room\n")
    assert LAT in ended.out
    assert f"{cells.centre(3, 15100, 1300)[0]:.5f}" not in ended.out
    assert "truck" not in ended.out


def test_subjects_remembered_are_bounded(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_keys, "SUBJECTS_MAX", 2)
    known = {"a", "b", "c"}
    message_keys._remember(known, ["d"])
    assert known == {"d"}


def test_no_secret_comes_out(tmp_path: Path, store: Path, home: Path) -> None:
    """Keys and passphrase, in whatever form, in nothing that is printed or logged, whatever goes wrong."""
    put(home, a=b"".join(SOUND) + SOUND[0][:-1] + b"\x00", b=b"\x00")
    processor = stores.handed_out(store, "processor")
    outputs = []
    for path in (store, processor):
        for arguments in (["decode"], ["decode", "--json"], ["validate"], ["validate", "--json"]):
            outputs.append(with_store(arguments[0], path, home, *arguments[1:]))
        outputs.append(with_store("decode", path, home, PLUMVEIL_PASSPHRASE="wrong, but long"))
    accesslog.log_path(processor).unlink()
    outputs.append(with_store("decode", processor, home))
    written = b"".join(path.read_bytes() for path in tmp_path.glob("*.log*"))
    text = "".join(ended.out + ended.err for ended in outputs).encode() + written
    secrets = [
        messages.K_ID,
        messages.K_CHAIN,
        messages.K_CONFIG,
        messages.CONSENT_SECRET,
        stores.PASSPHRASE.encode(),
    ]
    for path in (store, processor):
        with stores.open_store(path) as opened:
            secrets += [*opened.subject_keys, opened.index_key]
            assert opened.meta.signing_seed is not None
            secrets.append(opened.meta.signing_seed)
            text += repr(opened).encode() + repr(opened.meta).encode()
    forms = {
        form for secret in secrets for form in (secret, secret[::-1], secret.hex().encode(), repr(secret).encode())
    }
    assert [form for form in forms if form in text] == []
    assert b"fridge" not in written
    assert messages.sender(wire.LOCATION).kid.hex().encode() not in written
