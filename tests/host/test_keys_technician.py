"""What a technician enrols reaches the controller and nobody else: drawn on his machine, sealed, not kept by him."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.errors import PlumveilError, UsageError
from host_tools.keys import enrol, importing, outbox, rotate, sealing, when
from host_tools.keys.entries import KeySet
from host_tools.keys.faults import BeyondRole, Damaged
from host_tools.keys.importing import Imported
from host_tools.keys.keystore import OUTBOX
from host_tools.keys.roles import Share
from host_tools.node_link import NodeLost, NodeRefused
from plumveil import wire
from tests.host import keystores
from tests.host.keystores import DAY, EXPORTED, NOW_S, PASSPHRASE, hand_out, key_set, make, opened

NEW = "trailer 9"


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.fixture
def technician(controller: Path) -> Path:
    return hand_out(controller, "technician")


def nowhere(_: enrol.Handover) -> None:
    """A node that takes what it is given."""


def enrolled(technician: Path, name: str = NEW, keys: KeySet | None = None) -> Path:
    """Enrols a node at the technician's, with keys that can be told -> the outbox."""
    with opened(technician, EXPORTED, write=True) as store, drawing(keys or key_set(name, DAY)):
        enrol.enrol(store, name, "virtual", "general", None, nowhere)
        return store.beside(OUTBOX)


def drawing(keys: KeySet) -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(enrol, "_draw", return_value=keys)


def taken_in(controller: Path, box: Path) -> Imported:
    with opened(controller, write=True) as store:
        return importing.take_in(store, box)


def test_what_a_technician_enrols_the_controller_opens(controller: Path, technician: Path) -> None:
    box = enrolled(technician)
    assert taken_in(controller, box) == Imported(enrolled=1)
    with opened(controller) as store:
        entry = store.get(NEW)
        assert (entry.keys, entry.k_config, entry.board) == (key_set(NEW, DAY), key_set(NEW).k_config, "virtual")
        assert [policy.version for policy in entry.policies] == [1]
        assert store.registry().nodes[-1].name == NEW
    assert taken_in(controller, box) == Imported(known=1)


def test_a_technician_keeps_nothing_that_opens_what_he_enrolled(technician: Path) -> None:
    box = enrolled(technician)
    keys = key_set(NEW)
    held = keystores.secrets_in(technician, EXPORTED)
    assert keys.k_config in held
    raw = b"".join(path.read_bytes() for path in technician.parent.iterdir())
    for one in (keys.k_id, keys.k_chain, keys.k_consent):
        assert one not in held
        assert one not in raw
        assert one.hex().encode() not in raw
    # The name stands in his keystore, sealed, and not in the open outbox.
    assert NEW.encode() not in raw
    with opened(technician, EXPORTED) as store:
        entry = store.get(NEW)
        assert (entry.keys, entry.history, entry.policies) == (None, (), ())
        for private in held:
            assert outbox.unseal(outbox.load(box)[0], store.tenant, private) is None


def test_a_technicians_store_is_not_exported_imported_into_rotated_or_retired_from(
    technician: Path, tmp_path: Path
) -> None:
    box = enrolled(technician)
    with opened(technician, EXPORTED, write=True) as store:
        with pytest.raises(
            BeyondRole, match=r"is a technician's keystore and cannot import nodes: that takes the con"
        ):
            importing.take_in(store, box)
        with pytest.raises(BeyondRole, match="cannot rotate"):
            rotate.rotate(store, PASSPHRASE)
        with pytest.raises(BeyondRole, match="cannot open what nodes sealed"):
            store.registry()
        with pytest.raises(BeyondRole, match="cannot read a processor's table"):
            store.table()


def test_each_byte_of_an_outbox_changed_gives_no_node(controller: Path, technician: Path) -> None:
    box = enrolled(technician)
    whole = box.read_bytes()
    with opened(controller, write=True) as store:
        for at in range(len(whole)):
            box.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            try:
                done = importing.take_in(store, box)
            except (Damaged, UsageError):
                continue
            assert (done.enrolled, done.rekeyed, done.known, len(done.refused)) == (0, 0, 0, 1)
            assert done.refused[0].startswith("item 1: ")
        for length in range(len(whole)):
            box.write_bytes(whole[:length])
            with pytest.raises(PlumveilError):
                importing.take_in(store, box)
        assert store.find(NEW) is None


def test_only_technicians_of_this_tenant_enrol(controller: Path, technician: Path, tmp_path: Path) -> None:
    """Anybody can seal to the controller's public key; nobody else can sign."""
    with opened(technician, EXPORTED) as store:
        public = store.meta.enrol_public
        own = store.signing_key
    assert public is not None
    assert own is not None
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    delivery = outbox.Delivery(outbox.ENROL, NEW, "virtual", None, key_set(NEW), (), NOW_S)
    box = tmp_path / "box"
    for tenant, key in ((keystores.TENANT, stranger), ("acme2", own)):
        outbox.store(box, [outbox.seal(delivery, tenant, public, key)])
        assert taken_in(controller, box).refused == ("item 1: not signed by a technician's keystore of this tenant",)
    # Nor does a processor's key sign for a technician.
    processor = hand_out(controller, "processor", Share((0,), DAY, DAY))
    with opened(processor, EXPORTED) as store:
        assert store.signing_key is not None
        outbox.store(box, [outbox.seal(delivery, keystores.TENANT, public, store.signing_key)])
    assert len(taken_in(controller, box).refused) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"made_s": NOW_S + 86400}, "made after the technician's keystore was expired"),
        ({"name": "a\x1b[2J"}, "a name that no node can have"),
        ({"name": "fridge~1"}, "a name that no node can have"),
        ({"name": keystores.NAMES[1]}, "there is a node of its name with other keys"),
        ({"kind": outbox.REKEY}, "rekeys a node that is not here"),
        ({"kind": "retire"}, "not sealed to the enrolment key in force, or damaged"),
        ({"name": keystores.NAMES[2], "kind": outbox.REKEY}, "its node is retired"),
    ],
)
def test_a_technician_cannot_deliver_just_anything(tmp_path: Path, change: dict[str, object], why: str) -> None:
    entries = [keystores.entry(name) for name in keystores.NAMES]
    entries[2] = dataclasses.replace(entries[2], state="retired", keys=None)
    controller = make(tmp_path, *entries)
    technician = hand_out(controller, "technician")
    delivery = outbox.Delivery(outbox.ENROL, NEW, "virtual", None, key_set(NEW), (), NOW_S)
    box = tmp_path / "box"
    with opened(technician, EXPORTED) as store:
        assert store.signing_key is not None
        assert store.meta.enrol_public is not None
        changed = dataclasses.replace(delivery, **change)  # type: ignore[arg-type]
        item = outbox.seal(changed, store.tenant, store.meta.enrol_public, store.signing_key)
        good = outbox.seal(delivery, store.tenant, store.meta.enrol_public, store.signing_key)
    outbox.store(box, [item, good])
    done = taken_in(controller, box)
    # One that is refused does not keep the others out.
    assert (done.enrolled, len(done.refused)) == (1, 1)
    assert done.refused[0].startswith(f"item 1: {why}")


def test_a_technician_rekeys(controller: Path, technician: Path) -> None:
    name = keystores.NAMES[0]
    new = key_set("renewed", DAY)
    with opened(technician, EXPORTED, write=True) as store, drawing(new):
        given: list[enrol.Handover] = []
        enrol.rekey(store, name, None, given.append)
        box = store.beside(OUTBOX)
        assert store.get(name).k_config == new.k_config
    assert given[0].old_k_config == (key_set(name).k_config,)
    assert taken_in(controller, box) == Imported(rekeyed=1)
    assert taken_in(controller, box) == Imported(known=1)
    with opened(controller) as store:
        entry = store.get(name)
        assert (entry.keys, entry.k_config) == (new, new.k_config)
        assert entry.history == (dataclasses.replace(key_set(name), last_day=DAY),)
        assert entry.consents
        assert [node.name for node in store.registry().nodes][:2] == [name, f"{name}~1"]


def test_items_of_one_file_build_on_each_other(controller: Path, technician: Path) -> None:
    enrolled(technician)
    with opened(technician, EXPORTED, write=True) as store, drawing(key_set("renewed", DAY)):
        enrol.rekey(store, NEW, None, nowhere)
        box = store.beside(OUTBOX)
    assert taken_in(controller, box) == Imported(enrolled=1, rekeyed=1)
    with opened(controller) as store:
        assert store.get(NEW).keys == key_set("renewed", DAY)
        assert len(store.get(NEW).history) == 1


def test_after_a_rotation_what_was_sealed_before_cannot_be_read_and_says_so(
    controller: Path, technician: Path
) -> None:
    box = enrolled(technician)
    with opened(controller, write=True) as store:
        with pytest.raises(PlumveilError, match="since the last rotation: 1; what they enrolled"):
            rotate.rotate(store, keystores.RENEWED, cost=keystores.CHEAP)
        rotate.rotate(store, keystores.RENEWED, end_technicians=True, cost=keystores.CHEAP)
    with opened(controller, keystores.RENEWED, write=True) as store:
        assert importing.take_in(store, box).refused == (
            "item 1: not sealed to the enrolment key in force, or damaged",
        )


def refusing(_: enrol.Handover) -> None:
    raise NodeRefused("the node has keys already")


def lost(_: enrol.Handover) -> None:
    raise NodeLost("the line broke off")


@pytest.mark.parametrize("role", ["controller", "technician"])
def test_a_node_that_refuses_leaves_no_trace(controller: Path, technician: Path, role: str) -> None:
    path, passphrase = (controller, PASSPHRASE) if role == "controller" else (technician, EXPORTED)
    with opened(path, passphrase, write=True) as store:
        before = list(store.nodes())
        with pytest.raises(NodeRefused):
            enrol.enrol(store, NEW, "virtual", "general", None, refusing)
        with pytest.raises(NodeRefused):
            enrol.rekey(store, before[0].name, None, refusing)
        assert list(store.nodes()) == before
        box = store.beside(OUTBOX)
        assert not box.exists() or outbox.load(box) == []
    with opened(path, passphrase) as store:
        assert list(store.nodes()) == before


@pytest.mark.parametrize("role", ["controller", "technician"])
def test_the_keys_of_a_node_that_is_lost_midway_are_kept(controller: Path, technician: Path, role: str) -> None:
    path, passphrase = (controller, PASSPHRASE) if role == "controller" else (technician, EXPORTED)
    with opened(path, passphrase, write=True) as store, drawing(key_set(NEW, DAY)):
        with pytest.raises(NodeLost, match=f"Its keys stand in {path}: `plumveil keys rekey {NEW}`"):
            enrol.enrol(store, NEW, "virtual", "general", None, lost)
        box = store.beside(OUTBOX)
    if role == "technician":
        assert taken_in(controller, box) == Imported(enrolled=1)
    with opened(controller) as store:
        assert store.get(NEW).keys == key_set(NEW, DAY)


def test_the_keys_are_on_disk_before_the_node_has_them(controller: Path, technician: Path) -> None:
    seen = []

    def deliver(_: enrol.Handover) -> None:
        with opened(controller) as store, opened(technician, EXPORTED) as other:
            seen.append(store.find(NEW) is not None)
            seen.append(other.find("other") is not None and len(outbox.load(other.beside(OUTBOX))) == 1)

    with opened(controller, write=True) as store:
        enrol.enrol(store, NEW, "virtual", "general", None, deliver)
    with opened(technician, EXPORTED, write=True) as store:
        enrol.enrol(store, "other", "virtual", "general", None, deliver)
    assert seen == [True, False, True, True]


def test_a_full_outbox_says_so(technician: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(technician)
    monkeypatch.setattr(outbox, "FILE_MAX_BYTES", 600)
    with opened(technician, EXPORTED, write=True) as store:
        with pytest.raises(PlumveilError, match="is full: have the controller import it"):
            enrol.enrol(store, "other", "virtual", "general", None, nowhere)
        assert len(outbox.load(store.beside(OUTBOX))) == 1


def test_hpke_is_that_of_rfc_9180() -> None:
    """Opened by our own reading of RFC 9180, base mode, written out from the text with other primitives."""
    from tests.host import hpke_by_hand

    private = bytes(range(32))
    sealed = sealing.seal_to(sealing.x25519_public(private), b"what is sent", b"info")
    assert hpke_by_hand.open_base(private, sealed, b"info") == b"what is sent"
    assert sealing.unseal_own(
        private, hpke_by_hand.seal_base(sealing.x25519_public(private), b"back", b"i"), b"i"
    ) == (b"back")
    with pytest.raises(sealing.Unsealed):
        sealing.unseal_own(private, sealed, b"other info")
    assert wire.KEY_BYTES == sealing.KEY_BYTES
