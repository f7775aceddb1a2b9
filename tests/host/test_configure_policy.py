"""What is configured by whom: a node and no other, policies by the controller alone; and which consents go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host_tools.configure import compiling, record, writing
from host_tools.configure.nodetoml import load
from host_tools.errors import PlumveilError
from host_tools.keys.faults import BeyondRole
from host_tools.node_link import NodeLink
from host_tools.policy import profile
from plumveil import wire
from tests.fakes.raw_repl import Board
from tests.host.configured import NAME, Node, a_node
from tests.host.configuring import put
from tests.host.keystores import EXPORTED, hand_out, opened

pytestmark = pytest.mark.vm
TEMPERATURE = "[fields.temperature]\nstep = 1 "


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    with a_node(tmp_path, monkeypatch) as node:
        yield node


def widened(node: Node) -> int:
    """Version of the policy below which the node takes no consent."""
    parts = compiling.unseal(node.board.files()[wire.FILE_CONFIG], node.k_config)
    assert parts is not None
    return int(parts[wire.C_POLICY][wire.P_WIDENED])


def test_consents_go_on_under_the_same_policy_and_a_narrower_one(
    node: Node, second_profile: Callable[..., None]
) -> None:
    node.first()
    put(node.folder, intervals={"sample_s": 600})
    assert node.run(node.toml).code == 0
    assert widened(node) == 1
    second_profile(TEMPERATURE, TEMPERATURE.replace("1", "2"))
    put(node.folder, policy={"profile": "wider"}, intervals={"sample_s": 600})
    assert node.run(node.toml).code == 0
    assert widened(node) == 1
    assert [policy.version for policy in node.known().policies] == [1, 2]


@pytest.fixture
def second_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Writes profile `wider`: general with something changed."""
    text = (profile.PROFILES_DIR / "general.toml").read_text()
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "general.toml").write_text(text)
    monkeypatch.setattr(profile, "PROFILES_DIR", folder)

    def written(old: str, new: str, version: int = 2) -> None:
        assert old in text
        changed = (
            text.replace(old, new).replace('"general"', '"wider"').replace("version = 1", f"version = {version}")
        )
        (folder / "wider.toml").write_text(changed)

    return written


def test_a_wider_policy_is_the_controllers_and_needs_new_consents(
    node: Node, second_profile: Callable[..., None]
) -> None:
    second_profile("health_mask = true", "health_mask = false")
    node.first()
    put(node.folder, policy={"profile": "wider"})
    technician = hand_out(node.keystore, "technician")
    before = node.board.files()
    refused = node.run(node.toml, keystore=technician, passphrase=EXPORTED)
    assert refused.code == 1
    assert "this changes the node's policy, which is its controller's to do" in refused.err
    assert node.board.files() == before
    done = node.run(node.toml, "--diff")
    assert done.code == 0
    assert (
        "Note: a consent given before does not suffice from then on, and location is off: health values" in done.err
    )
    assert "policy.health_mask: true -> false" in done.out
    assert [policy.version for policy in node.known().policies] == [1, 2]
    assert widened(node) == 2


def test_a_technician_changes_everything_else(node: Node) -> None:
    node.first()
    technician = hand_out(node.keystore, "technician")
    put(node.folder, wifi={"ssid": "quay"}, intervals={"sample_s": 600})
    assert node.run(node.toml, keystore=technician, passphrase=EXPORTED).code == 0
    assert node.version() == 2
    with opened(technician, EXPORTED) as store:
        assert store.get(NAME).config_version == 2


def test_a_technician_cannot_tell_the_policy_of_a_node_that_lost_it(node: Node) -> None:
    assert node.run(node.toml).code == 0
    technician = hand_out(node.keystore, "technician")
    node.board.put(wire.FILE_CONFIG, b"")
    refused = node.run(node.toml, keystore=technician, passphrase=EXPORTED)
    assert "this may change the node's policy" in refused.err


def test_a_version_of_a_policy_means_one_thing(node: Node, second_profile: Callable[..., None]) -> None:
    second_profile(TEMPERATURE, TEMPERATURE.replace("1", "2"), version=1)
    node.first()
    put(node.folder, policy={"profile": "wider"})
    refused = node.run(node.toml)
    assert refused.code == 1
    assert f"policy version 1 of '{NAME}' is on record with other content" in refused.err
    assert node.known().config_version == 0


REFUSALS = [
    ({"node": {"name": "lorry-of-J-Doe"}}, "the board on the line is not 'lorry-of-J-Doe'"),
    ({"node": {"name": "nobody"}}, "has no node named 'nobody'"),
    ({"node": {"board": "ESP32_GENERIC"}}, f"node.board: '{NAME}' is enrolled on virtual, not on ESP32_GENERIC"),
    ({"service": {"tenant": "other"}}, "service.tenant: 'other' is not 'acme', whose keystore this is"),
    ({"wifi": {"key": "password"}}, "wifi key: is a default"),
    ({"broker": {"ca_file": None}}, "the node would speak plain TCP"),
]


@pytest.mark.parametrize(("sections", "words"), REFUSALS, ids=[words[:30] for _, words in REFUSALS])
def test_what_is_refused_leaves_all_as_it_was(node: Node, sections: dict[str, Any], words: str) -> None:
    node.first()
    before, store = node.board.files(), node.keystore.read_bytes()
    put(node.folder, **sections)
    refused = node.run(node.toml)
    assert refused.code == 1
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert (node.board.files(), node.keystore.read_bytes()) == (before, store)


def test_a_board_of_nobodys(node: Node) -> None:
    other_mac = repr({"mac": "240ac4000001"})
    with Board(world=other_mac) as other, opened(node.keystore) as store, NodeLink(other.port) as link:
        with pytest.raises(PlumveilError, match=r"no node that .* knows by its board: enrol it"):
            writing.plan(store, load(node.toml), link)
        named = load(put(node.folder, node={"name": NAME}))
        with pytest.raises(PlumveilError, match=f"the board on the line is not '{NAME}'"):
            writing.plan(store, named, link)


def test_the_record_is_what_the_policy_was(node: Node) -> None:
    with opened(node.keystore, write=True) as store:
        entry = store.get(NAME)
        policy, service = {"profile": "healthcare-us", "version": 3}, {"jurisdiction": "US", "endpoint_region": "US"}
        other = compiling.compile_node(load(put(node.folder, policy=policy, service=service)), 1)
        changed = record.with_policy(store, entry, other)
        assert changed.policies == (*entry.policies, other.policy)
        assert changed.policy_map == other.policy_map
        assert record.with_policy(store, changed, other) == changed
        assert record.next_version(dataclasses.replace(entry, config_version=9), 4) == 10
        assert record.next_version(entry, 4) == 5
    technician = hand_out(node.keystore, "technician")
    with opened(technician, EXPORTED) as store:
        entry = store.get(NAME)
        assert record.with_policy(store, entry, other) == entry
        with pytest.raises(BeyondRole):
            record.with_policy(store, dataclasses.replace(entry, config_version=1), other)


def test_other_roles_configure_nothing(node: Node) -> None:
    copy = hand_out(node.keystore, "controller", name="copy")
    refused = node.run(node.toml, keystore=copy, passphrase=EXPORTED)
    assert refused.code == 1
    assert "is a copy" in refused.err
    auditor = hand_out(node.keystore, "auditor")
    assert (
        "auditor's keystore and cannot configure a node"
        in node.run(node.toml, keystore=auditor, passphrase=EXPORTED).err
    )
