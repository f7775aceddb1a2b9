"""A whole node in the VM, its messages over a broker, and the audit of what came: every position has its receipt."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from host_tools import registry
from host_tools.keys.entries import ACTIVE, Entry, KeySet
from host_tools.registry import Node
from host_tools.simulate import scenario
from plumveil import wire
from tests.e2e.test_demo import plumveil
from tests.host import keystores
from tests.host.command_line import run

pytestmark = [pytest.mark.e2e, pytest.mark.vm]
HOURS = 3


def simulated(out: Path) -> tuple[Node, int]:
    """Runs a node with consent over some hours of a drive -> (its record, positions that arrived)."""
    truck = scenario.truck()
    assert truck.nmea is not None
    part = truck.nmea.window(truck.start_s + 7200, truck.start_s + 7200 + HOURS * 3600)
    (out / "drive.nmea").write_bytes(part.data)
    rows = [f"{datetime.fromtimestamp(t_s, UTC):%Y-%m-%d %H:%M:%S},5" for t_s in range(part.start_s, part.end_s, 60)]
    (out / "cargo.csv").write_text("\n".join(["time,temperature", *rows]) + "\n")
    inputs = ("--nmea", out / "drive.nmea", "--temperature", out / "cargo.csv", "--consent", "area")
    assert plumveil("simulate", *inputs, "--out", out / "made").returncode == 0
    (node,) = registry.load(out / "made" / registry.KEY_FILE).nodes
    (told,) = json.loads((out / "made" / "summary.json").read_text())["nodes"]
    return node, told["locations"]


def entry(node: Node) -> Entry:
    """The node as a keystore has it before any receipt came."""
    k_id, k_chain, k_config, k_consent = map(bytes.fromhex, (node.k_id, node.k_chain, node.k_config, node.k_consent))
    keys = KeySet(k_id, k_chain, k_config, k_consent, node.epoch0_day)
    name, tenant = node.name, keystores.TENANT
    return Entry(
        0,
        name,
        tenant,
        ACTIVE,
        "virtual",
        None,
        keys.k_config,
        keys,
        policies=node.policies,
        consents=node.consents,
    )


def test_what_a_node_sent_is_audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, located = simulated(tmp_path)
    assert located > 5
    assert not any(consent.receipted for consent in node.consents)
    monkeypatch.setattr(keystores, "TENANT", node.tenant)
    store = keystores.make(tmp_path, entry(node))
    now = f"{datetime.fromtimestamp((node.epoch0_day + 1) * wire.EPOCH_S, UTC):%Y-%m-%d}"
    given: dict[str, Any] = {"PLUMVEIL_PASSPHRASE": keystores.PASSPHRASE}
    messages = tmp_path / "made" / "messages"
    ended = run("consent", "collect", messages, "--keystore", store, "--now", now, **given)
    assert (ended.code, ended.err) == (0, "")
    ended = run("audit", "--messages", messages, "--keystore", store, "--now", now, "--json", **given)
    found = json.loads(ended.out)
    assert (ended.code, found["faults"], found["messages"]["invalid"]) == (0, [], 0)
    (shown,) = found["nodes"]
    assert shown["positions"]["with_receipt"] == located
    assert [one["event_state"] for one in shown["consents"]] == ["given"]
    assert shown["logs"][0]["whole"]
