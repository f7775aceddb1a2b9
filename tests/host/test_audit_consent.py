"""`plumveil audit --messages`: every position beside its receipt and policy version, what is without is named and
ends with exit code 1, and reading all this is itself on record first."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from host_tools import rules
from host_tools.auditing import books, history
from plumveil import terms, wire
from tests.host import messages, receipts, stores
from tests.host.audits import (
    collected,
    document,
    given,
    keystore,
    node,
    positions,
    put,
    without,
)
from tests.host.messages import SERIAL, START_S
from tests.host.receipts import WITHOUT_RECEIPT, Log, grant

CAME = receipts.receipts(given())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return keystore(tmp_path)


def test_each_position_stands_beside_its_receipt_and_policy_version(store: Path, tmp_path: Path) -> None:
    code, found = document(store, put(tmp_path, *CAME, *positions(0, 300, 600)))
    assert (code, found["faults"], without(found)) == (0, [], {})
    (under,) = node(found)["positions"]["receipts"]
    entry = given().entries[1]
    assert under == {
        "consent": SERIAL,
        "receipt": 2,
        "receipt_id": hashlib.sha256(entry).hexdigest(),
        "granted": "2026-05-30T12:02:00Z",
        "positions": 3,
        "tiers": {"area": 3},
        "cells": {"area": 3},
        "first": "2026-05-30T12:00:00Z",
        "last": "2026-05-30T12:10:00Z",
        "policy_versions": {"1": 3},
    }


def test_receipts_collected_before_will_do(store: Path, tmp_path: Path) -> None:
    code, found = document(collected(store), put(tmp_path, *positions(0, 300)))
    assert (code, node(found)["positions"]["with_receipt"]) == (0, 2)
    assert [one["entries"] for one in node(found)["logs"]] == [2]


def test_a_position_without_evidence_ends_with_one(store: Path, tmp_path: Path) -> None:
    code, found = document(store, put(tmp_path, *positions(0)))
    assert code == 1
    assert without(found) == {"neither receipt nor statement of it was seen": 1}
    assert found["faults"] == ["fridge: positions without a receipt: 1"]
    assert node(found)["positions"]["without"][0]["first"][0].endswith("messages.cborseq #1")


def test_a_statement_is_enough_for_the_validator_and_not_for_the_audit(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, receipts.statement(), *positions(0))
    assert stores.with_store("validate", store, path).code == 0
    code, found = document(store, path)
    assert (code, without(found)) == (1, {history.NO_RECEIPT: 1})


@pytest.mark.parametrize(
    ("end", "details"),
    [
        (terms.LOG_WITHDRAWN, [SERIAL, terms.BY_BUTTON]),
        (terms.LOG_EXPIRED, [SERIAL]),
        (terms.LOG_INSUFFICIENT, [SERIAL, 2]),
        (terms.LOG_GRANTED, {**grant(reason="x"), terms.G_SERIAL: SERIAL + 1}),
    ],
    ids=["withdrawn", "expired", "insufficient", "superseded"],
)
def test_a_position_of_after_the_end_is_without(store: Path, tmp_path: Path, end: int, details: Any) -> None:
    log = given()
    log.add(end, details, START_S + 1801)
    path = put(tmp_path, *receipts.receipts(log), *positions(1500, 1800, 2100))
    code, found = document(store, path)
    assert (code, without(found)) == (1, {history.TOO_LATE: 1})
    assert node(found)["positions"]["with_receipt"] == 2


def test_the_end_of_another_consent_is_none_of_this_ones(store: Path, tmp_path: Path) -> None:
    log = given()
    log.add(terms.LOG_EXPIRED, [SERIAL - 1], START_S + 10)
    assert document(store, put(tmp_path, *receipts.receipts(log), *positions(600)))[0] == 0


def test_a_position_of_before_the_grant_is_without(store: Path, tmp_path: Path) -> None:
    log = Log()
    log.add(terms.LOG_GRANTED, grant(), START_S + 600)
    code, found = document(store, put(tmp_path, *receipts.receipts(log), *positions(0, 300, 600)))
    # Of 300 s on it may have been taken up to 599 s, of 600 on the grant was there.
    assert (code, without(found)) == (1, {history.TOO_EARLY: 2})


def test_a_forged_position_is_without(store: Path, tmp_path: Path) -> None:
    forged = bytearray(positions(0)[0])
    forged[-1] ^= 1
    code, found = document(store, put(tmp_path, *CAME, bytes(forged)))
    assert (code, without(found)) == (1, {books.UNOPENED: 1})


def test_a_position_that_nobody_can_open_is_without(tmp_path: Path) -> None:
    store = keystore(tmp_path, stores.entry(WITHOUT_RECEIPT.model_copy(update={"consents": ()})))
    code, found = document(store, put(tmp_path, *positions(0)))
    assert (code, without(found)) == (1, {books.UNOPENED: 1})


UNKNOWN_POLICY = messages.sealed(wire.LOCATION, policy=9)
OFF_GRID = messages.sealed(wire.LOCATION, messages.location(time=START_S + 7))
UNREADABLE = messages.sealed(wire.LOCATION, b"\xff" * 48)
NO_CELL = messages.sealed(wire.LOCATION, messages.location(cell=[3, 1 << 30, 0]))
TOMORROW = messages.sealed(wire.LOCATION, messages.location(time=START_S + wire.EPOCH_S))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ([UNKNOWN_POLICY], rules.FIELD),
        ([OFF_GRID], rules.RESOLUTION),
        ([UNREADABLE], rules.CBOR),
        ([NO_CELL], rules.RANGE),
        ([*positions(0), *positions(300)], rules.REPLAY),
        ([*positions(300), *positions(0, first=1)], rules.TIME),
    ],
    ids=["policy", "time off the grid", "unreadable", "no such cell", "counter replayed", "out of order"],
)
def test_a_position_that_breaks_any_rule_is_without(
    store: Path, tmp_path: Path, data: list[bytes], rule: str
) -> None:
    code, found = document(store, put(tmp_path, *CAME, *data))
    assert (code, found["faults"]) == (1, ["fridge: positions without a receipt: 1"])
    ((reason, count),) = without(found).items()
    assert (reason.partition(": ")[0], count) == (rule, 1)
    (one,) = node(found)["positions"]["without"]
    assert one["first"][0].endswith(f"messages.cborseq #{len(CAME) + len(data)}")
    assert node(found)["positions"]["with_receipt"] == len(data) - 1


def test_one_that_came_twice_counts_once(store: Path, tmp_path: Path) -> None:
    code, found = document(store, put(tmp_path, *CAME, OFF_GRID, OFF_GRID))
    assert (code, sum(without(found).values())) == (1, 1)


@pytest.mark.parametrize("data", [UNKNOWN_POLICY, TOMORROW], ids=["unreadable", "its time is wrong"])
def test_of_one_whose_time_says_nothing_the_day_of_its_name_counts(store: Path, tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path, *CAME, data)
    assert document(store, path, "--from", "2026-05-30", "--to", "2026-05-31")[0] == 1
    assert document(store, path, "--from", "2026-05-31")[0] == 0
    assert document(store, path, "--to", "2026-05-30")[0] == 0


def test_of_one_whose_time_can_be_read_that_time_counts(store: Path, tmp_path: Path) -> None:
    path = put(tmp_path, *CAME, OFF_GRID)
    assert document(store, path, "--to", "2026-05-30T12:01:00")[0] == 1
    assert document(store, path, "--from", "2026-05-30T12:01:00")[0] == 0


@pytest.mark.parametrize("missing", [0, 1, 2, 3, 4])
def test_a_gap_in_the_chain_is_named(store: Path, tmp_path: Path, missing: int) -> None:
    came = receipts.receipts(receipts.told())
    code, found = document(store, put(tmp_path, *came[:missing], *came[missing + 1 :]))
    (log,) = node(found)["logs"]
    assert (code, log["whole"], log["gaps"]) == (1, False, [f"entry {missing + 1}"])
    assert found["faults"] == [f"fridge, log since 2026-05-27: entry {missing + 1} missing"]


def test_a_log_that_was_changed_is_named(store: Path, tmp_path: Path) -> None:
    """One entry of another log in its place: two versions of it, and the next that does not follow."""
    log = receipts.told()
    other = Log(*log.entries[:2])
    other.add(terms.LOG_REFUSED, [terms.N_FORGED], START_S + 600)
    collected(store, *receipts.receipts(log)[:4])
    code, found = document(store, put(tmp_path, receipts.receipt(other.entries[2], 20)))
    (shown,) = node(found)["logs"]
    assert (code, shown["contradicted"], shown["whole"]) == (1, [3], False)


def test_the_history_is_the_whole_log_in_order(store: Path, tmp_path: Path) -> None:
    code, found = document(store, put(tmp_path, *receipts.receipts(receipts.told())))
    (log,) = node(found)["logs"]
    assert (code, log["whole"], log["entries"]) == (0, True, 6)
    kinds = [one["kind"] for one in log["history"]]
    assert kinds == ["policy", "granted", "refused", "withdrawn", "refused", "expired"]
    assert [one["number"] for one in log["history"]] == [1, 2, 3, 4, 5, 6]
    for before, after in pairwise(log["history"]):
        assert after["before"] == before["hash"]
    assert log["last"] == log["history"][-1]["hash"]
    reasons = [(one["time"], one["reason"]) for one in node(found)["refused_grants"]]
    assert reasons == [("2026-05-30T12:10:00Z", "replayed"), (None, "clock")]


def test_policies_are_told_by_the_log_and_by_messages(store: Path, tmp_path: Path) -> None:
    later = [messages.sealed(wire.READINGS, policy=2, counter=7), messages.sealed(wire.DEVICE, policy=1)]
    code, found = document(store, put(tmp_path, *CAME, *later))
    assert code == 0
    rows = {one["version"]: one for one in node(found)["policies"]}
    assert rows[1]["in_force"] == ["2026-05-30T12:00:00Z"]
    assert (rows[1]["messages"], rows[2]["messages"]) == (3, 1)
    assert (rows[2]["in_force"], rows[2]["on_record"]) == ([], True)


def test_a_policy_that_is_not_on_record_is_told(store: Path, tmp_path: Path) -> None:
    log = given()
    log.add(terms.LOG_POLICY, [9], START_S + 600)
    _, found = document(store, put(tmp_path, *receipts.receipts(log)))
    rows = {one["version"]: one for one in node(found)["policies"]}
    assert (rows[9]["on_record"], rows[9]["in_force"]) == (False, ["2026-05-30T12:10:00Z"])


def test_drops_are_added_up(store: Path, tmp_path: Path) -> None:
    reports = [messages.sealed(wire.DEVICE, messages.device(time=START_S + n), counter=n) for n in range(3)]
    _, found = document(store, put(tmp_path, *reports))
    assert node(found)["drops"] == {"reports": 3, "rules": {"out_of_range": 6, "sensor_fault": 3}}
