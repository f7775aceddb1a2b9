"""Configuring a node over its line: what stands on it afterwards, what the keystore knows, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.accesslog import log_path
from host_tools.configure import compiling, onnode
from host_tools.configure.nodetoml import load
from plumveil import wire
from tests.host.command_line import run
from tests.host.configured import NAME, STEP, Node, a_node, starting
from tests.host.configuring import WIFI_KEY, put

pytestmark = pytest.mark.vm


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    with a_node(tmp_path, monkeypatch) as node:
        yield node


def test_a_new_configuration_is_taken_and_the_keystore_knows(node: Node) -> None:
    node.first()
    put(node.folder, intervals={"sample_s": 600})
    done = node.run(node.toml)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{NAME}: configuration 2, ")
    assert done.out.endswith("policy general version 1: the node has run with it.\n")
    assert node.config_files() == [wire.FILE_CONFIG]
    assert node.version() == 2
    assert node.known().config_version == 2
    assert '"configure"' in log_path(node.keystore).read_text().splitlines()[-1]
    assert "configuration version 2 policy version 1" in log_path(node.keystore).read_text().splitlines()[-1]


def test_the_first_configuration_of_a_node(node: Node) -> None:
    assert node.run(node.toml).code == 0
    assert node.version() == 1


def test_the_old_one_stays_until_the_new_one_has_run(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    old = node.first()
    put(node.folder, intervals={"sample_s": 600})
    monkeypatch.setattr(onnode, "wait_until_taken", lambda *_: False)
    done = node.run(node.toml)
    assert done.code == 1
    assert "has not run with configuration 2 after 150 s: it keeps the old one until it has" in done.err
    assert node.board.files()[wire.FILE_CONFIG] == old
    assert node.config_files() == [wire.FILE_CONFIG, onnode.TRIAL_FILE]
    # What is on trial counts too: the next one is above it.
    starting(node, monkeypatch)
    assert node.run(node.toml).code == 0
    assert node.version() == 3


def test_what_is_on_trial_counts_whoever_put_it_there(node: Node) -> None:
    node.first()
    for left, version in ((2, 50), (1, 49)):
        file = compiling.seal(compiling.compile_node(load(node.toml), version), node.k_config)
        node.board.put(f"{wire.FILE_CONFIG}.{left}", file)
    put(node.folder, intervals={"sample_s": 600})
    assert node.run(node.toml).code == 0
    assert node.version() == 51
    assert node.config_files() == [wire.FILE_CONFIG]


def test_a_node_that_spoke_before_anybody_listened_has_it_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.first()
    put(node.folder, intervals={"sample_s": 600})
    monkeypatch.setattr(onnode, "wait_until_taken", lambda *_: not node.board.run(STEP).ok)
    assert node.run(node.toml).code == 0
    assert node.version() == 2


def test_nothing_is_written_when_nothing_changes(node: Node) -> None:
    node.first()
    before, log = node.board.files(), log_path(node.keystore).read_text()
    done = node.run(node.toml, "--diff")
    assert (done.code, done.out) == (
        0,
        f"nothing changes\n{NAME} has this configuration already; nothing was written.\n",
    )
    assert node.board.files() == before
    assert log_path(node.keystore).read_text() == log
    assert node.known().config_version == 0


def test_a_dry_run_shows_and_writes_nothing(node: Node) -> None:
    node.first()
    put(node.folder, intervals={"sample_s": 600}, wifi={"key": "another key of ours"})
    before, store = node.board.files(), node.keystore.read_bytes()
    done = node.run(node.toml, "--dry-run", "--diff")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:2] == ["  intervals.sample_s: 300 -> 600", "wifi.key: changed"]
    assert lines[2].startswith(f"{NAME}: configuration 2, ")
    assert lines[2].endswith("nothing was written.")
    assert node.board.files() == before
    assert node.keystore.read_bytes() == store


def test_no_key_is_shown_and_none_stands_in_the_code_as_it_is(node: Node) -> None:
    node.first()
    put(node.folder, wifi={"key": "another key of ours"})
    shown = ""
    for arguments in (("--dry-run", "--diff"), ("--diff",), ("--diff",)):
        done = node.run(node.toml, *arguments)
        shown += done.out + done.err
    for secret in (WIFI_KEY, "another key of ours", node.k_config.hex()):
        assert secret not in shown
        assert secret.encode() not in log_path(node.keystore).read_bytes()


def test_the_version_is_above_the_node_and_above_the_record(node: Node) -> None:
    node.first(version=41)
    put(node.folder, intervals={"sample_s": 600})
    assert node.run(node.toml).code == 0
    assert node.version() == 42
    # The node's file is lost, or an older one put back: what was given before still counts.
    node.first(version=7)
    assert node.run(node.toml, "--diff").code == 0
    assert node.version() == 7  # the same but for the version: nothing to write
    put(node.folder, intervals={"sample_s": 900})
    assert node.run(node.toml).code == 0
    assert node.version() == 43


def test_a_configuration_that_is_not_authentic_is_replaced(node: Node) -> None:
    file = node.first()
    node.board.put(wire.FILE_CONFIG, file[:-1] + bytes([file[-1] ^ 1]))
    done = node.run(node.toml)
    assert (done.code, done.err) == (0, "Note: the node's configuration was damaged, or not authentic.\n")
    assert node.version() == 1


def test_a_node_that_falls_silent_midway_keeps_what_it_had(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    old = node.first()
    put(node.folder, intervals={"sample_s": 600})
    monkeypatch.setattr("host_tools.node_link.RUN_TIMEOUT_S", 1.0)
    node.board.mute_at = len(node.board.codes) + 10
    done = node.run(node.toml)
    assert done.code == 1
    assert "broke off" in done.err
    node.board.unmute()
    assert node.board.files()[wire.FILE_CONFIG] == old
    # The record is ahead of the node, never behind it.
    assert node.known().config_version == 2
    assert node.run(node.toml).code == 0
    assert node.version() == 3


def test_an_export_of_the_node(node: Node, tmp_path: Path) -> None:
    node.first()
    out = tmp_path / "out" / "exported.toml"
    out.parent.mkdir()
    done = node.run("export", "-o", out)
    assert (done.code, done.err) == (0, "")
    text = out.read_text()
    assert f'name = "{NAME}"' in text
    assert 'tenant = "acme"' in text
    assert 'board = "virtual"' in text
    assert WIFI_KEY not in text
    assert (out.parent / "exported.ca.pem").read_bytes() == (tmp_path / "ca.pem").read_bytes()
    assert run("configure", "export", "--port", node.board.port).out.startswith("# Read from a node")
    again = node.run("export", "-o", out)
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.err


def test_an_export_of_what_is_not_authentic(node: Node) -> None:
    file = node.first()
    node.board.put(wire.FILE_CONFIG, file[:-1] + bytes([file[-1] ^ 1]))
    assert "it has none that can be believed" in node.run("export").err
    assert run("configure", "export", "--port", node.board.port).code == 0
    node.board.put(wire.FILE_CONFIG, b"junk")
    assert "it has none that can be believed" in run("configure", "export", "--port", node.board.port).err
