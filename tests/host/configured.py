"""A board that is a tenant's node, for tests of its configuration: the VM behind a pty (tests/fakes/raw_repl.py), its
keystore and a node.toml. What main.py does at a start is done by hand here, by the node's own code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.configure import compiling, onnode, rules, writing
from host_tools.configure.nodetoml import load
from host_tools.firmware_source import beside
from host_tools.keys import enrol, when
from host_tools.keys.delivery import OverLine
from host_tools.keys.entries import Entry
from host_tools.node_link import NodeLink
from plumveil import wire
from tests.fakes.raw_repl import Board
from tests.host.command_line import Ended, run
from tests.host.configuring import NOW, put
from tests.host.keystores import NOW_S, PASSPHRASE, make, opened

NAME = "trailer 9"
# What main.py does with a configuration, up to its first good step.
STEP = beside("""
from plumveil import service, trial
from plumveil.keystate import KeyState, generation_of
state = KeyState(service.open_vault().load(generation_of))
config, path = trial.configuration(state)
trial.Trial(state, config, path, print).passed()
""")


class Node:
    """A board that is a tenant's node, its keystore, and a node.toml for it."""

    def __init__(self, board: Board, folder: Path) -> None:
        self.board = board
        self.folder = folder
        self.keystore = make(folder)
        self.toml = put(folder)
        with opened(self.keystore, write=True) as store, NodeLink(board.port) as link:
            enrol.enrol(store, NAME, "virtual", "general", link.unique_id(), OverLine(link))

    def first(self, version: int = 1) -> bytes:
        """Gives it a configuration as `plumveil flash` does."""
        file = compiling.seal(compiling.compile_node(load(self.toml), version), self.k_config)
        self.board.put(wire.FILE_CONFIG, file)
        return file

    @property
    def k_config(self) -> bytes:
        with opened(self.keystore) as store:
            return writing.key_of(store.get(NAME))

    def run(self, *arguments: str | Path, keystore: Path | None = None, passphrase: str = PASSPHRASE) -> Ended:
        given = ("--keystore", keystore or self.keystore)
        return run("configure", *arguments, "--port", self.board.port, *given, PLUMVEIL_PASSPHRASE=passphrase)

    def version(self) -> int:
        """Of the file in force."""
        parts = compiling.unseal(self.board.files()[wire.FILE_CONFIG], self.k_config)
        assert parts is not None
        return int(parts[wire.C_VERSION])

    def config_files(self) -> list[str]:
        return sorted(path for path in self.board.files() if path.startswith(wire.FILE_CONFIG))

    def known(self) -> Entry:
        """What the keystore knows of it."""
        with opened(self.keystore) as store:
            return store.get(NAME)


def at_one_present(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the tests' keystores and certificates, for all that is asked here."""
    monkeypatch.setattr(when, "now_s", lambda: NOW_S)
    check = rules.check
    monkeypatch.setattr(rules, "check", lambda parts, node_files=None, now=None: check(parts, node_files, now or NOW))


def starting(node: Node, monkeypatch: pytest.MonkeyPatch, step: str = STEP) -> None:
    """What the node says once its line is closed is what its own code says."""

    def wait(port: str, version: int, timeout_s: float) -> bool:
        assert port == node.board.port
        said = node.board.run(step)
        return f"plumveil: configuration {version} in force" in said.output

    monkeypatch.setattr(onnode, "wait_until_taken", wait)


@contextlib.contextmanager
def a_node(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node that has keys and no configuration yet."""
    at_one_present(monkeypatch)
    with Board(world=repr({"mac": "240ac4a1b2c3"})) as board:
        node = Node(board, folder)
        starting(node, monkeypatch)
        yield node
