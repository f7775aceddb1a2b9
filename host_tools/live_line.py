"""A line to a node that runs: its program stands still while the line is open, and goes on where it waited.

What the node has in RAM is kept: the batch of readings that is open, what it has learned of time. Must never restart
a node whose program can go on, nor leave one standing.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

from host_tools.node_link import RUN_TIMEOUT_S, NodeLink, NodeLost
from host_tools.transports import LOST, Tool

AWAKE_TIMEOUT_S = 2.5  # longest that a node which does not sleep takes to answer, as a rule
ASLEEP_TIMEOUT_S = 75.0  # a battery node wakes every minute
BREAK_TIMEOUT_S = 20.0
GO_ON = "loop.run(app, machine.reset)"  # as main.py has it
_LIVE = """
pv_names = list(globals())
print("<01>" if "app" in pv_names and "loop" in pv_names and "machine" in pv_names else "<00>")
"""
# What was sent would lie in its RAM for as long as it runs.
_FORGET = """
for pv_name in list(globals()):
    if pv_name not in pv_names and pv_name != "pv_names":
        del globals()[pv_name]
del pv_names, pv_name
__import__("gc").collect()
print("<01>")
"""


class LiveLine(NodeLink):
    """An open line to a node whose program stands still; closing it lets it go on, or starts a node that had none.

    alive: whether the node has a program that can go on, as `app` in its __main__.
    """

    def __init__(self, port: str, tool: Tool = "mpremote", silent: Callable[[], None] | None = None) -> None:
        """Opens the line and stops the program where it waits. silent: called once when the node does not answer at
        once. UsageError when `port` is no device, NodeLost when none answers."""
        self._silent = silent
        self.alive = True
        super().__init__(port, tool)
        try:
            self.alive = self.run(_LIVE) == b"\x01"
            if not self.alive:
                # It may have been in the middle of its start: boot.py says where the firmware is.
                self.restart()
        except BaseException:
            self.close()
            raise

    def _enter(self) -> None:
        try:
            if self._transport.halt(AWAKE_TIMEOUT_S):
                return
            if self._silent is not None:
                self._silent()
            if self._transport.halt(ASLEEP_TIMEOUT_S):
                return
        except KeyboardInterrupt:
            # The node may hear of us when nobody is there any more.
            self._transport.go_on(GO_ON)
            raise
        raise NodeLost(f"no node answers at {self.port}: is it plugged in, and no other program on the line?")

    def close(self) -> None:
        """Lets the program go on and closes the line. NodeLost when the node does not say that it goes on."""
        if not self.alive:
            # There is nothing to go on with.
            (super().abandon if self.lost else super().close)()
            return
        went_on = False
        try:
            with contextlib.suppress(*LOST), contextlib.redirect_stdout(io.StringIO()):
                # What it was told may still be under way.
                if not self.lost or self._transport.halt(BREAK_TIMEOUT_S):
                    self._transport.execute(_FORGET, RUN_TIMEOUT_S)
                    went_on = self._transport.go_on(GO_ON)
        finally:
            self._transport.close()
        if not went_on:
            raise NodeLost(f"the node at {self.port} does not say that it goes on: press its reset button")
