"""A virtual board on the line, a keystore and a node.toml: for tests that type `plumveil flash`."""

from __future__ import annotations

from pathlib import Path

from host_tools.keys.entries import Entry
from host_tools.virtual_board.running import RunningBoard
from tests.host import configuring, keystores
from tests.host.command_line import Ended, run


class Desk:
    """A virtual board on the line, a keystore and a node.toml."""

    def __init__(self, board: RunningBoard, folder: Path) -> None:
        self.board = board
        self.folder = folder
        self.keystore = keystores.make(folder)
        self.toml = configuring.put(folder, node={"name": "truck 7"})
        self.receipt = folder / "receipt.json"

    def flash(self, *options: str | Path) -> Ended:
        """The command, as typed."""
        given = ("flash", "--port", self.board.port, "--receipt", self.receipt, *options)
        return run(*given, PLUMVEIL_KEYSTORE=str(self.keystore), PLUMVEIL_PASSPHRASE=keystores.PASSPHRASE)

    def entry(self, name: str = "truck 7") -> Entry:
        with keystores.opened(self.keystore) as store:
            return store.get(name)

    def count(self) -> int:
        with keystores.opened(self.keystore) as store:
            return store.count
