"""`plumveil audit --messages`, the command: what it does not do, and says so before anything is logged or shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host import receipts, stores
from tests.host.audits import audit, given, keystore, put
from tests.host.command_line import NOW, run

CAME = receipts.receipts(given())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return keystore(tmp_path)


@pytest.mark.parametrize("role", ["processor", "technician", "auditor"])
def test_other_roles_cannot(store: Path, tmp_path: Path, role: str) -> None:
    ended = audit(stores.handed_out(store, role), put(tmp_path, *CAME))
    assert ended.code == 1
    assert f"{role}'s keystore and cannot audit consent: that takes the controller's" in ended.err


def test_an_unknown_node_is_an_error(store: Path, tmp_path: Path) -> None:
    ended = audit(store, put(tmp_path, *CAME), "--node", "nobody")
    assert (ended.code, ended.out) == (1, "")
    assert "has no node named 'nobody'" in ended.err


@pytest.mark.parametrize("of_consent", [True, False], ids=["of consent", "of the log"])
@pytest.mark.parametrize("ends", ["2026-01-01", "2027-01-01"], ids=["before", "at once"])
def test_a_period_that_ends_before_it_begins_is_an_error(
    store: Path, tmp_path: Path, ends: str, of_consent: bool
) -> None:
    more = ("--messages", put(tmp_path, *CAME)) if of_consent else ()
    dates = ("--from", "2027-01-01", "--to", ends)
    ended = run("audit", "--keystore", store, *more, *dates, PLUMVEIL_PASSPHRASE=stores.PASSPHRASE)
    assert (ended.code, ended.out) == (2, "")
    assert "--from is not before --to" in ended.err
    assert stores.logged(store) == []


@pytest.mark.parametrize("option", [("--html", "page.html"), ("--node-toml", "node.toml"), ("--now", NOW)])
def test_its_options_want_messages(store: Path, option: tuple[str, str]) -> None:
    ended = run("audit", "--keystore", store, *option, PLUMVEIL_PASSPHRASE=stores.PASSPHRASE)
    assert ended.code == 2
    assert "say --messages PATH" in ended.err
