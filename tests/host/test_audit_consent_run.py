"""`plumveil audit --messages`, the command: its records after ISO/IEC TS 27560, periods and single nodes, what is
logged before it is shown, and what is never shown.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from host_tools import message_keys
from host_tools.auditing import history
from host_tools.policy import compiling
from host_tools.policy.profile import load_profile
from plumveil import terms, wire
from tests.host import configuring, messages, receipts, stores
from tests.host.audits import (
    COLUMN,
    ROW,
    audit,
    collected,
    document,
    forget_log,
    given,
    keystore,
    leaks,
    node,
    positions,
    put,
)
from tests.host.command_line import run
from tests.host.messages import SERIAL, START_S
from tests.host.receipts import WITHOUT_RECEIPT, Log, grant

CAME = receipts.receipts(given())
OWN = {"tenant": messages.TENANT}  # of a node.toml


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return keystore(tmp_path)


def test_a_consent_as_the_standard_names_its_fields(store: Path, tmp_path: Path) -> None:
    _, found = document(store, put(tmp_path, *receipts.receipts(receipts.told())))
    (record,) = node(found)["consents"]
    assert {"schema_version", "record_id", "pii_principal_id", "pii_processing", "party_identification"} < set(record)
    processing = record["pii_processing"]
    assert processing["privacy_notice"] == receipts.UNSEEN.notice
    assert processing["purposes"] == [{"purpose": "test", "lawful_basis": "consent"}]
    assert processing["pii_controllers"] == [messages.TENANT]
    assert processing["pii_information"] == [{"pii_type": "location", "tier": "area", "nominal_m": 1000}]
    assert record["consent_receipt"]["number"] == 2
    states = [(one["event_state"], one["event_time"], one["entity_id"]) for one in record["consent_events"]]
    assert states[1:] == [
        ("in force", "2026-05-30T12:02:00Z", "node"),
        ("withdrawn", "2026-05-30T12:30:00Z", "button"),
    ]
    assert {one["event_type"] for one in record["consent_events"]} == {"explicit"}
    assert record["event_state"] == "withdrawn"
    # What is not known is said to be so.
    assert {"language", "jurisdiction"} < set(record["not_recorded"])
    assert processing["jurisdiction"] is None


def test_a_node_toml_tells_where_data_may_go(store: Path, tmp_path: Path) -> None:
    service = {**OWN, "jurisdiction": "GB", "endpoint_region": "US", "safeguard": "idta"}
    file = configuring.put(tmp_path, service=service)
    _, found = document(store, put(tmp_path, *CAME), "--node-toml", file, "--node", "fridge")
    (record,) = node(found)["consents"]
    processing = record["pii_processing"]
    assert [processing[name] for name in ("jurisdiction", "storage_locations", "geographic_restrictions")] == [
        "GB",
        ["US"],
        "idta",
    ]
    assert "jurisdiction" not in record["not_recorded"]


def test_a_node_toml_tells_of_the_node_that_it_names_alone(tmp_path: Path) -> None:
    store = keystore(tmp_path, stores.entry(WITHOUT_RECEIPT), stores.entry(stores.OTHER))
    file = configuring.put(tmp_path, node={"name": "fridge"}, service=OWN)
    _, found = document(store, put(tmp_path, *CAME), "--node-toml", file)
    told = {
        one["node"]: [record["pii_processing"]["jurisdiction"] for record in one["consents"]]
        for one in found["nodes"]
    }
    assert told == {"fridge": ["EU"], "truck": [None]}


@pytest.mark.parametrize(
    ("sections", "about", "said"),
    [
        ({"service": {"tenant": "acme"}}, "fridge", "'acme' is not 'clinic', whose keystore this is"),
        ({"service": OWN}, None, "node.toml names no node: say with --node whose it is"),
        ({"service": OWN, "node": {"name": "truck"}}, "fridge", "is the node.toml of 'truck', not of 'fridge'"),
        ({"service": OWN, "node": {"name": "nobody"}}, None, "has no node named 'nobody'"),
    ],
    ids=["another tenant's", "names no node", "another node's", "nobody's"],
)
def test_a_node_toml_of_somebody_else_is_refused(
    store: Path, tmp_path: Path, sections: dict[str, Any], about: str | None, said: str
) -> None:
    file = configuring.put(tmp_path, **sections)
    only = () if about is None else ("--node", about)
    ended = audit(store, put(tmp_path, *CAME), "--node-toml", file, *only)
    assert (ended.code, ended.out) == (1 if "nobody" in said else 2, "")
    assert said in ended.err
    assert stores.logged(store) == []


def test_how_long_a_position_waits_on_the_node_is_told_where_it_is_on_record(tmp_path: Path) -> None:
    profile = load_profile("general")
    known = cbor2.dumps({**compiling.policy_map(profile), wire.P_VERSION: receipts.UNSEEN.policy})
    days = profile.retention()[wire.LOCATION]
    for policy_map, expected in ((known, f"{days} days on the node; what recipients keep is theirs"), (b"", None)):
        folder = tmp_path / str(len(policy_map))
        folder.mkdir()
        entry = dataclasses.replace(stores.entry(WITHOUT_RECEIPT), policy_map=policy_map)
        _, found = document(keystore(folder, entry), put(folder, *CAME))
        (record,) = node(found)["consents"]
        told = record["pii_processing"]["retention_period"]
        assert told == expected or (expected is not None and told.startswith(expected))
        assert ("retention_period" in record["not_recorded"]) == (expected is None)


def test_recipients_are_those_who_were_given_keys_of_positions(store: Path, tmp_path: Path) -> None:
    stores.handed_out(store, "processor")
    stores.handed_out(store, "auditor")
    _, found = document(store, put(tmp_path, *CAME))
    (record,) = node(found)["consents"]
    (recipient,) = record["pii_processing"]["recipient_third_parties"]
    assert recipient.startswith("a processor, days 2026-05-30 to 2026-05-30, keys until ")


@pytest.mark.parametrize(
    ("state", "log"),
    [
        ("given", given()),
        ("no receipt", Log()),
        ("withdrawn", receipts.told()),
    ],
    ids=["given", "no receipt", "withdrawn"],
)
def test_how_a_consent_stands(tmp_path: Path, state: str, log: Log) -> None:
    lasting = receipts.UNSEEN.model_copy(update={"expires_s": messages.NOW_S + 86400})
    store = keystore(tmp_path, stores.entry(WITHOUT_RECEIPT.model_copy(update={"consents": (lasting,)})))
    if len(log.entries) == 2:
        log = Log(log.entries[0])
        log.add(terms.LOG_GRANTED, grant(lasting))
    elif log.entries:
        log = Log(log.entries[0])
        log.add(terms.LOG_GRANTED, grant(lasting))
        log.add(terms.LOG_WITHDRAWN, [SERIAL, terms.BY_TOOL], START_S + 900)
    _, found = document(store, put(tmp_path, *receipts.receipts(log), messages.sealed(wire.DEVICE)))
    assert [one["event_state"] for one in node(found)["consents"]] == [state]


def test_a_period_cuts_positions_history_and_gaps(store: Path, tmp_path: Path) -> None:
    came = receipts.receipts(receipts.told())
    path = put(tmp_path, *came[:2], *came[3:], *positions(0, 300, 600, 1500))
    code, found = document(store, path, "--from", "2026-05-30T12:15:00", "--to", "2026-05-30T12:40:00")
    one = node(found)
    assert one["positions"]["with_receipt"] == 1
    assert [entry["kind"] for entry in one["logs"][0]["history"]] == ["withdrawn", "refused"]
    # The entry that is missing came between 12:02 and 12:30: it may be of the period.
    assert code == 1
    code, found = document(store, path, "--from", "2026-05-30T12:40:00")
    assert (code, node(found)["logs"][0]["gaps"]) == (0, [])


def test_one_node_alone(tmp_path: Path) -> None:
    """Of the others nothing is opened, and nothing is told."""
    store = keystore(tmp_path, stores.entry(WITHOUT_RECEIPT), stores.entry(stores.OTHER))
    path = put(tmp_path, *CAME, *positions(0), stores.truck(wire.LOCATION), stores.truck(wire.READINGS))
    code, found = document(store, path, "--node", "fridge")
    assert (code, node(found)["node"], found["messages"]["unknown"]) == (0, "fridge", 2)
    assert {name for _, names, _, _ in stores.told(store) for name in names} == {"fridge"}
    # The other's consent has a receipt by its flag, and no receipt that could be shown.
    code, found = document(store, path)
    assert code == 1
    assert {one["node"] for one in found["nodes"]} == {"fridge", "truck"}


def test_reading_it_is_on_record_before_anything_is_shown(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, *CAME, *positions(0, 300))
    code, found = document(store, path, "--from", "2026-05-01")
    assert code == 0
    assert stores.told(store) == [
        ("open_location", ("fridge",), 2, "audit"),
        ("audit", ("fridge",), 1, "receipts from 2026-05-01"),
    ]
    assert [one["action"] for one in found["access_log"]["shown"]] == ["open_location", "audit"]
    log = store.with_name(f"{store.name}.log")
    log.write_bytes(log.read_bytes()[:-20])
    ended = audit(store, path, "--html", tmp_path / "page.html")
    assert (ended.code, ended.out) == (1, "")
    assert "what cannot be logged is not done" in ended.err
    assert not (tmp_path / "page.html").exists()


def test_a_node_whose_receipts_alone_are_read_is_on_record(store: Path, tmp_path: Path) -> None:
    collected(store)
    forget_log(store)
    assert document(store, put(tmp_path, stores.truck(wire.READINGS)))[0] == 0
    assert stores.told(store) == [("audit", ("fridge",), 1, "receipts")]


def test_a_log_that_was_changed_ends_with_one(store: Path, tmp_path: Path) -> None:
    """Another keystore's log is none that this one's keys vouch for."""
    (tmp_path / "other").mkdir()
    other = keystore(tmp_path / "other")
    path = put(tmp_path, *CAME)
    assert document(other, path)[0] == 0
    code, found = document(store, path, "--log", other.with_name(f"{other.name}.log"))
    assert (code, found["access_log"]["sound"]) == (1, False)
    assert "the access log is not as it was written" in found["faults"]


def test_text_says_the_same(store: Path, tmp_path: Path) -> None:
    log = receipts.told()
    ended = audit(store, put(tmp_path, *receipts.receipts(log), *positions(0, 300, 2100)))
    assert ended.code == 1
    for text in (
        "log since 2026-05-27: 6 entries, whole",
        "consent 41: area, 2026-05-30T12:01:40Z to 2026-05-30T13:00:00Z, for test, by J. Doe",
        "consent 41, by the button on the board",
        "not newer than what was decided last",
        history.TOO_LATE,
        "fridge: positions without a receipt: 1",
        "tenant.keys.log is sound: 2 entries",
    ):
        assert text in ended.out
    ended = audit(store, put(tmp_path, *receipts.receipts(given()), *positions(0)))
    assert ended.code == 0
    assert "sound: 1 positions, every one under a receipt; every log is whole" in ended.out


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_key_and_no_place_is_shown(store: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    page = tmp_path / "page.html"
    ended = audit(store, put(tmp_path, *CAME, *positions(0, 300)), "--html", page, *arguments)
    assert ended.code == 0
    assert leaks(ended.out) == leaks(page.read_text()) == []
    assert leaks(f"cell 3, {ROW}, {COLUMN}") != []


def test_nothing_is_written_but_the_log(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, *CAME, *positions(0))
    before = store.read_bytes(), path.read_bytes()
    assert audit(store, path).code == 0
    assert (store.read_bytes(), path.read_bytes()) == before


def test_without_messages_it_is_the_audit_of_the_log(store: Path, tmp_path: Path) -> None:
    audit(store, put(tmp_path, *CAME))
    ended = run("audit", "--keystore", store, "--json", PLUMVEIL_PASSPHRASE=stores.PASSPHRASE)
    found = json.loads(ended.out)
    assert (ended.code, set(found)) == (0, {"entries", "summary"})


def test_a_keystore_that_is_searched(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_keys, "NODES_TRIED_MAX", 0)
    code, found = document(store, put(tmp_path, *CAME, *positions(0)))
    assert (code, node(found)["positions"]["with_receipt"]) == (0, 1)
