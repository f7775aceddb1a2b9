"""The commands `plumveil consent revoke`, `delegate` and `void` as a controller meets them: what is on record, what
nodes and technicians get, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import derive
from host_tools.consent import delegating
from host_tools.errors import PlumveilError
from host_tools.keys import enrol, when
from plumveil import grant as node_side
from plumveil import terms, wire
from plumveil.errors import GrantRefused
from tests.host.consenting import (
    DELEGATE,
    FREEZER,
    FRIDGE,
    GIVE,
    LORRY,
    TERMS,
    UNTIL,
    State,
    listed,
    ran,
    read,
    told,
)
from tests.host.keystores import (
    EXPORTED,
    NAMES,
    NOW_S,
    TENANT,
    consent_command,
    entry,
    error_line,
    key_set,
    make,
    opened,
)
from tests.host.stores import logged


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path, *(entry(name, consents=()) for name in NAMES))


def test_taken_back_is_on_record_and_nothing_up_to_then_is_believed(path: Path, tmp_path: Path) -> None:
    ran(path, "issue", "--node", LORRY, *GIVE, "--out", tmp_path / "old")
    out = tmp_path / "messages"
    said = ran(path, "revoke", "--node", LORRY, "--out", out, "--days", "3")
    serial = NOW_S + terms.AHEAD_MAX_S - wire.UNIX_MIN_S
    assert said.splitlines() == [
        f"Taken back for {LORRY}, and on record.",
        f"{out} holds 3 messages: publish each one, retained, on the topic it is called by.",
        "The node's receipt confirms it: `plumveil consent collect` takes it in, `consent list` shows it.",
    ]
    assert told(path) == ("consent_revoke", 1, "")
    names = derive.Chain(key_set(LORRY).k_id)
    for epoch in range(20, 23):
        message = out / "pv" / "1" / "c" / derive.session_id(names.at(epoch), TENANT)
        assert message.stat().st_mode & 0o777 == 0o600
        assert node_side.command(message.read_bytes(), State(LORRY, epoch=epoch)) == (terms.DOWN_REVOKE, serial)
    (one,) = listed(path, "--node", LORRY)["consents"]
    assert (one["state"], one["taken_back"]) == ("taken back", "2026-07-16T08:20:00Z")
    # The grant that is still about is refused by the node then, and the next one is above it.
    with pytest.raises(GrantRefused):
        read(LORRY, (tmp_path / "old").read_bytes(), State(LORRY, serial))
    ran(path, "issue", "--node", LORRY, *GIVE, "--out", tmp_path / "new")
    later_s = NOW_S + 2
    new = read(LORRY, (tmp_path / "new").read_bytes(), State(LORRY, serial), later_s)
    assert new[terms.G_SERIAL] == serial + 1
    with opened(path) as store:
        assert [one.revoked_s for one in store.get(LORRY).consents] == [NOW_S, None]


def test_taken_back_without_a_way_is_said_to_be_sent_nowhere(path: Path) -> None:
    said = ran(path, "revoke", "--node", LORRY, "--node", FREEZER)
    assert said.splitlines() == [
        "Taken back for 2 nodes, and on record.",
        "Nothing was sent: --broker or --out does. At the node `plumveil gps off` takes effect at once.",
    ]


WRONG_WAYS = [
    (("--days", "0", "--out", "x"), "--days takes 1 to 366"),
    (("--broker", "mqtts://h", "--out", "x"), "give --broker or --out, not both"),
    (("--broker", "mqtt://broker.example"), "plain mqtt:// is for this very machine only"),
    (("--broker", "mqtts://u:secret@h"), "a password there is seen by everybody on this machine"),
    (("--broker", "http://h"), "a broker is given as mqtt"),
    (("--broker", "mqtts://h", "--broker-ca", "absent"), "--broker-ca: cannot read absent"),
    (("--broker-ca", "x"), "are for a --broker"),
]


@pytest.mark.parametrize(("way", "words"), WRONG_WAYS, ids=[words for _, words in WRONG_WAYS])
def test_a_wrong_way_takes_nothing_back(path: Path, way: tuple[str, ...], words: str) -> None:
    refused = consent_command("revoke", "--node", LORRY, *way, "--keystore", path)
    assert words in error_line(refused, 2)
    assert "secret" not in refused.err
    assert logged(path) == []


def test_a_delegation_is_a_technicians_keystore(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "laptop"
    said = ran(path, "delegate", "--node", LORRY, "--node", FRIDGE, *DELEGATE, "--out", out)
    scope = f"{LORRY}, {FRIDGE}"
    assert said.splitlines() == [
        f"Delegation 1: T. Echnician may grant district or coarser for {scope} until 2026-07-20T12:00:00Z.",
        f"{out} is the technician's keystore that holds it.",
    ]
    assert [(one.action, one.detail) for one in logged(path)] == [
        ("consent_delegate", "delegation 1 tier district until 2026-07-20"),
        ("export", "role technician expires 2026-07-20"),
    ]
    with opened(out, EXPORTED) as store:
        assert (store.role, store.count) == ("technician", 3)
        assert [len(one.delegations) for one in store.nodes()] == [1, 1, 0]
        data = delegating.delegated(store, store.get(LORRY), 0, 2, "asked for on site")
    parts = read(LORRY, data)
    assert parts[terms.G_DELEGATION][: terms.D_TIER] == [1, "T. Echnician", scope]
    # It cannot be asked whose it is that has no delegation.
    (one,) = listed(path, "--node", LORRY)["delegations"]
    assert (one["delegation"], one["state"], one["nodes"]) == (1, "in force", [LORRY, FRIDGE])
    assert listed(path, "--node", FREEZER)["delegations"] == []
    assert [one["nodes"] for one in listed(out, passphrase=EXPORTED)["delegations"]] == [[FRIDGE], [LORRY]]


def test_a_person_keeps_what_is_in_force_and_nobody_elses(path: Path, tmp_path: Path) -> None:
    for number, (node, person) in enumerate(((LORRY, "T. Echnician"), (LORRY, "A. Nother"), (LORRY, "T. Echnician"))):
        given = (*TERMS, *UNTIL, "--person", person)
        ran(path, "delegate", "--node", node, *given, "--out", tmp_path / f"{number}")
    ran(path, "void", "1")
    ran(path, "delegate", "--node", FREEZER, *DELEGATE, "--out", tmp_path / "last")
    held = {}
    for name in ("0", "1", "2", "last"):
        with opened(tmp_path / name, EXPORTED) as store:
            held[name] = [[one.caveats.id for one in node.delegations] for node in store.nodes()]
    assert held == {
        "0": [[], [1], []],
        "1": [[], [2], []],
        "2": [[], [1, 3], []],
        "last": [[], [3], [4]],
    }


def test_with_other_keys_a_node_knows_no_delegation_of_before(path: Path, tmp_path: Path) -> None:
    ran(path, "delegate", "--node", LORRY, *DELEGATE, "--out", tmp_path / "laptop")
    with opened(tmp_path / "laptop", EXPORTED, write=True) as store:
        enrol.rekey(store, LORRY, None, lambda _: None)
        assert store.get(LORRY).delegations == ()
        with pytest.raises(PlumveilError, match="holds no delegation"):
            delegating.delegated(store, store.get(LORRY), 0, 2, "asked for on site")


def test_the_texts_of_a_delegation_leave_room_for_a_reason(path: Path, tmp_path: Path) -> None:
    wide = ("--purpose", "\U0001f69a" * 40, "--notice", "\U0001f69a" * 40)
    refused = consent_command(
        "delegate", "--node", LORRY, *DELEGATE, *wide, "--out", tmp_path / "x", "--keystore", path
    )
    assert "the consent's texts are too long" in error_line(refused, 2)
    assert logged(path) == []


NO_DELEGATION: list[tuple[tuple[str, ...], int, str]] = [
    (("--until", "2027-12-31"), 2, "--until takes up to 2027-07-17: no keystore is handed out for longer"),
    (("--person", ""), 2, "--person takes 1 to 64 printable characters"),
    (("--tier", "street"), 1, "allows area at the finest"),
]


@pytest.mark.parametrize(("wrong", "code", "words"), NO_DELEGATION, ids=[words for *_, words in NO_DELEGATION])
def test_a_delegation_that_cannot_be(
    path: Path, tmp_path: Path, wrong: tuple[str, ...], code: int, words: str
) -> None:
    given: tuple[str | Path, ...] = (*DELEGATE, *wrong, "--out", tmp_path / "x", "--keystore", path)
    assert words in error_line(consent_command("delegate", "--node", LORRY, *given), code)
    assert logged(path) == []
    with opened(path) as store:
        assert store.meta.delegations == ()


def test_void_is_on_record_and_told_to_its_nodes(path: Path, tmp_path: Path) -> None:
    ran(path, "delegate", "--node", LORRY, "--node", FRIDGE, *DELEGATE, "--out", tmp_path / "laptop")
    out = tmp_path / "messages"
    said = ran(path, "void", "1", "--out", out, "--days", "1")
    assert said.startswith("Delegation 1 is void for 2 nodes, and on record.\n")
    assert told(path) == ("consent_void", 2, "delegation 1")
    for name in (LORRY, FRIDGE):
        message = out / "pv" / "1" / "c" / derive.session_id(derive.Chain(key_set(name).k_id).at(20), TENANT)
        assert node_side.command(message.read_bytes(), State(name)) == (terms.DOWN_VOID, 1)
    (one,) = listed(path)["delegations"]
    assert (one["state"], one["voided"]) == ("void", "2026-07-16T08:20:00Z")
    assert "there is no delegation 2; `plumveil consent list` shows them" in error_line(
        consent_command("void", "2", "--keystore", path)
    )
    stranger = consent_command("void", "1", "--node", FREEZER, "--keystore", path)
    assert "delegation 1 is not for 'freezer-3'" in error_line(stranger)


def test_one_command_a_day_is_not_put_in_anothers_place_unasked(path: Path, tmp_path: Path) -> None:
    ran(path, "issue", "--node", LORRY, *GIVE, "--out", tmp_path / "grant")
    ran(path, "delegate", "--node", LORRY, "--node", FRIDGE, *DELEGATE, "--out", tmp_path / "laptop")
    out = tmp_path / "messages"
    ran(path, "revoke", "--node", LORRY, "--out", out, "--days", "1")
    message = out / "pv" / "1" / "c" / derive.session_id(derive.Chain(key_set(LORRY).k_id).at(20), TENANT)
    taken_back = message.read_bytes()
    said = ran(path, "void", "1", "--out", out, "--days", "1")
    assert f"Note: {LORRY} hears one command a day, and did not confirm yet that its consent was taken back" in said
    assert f"`plumveil consent void 1 --node {LORRY}` tells it, in place of that." in said
    assert message.read_bytes() == taken_back
    assert len(list(message.parent.iterdir())) == 2
    ran(path, "void", "1", "--node", LORRY, "--out", out, "--days", "1")
    assert node_side.command(message.read_bytes(), State(LORRY)) == (terms.DOWN_VOID, 1)
    said = ran(path, "revoke", "--node", FRIDGE, "--out", out)
    assert f"Note: {FRIDGE} hears this in place of a delegation declared void, which it did not confirm yet." in said
