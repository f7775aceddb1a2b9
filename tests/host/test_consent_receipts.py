"""What a node's log tells the controller: kept in order, and apart from that of earlier keys; what does not fit is
told, and changes nothing. The node's own desk speaks in test_consent_desk.py."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools.consent import deciding, grants, receipts
from host_tools.consent.grants import Terms
from host_tools.consent.receipts import Received
from host_tools.keys import enrol, when
from host_tools.keys.entries import Entry
from host_tools.keys.faults import BeyondRole
from host_tools.keys.keystore import Keystore
from host_tools.receipts.entries import read
from plumveil import terms
from tests.host.keystores import EXPORTED, NOW_S, entry, hand_out, make, node, opened

NAME = "freezer-3"
GIVEN = Terms(2, "delivery to ward nine", "2026-06", "Dr. A. Nurse", NOW_S - 60, NOW_S + 86400)
Log = list[bytes]


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path, entry(NAME, consents=()))


def logged(log: Log, kind: int, details: Any, t_s: int | None = NOW_S) -> None:
    """Adds an entry as a node does."""
    before = hashlib.sha256(log[-1]).digest() if log else bytes(32)
    log.append(cbor2.dumps([len(log) + 1, before, kind, t_s, details], canonical=True))


def granted(log: Log, grant: bytes) -> None:
    """Adds that a grant was put in force."""
    unsaid = (terms.G_SECRET, terms.G_NODE, terms.G_TENANT)
    parts = grants.unproven(grant)
    logged(log, terms.LOG_GRANTED, {key: value for key, value in parts.items() if key not in unsaid})


def issued(store: Keystore) -> tuple[Entry, bytes]:
    (one,) = deciding.issue(store, [store.get(NAME)], GIVEN)
    return store.get(NAME), one.grant


def received(store: Keystore, known: Entry, log: Log, place: int = 0) -> Received:
    return receipts.with_receipts(store, known, map(read, log), place)


def with_receipts(store: Keystore, known: Entry, log: Log, place: int = 0) -> Entry:
    """The entry with a log of which all fits."""
    found = received(store, known, log, place)
    assert found.sound
    return found.entry


def test_a_consent_of_the_controllers_is_receipted_and_its_end_known(path: Path) -> None:
    log: Log = []
    with opened(path, write=True) as store:
        known, grant = issued(store)
        logged(log, terms.LOG_POLICY, [1], None)
        granted(log, grant)
        taken = with_receipts(store, known, log)
        assert [one.receipted for one in taken.consents] == [True]
        assert taken.consents[0] == known.consents[0].model_copy(update={"receipted": True})
        assert taken.receipts == tuple(log)
        assert receipts.ended(taken) == {}
        store.put(taken)
        store.save()
    logged(log, terms.LOG_WITHDRAWN, [taken.consents[0].serial, terms.BY_BUTTON])
    logged(log, terms.LOG_VOIDED, [4])
    with opened(path) as store:
        again = with_receipts(store, store.get(NAME), log)
    assert again.receipts == tuple(log)
    assert again.consents == taken.consents
    assert receipts.ended(again) == {taken.consents[0].serial: terms.LOG_WITHDRAWN}
    assert receipts.voided(again) == {4}


def test_in_whatever_order_they_come(path: Path) -> None:
    log: Log = []
    with opened(path, write=True) as store:
        known, grant = issued(store)
        granted(log, grant)
        for number in range(3):
            logged(log, terms.LOG_REFUSED, [number + 1])
        for order in itertools.permutations(range(4)):
            taken = known
            for place in order:
                taken = with_receipts(store, taken, [log[place], log[order[0]]])
            assert taken.receipts == tuple(log)
            assert taken.consents[0].receipted


def test_a_gap_is_kept_as_one(path: Path) -> None:
    log: Log = []
    for number in range(4):
        logged(log, terms.LOG_REFUSED, [number + 1])
    with opened(path) as store:
        taken = with_receipts(store, store.get(NAME), [log[0], log[3]])
    assert taken.receipts == (log[0], log[3])


def test_a_log_of_earlier_keys_stays_apart(path: Path) -> None:
    old: Log = []
    new: Log = []
    logged(old, terms.LOG_REFUSED, [1])
    logged(new, terms.LOG_REFUSED, [2])
    with opened(path, write=True) as store:
        store.put(with_receipts(store, store.get(NAME), old))
        enrol.rekey(store, NAME, None, lambda _: None)
        taken = with_receipts(store, store.get(NAME), new)
        store.put(taken)
        store.save()
        logged(old, terms.LOG_REFUSED, [3])
        taken = with_receipts(store, taken, old, place=1)
    assert [keys.receipts for keys in taken.key_sets] == [tuple(new), tuple(old)]
    assert taken.receipts == (*old, *new)
    with opened(path) as store:
        assert store.get(NAME).receipts == (old[0], *new)


def changed(log: Log) -> Log:
    """The last entry, another."""
    number, before, kind, t_s, _ = cbor2.loads(log[-1])
    return [*log[:-1], cbor2.dumps([number, before, kind, t_s, [7]])]


def loose(log: Log) -> Log:
    """An entry that does not follow the last."""
    return [*log, cbor2.dumps([len(log) + 1, bytes(31) + b"x", terms.LOG_REFUSED, NOW_S, [1]])]


def of_nobody(log: Log) -> Log:
    """A consent of the controller's that the controller never gave."""
    more = list(log)
    granted(more, grants.issue(node(NAME), GIVEN, NOW_S, 99, 1).data)
    return more


def of_another_tier(log: Log) -> Log:
    """The consent there is, said to be finer."""
    with_finer: Log = []
    details = read(log[0]).details | {terms.G_TIER: 3}
    logged(with_finer, terms.LOG_GRANTED, details)
    return with_finer


def test_an_entry_that_was_changed_is_told_and_what_is_there_stays(path: Path) -> None:
    log: Log = []
    with opened(path, write=True) as store:
        known, grant = issued(store)
        granted(log, grant)
        logged(log, terms.LOG_REFUSED, [1])
        taken = with_receipts(store, known, log)
        for spoil, contradicted, broken in ((changed, [2], []), (loose, [], [3])):
            found = received(store, taken, spoil(log))
            assert (found.merged.contradicted, found.merged.broken, found.sound) == (contradicted, broken, False)
            assert found.entry == taken


def test_a_consent_of_nobodys_is_told_and_not_on_record(path: Path) -> None:
    log: Log = []
    with opened(path, write=True) as store:
        known, grant = issued(store)
        granted(log, grant)
        found = received(store, known, of_nobody(log))
        assert found.against == {99: receipts.UNKNOWN}
        assert [one.receipted for one in found.entry.consents] == [True]
        assert len(found.entry.receipts) == 2


def test_a_consent_under_a_serial_that_is_taken_is_told(path: Path) -> None:
    log: Log = []
    with opened(path, write=True) as store:
        known, grant = issued(store)
        granted(log, grant)
        found = received(store, known, of_another_tier(log))
        assert list(found.against.values()) == [receipts.OTHER]
        assert found.entry.consents == known.consents


def test_only_a_controller_takes_them_in(path: Path) -> None:
    technician = hand_out(path, "technician")
    with opened(technician, EXPORTED) as store, pytest.raises(BeyondRole):
        received(store, store.get(NAME), [])
