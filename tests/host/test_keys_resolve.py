"""`plumveil keys resolve`: who a pseudonym is, believed only when derived anew, logged before it is shown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from host_tools import accesslog, derive
from host_tools.accesslog_format import subject
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import enrol, resolve, when
from host_tools.keys.index import Candidate, Index
from host_tools.keys.keystore import INDEX
from host_tools.keys.resolve import SCRATCH, Window, kid_of, window
from plumveil import wire
from tests.host.keystores import DAY, NAMES, NOW_S, TENANT, entry, error_line, key_set, keys, make, opened, secret
from tests.host.stores import logged

STREAMS = range(len(wire.STREAMS))


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def kid(name: str, day: int, stream: int = wire.READINGS, epoch0_day: int = DAY - 20) -> bytes:
    link = secret(name, "id")
    for _ in range(day - epoch0_day):
        link = derive.next_secret(link)
    return derive.pseudonym(link, TENANT, stream)


def answer(path: Path, *arguments: str | Path) -> dict[str, list[Any]]:
    ended = keys("resolve", *arguments, "--json", "--keystore", path)
    document: dict[str, list[Any]] = json.loads(ended.out)
    assert ended.code == (1 if document["unknown"] else 0)
    return document


def test_every_stream_and_day_of_every_node(path: Path) -> None:
    asked = {
        kid(name, day, stream).hex(): (name, day, stream)
        for name in NAMES
        for day in (DAY - 20, DAY - 1, DAY)
        for stream in STREAMS
    }
    found = answer(path, *asked)["resolved"]
    assert {str(one["pseudonym"]): (one["node"], one["day"], one["stream"]) for one in found} == {
        text: (name, when.date_text(day), wire.STREAMS[stream]) for text, (name, day, stream) in asked.items()
    }
    assert {one["epochs_ahead"] for one in found} == {0}


def test_a_table_for_people(path: Path) -> None:
    one = kid(NAMES[0], DAY, wire.LOCATION).hex()
    ended = keys("resolve", f"pv/1/l/{one.upper()}", "--keystore", path)
    assert (ended.code, ended.err) == (0, "")
    head, row = ended.out.splitlines()
    assert head.split() == ["pseudonym", "node", "stream", "day", "remark"]
    assert row.split() == [one, *NAMES[0].split(), "location", when.date_text(DAY)]


def test_an_unknown_one_is_one_line_and_exit_1(path: Path) -> None:
    ended = keys("resolve", "00" * 8, "--keystore", path)
    assert (ended.code, ended.out) == (1, "")
    days = f"from {when.date_text(DAY - 30)} to {when.date_text(DAY)}"
    assert ended.err.startswith(
        f"plumveil: {'00' * 8} is no node's pseudonym {days}; --from looks further back, --ahead"
    )
    assert ended.err.count("\n") == 1
    # Those that are known are shown all the same.
    known = kid(NAMES[0], DAY).hex()
    ended = keys("resolve", known, "00" * 8, "--keystore", path)
    assert (ended.code, known in ended.out, "00" * 8 in ended.err) == (1, True, True)


@pytest.mark.parametrize("typed", ["", "00" * 7, "00" * 9, "zz" * 8, "pv/1/r/", "Kühlschrank 7"])
def test_what_is_no_pseudonym(path: Path, typed: str) -> None:
    assert "a pseudonym is 16 hexadecimal digits" in error_line(keys("resolve", typed, "--keystore", path), 2)


def test_logged_before_it_is_known_with_name_and_pseudonym_hashed(path: Path) -> None:
    one, unknown = kid(NAMES[1], DAY).hex(), "11" * 8
    keys("resolve", one, unknown, "--keystore", path)
    (made,) = logged(path)
    assert (made.action, made.count) == ("resolve", 2)
    with opened(path) as store:
        key = store.subject_keys[0]
    assert set(made.subjects) == {subject(key, text) for text in (one, unknown, NAMES[1])}
    line = accesslog.log_path(path).read_bytes()
    assert not any(text.encode() in line for text in (one, NAMES[1]))


def test_what_cannot_be_logged_is_not_told(path: Path) -> None:
    accesslog.log_path(path).mkdir()
    ended = keys("resolve", kid(NAMES[1], DAY).hex(), "--keystore", path)
    assert NAMES[1] not in ended.out + ended.err
    assert "what cannot be logged is not done" in error_line(ended)


def test_days_before_the_index(tmp_path: Path) -> None:
    path = make(tmp_path, entry("old", keys=key_set("old", DAY - 180)))
    one = kid("old", DAY - 150, epoch0_day=DAY - 180).hex()
    assert answer(path, one)["unknown"] == [one]
    (found,) = answer(path, one, "--from", when.date_text(DAY - 170))["resolved"]
    assert found["day"] == when.date_text(DAY - 150)
    assert answer(path, one, "--from", when.date_text(DAY - 170), "--to", when.date_text(DAY - 160))["unknown"] == [
        one
    ]
    with opened(path) as store:
        assert store.beside(INDEX).exists()
        assert not store.beside(SCRATCH).exists()


@pytest.mark.parametrize("ahead", [1, 31, 32, 400])
def test_a_node_whose_clock_ran_ahead(path: Path, ahead: int) -> None:
    one = kid(NAMES[2], DAY + ahead).hex()
    assert answer(path, one)["unknown"] == [one]
    assert answer(path, one, "--ahead", str(ahead - 1))["unknown"] == [one]
    (found,) = answer(path, one, "--ahead", str(ahead))["resolved"]
    assert (found["node"], found["epochs_ahead"]) == (NAMES[2], ahead)
    ended = keys("resolve", one, "--ahead", str(ahead), "--keystore", path)
    assert f"{ahead} epochs ahead of the calendar" in ended.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--ahead", "401"), "--ahead takes 0 to 400"),
        (("--ahead", "-1"), "--ahead takes 0 to 400"),
        (("--from", "2026-13-01"), "--from takes a date such as 2026-03-01"),
        (("--to", "1970-01-01"), "--to takes a date from 2026-01-01 to 2099-12-31"),
        (("--from", "2026-07-20"), "the first one first"),
        (("--from", "2026-01-01", "--to", "2099-12-31"), "--from and --to take 1 to 3660 days"),
    ],
)
def test_days_that_are_none(path: Path, arguments: tuple[str, ...], line: str) -> None:
    assert line in error_line(keys("resolve", "00" * 8, *arguments, "--keystore", path), 2)


def test_the_index_follows_the_nodes_and_the_days(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(path, kid(NAMES[0], DAY).hex())
    with opened(path) as store:
        index = store.beside(INDEX)
    built = index.read_bytes()
    answer(path, kid(NAMES[1], DAY).hex())
    assert index.read_bytes() == built
    with opened(path, write=True) as store:
        store.add(entry("later"))
        store.save()
    assert answer(path, kid("later", DAY).hex())["resolved"][0]["node"] == "later"
    monkeypatch.setattr(when, "now_s", lambda: NOW_S + 40 * wire.EPOCH_S)
    assert answer(path, kid(NAMES[0], DAY + 40).hex())["resolved"][0]["node"] == NAMES[0]
    index.write_bytes(b"damaged")
    assert answer(path, kid(NAMES[0], DAY + 40).hex())["resolved"][0]["node"] == NAMES[0]


def test_earlier_keys_of_a_node_are_found_too(path: Path) -> None:
    with opened(path, write=True) as store:
        enrol.rekey(store, NAMES[0], None, lambda _: None)
        renewed = store.get(NAMES[0]).keys
    assert renewed is not None
    new = derive.pseudonym(renewed.k_id, TENANT, wire.READINGS).hex()
    found = answer(path, kid(NAMES[0], DAY - 3).hex(), new)["resolved"]
    assert [(one["node"], one["earlier_keys"]) for one in found] == [(NAMES[0], True), (NAMES[0], False)]
    assert "earlier keys" in keys("resolve", kid(NAMES[0], DAY).hex(), "--keystore", path).out


def test_what_the_index_says_is_not_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong candidate, of the node, the day, the stream, or of no node at all, is nobody."""
    wrong = [
        Candidate(number, day, stream)
        for number in (0, 1, 2, 99)
        for day in (0, DAY - 21, DAY, DAY - 1)
        for stream in STREAMS
    ]
    monkeypatch.setattr(Index, "lookup", lambda _self, _kid: wrong)
    assert answer(path, "22" * 8)["resolved"] == []
    (found,) = answer(path, kid(NAMES[1], DAY, wire.EVENTS).hex())["resolved"]
    assert (found["node"], found["stream"]) == (NAMES[1], "events")


def test_a_retired_node_is_nobody(path: Path) -> None:
    one = kid(NAMES[0], DAY).hex()
    assert answer(path, one)["unknown"] == []
    with opened(path, write=True) as store:
        store.put(dataclasses.replace(store.node(0), state="retired", keys=None, history=()))
        store.save()
    assert answer(path, one)["unknown"] == [one]


def test_an_empty_keystore_has_nobody(tmp_path: Path) -> None:
    path = make(tmp_path, entry("only"))
    with opened(path, write=True) as store:
        store.drop_last()
        store.save()
    assert answer(path, "33" * 8)["unknown"] == ["33" * 8]


def test_bounds_and_spelling() -> None:
    assert kid_of("PV/1/R/00112233445566FF") == bytes.fromhex("00112233445566ff")
    assert window(None, None, 0) == Window(DAY - 30, DAY)
    assert window(None, None, 7) == Window(DAY - 30, DAY + 7)
    assert window("2026-07-01", "2026-07-01", 0) == Window(DAY - 15, DAY - 15)
    with pytest.raises(UsageError):
        window("2026-07-02", "2026-07-01", 0)


def test_too_many_at_once(path: Path) -> None:
    with opened(path) as store, pytest.raises(PlumveilError, match="at most 10000 pseudonyms at once"):
        resolve.resolve(store, (n.to_bytes(8, "big") for n in range(10_001)), window(None, None, 0))
