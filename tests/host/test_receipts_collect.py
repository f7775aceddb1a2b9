"""`plumveil consent collect`: receipts come into the keystore once, chain and all, and vouch for positions from then
on; nothing but events is opened, and who was read about is on record first."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from host_tools import derive, keyring, message_keys
from host_tools.consent import delegating
from host_tools.consent import receipts as records
from host_tools.envelope import Envelope
from host_tools.keys import sealing
from host_tools.keys.entries import Entry
from host_tools.receipts.entries import read
from host_tools.registry import ConsentRecord, Node
from plumveil import terms, wire
from tests.host import messages, receipts, stores
from tests.host.command_line import NOW, Ended, run
from tests.host.messages import SERIAL, START_S
from tests.host.receipts import UNSEEN, WITHOUT_RECEIPT, Log, grant, position

LOG = receipts.told()
CAME = receipts.receipts(LOG)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A keystore of the node, whose consent no receipt vouches for yet."""
    return stores.controller(tmp_path, stores.entry(WITHOUT_RECEIPT))


def put(folder: Path, *data: bytes, name: str = "messages.cborseq") -> Path:
    path = folder / name
    path.write_bytes(b"".join(data))
    return path


def collect(store: Path, path: Path | str, **more: Any) -> Ended:
    given = {"PLUMVEIL_PASSPHRASE": stores.PASSPHRASE, **more}
    return run("consent", "collect", path, "--keystore", store, "--now", NOW, **given)


def fridge(store: Path) -> Entry:
    with stores.open_store(store) as opened:
        return opened.node(0)


def last_line(ended: Ended) -> str:
    return ended.out.strip().splitlines()[-1]


def test_receipts_are_kept_and_vouch_from_then_on(store: Path, tmp_path: Path) -> None:
    taken = put(tmp_path, position(), name="position.cbor")
    assert stores.with_store("validate", store, taken).code == 1
    ended = collect(store, put(tmp_path, *CAME))
    assert (ended.code, ended.err) == (0, "")
    assert last_line(ended) == "6 receipts of 1 nodes in 6 events: 6 new, 0 known"
    kept = fridge(store)
    assert kept.receipts == tuple(LOG.entries)
    assert [one.receipted for one in kept.consents] == [True]
    assert stores.with_store("validate", store, taken).code == 0


def test_collecting_again_changes_nothing(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, *CAME)
    assert collect(store, path).code == 0
    before = store.read_bytes()
    ended = collect(store, path)
    assert (ended.code, last_line(ended)) == (0, "6 receipts of 1 nodes in 6 events: 0 new, 6 known")
    assert store.read_bytes() == before


def test_pieces_in_any_order_come_to_the_whole(store: Path, tmp_path: Path) -> None:
    ended = collect(store, put(tmp_path, *CAME[3:], CAME[0]))
    assert ended.code == 0
    assert "fridge: entries 2 to 3 missing so far" in ended.out
    assert [one.receipted for one in fridge(store).consents] == [False]
    ended = collect(store, put(tmp_path, *CAME[1:3]))
    assert (ended.code, ended.out) == (0, "2 receipts of 1 nodes in 2 events: 2 new, 0 known\n")
    assert fridge(store).receipts == tuple(LOG.entries)


def test_another_entry_under_a_number_is_told_and_left_out(store: Path, tmp_path: Path) -> None:
    """The flash put back to after the second entry, and two other entries since."""
    assert collect(store, put(tmp_path, *CAME)).code == 0
    put_back = Log(*LOG.entries[:2])
    for _ in range(5):
        put_back.add(terms.LOG_REFUSED, [terms.N_FORGED])
    other = [receipts.receipt(entry, 20 + n) for n, entry in enumerate(put_back.entries)]
    ended = collect(store, put(tmp_path, *other))
    assert ended.code == 1
    for number in (3, 4, 5, 6):
        assert f"fridge: another entry {number} is on record than came" in ended.out
    assert "fridge: entry 7 does not fit its neighbours, and is left out" in ended.out
    assert fridge(store).receipts == tuple(LOG.entries)


def test_only_events_are_opened(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    honest = keyring.StreamKeys.open

    def watched(self: keyring.StreamKeys, envelope: Envelope) -> bytes:
        opened.append(self.stream)
        return honest(self, envelope)

    monkeypatch.setattr(keyring.StreamKeys, "open", watched)
    others = [messages.sealed(stream) for stream in (wire.READINGS, wire.LOCATION, wire.DEVICE)]
    ended = collect(store, put(tmp_path, *others, *CAME))
    assert ended.code == 0
    assert set(opened) == {wire.EVENTS}
    assert last_line(ended) == "3 messages of other streams, or of nobody here, were not opened"


def test_an_event_that_is_not_sound_is_told_and_not_kept(store: Path, tmp_path: Path) -> None:
    wrong = receipts.sealed(wire.EVENTS, receipts.body(LOG.entries[0], time=START_S + 1))
    ended = collect(store, put(tmp_path, wrong))
    assert ended.code == 1
    assert "#1, events: resolution at time" in ended.out
    assert fridge(store).receipts == ()


def test_a_sequence_that_breaks_off_is_told(store: Path, tmp_path: Path) -> None:
    ended = collect(store, put(tmp_path, CAME[0], CAME[1][:40]))
    assert ended.code == 1
    assert "#2: here the sequence breaks off" in ended.out
    assert fridge(store).receipts == tuple(LOG.entries[:1])


def test_whom_receipts_are_about_is_on_record_before_they_are_kept(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, *CAME)
    assert collect(store, path).code == 0
    assert stores.told(store)[-1] == ("consent_collect", ("fridge",), 6, "receipts")
    log = store.with_name(f"{store.name}.log")
    log.write_bytes(b"{}\n" + log.read_bytes())
    before = store.read_bytes()
    ended = collect(store, put(tmp_path, receipts.receipt(Log(*LOG.entries).add(terms.LOG_POLICY, [2]), 9)))
    assert (ended.code, ended.out) == (1, "")
    assert "what cannot be logged is not done" in ended.err
    assert store.read_bytes() == before


def test_nothing_to_keep_is_no_entry(store: Path, tmp_path: Path) -> None:
    assert collect(store, put(tmp_path, messages.sealed(wire.EVENTS))).code == 0
    assert not store.with_name(f"{store.name}.log").exists()


@pytest.mark.parametrize("role", ["technician", "processor", "auditor"])
def test_other_roles_cannot(store: Path, tmp_path: Path, role: str) -> None:
    ended = collect(stores.handed_out(store, role), put(tmp_path, *CAME))
    assert ended.code == 1
    assert f"{role}'s keystore and cannot collect receipts: that takes the controller's" in ended.err


def test_a_copy_of_the_controllers_takes_none(store: Path, tmp_path: Path) -> None:
    ended = collect(stores.handed_out(store, "controller"), put(tmp_path, *CAME))
    assert ended.code == 1
    assert "use the keystore it was exported from" in ended.err


def test_a_path_mistyped_asks_for_no_passphrase(store: Path, tmp_path: Path) -> None:
    ended = collect(store, tmp_path / "none", PLUMVEIL_PASSPHRASE="")
    assert ended.code == 2
    assert "No such file" in ended.err


EARLIER = WITHOUT_RECEIPT.model_copy(update={"k_id": "9a" * 32, "k_chain": "9b" * 32, "k_consent": "9c" * 32})


def test_under_other_keys_a_node_begins_another_log(tmp_path: Path) -> None:
    """The same numbers, other entries: neither contradicts the other."""
    store = stores.controller(tmp_path, stores.entry(WITHOUT_RECEIPT, EARLIER))
    before = Log()
    for n in range(3):
        before.add(terms.LOG_REFUSED, [terms.N_EXPIRED], START_S + n)
    data = [receipts.receipt(entry, n, node=EARLIER) for n, entry in enumerate(before.entries)]
    ended = collect(store, put(tmp_path, *data, *CAME))
    assert (ended.code, last_line(ended)) == (0, "9 receipts of 1 nodes in 9 events: 9 new, 0 known")
    kept = fridge(store)
    assert kept.keys is not None
    assert kept.keys.receipts == tuple(LOG.entries)
    assert kept.history[0].receipts == tuple(before.entries)
    assert kept.receipts == (*before.entries, *LOG.entries)


def test_a_keystore_that_is_searched(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_keys, "NODES_TRIED_MAX", 0)
    ended = collect(store, put(tmp_path, *CAME))
    assert (ended.code, last_line(ended)) == (0, "6 receipts of 1 nodes in 6 events: 6 new, 0 known")
    assert fridge(store).receipts == tuple(LOG.entries)


DELEGATED = UNSEEN.model_copy(update={"serial": SERIAL + 9, "secret": "ab" * 32, "who": "R. Keller"})


def sealed_secret(store: Path, consent: ConsentRecord, node: Node = WITHOUT_RECEIPT) -> bytes:
    """A delegate's secret, sealed to the controller."""
    with stores.open_store(store) as opened:
        public = opened.meta.enrol_public
    assert public is not None
    name = derive.grant_node(bytes.fromhex(node.k_consent), node.tenant)
    info = delegating.sealing_info(node.tenant, name, consent.serial)
    return sealing.seal_to(public, bytes.fromhex(consent.secret), info)


def delegates_log(store: Path, **more: Any) -> Log:
    log = Log()
    log.add(terms.LOG_GRANTED, grant(DELEGATED, **{"sealed": sealed_secret(store, DELEGATED), **more}))
    return log


def test_a_delegates_consent_comes_with_its_receipt(store: Path, tmp_path: Path) -> None:
    plain = messages.location(consent=messages.reference(DELEGATED.serial))
    own = dataclasses.replace(receipts.sender(wire.LOCATION), consent_secret=bytes.fromhex(DELEGATED.secret))
    taken = put(tmp_path, own.seal(messages.STEP, 1, 0, messages.encoder.plaintext(plain)), name="taken.cbor")
    assert "authenticity" in stores.with_store("validate", store, taken).out
    ended = collect(store, put(tmp_path, *receipts.receipts(delegates_log(store))))
    assert ended.code == 0
    assert "1 consents that delegates gave are on record now" in ended.out
    kept = fridge(store).consents[-1]
    expected = {"receipted": True, "delegation": receipts.CAVEATS[terms.D_ID], "person": "R. Keller"}
    assert kept == DELEGATED.model_copy(update=expected)
    assert stores.with_store("validate", store, taken).code == 0
    assert "delegates" not in collect(store, put(tmp_path, *receipts.receipts(delegates_log(store))[:0], *CAME)).out


def test_a_secret_sealed_to_somebody_else_leaves_the_receipt_and_no_consent(store: Path, tmp_path: Path) -> None:
    log = delegates_log(store, sealed=bytes(80))
    ended = collect(store, put(tmp_path, *receipts.receipts(log)))
    assert ended.code == 1
    assert f"fridge: consent {DELEGATED.serial}: {records.UNOPENED}" in ended.out
    assert fridge(store).receipts == tuple(log.entries)
    assert [one.serial for one in fridge(store).consents] == [SERIAL]


def test_a_secret_sealed_for_another_serial_is_none(store: Path, tmp_path: Path) -> None:
    other = DELEGATED.model_copy(update={"serial": DELEGATED.serial + 1})
    ended = collect(
        store, put(tmp_path, *receipts.receipts(delegates_log(store, sealed=sealed_secret(store, other))))
    )
    assert (ended.code, len(fridge(store).consents)) == (1, 1)


def test_a_secret_used_twice_is_refused(store: Path, tmp_path: Path) -> None:
    """A keystore with one secret in two consents could not be read any more."""
    same = DELEGATED.model_copy(update={"secret": UNSEEN.secret})
    log = delegates_log(store, sealed=sealed_secret(store, same))
    ended = collect(store, put(tmp_path, *receipts.receipts(log)))
    assert ended.code == 1
    assert records.REPEATED in ended.out
    assert stores.with_store("validate", store, put(tmp_path, *CAME)).code == 0


def test_a_grant_of_the_controllers_that_it_does_not_know_is_told(store: Path, tmp_path: Path) -> None:
    log = Log()
    log.add(terms.LOG_GRANTED, grant(DELEGATED))
    ended = collect(store, put(tmp_path, *receipts.receipts(log)))
    assert ended.code == 1
    assert f"fridge: consent {DELEGATED.serial}: {records.UNKNOWN}" in ended.out
    assert fridge(store).receipts == tuple(log.entries)


@pytest.mark.parametrize("part", [terms.G_PURPOSE, terms.G_WHO, terms.G_NOTICE, terms.G_POLICY, terms.G_ISSUED_S])
def test_what_was_said_otherwise_than_it_was_given_is_told(store: Path, tmp_path: Path, part: int) -> None:
    log = Log()
    log.add(terms.LOG_GRANTED, {**grant(), part: 3 if part in (terms.G_POLICY, terms.G_ISSUED_S) else "else"})
    ended = collect(store, put(tmp_path, *receipts.receipts(log)))
    assert ended.code == 1
    assert f"fridge: consent {SERIAL}: {records.OTHER}" in ended.out
    assert [one.receipted for one in fridge(store).consents] == [False]


def test_what_is_kept_is_read_again_as_it_was(store: Path, tmp_path: Path) -> None:
    assert collect(store, put(tmp_path, *CAME)).code == 0
    assert [read(raw).number for raw in fridge(store).receipts] == [1, 2, 3, 4, 5, 6]
