"""What a receipt says is left: never less than there can be, and no failure where the keys are gone."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest

from host_tools.keys import retire, roles, when
from host_tools.keys.container import Reader
from host_tools.keys.meta import Handout
from plumveil import wire
from tests.host import keystores
from tests.host.keystores import DAY, NAMES, NOW_S, RENEWED, hand_out, key_set, keys, make, opened


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    new = keystores.entry(NAMES[1], keys=key_set(NAMES[1], DAY + 3))
    return make(tmp_path, keystores.entry(NAMES[0]), new)


def retired(path: Path, name: str = NAMES[0]) -> retire.Receipt:
    with opened(path, write=True) as store:
        return retire.retire(store, name, None)


def worn(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_all_that_had_the_node_is_named_expired_or_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_out(path, "processor", roles.Share((wire.READINGS,), DAY - 1, DAY))
    hand_out(path, "auditor")
    hand_out(path, "controller")
    monkeypatch.setattr(when, "now_s", lambda: NOW_S + 5 * wire.EPOCH_S)
    hand_out(path, "technician", expires_s=NOW_S + 6 * wire.EPOCH_S)
    early = {"until": "2026-07-17T08:20:00Z"}
    technician = {"role": "technician", "until": "2026-07-22T08:20:00Z"}
    assert retired(path)["handed_out"] == [
        {"role": "processor", **early},
        {"role": "controller", **early},
        technician,
    ]
    # The other node was not there yet when the first ones were made.
    assert retired(path, NAMES[1])["handed_out"] == [technician]


def test_it_says_what_was_not_reached(path: Path) -> None:
    receipt = retired(path)
    for left in ("copies of the keystore", "stores handed out", "technicians' outboxes", "files with --out"):
        assert left in receipt["remains"]
    assert "could not be overwritten" not in receipt["remains"]


def test_a_receipt_of_many_handouts_can_be_verified(path: Path) -> None:
    with opened(path, write=True) as store:
        handout = Handout("processor", NOW_S, NOW_S, bytes(32))
        store.meta = dataclasses.replace(store.meta, handouts=(handout,) * 2000)
        store.save()
        receipt = retire.retire(store, NAMES[0], None)
        assert len(receipt["handed_out"]) == 2000
        assert retire.verify(retire.text(receipt).encode(), store) == receipt


@pytest.mark.parametrize("part", ["destroy", "close"])
def test_an_old_file_that_cannot_be_overwritten_is_no_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """The new file is in place by then: the node is retired, and a receipt has to say so."""
    with opened(path, write=True) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Reader, part, worn)
            receipt = retire.retire(store, NAMES[0], None)
        assert receipt["on_host"]["old_file_overwritten"] is False
        assert "old file was replaced and could not be overwritten" in receipt["remains"]
        assert retire.verify(retire.text(receipt).encode(), store) == receipt
    with opened(path) as store:
        assert store.get(NAMES[0]).keys is None


def test_a_rotation_says_so_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reader, "destroy", worn)
    ended = keys("rotate", "--keystore", path, PLUMVEIL_NEW_PASSPHRASE=RENEWED)
    assert (ended.code, ended.err) == (0, "")
    assert "Note: the old file could not be overwritten" in ended.out
    assert opened(path, RENEWED).tenant == "acme"
