"""Roles by key, not by flag: with an exported file and its passphrase, and nothing else, whatever can be derived from
what is in it opens no more, names nobody and links no two days. The same attempts succeed on the controller's file.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host_tools import derive
from host_tools.keyring import TableRing
from host_tools.keys import roles
from host_tools.keys.roles import Share
from host_tools.validate import Validator
from plumveil import wire
from tests.host import keystores
from tests.host.attempts import MESSAGES, chain, follow, opened_by, places, resolved_by
from tests.host.keystores import DAY, EXPORTED, NAMES, NOW_S, PASSPHRASE, TENANT, hand_out, make, opened, secret

SHARE = Share((wire.READINGS, wire.LOCATION), DAY - 1, DAY)


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tenant"))


@pytest.fixture(scope="module")
def technician(controller: Path) -> Path:
    return hand_out(controller, "technician")


@pytest.fixture(scope="module")
def processor(controller: Path) -> Path:
    return hand_out(controller, "processor", SHARE)


@pytest.fixture(scope="module")
def auditor(controller: Path) -> Path:
    return hand_out(controller, "auditor")


def test_the_attempts_succeed_with_the_controllers_file(controller: Path) -> None:
    held = keystores.secrets_in(controller, PASSPHRASE)
    # One node's location is enough, and costs enough.
    sent = [message for message in MESSAGES if message.stream != wire.LOCATION or message.name == NAMES[0]]
    own = {secret(NAMES[0], kind) for kind in ("id", "chain", "consent key", "consent 77")}
    assert own < held
    assert opened_by(own, [m for m in sent if m.name == NAMES[0]]) == places(m for m in sent if m.name == NAMES[0])
    sealed = [message for message in MESSAGES if message.stream != wire.LOCATION]
    assert opened_by(held, sealed) == places(sealed)
    assert resolved_by(held, MESSAGES) == places(MESSAGES)


@pytest.mark.slow
def test_a_technician_opens_nothing_and_resolves_nothing(technician: Path) -> None:
    held = keystores.secrets_in(technician, EXPORTED)
    assert {secret(name, "config") for name in NAMES} < held
    assert opened_by(held, MESSAGES) == set()
    assert resolved_by(held, MESSAGES) == set()


def test_an_auditor_has_no_secret_at_all(controller: Path, auditor: Path) -> None:
    with opened(controller) as store:
        meta = store.meta
        public = {*store.log_public_keys, *(handout.public_key for handout in meta.handouts)}
        public.discard(b"")
    assert keystores.secrets_in(auditor, EXPORTED) == public
    held = {value for value in keystores.contents(auditor, EXPORTED) if isinstance(value, bytes)}
    assert not {meta.signing_seed, meta.board_key, meta.enrol_private, *meta.subject_keys} & held


@pytest.mark.slow
def test_a_processor_opens_its_streams_and_days_and_no_other(processor: Path) -> None:
    mine = places(m for m in MESSAGES if m.stream in SHARE.streams and SHARE.first_day <= m.day <= SHARE.last_day)
    with opened(processor, EXPORTED) as store:
        table = store.table()
    validator = Validator(TableRing(table), NOW_S)
    verdicts = {(m.name, m.stream, m.day): validator.check(m.data).content is not None for m in MESSAGES}
    assert {place for place, opened_ in verdicts.items() if opened_} == mine
    held = keystores.secrets_in(processor, EXPORTED)
    # Each row's secret opens what its row says; positions are left to the ring above, all others are tried.
    rest = [m for m in MESSAGES if m.stream != wire.LOCATION]
    assert opened_by(held, rest) == {place for place in mine if place[1] != wire.LOCATION}
    others = [m for m in MESSAGES if m.stream == wire.LOCATION and m.day > SHARE.last_day]
    assert opened_by(held, others[:1]) == set()
    assert resolved_by(held, MESSAGES) == set()


def rows_of(path: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """(name, stream, day) -> the row, which only the test can tell."""
    whose = {message.envelope.kid.hex(): (message.name, message.stream, message.day) for message in MESSAGES}
    with opened(path, EXPORTED) as store:
        rows = json.loads(store.table().model_dump_json())["rows"]
    return {whose[row["kid"]]: row for row in rows}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def test_no_value_of_a_node_is_the_same_in_two_of_a_processors_days(processor: Path) -> None:
    rows = rows_of(processor)
    assert len(rows) == len(NAMES) * len(SHARE.streams) * 2
    # What all nodes have alike tells none from another: stream, tier, policy numbers, ends of days.
    common = {wire.READINGS, wire.LOCATION, 0, 3, DAY, DAY - 1, *((DAY + n) * wire.EPOCH_S for n in (-1, 0, 1))}
    told: dict[str, dict[int, set[Any]]] = {name: {} for name in NAMES}
    for (name, _, day), row in rows.items():
        told[name].setdefault(day, set()).update(set(leaves(row)) - common)
    for name in NAMES:
        first, second = told[name].values()
        assert len(first) == len(second) == 6
        assert first & second == set()
    with opened(processor, EXPORTED) as store:
        policies = json.loads(store.table().model_dump_json())["policies"]
    assert len(policies) == 1


def test_no_row_of_a_processor_follows_from_another(processor: Path) -> None:
    rows = rows_of(processor)
    secrets = {place: _keys(row) for place, row in rows.items()}
    for place, own in secrets.items():
        others = {key for other, keys in secrets.items() if other != place for key in keys}
        for key in own:
            if len(key) == wire.KEY_BYTES:
                assert not others & set(itertools.islice(follow(key), 1, None)), place
    # The same search, from what a controller has, finds them.
    every = {key for keys in secrets.values() for key in keys}
    found = {
        made for kind in ("id", "chain", "consent key", "consent 77") for made in follow(secret(NAMES[0], kind))
    } & every
    mine = {key for place, keys in secrets.items() for key in keys if place[0] == NAMES[0]}
    assert found == mine
    assert len(mine) == 12


def _keys(row: dict[str, Any]) -> set[bytes]:
    hexes = [row["kid"], row["secret"]]
    hexes += [part for consent in row["consents"] for part in (consent["reference"], consent["key"])]
    return {bytes.fromhex(text) for text in hexes}


@pytest.mark.parametrize("role", ["processor", "auditor"])
def test_no_name_purpose_or_number_of_anything_is_in_it(role: str, processor: Path, auditor: Path) -> None:
    path = {"processor": processor, "auditor": auditor}[role]
    whole = b"".join(
        value if isinstance(value, bytes) else str(value).encode() for value in keystores.contents(path, EXPORTED)
    )
    for name in NAMES:
        marks = [
            name.encode(),
            secret(name, "board")[:16],
            *(secret(name, kind) for kind in ("id", "chain", "config", "consent key")),
        ]
        for mark in (*marks, secret(name, "consent 77")):
            assert mark not in whole
            assert mark.hex().encode() not in whole
    assert keystores.PURPOSE.encode() not in whole


def test_the_technicians_file_holds_names_marks_and_k_config_of_nodes_only(technician: Path) -> None:
    with opened(technician, EXPORTED) as store:
        for one in store.nodes():
            assert (one.name, one.k_config) == (NAMES[one.number], secret(NAMES[one.number], "config"))
            assert (one.keys, one.history, one.policies, one.consents, one.records()) == (None, (), (), (), [])
        assert store.meta.enrol_private is None
        assert store.meta.handouts == ()


def test_a_controllers_copy_is_whole_and_signs_for_itself(controller: Path) -> None:
    copy = hand_out(controller, "controller")
    with opened(controller) as store, opened(copy, EXPORTED) as other:
        assert other.registry() == store.registry()
        assert other.meta.enrol_private == store.meta.enrol_private
        assert other.meta.board_key == store.meta.board_key
        assert other.index_key != store.index_key
        assert other.store_id != store.store_id
        assert other.meta.signing_seed != store.meta.signing_seed
        assert store.meta.handouts[-1].public_key == other.log_public_keys[-1]


def test_stores_handed_out_share_no_secret(controller: Path, technician: Path, processor: Path) -> None:
    """Those who put their files together have no more than each for himself."""
    other_day = hand_out(controller, "processor", Share(SHARE.streams, DAY + 1, DAY + 1), name="other")
    held = [keystores.secrets_in(path, EXPORTED) for path in (technician, processor, other_day)]
    assert all(len(one) > 3 for one in held)
    for one, other in itertools.combinations(held, 2):
        assert one & other == set()


def test_a_retired_nodes_keys_are_handed_to_nobody(tmp_path: Path) -> None:
    retired = keystores.entry(NAMES[0], state="retired", keys=None, k_config=None, board_hash=None, consents=())
    path = make(tmp_path, retired, keystores.entry(NAMES[1]))
    for role in ("technician", "processor", "controller"):
        share = SHARE if role == "processor" else None
        held = keystores.secrets_in(hand_out(path, role, share), EXPORTED)
        assert not {secret(NAMES[0], kind) for kind in ("id", "chain", "config", "consent key")} & held
    with opened(tmp_path / "processor.keystore", EXPORTED) as store:
        assert len(store.table().rows) == len(SHARE.streams) * 2


def test_earlier_keys_are_in_a_table_of_the_days_they_served(tmp_path: Path) -> None:
    earlier = keystores.key_set("before", last_day=DAY - 5)
    path = make(tmp_path, keystores.entry(NAMES[0], keys=keystores.key_set(NAMES[0], DAY - 5), history=(earlier,)))

    def kids(first_day: int, last_day: int) -> set[str]:
        out = hand_out(path, "processor", Share((wire.READINGS,), first_day, last_day))
        with opened(out, EXPORTED) as store:
            rows = store.table().rows
        out.unlink()
        return {row.kid for row in rows}

    def kid(name: str, epoch0_day: int, day: int) -> str:
        *_, last = chain(secret(name, "id"), day - epoch0_day + 1)
        return derive.pseudonym(last, TENANT, wire.READINGS).hex()

    old, new = kid("before", DAY - 20, DAY - 6), kid(NAMES[0], DAY - 5, DAY - 4)
    assert kids(DAY - 6, DAY - 6) == {old}
    assert kids(DAY - 4, DAY - 4) == {new}
    assert {old, new} < kids(DAY - 6, DAY - 4)


def test_streams_are_named() -> None:
    assert roles.streams_of("device, readings,device") == (wire.READINGS, wire.DEVICE)
