"""Ways in which keys reach a node: over its serial line, or as a file for whoever flashes it."""

from __future__ import annotations

from pathlib import Path

from host_tools.errors import PlumveilError
from host_tools.keys import files
from host_tools.keys.enrol import Handover, renewed_config
from host_tools.node_link import NodeLink

SLOT = "key slot"


class OverLine:
    """Writes the key slot over an open line; `note` says what is left to do."""

    def __init__(self, link: NodeLink) -> None:
        self._link = link
        self.note = ""

    def __call__(self, handover: Handover) -> None:
        """Raises NodeRefused when the node did not take the slot, NodeLost when that is not known."""
        replace = bool(handover.old_k_config)
        self._link.enrol(handover.slot_bytes, replace=replace)
        if replace:
            # The node has its keys by now: nothing that fails from here on may look as if it had not.
            try:
                self._renew_config(handover)
            except PlumveilError:
                self.note = "its configuration could not be read or written: configure it anew"

    def _renew_config(self, handover: Handover) -> None:
        config = self._link.read_config()
        if config is None:
            return
        renewed = renewed_config(config, handover)
        if renewed is None:
            self.note = "its configuration was not authentic: configure it anew"
        else:
            self._link.write_config(renewed)


class IntoFile:
    """Writes the key slot into a file, as it is to stand at the start of the node's key partition."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.note = ""

    def __call__(self, handover: Handover) -> None:
        """Raises UsageError when the file cannot be written, or is there already."""
        files.write_private(self._path, handover.slot_bytes, SLOT, fresh=True)
        self.note = f"{self._path} holds its keys: write it to the node's key partition, then destroy it"
        if handover.old_k_config:
            self.note += ", and configure the node anew"
