"""Grants on the controller's behalf: the node takes those within the caveats and no others, the controller alone
reads the secret, and a technician's keystore holds nothing but the delegation's key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools import derive
from host_tools.accesslog import log_path
from host_tools.consent import delegating, grants, mac0
from host_tools.consent.caveats import Caveats, Delegation
from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import keystore, meta, sealing, when
from host_tools.keys.entries import Entry
from host_tools.keys.faults import BeyondRole
from plumveil import terms, wire
from plumveil.errors import GrantRefused
from tests.host.consenting import State, read
from tests.host.keystores import CHEAP, EXPORTED, NOW_S, TENANT, entry, make, node, opened

NAME = "freezer-3"
UNTIL_S = NOW_S + 5 * 86400
GIVEN = Delegation(
    id=3,
    person="T. Echnician",
    scope="group cold chain",
    tier=2,
    starts_s=NOW_S - 86400,
    until_s=UNTIL_S,
    purpose="delivery to ward nine",
    notice="2026-06",
    nodes=((0, 1),),
    made_s=NOW_S - 86400,
)
NODE = node(NAME)
K_CONSENT = bytes.fromhex(NODE.k_consent)
HELD = delegating.key_for(NODE, GIVEN, 1)


@pytest.fixture(autouse=True)
def at_one_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    return make(tmp_path, entry(NAME))


@pytest.fixture
def laptop(controller: Path) -> Path:
    """A technician's keystore with one delegation, put together by hand."""
    path = controller.with_name("laptop")
    with opened(controller) as store:
        content = dataclasses.replace(
            meta.Meta("technician", TENANT, enrol_public=store.meta.enrol_public, **meta.signing_part()),
            expires_s=NOW_S + 86400,
        )
    own = entry(NAME, keys=None, policies=(), consents=(), delegations=(HELD,))
    keystore.write_new(path, EXPORTED, content, [own], 1, cost=CHEAP)
    return path


def grant(laptop: Path, newest: int = 0, tier: int = 2, reason: str = "leak", until_s: int | None = None) -> bytes:
    with opened(laptop, EXPORTED) as store:
        return delegating.delegated(store, store.get(NAME), newest, tier, reason, until_s)


def test_the_node_takes_it_and_names_who_gave_it(laptop: Path) -> None:
    parts = read(NAME, grant(laptop, until_s=NOW_S + 3600))
    assert parts[terms.G_DELEGATION] == GIVEN.caveats(1).array()
    assert (parts[terms.G_WHO], parts[terms.G_REASON]) == ("T. Echnician", "leak")
    assert (parts[terms.G_TIER], parts[terms.G_EXPIRES_S]) == (2, NOW_S + 3600)
    assert (parts[terms.G_PURPOSE], parts[terms.G_NOTICE], parts[terms.G_POLICY]) == (GIVEN.purpose, "2026-06", 1)
    # As long as it may, when nothing is said; and a node whose clock is behind takes it too.
    assert read(NAME, grant(laptop), now_s=NOW_S - 600)[terms.G_EXPIRES_S] == UNTIL_S


def test_the_serial_is_above_what_the_node_decided_last(laptop: Path) -> None:
    now = NOW_S - wire.UNIX_MIN_S
    assert read(NAME, grant(laptop))[terms.G_SERIAL] == now
    ahead = read(NAME, grant(laptop, newest=now + 500), State(NAME, now + 500))
    assert ahead[terms.G_SERIAL] == now + 501
    with pytest.raises(GrantRefused):
        read(NAME, grant(laptop), State(NAME, now))


def test_the_secret_goes_to_the_node_and_sealed_to_the_controller(laptop: Path, controller: Path) -> None:
    parts = read(NAME, grant(laptop))
    secret, serial = parts[terms.G_SECRET], parts[terms.G_SERIAL]
    assert len(parts[terms.G_SEALED]) <= terms.SEALED_MAX_BYTES
    with opened(controller) as store:
        private = store.meta.enrol_private
    assert private is not None
    info = delegating.sealing_info(TENANT, derive.grant_node(K_CONSENT, TENANT), serial)
    assert sealing.unseal_own(private, parts[terms.G_SEALED], info) == secret
    for other in (delegating.sealing_info(TENANT, bytes(8), serial), info[:-1] + bytes([info[-1] ^ 1])):
        with pytest.raises(sealing.Unsealed):
            sealing.unseal_own(private, parts[terms.G_SEALED], other)
    held = laptop.read_bytes() + log_path(laptop).read_bytes()
    assert secret not in held
    assert secret.hex().encode() not in held


def test_it_is_in_the_technicians_log(laptop: Path) -> None:
    grant(laptop)
    line = log_path(laptop).read_text().splitlines()[-1]
    assert '"consent_grant"' in line
    assert "tier district delegation 3 until 2026-07-21" in line
    assert NAME not in line


def test_no_delegation_no_grant(laptop: Path, controller: Path) -> None:
    with opened(laptop, EXPORTED) as store:
        bare = dataclasses.replace(store.get(NAME), delegations=())
        with pytest.raises(PlumveilError, match=f"holds no delegation for '{NAME}': ask the controller"):
            delegating.delegated(store, bare, 0, 2, "leak")
    with opened(controller) as store, pytest.raises(BeyondRole):
        delegating.delegated(store, store.get(NAME), 0, 2, "leak")


ASKED: list[tuple[dict[str, Any], int, str]] = [
    ({"tier": 3}, NOW_S, "number 3 is for district and coarser"),
    ({"until_s": UNTIL_S + 1}, NOW_S, "number 3 ends 2026-07-21T08:20:00Z"),
    ({}, UNTIL_S, "number 3 ended 2026-07-21T08:20:00Z"),
    ({}, NOW_S - 86401, "number 3 begins 2026-07-15T08:20:00Z"),
]


@pytest.mark.parametrize(("asked", "now_s", "words"), ASKED, ids=[words for *_, words in ASKED])
def test_what_no_delegation_allows_is_refused_with_the_reason(
    laptop: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], now_s: int, words: str
) -> None:
    monkeypatch.setattr(when, "now_s", lambda: now_s)
    with opened(laptop, EXPORTED, now_s=NOW_S) as store, pytest.raises(PlumveilError, match=words):
        delegating.delegated(store, store.get(NAME), 0, **{"tier": 2, "reason": "leak", **asked})
    assert not log_path(laptop).exists()


@pytest.mark.parametrize(
    "wrong",
    [{"tier": 0}, {"tier": 9}, {"reason": ""}, {"reason": "x" * 65}, {"reason": "a\nb"}, {"until_s": NOW_S - 1}],
)
def test_what_is_no_grant_at_all_is_wrong_usage(laptop: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        grant(laptop, **wrong)


def test_of_several_delegations_one_that_allows_it_is_taken(laptop: Path) -> None:
    def held(number: int, tier: int, days: int) -> Any:
        other = dataclasses.replace(GIVEN, id=number, tier=tier, until_s=NOW_S + days * 86400)
        return delegating.key_for(NODE, other, 1)

    with opened(laptop, EXPORTED) as store:
        many = dataclasses.replace(store.get(NAME), delegations=(held(4, 1, 9), held(5, 3, 1), held(6, 3, 2)))
        for tier, number in ((1, 4), (2, 6), (3, 6)):
            data = delegating.delegated(store, many, 0, tier, "leak")
            assert read(NAME, data)[terms.G_DELEGATION][terms.D_ID] == number


CHANGED = [
    ("G_TIER", 3),
    ("G_EXPIRES_S", UNTIL_S + 1),
    ("G_PURPOSE", "another"),
    ("G_NOTICE", "2026-07"),
    ("G_POLICY", 2),
]


@pytest.mark.parametrize(("name", "value"), CHANGED, ids=[name for name, _ in CHANGED])
def test_a_lost_laptop_gets_no_further_than_its_caveats(laptop: Path, name: str, value: Any) -> None:
    """Sealed with the key that is on it: the node holds the grant to the caveats that the key is tied to."""
    parts = grants.unproven(grant(laptop)) | {getattr(terms, name): value}
    with pytest.raises(GrantRefused) as refused:
        read(NAME, mac0.seal(HELD.key, cbor2.dumps(parts, canonical=True)))
    assert refused.value.reason == terms.N_DELEGATION


def test_wider_caveats_are_another_key(laptop: Path) -> None:
    wider = dataclasses.replace(GIVEN, tier=3).caveats(1)
    parts = grants.unproven(grant(laptop)) | {terms.G_DELEGATION: wider.array(), terms.G_TIER: 3}
    for claimed in (parts, {key: value for key, value in parts.items() if key < terms.G_DELEGATION}):
        with pytest.raises(GrantRefused) as refused:
            read(NAME, mac0.seal(HELD.key, cbor2.dumps(claimed, canonical=True)))
        assert refused.value.reason == terms.N_FORGED
    others = derive.grant_key(K_CONSENT), delegating.key_for(node("another"), GIVEN, 1).key
    assert len({HELD.key, *others}) == 3


def test_voided_it_is_worth_nothing(laptop: Path) -> None:
    with pytest.raises(GrantRefused) as refused:
        read(NAME, grant(laptop), State(NAME, voids=(3,)))
    assert refused.value.reason == terms.N_VOIDED


def test_the_technicians_file_holds_no_consent_key(laptop: Path) -> None:
    with opened(laptop, EXPORTED) as store:
        (held,) = store.nodes()
        content = cbor2.dumps([vars_of(held)], default=lambda _, value: repr(value))
    assert held.delegations == (HELD,)
    assert held.keys is None
    assert K_CONSENT not in content
    assert HELD.key.hex() not in repr(held)
    assert repr(HELD.key)[2:-1] not in repr(held)


def vars_of(held: Entry) -> list[Any]:
    return [getattr(held, field.name) for field in dataclasses.fields(held) if field.name != "delegations"]


NONE = [
    (terms.D_ID, 0),
    (terms.D_ID, True),
    (terms.D_PERSON, ""),
    (terms.D_SCOPE, 7),
    (terms.D_TIER, 0),
    (terms.D_TIER, 5),
    (terms.D_UNTIL_S, GIVEN.starts_s),
    (terms.D_PURPOSE, "x" * 65),
    (terms.D_POLICY, -1),
]


@pytest.mark.parametrize(("place", "value"), NONE)
def test_caveats_that_allow_nothing_are_none(place: int, value: Any) -> None:
    array: list[Any] = GIVEN.caveats(1).array()
    assert Caveats.of(array) == GIVEN.caveats(1)
    with pytest.raises((ValueError, TypeError)):
        Caveats.of([value if n == place else part for n, part in enumerate(array)])
    with pytest.raises((ValueError, TypeError)):
        Caveats.of(array[:-1])
