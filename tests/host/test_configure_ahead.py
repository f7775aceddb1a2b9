"""A configuration for a day to come: put beside the one in force, kept until then, given up for a newer one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest

from host_tools.configure import onnode, settling, writing
from host_tools.configure.nodetoml import load
from host_tools.configure.policytoml import midnight_s
from host_tools.errors import PlumveilError
from host_tools.firmware_source import beside
from host_tools.node_link import NodeLink
from plumveil import wire
from tests.host.configured import NAME, Node, a_node
from tests.host.configuring import put
from tests.host.keystores import EXPORTED, hand_out, opened

pytestmark = pytest.mark.vm

DAY = datetime.date(2098, 3, 1)
# What a start makes of a configuration that waits.
LOOK = """
from plumveil import service, trial
from plumveil.keystate import KeyState, generation_of
state = KeyState(service.open_vault().load(generation_of))
config, path = trial.configuration(state)
print("runs", config.version, "waits", trial.ahead(state, config))
"""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    with a_node(tmp_path, monkeypatch) as node:
        node.first()
        yield node


def waiting(node: Node) -> dict[int, object]:
    body, _ = cbor2.loads(node.board.files()[wire.FILE_NEXT])
    parts: dict[int, object] = cbor2.loads(body)
    return parts


def test_it_waits_beside_the_one_in_force(node: Node) -> None:
    before = node.board.files()
    put(node.folder, policy={"effective": DAY}, intervals={"sample_s": 600})
    done = node.run(node.toml, "--diff")
    assert (done.code, done.err) == (0, "")
    assert "  intervals.sample_s: 300 -> 600" in done.out
    assert done.out.endswith(" policy general version 1: loaded ahead, in force from 2098-03-01 00:00:00Z.\n")
    after = node.board.files()
    assert after.pop(wire.FILE_NEXT)
    assert after == before
    assert waiting(node)[wire.C_FROM_S] == midnight_s(DAY)
    assert node.board.run(beside(LOOK)).output.strip() == f"runs 1 waits {midnight_s(DAY)}"
    assert node.known().config_version == 2
    again = node.run(node.toml)
    assert again.out == f"{NAME} waits for this configuration already; nothing was written.\n"


def test_another_takes_its_place(node: Node) -> None:
    put(node.folder, policy={"effective": DAY}, intervals={"sample_s": 600})
    assert node.run(node.toml).code == 0
    put(node.folder, policy={"effective": DAY + datetime.timedelta(1)}, intervals={"sample_s": 600})
    done = node.run(node.toml)
    assert "Note: configuration 2, loaded ahead, is given up for this one." in done.err
    assert waiting(node)[wire.C_VERSION] == 3
    # What is in force is wanted still, and nothing after it.
    put(node.folder)
    refused = node.run(node.toml)
    assert "policy.version: this lets out more (a reading: every 600 s -> every 300 s)" in refused.err
    put(node.folder, policy={"version": 2})
    done = node.run(node.toml)
    assert done.code == 0
    assert "configuration 3, loaded ahead, is given up" in done.err
    assert node.version() == 4
    assert node.board.run(beside(LOOK)).output.strip() == "runs 4 waits 0"
    assert wire.FILE_NEXT not in node.board.files()


def test_without_one_in_force_it_is_refused(node: Node) -> None:
    node.board.put(wire.FILE_CONFIG, b"")
    put(node.folder, policy={"effective": DAY})
    refused = node.run(node.toml)
    assert refused.code == 1
    assert "policy.effective: lies ahead, and the node has no configuration in force" in refused.err
    assert (wire.FILE_NEXT in node.board.files(), node.known().config_version) == (False, 0)


def test_a_damaged_one_counts_for_nothing(node: Node) -> None:
    node.board.put(wire.FILE_NEXT, b"\x82\x00")
    with opened(node.keystore) as store, NodeLink(node.board.port) as link:
        state = onnode.state(link, writing.key_of(store.get(NAME)))
    assert (state.ahead, state.damaged, state.highest, len(state.there)) == (None, False, 1, 1)
    put(node.folder, policy={"effective": DAY}, intervals={"sample_s": 600})
    assert node.run(node.toml).err == ""
    assert waiting(node)[wire.C_VERSION] == 2


def test_a_node_that_does_not_keep_it_is_found_out(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    put(node.folder, policy={"effective": DAY}, intervals={"sample_s": 600})
    monkeypatch.setattr(onnode, "put", lambda link, data, path: None)
    refused = node.run(node.toml)
    assert refused.code == 1
    assert "the node did not keep the configuration that is loaded ahead" in refused.err


def test_what_the_controller_loaded_ahead_is_no_technicians_to_give_up(node: Node) -> None:
    put(node.folder, policy={"effective": DAY, "version": 2})
    assert node.run(node.toml).code == 0
    technician = hand_out(node.keystore, "technician")
    put(node.folder, wifi={"ssid": "quay"})
    refused = node.run(node.toml, keystore=technician, passphrase=EXPORTED)
    assert "which is its controller's to do" in refused.err
    assert waiting(node)[wire.C_VERSION] == 2


def test_no_image_and_no_flash_for_a_day_to_come(node: Node) -> None:
    put(node.folder, policy={"effective": DAY})
    with (
        opened(node.keystore) as store,
        pytest.raises(PlumveilError, match="a node needs a configuration that is in"),
    ):
        settling.settle(store, store.get(NAME), load(node.toml), 1)
