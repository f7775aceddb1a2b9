"""A policy loaded ahead is not in force yet: what is given, shown and audited until then goes by the one that is."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools.auditing.commands import _retention_days
from host_tools.configure.compiling import compile_node
from host_tools.configure.settling import settle
from host_tools.consent import deciding, delegations
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError
from host_tools.keys import entries, when
from host_tools.keys.entries import Ahead, Entry
from host_tools.keys.keystore import Keystore
from host_tools.policy.compiling import policy_record
from host_tools.policy.profile import load_profile
from plumveil import wire
from tests.host.command_line import Ended, run
from tests.host.configuring import NOW, loaded
from tests.host.keystores import CHEAP, EXPORTED, NOW_S, PASSPHRASE, TENANT, entry, error_line, make, opened

NAME = "freezer-3"
DAY = datetime.date(2027, 1, 31)
FROM_S = 1_801_353_600
DISTRICT, AREA, STREET = 2, 3, 4
COARSER: dict[str, Any] = {"profile": "healthcare", "version": 4, "effective": DAY}


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Keystore]:
    with opened(make(tmp_path, entry(NAME, policies=(), consents=())), write=True) as store:
        yield store


def given(store: Keystore, folder: Path, now: datetime.datetime = NOW, **policy: Any) -> Entry:
    """The keystore's entry once a configuration with this [policy] was given to the node."""
    store.put(settle(store, store.get(NAME), loaded(folder, policy=policy), 1, ahead=True, now=now).entry)
    return store.get(NAME)


def version(policy_map: bytes) -> int:
    return int(cbor2.loads(policy_map)[wire.P_VERSION])


def at(starts_s: int, tier: int = AREA) -> Terms:
    return Terms(tier, "route", "2026-07", "Dr. A. Nurse", starts_s, FROM_S + 30 * wire.EPOCH_S)


def test_until_its_day_a_finer_tier_is_given_under_the_policy_in_force(store: Keystore, tmp_path: Path) -> None:
    given(store, tmp_path, profile="logistics", version=3)
    known = given(store, tmp_path, **COARSER)
    assert [version(known.policy_at(at_s)) for at_s in (NOW_S, FROM_S - 1, FROM_S)] == [3, 3, 4]
    (one,) = deciding.issue(store, [known], at(NOW_S, STREET))
    assert one.record.policy == 3
    with pytest.raises(PlumveilError, match=r"policy version 4 of .* allows district at the finest"):
        deciding.issue(store, [known], at(FROM_S, STREET))
    (one,) = deciding.issue(store, [store.get(NAME)], at(FROM_S, DISTRICT))
    assert one.record.policy == 4


def test_a_consent_given_before_a_wider_policy_does_not_survive_it(store: Keystore, tmp_path: Path) -> None:
    given(store, tmp_path)
    known = given(store, tmp_path, profile="logistics", version=5, effective=DAY)
    assert known.policy_ahead is not None
    widened = cbor2.loads(known.policy_ahead.policy_map)[wire.P_WIDENED]
    # What began earlier begins for the node when it comes.
    for starts_s in (NOW_S - wire.EPOCH_S, NOW_S, FROM_S - 1):
        (one,) = deciding.issue(store, [store.get(NAME)], at(starts_s))
        assert one.record.policy == 1 < widened
    with pytest.raises(PlumveilError, match=r"policy version 1 of .* allows area at the finest"):
        deciding.issue(store, [known], at(NOW_S, STREET))


def test_a_delegation_is_given_under_the_policy_of_its_beginning(store: Keystore, tmp_path: Path) -> None:
    given(store, tmp_path)
    known = given(store, tmp_path, profile="logistics", version=5, effective=DAY)
    store.save()
    for number, (starts_s, policy) in enumerate(((NOW_S, 1), (FROM_S, 5))):
        terms = dataclasses.replace(at(starts_s), expires_s=FROM_S + wire.EPOCH_S)
        out = tmp_path / f"laptop {number}"
        made = delegations.delegate(store, [known], "one", terms, out, EXPORTED, cost=CHEAP)
        assert made.nodes == ((known.number, policy),)


def test_what_was_loaded_ahead_is_in_force_once_its_day_is_here(store: Keystore, tmp_path: Path) -> None:
    given(store, tmp_path, profile="logistics", version=3)
    given(store, tmp_path, **COARSER)
    later = NOW.replace(year=2027, month=3)
    # Another one ahead: what came into force meanwhile is the one before it.
    known = given(store, tmp_path, later, **{**COARSER, "version": 6, "effective": datetime.date(2027, 5, 1)})
    assert known.policy_ahead is not None
    assert (version(known.policy_map), version(known.policy_ahead.policy_map)) == (4, 6)


def test_a_newer_one_takes_the_place_of_what_was_loaded_ahead(store: Keystore, tmp_path: Path) -> None:
    given(store, tmp_path)
    given(store, tmp_path, **COARSER)
    known = given(store, tmp_path, **{**COARSER, "version": 5})
    assert known.policy_ahead is not None
    assert (version(known.policy_map), version(known.policy_ahead.policy_map)) == (1, 5)
    known = given(store, tmp_path, profile="healthcare", version=6)
    assert (version(known.policy_map), known.policy_ahead) == (6, None)


@pytest.mark.parametrize("ahead", [COARSER, {"effective": DAY, "alarm_only": True}])
def test_a_node_that_was_enrolled_and_no_more_has_what_it_was_enrolled_with(
    tmp_path: Path, ahead: dict[str, Any]
) -> None:
    with opened(make(tmp_path), write=True) as store:
        # As `plumveil keys enrol` leaves it: the first policy, and no map of it.
        policy = policy_record(load_profile("general"))
        store.put(dataclasses.replace(store.get(NAME), policies=(policy,)))
        known = given(store, tmp_path, **ahead)
        assert known.policy_map == b""
        (one,) = deciding.issue(store, [known], at(NOW_S))
        assert one.record.policy == 1


def test_it_stands_in_the_keystore(tmp_path: Path) -> None:
    path = make(tmp_path, entry(NAME, policies=(), consents=()))
    with opened(path, write=True) as store:
        given(store, tmp_path)
        known = given(store, tmp_path, **COARSER)
        store.save()
    with opened(path) as store:
        assert store.get(NAME) == known
        assert known.policy_ahead is not None
        assert known.policy_ahead.from_s == FROM_S


@pytest.mark.parametrize("value", [[True, b""], [1, ""], ["1", b""], [None, b""]])
def test_anything_else_in_its_place_is_damage(value: list[Any]) -> None:
    row = entries.encode(entry(NAME, policy_ahead=Ahead(1, b"\x00")), lambda _: 0)
    assert row[-1] == [1, b"\x00"]
    with pytest.raises(TypeError):
        entries.decode(0, TENANT, [*row[:-1], value], entry(NAME).policies)


def shown(path: Path, *arguments: str) -> Ended:
    return run("policy", *arguments, "--keystore", path, PLUMVEIL_PASSPHRASE=PASSPHRASE)


def on_record(folder: Path, *, in_force: bool = True) -> Path:
    """A keystore in which logistics 3 is in force, and healthcare 4 loaded ahead."""
    now = compile_node(loaded(folder, policy={"profile": "logistics", "version": 3}), 1, now=NOW)
    next_ = compile_node(loaded(folder, policy=COARSER), 2, ahead=True, now=NOW)
    known = entry(
        NAME,
        policies=(now.policy, next_.policy),
        policy_map=now.policy_map if in_force else b"",
        policy_ahead=Ahead(FROM_S, next_.policy_map),
    )
    return make(folder, known)


def test_both_are_shown_and_when_the_second_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = on_record(tmp_path)
    ended = shown(path, "show", NAME)
    now, begins, ahead = ended.out.partition("\nLoaded ahead, in force from 2027-01-31T00:00:00Z:\n")
    assert now.startswith("In force now:\n  version 3\n")
    assert begins
    assert "positions: no finer than street" in now
    assert ahead.startswith("  version 4\n")
    assert "positions: no finer than district" in ahead
    compared = shown(path, "diff", NAME, "healthcare").out
    assert f"Note: of {NAME}, what is in force now; version 4 follows at 2027-01-31T00:00:00Z." in compared
    assert "narrower  finest position: street -> district" in compared
    monkeypatch.setattr(when, "now_s", lambda: FROM_S)
    ended = shown(path, "show", NAME)
    assert ended.out.startswith("  version 4\n")
    assert "ahead" not in ended.out


def test_of_a_policy_in_force_that_is_not_on_record_nothing_is_made_up(tmp_path: Path) -> None:
    path = on_record(tmp_path, in_force=False)
    assert shown(path, "show", NAME).out.startswith("In force now:\n  not on record\n\nLoaded ahead")
    assert "in force now is not on record here" in error_line(shown(path, "diff", NAME, "general"))


def test_the_audit_knows_how_long_positions_wait_under_either(tmp_path: Path) -> None:
    with opened(on_record(tmp_path)) as store:
        known = store.get(NAME)
    assert set(_retention_days(known, NOW_S)) == {3, 4}
    # Two of one version: the one in force says it.
    days = {**cbor2.loads(known.policy_map), wire.P_RETENTION: [9, 2, 9, 9, 9]}
    both = dataclasses.replace(known, policy_ahead=Ahead(FROM_S, cbor2.dumps(days)))
    before, after = (_retention_days(both, at_s)[3] for at_s in (NOW_S, FROM_S))
    assert before == cbor2.loads(known.policy_map)[wire.P_RETENTION][wire.LOCATION] != after == 2
