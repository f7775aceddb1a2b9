"""Outboxes reach the controller in any order: what is in force, and what it takes in, does not hang on that."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from unittest import mock

import pytest

from host_tools.keys import enrol, importing, outbox, when
from host_tools.keys.entries import Entry, KeySet
from host_tools.keys.faults import BeyondRole
from host_tools.keys.importing import Imported
from tests.host import keystores
from tests.host.keystores import DAY, EXPORTED, NAMES, NOW_S, hand_out, key_set, make, opened

NAME = NAMES[0]


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.fixture
def technician(controller: Path) -> Path:
    return hand_out(controller, "technician")


def delivery(keys: KeySet, kind: str = outbox.REKEY, name: str = NAME, mark: bytes | None = None) -> outbox.Delivery:
    return outbox.Delivery(kind, name, "virtual", mark, keys, (), keys.epoch0_day * 86400 + 100)


def taken_in(controller: Path, technician: Path, *deliveries: outbox.Delivery) -> Imported:
    box = technician.with_name("box")
    with opened(technician, EXPORTED) as store:
        assert store.signing_key is not None
        assert store.meta.enrol_public is not None
        tenant, public, key = store.tenant, store.meta.enrol_public, store.signing_key
        outbox.store(box, [outbox.seal(one, tenant, public, key) for one in deliveries])
    with opened(controller, write=True) as store:
        return importing.take_in(store, box)


def entry_of(controller: Path, name: str = NAME) -> Entry:
    with opened(controller) as store:
        return store.get(name)


def test_a_technicians_older_keys_do_not_take_the_place_of_newer_ones(controller: Path, technician: Path) -> None:
    monday, tuesday = key_set("monday", DAY - 2), key_set("tuesday", DAY - 1)
    with opened(controller, write=True) as store, mock.patch.object(enrol, "_draw", return_value=tuesday):
        enrol.rekey(store, NAME, None, lambda _: None)
    assert taken_in(controller, technician, delivery(monday)) == Imported(rekeyed=1)
    entry = entry_of(controller)
    assert (entry.keys, entry.k_config) == (tuesday, tuesday.k_config)
    assert entry.history == (
        dataclasses.replace(key_set(NAME), last_day=DAY - 2),
        dataclasses.replace(monday, last_day=DAY - 1),
    )
    assert entry.board_hash == keystores.entry(NAME).board_hash
    assert taken_in(controller, technician, delivery(monday)) == Imported(known=1)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_in_whatever_order_rekeys_come_the_node_is_the_same(
    controller: Path, technician: Path, order: tuple[int, ...]
) -> None:
    made = [key_set(f"of day {n}", DAY - 3 + n) for n in range(3)]
    for n in order:
        assert taken_in(controller, technician, delivery(made[n])) == Imported(rekeyed=1)
    entry = entry_of(controller)
    assert entry.keys == made[2]
    days = [(keys.k_id, keys.epoch0_day, keys.last_day) for keys in entry.history]
    assert days == [
        (key_set(NAME).k_id, DAY - 20, DAY - 3),
        (made[0].k_id, DAY - 3, DAY - 2),
        (made[1].k_id, DAY - 2, DAY - 1),
    ]


def test_keys_from_before_the_first_that_are_known(controller: Path, technician: Path) -> None:
    assert taken_in(controller, technician, delivery(key_set("first", DAY - 30))) == Imported(rekeyed=1)
    entry = entry_of(controller)
    assert (entry.keys, entry.history) == (key_set(NAME), (key_set("first", DAY - 30, DAY - 20),))


def test_under_a_clock_set_back_keys_do_not_end_before_they_begin() -> None:
    entry = enrol.with_new_keys(keystores.entry(NAME), key_set("new", DAY - 40), None)
    assert entry.keys == key_set("new", DAY - 40)
    assert entry.history == (dataclasses.replace(key_set(NAME), last_day=DAY - 20),)


def mark_of(name: str) -> bytes:
    mark = keystores.entry(name).board_hash
    assert mark is not None
    return mark


@pytest.mark.parametrize(
    ("kind", "name", "mark", "why"),
    [
        (outbox.REKEY, NAME, bytes(16), "it was made on another board than its node's"),
        (outbox.REKEY, NAME, mark_of(NAMES[1]), "its board is another node of the tenant"),
        (outbox.ENROL, "trailer 9", mark_of(NAMES[1]), "its board is another node of the tenant"),
    ],
)
def test_a_delivery_from_another_board_changes_nothing(
    controller: Path, technician: Path, kind: str, name: str, mark: bytes, why: str
) -> None:
    with opened(controller) as store:
        before = list(store.nodes())
    done = taken_in(controller, technician, delivery(key_set("new", DAY), kind, name, mark))
    assert (done.enrolled, done.rekeyed, len(done.refused)) == (0, 0, 1)
    assert done.refused[0].startswith(f"item 1: {why}")
    with opened(controller) as store:
        assert list(store.nodes()) == before


def test_two_nodes_of_one_file_are_not_one_board(controller: Path, technician: Path) -> None:
    enrols = [delivery(key_set(name, DAY), outbox.ENROL, name, bytes(16)) for name in ("one", "two")]
    done = taken_in(controller, technician, *enrols)
    assert (done.enrolled, done.refused) == (1, ("item 2: its board is another node of the tenant",))


@pytest.mark.parametrize("mark", [mark_of(NAME), None])
def test_a_rekey_of_the_nodes_board_or_of_none_that_was_seen_keeps_the_board(
    controller: Path, technician: Path, mark: bytes | None
) -> None:
    assert taken_in(controller, technician, delivery(key_set("new", DAY), mark=mark)) == Imported(rekeyed=1)
    assert (entry_of(controller).keys, entry_of(controller).board_hash) == (key_set("new", DAY), mark_of(NAME))


def test_a_technician_does_not_move_a_node_to_another_board(technician: Path) -> None:
    """The controller could not take it in, and what the node seals could not be opened."""
    with (
        opened(technician, EXPORTED, write=True) as store,
        pytest.raises(BeyondRole, match=r"cannot move a node to another board: that takes the controller's"),
    ):
        enrol.rekey(store, NAME, b"another", lambda _: None, new_board=True)
    assert not technician.with_name(technician.name + ".outbox").exists()
