"""The controller's side against the node's own desk: what one decides the other does, and tells it so that the first
knows. Nothing between them is made up here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import desks  # type: ignore[import-not-found]
import nodefiles  # type: ignore[import-not-found]
import pytest

from host_tools.consent import deciding, delegating, delegations, downlink, receipts
from host_tools.consent.grants import Terms
from host_tools.errors import PlumveilError
from host_tools.keys import keystore, roles, rotate, when
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.keys.keystore import Keystore
from host_tools.receipts.entries import read
from host_tools.registry import Policy
from plumveil import terms, wire
from plumveil.errors import GrantRefused
from tests.host.keystores import CHEAP, EXPORTED, PASSPHRASE, RENEWED

NOW_S: int = nodefiles.NOON_S
NAME = "van"
KEYS = KeySet(nodefiles.K_ID, nodefiles.K_CHAIN, nodefiles.K_CONFIG, nodefiles.K_CONSENT, nodefiles.EPOCH0_DAY)
POLICY = Policy(version=1, fields=nodefiles.policy_map()[wire.P_FIELDS], location_ceiling=3, health_mask=True)
GIVEN = Terms(3, "route of the delivery", "2026-05", "R. Roe", NOW_S - 60, NOW_S + 86400)
DELEGATED = dataclasses.replace(GIVEN, tier=2, who="T. Echnician")


class Scene:
    """A controller's keystore, a technician's, and the node, at one present."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.laptop = folder / "acme.keystore", folder / "laptop"
        self._patch = monkeypatch
        self.node = desks.Node()
        self.at(NOW_S)
        with keystore.create(self.path, PASSPHRASE, "acme", cost=CHEAP) as store:
            store.add(Entry(0, NAME, "acme", ACTIVE, "virtual", None, KEYS.k_config, KEYS, policies=(POLICY,)))
            store.save()

    def at(self, now_s: int) -> None:
        self._patch.setattr(when, "now_s", lambda: now_s)
        self.node.now_s = now_s

    def store(self, *, write: bool = True) -> Keystore:
        return keystore.open_store(self.path, PASSPHRASE, write=write, now_s=NOW_S)

    def issue(self) -> bytes:
        with self.store() as store:
            (one,) = deciding.issue(store, [store.get(NAME)], GIVEN)
        return one.grant

    def delegate(self) -> None:
        with self.store() as store:
            delegations.delegate(store, [store.get(NAME)], "vans", DELEGATED, self.laptop, EXPORTED, cost=CHEAP)

    def on_site(self, tier: int = 2) -> bytes:
        with keystore.open_store(self.laptop, EXPORTED, now_s=NOW_S) as store:
            return delegating.delegated(store, store.get(NAME), self.node.state.serial, tier, "asked for")

    def told(self, decided: list[deciding.Decided], kind: int) -> None:
        """The node hears what was decided, as in a session of today's."""
        record = decided[0].entry.node
        assert record is not None
        (command,) = downlink.commands(record, kind, decided[0].number, range(when.today(), when.today() + 1))
        self.node.desk.command(command.payload)

    def collected(self) -> Entry:
        """What the keystore knows once the node's receipts have come."""
        self.node.desk.tick(self.node.now_s)
        with self.store() as store:
            log = [entry for _, entry in self.node.line.receipts]
            received = receipts.with_receipts(store, store.get(NAME), map(read, log))
            assert received.sound
            store.put(received.entry)
            store.save()
            return store.get(NAME)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    for name in desks.Files.PATHS:
        monkeypatch.setattr(wire, name, str(tmp_path / name))
    scene = Scene(tmp_path, monkeypatch)
    scene.node.state.epoch = NOW_S // wire.EPOCH_S - nodefiles.EPOCH0_DAY
    return scene


def kinds(known: Entry) -> list[int]:
    return [read(raw).kind for raw in known.receipts]


def test_given_and_taken_back_over_the_network(scene: Scene) -> None:
    assert scene.node.desk.apply(scene.issue()) == 3
    (record,) = scene.collected().consents
    assert record.receipted
    assert scene.node.state.grant[4].hex() == record.secret
    scene.at(NOW_S + 60)
    with scene.store() as store:
        decided = deciding.revoke(store, [store.get(NAME)])
    assert deciding.revocation_unconfirmed(decided[0].entry)
    scene.told(decided, terms.DOWN_REVOKE)
    assert scene.node.desk.tier() == 0
    known = scene.collected()
    assert receipts.ended(known) == {record.serial: terms.LOG_WITHDRAWN}
    assert read(known.receipts[-1]).details == [record.serial, terms.BY_CONTROLLER]
    assert not deciding.revocation_unconfirmed(known)
    # A new one is above what was taken back, and that above what any could have been.
    scene.at(NOW_S + 62)
    assert scene.node.desk.apply(scene.issue()) == 3


def test_one_from_as_far_ahead_as_a_node_takes_is_reached_by_what_takes_it_back(scene: Scene) -> None:
    scene.delegate()
    scene.at(NOW_S + terms.AHEAD_MAX_S - 1)
    ahead = scene.on_site()
    scene.at(NOW_S)
    assert scene.node.desk.apply(ahead) == 2
    with scene.store() as store:
        decided = deciding.revoke(store, [store.get(NAME)])
    scene.told(decided, terms.DOWN_REVOKE)
    assert scene.node.desk.tier() == 0


def test_of_a_laptop_whose_clock_is_further_ahead_no_grant_is_taken(scene: Scene) -> None:
    scene.delegate()
    scene.at(NOW_S + terms.AHEAD_MAX_S)
    ahead = scene.on_site()
    scene.at(NOW_S)
    with pytest.raises(GrantRefused) as refused:
        scene.node.desk.apply(ahead)
    assert refused.value.reason == terms.N_NOT_YET


def test_one_that_another_took_the_place_of_is_confirmed_by_that(scene: Scene) -> None:
    scene.node.desk.apply(scene.issue())
    scene.at(NOW_S + 60)
    scene.node.desk.apply(scene.issue())
    with scene.store() as store:
        decided = deciding.revoke(store, [store.get(NAME)])
    assert deciding.revocation_unconfirmed(scene.collected())
    scene.told(decided, terms.DOWN_REVOKE)
    assert not deciding.revocation_unconfirmed(scene.collected())


def test_what_was_taken_back_before_it_came_is_not_believed(scene: Scene) -> None:
    grant = scene.issue()
    with scene.store() as store:
        decided = deciding.revoke(store, [store.get(NAME)])
    scene.told(decided, terms.DOWN_REVOKE)
    with pytest.raises(GrantRefused) as refused:
        scene.node.desk.apply(grant)
    assert refused.value.reason == terms.N_REPLAYED
    # The node's word that it will not be is a receipt as well.
    assert not deciding.revocation_unconfirmed(scene.collected())


def test_a_delegates_consent_comes_to_be_known_and_ends_with_the_delegation(scene: Scene) -> None:
    scene.delegate()
    assert scene.node.desk.apply(scene.on_site()) == 2
    (record,) = scene.collected().consents
    assert (record.delegation, record.person, record.receipted) == (1, "T. Echnician", True)
    assert scene.node.state.grant[4].hex() == record.secret
    with scene.store() as store:
        decided = delegations.void(store, 1, [])
        assert delegations.voids_unconfirmed(store, store.get(NAME))
    scene.told(decided, terms.DOWN_VOID)
    assert scene.node.desk.tier() == 0
    known = scene.collected()
    assert receipts.voided(known) == {1}
    assert receipts.ended(known) == {record.serial: terms.LOG_WITHDRAWN}
    assert known.consents[0].revoked_s == NOW_S
    with scene.store(write=False) as store:
        assert not delegations.voids_unconfirmed(store, known)
    scene.at(NOW_S + 60)
    with pytest.raises(GrantRefused) as refused:
        scene.node.desk.apply(scene.on_site())
    assert refused.value.reason == terms.N_VOIDED


def test_by_turns_the_serials_only_rise(scene: Scene) -> None:
    scene.delegate()
    serials = []
    for grant in (scene.issue, scene.on_site, scene.on_site):
        scene.node.desk.apply(grant())
        serials.append(scene.node.state.serial)
    # Until the receipts are here the controller does not know of those on site; their clocks keep them apart.
    scene.at(NOW_S + 60)
    scene.node.desk.apply(scene.issue())
    serials.append(scene.node.state.serial)
    assert serials == sorted(set(serials))
    assert [one.serial for one in scene.collected().consents] == [serials[n] for n in (0, 3, 1, 2)]


def test_refusals_and_the_end_are_on_record(scene: Scene) -> None:
    grant = scene.issue()
    scene.node.desk.apply(grant)
    with pytest.raises(GrantRefused):
        scene.node.desk.apply(grant)
    scene.at(NOW_S + 2 * 86400)
    scene.node.desk.tick(NOW_S + 2 * 86400)
    known = scene.collected()
    assert kinds(known) == [terms.LOG_GRANTED, terms.LOG_REFUSED, terms.LOG_EXPIRED, terms.LOG_POLICY]
    assert list(receipts.ended(known).values()) == [terms.LOG_EXPIRED]


def test_after_a_rotation_a_secret_sealed_before_is_lost_and_said_to_be(scene: Scene) -> None:
    scene.delegate()
    scene.node.desk.apply(scene.on_site())
    with scene.store() as store:
        with pytest.raises(PlumveilError, match="what they enrolled or granted"):
            rotate.check(store, end_technicians=False)
        rotate.rotate(store, RENEWED, end_technicians=True, cost=CHEAP)
        log: list[Any] = []
        scene.node.desk.tick(NOW_S)
        log += [entry for _, entry in scene.node.line.receipts]
        received = receipts.with_receipts(store, store.get(NAME), map(read, log))
        assert list(received.against.values()) == [receipts.UNOPENED]
        assert received.entry.consents == ()


def test_a_technicians_keystore_opens_nothing_and_holds_no_consent_key(scene: Scene) -> None:
    scene.delegate()
    with scene.store() as store:
        roles.export(store, "processor", scene.path.with_name("p"), EXPORTED, NOW_S + 86400, SHARE, cost=CHEAP)
        table_of = scene.path.with_name("p")
    with keystore.open_store(scene.laptop, EXPORTED, now_s=NOW_S) as store:
        (held,) = store.nodes()
        assert held.keys is None
        assert nodefiles.K_CONSENT not in repr(dataclasses.asdict(held)).encode("latin-1", "replace")
        assert nodefiles.K_CONSENT not in (held.k_config, held.delegations[0].key)
    with keystore.open_store(table_of, EXPORTED, now_s=NOW_S) as store:
        assert nodefiles.K_CONSENT.hex() not in store.table().model_dump_json()


SHARE = roles.Share((wire.LOCATION, wire.EVENTS), NOW_S // wire.EPOCH_S, NOW_S // wire.EPOCH_S)
